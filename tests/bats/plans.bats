#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Plans are carried out as they are printed, and all of them come to the same
# guest. Which one is cheapest is the units' concern.
load helper
load images

# One disk, in every dress. Made once, never changed.
setup_file() {
	local at=$BATS_FILE_TMPDIR
	for tool in qemu-img qemu-io sgdisk mkfs.ext4 xz gzip python3; do
		PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null ||
			return 0
	done
	make_gpt_image "$at/base.raw" 32
	cd "$at" || return 1
	qemu-img convert -O qcow2 base.raw base.qcow2
	qemu-img convert -c -O qcow2 base.raw packed.qcow2
	qemu-img convert -O vdi base.raw base.vdi
	cp base.qcow2 mixed.qcow2
	python3 "$fixtures/shuffle_qcow2.py" mixed.qcow2
	xz -k -1 -T1 base.raw
	xz -kc -1 -T2 --block-size=256KiB base.raw >blocks.raw.xz
	gzip -k1 base.raw
	xz -k -1 -T1 base.qcow2
	xz -kc -1 -T2 --block-size=256KiB mixed.qcow2 >mixed.qcow2.xz
	rm mixed.qcow2
	if built_with zst && command -v zstd >/dev/null; then
		zstd -q base.raw
	fi
}

prepare() {
	need qemu-img qemu-io sgdisk mkfs.ext4 xz gzip python3
	! built_with zst || need zstd
	inputs=$BATS_FILE_TMPDIR
}

# The names of the inputs that may come through a pipe.
streams() {
	(cd "$inputs" && printf '%s\n' base.raw* base.qcow2* packed.qcow2 \
		blocks.raw.xz mixed.qcow2.xz)
}

steps() { sed -n 's/^[0-9]*\. //p'; }
trace() { sed -n 's/^imgconv: step: //p'; }

# traced INPUT OUTPUT ARGUMENTS...: the run's trace equals the printed plan.
# INPUT "< FILE" comes through a pipe; OUTPUT "> FILE" goes through one.
traced() {
	local in=$1 out=$2 target=$2 what="$*"
	shift 2
	if [ "${out#> }" != "$out" ]; then target=-; fi
	if [ "${in#< }" != "$in" ]; then
		in=${in#< }
		"$IMGCONV" plan "$@" - "$target" < <(cat "$in") >planned ||
			fail "no plan: $what"
		{ "$IMGCONV" -v "$@" - "$target" < <(cat "$in") 2>log ||
			echo $? >failed; } | cat >"${out#> }.piped"
	else
		"$IMGCONV" plan "$@" "$in" "$target" >planned ||
			fail "no plan: $what"
		{ "$IMGCONV" -v "$@" "$in" "$target" 2>log ||
			echo $? >failed; } | cat >"${out#> }.piped"
	fi
	[ ! -e failed ] || fail "$what: status $(cat failed): $(cat log)"
	if [ "$target" = - ]; then mv "${out#> }.piped" "${out#> }"; fi
	[ "$(steps <planned)" = "$(trace <log)" ] || fail \
		"$what: planned: $(steps <planned | xargs), done: $(trace <log |
			xargs)"
}

# as_raw FILE: unpacked and as a raw file, by other people's programs.
as_raw() {
	local file=$1
	case $file in
	*.zst) zstd -qdc "$file" >unpacked && file=${file%.zst} ;;
	*.xz) xz -dc "$file" >unpacked && file=${file%.xz} ;;
	*) cp --sparse=always "$file" unpacked ;;
	esac
	case $file in
	*.qcow2)
		sound_packed unpacked
		qemu-img convert -f qcow2 -O raw unpacked seen.raw
		;;
	*) mv unpacked seen.raw ;;
	esac
}

sound_packed() {
	qemu-img check -q -f qcow2 "$1" || fail "qemu-img check: $1"
}

# right FILE: the guest is the base disk.
right() { as_raw "$1" && same_bytes "$inputs/base.raw" seen.raw; }

# grown FILE: the same, twice as large, the partition table in order.
grown() {
	as_raw "$1"
	equal $((64 << 20)) "$(size_of seen.raw)" "size of $1"
	run -0 sgdisk -v seen.raw
	[[ $output == *"No problems found"* ]] || fail "$1: $output"
	cmp -i $((34 * 512)) -n $((31 << 20)) seen.raw "$inputs/base.raw"
}

# from_everything GOAL VERDICT ARGUMENTS...: from every input, in a file and,
# but for what only qemu-img reads, through a pipe.
from_everything() {
	local goal=$1 verdict=$2 name
	shift 2
	for name in $(streams) base.vdi; do
		traced "$inputs/$name" "$goal" --force "$@"
		"$verdict" "$goal"
	done
	for name in $(streams); do
		traced "< $inputs/$name" "$goal" --force "$@"
		"$verdict" "$goal"
	done
}

@test "to raw" {
	from_everything out.raw right
	[ "$(streams | wc -l)" -ge 8 ]
}

@test "to qcow2" { from_everything out.qcow2 right; }

@test "to compressed qcow2" { from_everything out.qcow2 right -c; }

@test "to raw.zst" {
	built_with zst || return 0
	from_everything out.raw.zst right
}

@test "to qcow2.xz" { from_everything out.qcow2.xz right --wrap-level 1; }

@test "to a larger raw" { from_everything out.raw grown -s 64M; }

@test "to a larger qcow2" { from_everything out.qcow2 grown -s 64M; }

@test "to something larger by so much, compressed" {
	from_everything out.qcow2.xz grown -s 64M -c --wrap-level 1
	traced "< $inputs/base.raw.gz" out.raw -s +32M
	grown out.raw
}

@test "--rewrite" { from_everything out.qcow2 right --rewrite; }

@test "--digest" {
	from_everything out.raw right --digest
	[ "$(cut -d' ' -f1 out.raw.piped)" = "$(digest_of \
		"$inputs/base.raw")" ]
	from_everything out.qcow2 right --digest
}

@test "to a pipe" {
	local name
	for name in $(streams); do
		traced "$inputs/$name" "> out.raw" -O raw
		right out.raw
		traced "< $inputs/$name" "> out.raw" -O raw
		right out.raw
		traced "$inputs/$name" "> out.qcow2" -O qcow2
		right out.qcow2
		traced "< $inputs/$name" "> out.qcow2" -O qcow2
		right out.qcow2
	done
}

@test "--consume" {
	local name
	for name in $(streams) base.vdi; do
		cp "$inputs/$name" .
		traced "$name" out.raw --consume --force
		right out.raw
		[ ! -e "$name" ] || fail "$name is still there"
		cp "$inputs/$name" .
		traced "$name" out.qcow2 --consume --force
		right out.qcow2
		[ ! -e "$name" ] || fail "$name is still there"
	done
}

@test "in place" {
	local name
	for name in raw qcow2; do
		cp "$inputs/base.$name" "own.$name"
		"$IMGCONV" resize -v "own.$name" 64M 2>log
		grown "own.$name"
		[ -n "$(trace <log)" ]
	done
}

# alternatives INPUT OUTPUT VERDICT ARGUMENTS...: by id, and by number.
alternatives() {
	local in=$1 out=$2 verdict=$3 line number id seen=0
	shift 3
	"$IMGCONV" plan --all "$@" "$in" "$out" | grep '^plan ' >all
	while read -r line; do
		number=${line%%:*} number=${number#plan } id=${line#*: }
		traced "$in" "$out" "$@" --force --plan "$id"
		"$verdict" "$out"
		equal "$id" "$(trace <log | cut -d' ' -f1 | paste -sd,)"
		runs 0 plan "$@" --plan "$number" "$in" "$out"
		equal "$(trace <log)" "$(steps <<<"$output")"
		seen=$((seen + 1))
	done <all
	[ "$seen" -ge 1 ] || fail "$in to $out: $seen plans"
}

@test "every alternative comes to the same guest" {
	alternatives "$inputs/blocks.raw.xz" out.qcow2 right
	alternatives "$inputs/mixed.qcow2.xz" out.raw right
	alternatives "$inputs/mixed.qcow2.xz" out.qcow2 right
	alternatives "$inputs/base.qcow2.xz" out.raw right
	alternatives "$inputs/base.qcow2" out.qcow2 right
	alternatives "$inputs/base.raw" out.raw right
}

@test "every alternative that makes it larger" {
	alternatives "$inputs/base.qcow2" out.qcow2 grown -s 64M
	alternatives "$inputs/packed.qcow2" out.qcow2 grown -s 64M
	alternatives "$inputs/mixed.qcow2.xz" out.qcow2 grown -s 64M
	alternatives "$inputs/base.raw" out.raw grown -s 64M
	alternatives "$inputs/blocks.raw.xz" out.raw grown -s 64M
	alternatives "$inputs/base.vdi" out.raw grown -s 64M
}

@test "every alternative around which something is put" {
	alternatives "$inputs/base.raw" out.qcow2.xz right --wrap-level 1
	alternatives "$inputs/mixed.qcow2.xz" out.qcow2.xz right \
		--wrap-level 1
}

@test "through qemu-img the plan and the run say what does not hold" {
	runs 0 plan "$inputs/base.raw" out.qcow
	[[ $output == *$'\n'"caveat: qemu-img-convert: "*version* ]]
	runs 0 "$inputs/base.raw" out.qcow
	[[ $stderr == *"imgconv: note: qemu-img-convert: "*version* ]]
	runs 0 plan "$inputs/base.qcow2" out.raw
	[[ $output != *caveat* ]]
}

@test "forbidden padding is no plan" {
	head -c 1001 /dev/zero >odd.raw
	fails 69 "*no plan*1001*1024*" plan --no-pad odd.raw out.qcow2
	runs 0 plan --no-pad odd.raw out.raw
	fails 69 "*no plan*1001*1024*" --no-pad odd.raw out.qcow2
	nothing_at out.qcow2
}

# A file system whose files can share extents; gone with the test.
share_room() {
	need mkfs.xfs mount losetup
	[ "$(id -u)" -eq 0 ] || skip "loop devices need root"
	truncate -s 400M "$BATS_TEST_TMPDIR/room"
	mkfs.xfs -q "$BATS_TEST_TMPDIR/room"
	mkdir "$BATS_TEST_TMPDIR/mounted"
	mount -o loop "$BATS_TEST_TMPDIR/room" "$BATS_TEST_TMPDIR/mounted" ||
		lack "a loop device"
	cd "$BATS_TEST_TMPDIR/mounted" || return 1
}

teardown() {
	cd /
	if mountpoint -q "$BATS_TEST_TMPDIR/mounted"; then
		umount "$BATS_TEST_TMPDIR/mounted"
	fi
}

# KiB in use: what is written shows after a sync.
used() { sync -f . && df --output=used . | tail -1; }

# moves_little COMMAND...: whatever the command makes takes no room.
moves_little() {
	local before after
	before=$(used)
	"$@"
	after=$(used)
	[ $((after - before)) -lt 4096 ] ||
		fail "$*: $((after - before)) KiB written"
}

@test "where extents can be shared no data move" {
	share_room
	# Enough that a copy would show.
	make_gpt_image "$BATS_TEST_TMPDIR/tree.raw" 32
	cp "$BATS_TEST_TMPDIR/tree.raw" in.raw
	make_pattern more.raw data:24M
	dd if=more.raw of=in.raw bs=1M seek=4 conv=notrunc status=none
	rm more.raw "$BATS_TEST_TMPDIR/tree.raw"
	qemu-img convert -O qcow2 in.raw in.qcow2
	qemu-img convert -c -O qcow2 in.raw packed.qcow2
	moves_little traced in.raw copy.raw
	equal copy "$(steps <planned)"
	same_bytes in.raw copy.raw
	moves_little traced in.raw out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	sound out.qcow2
	moves_little traced in.qcow2 out.raw
	same_bytes in.raw out.raw
	moves_little traced packed.qcow2 copy.qcow2
	same_bytes packed.qcow2 copy.qcow2
	for name in in packed; do
		moves_little traced $name.qcow2 $name-large.qcow2 -s 64M
		sound $name-large.qcow2
		qemu-img convert -O raw $name-large.qcow2 large.raw
		run -0 sgdisk -v large.raw
		[[ $output == *"No problems found"* ]]
		cmp -i $((34 * 512)) -n $((31 << 20)) large.raw in.raw
		rm large.raw
	done
	moves_little traced in.qcow2 tools.qcow2 -s 64M \
		--plan copy,check-output,qemu-img-resize,gpt-fix-qemu
	same_disk qcow2 tools.qcow2 qcow2 in-large.qcow2
	sound tools.qcow2
}
