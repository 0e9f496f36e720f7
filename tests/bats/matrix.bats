#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every format and variant that is written: sizes and contents across it, read
# back by ourselves and, where it can, by another program. What is particular
# to a format is in its own suite.
load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

# Name, qemu's name or "-", options; one a line.
variants() {
	cat <<-END
		qcow2 qcow2
		vmdk vmdk
		vmdk vmdk -o subformat=streamOptimized
		vmdk vmdk -o subformat=twoGbMaxExtentSparse
		vmdk vmdk -o subformat=monolithicFlat
		vmdk vmdk -o subformat=twoGbMaxExtentFlat
		vhd vpc -o subformat=dynamic
		vhd vpc -o subformat=fixed
		vhd vpc -o block_size=512K
		vhdx vhdx -o subformat=dynamic
		vhdx vhdx -o subformat=fixed
		vhdx vhdx -o block_size=1M
		vdi vdi
		vdi vdi -o static=on
		qed qed
		qed qed -o cluster_size=4K
		parallels parallels
		parallels parallels -o cluster_size=64K
		simg -
		simg - -o block_size=64K
	END
}

# What is given under a name is only what its options allow: parts beside it.
clear_out() { rm -f out.img out-* ours no; }

# content KIND SIZE: in.raw.
content() {
	local kind=$1 size=$2 at
	rm -f in.raw
	case $kind in
	zero) truncate -s "$size" in.raw ;;
	data) yes "all of it is data" | head -c "$size" >in.raw ;;
	alternating)
		truncate -s "$size" in.raw
		for ((at = 0; at < size; at += 131072)); do
			printf 'every other 64 KiB' |
				dd of=in.raw bs=64K oflag=seek_bytes seek=$at \
					conv=notrunc status=none
		done
		truncate -s "$size" in.raw
		;;
	last)
		truncate -s "$((size - 1))" in.raw
		printf 'L' >>in.raw
		;;
	esac
}

# written OPTIONS...: in.raw to out.img and back; others look at it.
written() {
	local format=$1 theirs=$2 what=$3
	shift 3
	clear_out
	run -0 --separate-stderr "$IMGCONV" -O "$format" "$@" in.raw out.img ||
		fail "$what: $stderr" || return 1
	# A size that this variant cannot have is the next test's.
	[[ $stderr != *"padded from"* ]] || return 0
	runs 0 compare --allow-references in.raw out.img ||
		fail "$what: $output" || return 1
	run -0 --separate-stderr "$IMGCONV" check --allow-references out.img ||
		fail "$what: check: $output" || return 1
	# Others open no image of no size.
	[ "$theirs" = - ] || [ ! -s in.raw ] || same_disk raw in.raw "$theirs" out.img ||
		fail "$what: $theirs"
}

each() {
	local format theirs options kind=$1 size=$2
	content "$kind" "$size"
	while read -r format theirs options; do
		# shellcheck disable=SC2086
		written "$format" "$theirs" "$format $options $kind $size" \
			$options || return 1
	done < <(variants)
}

@test "an empty disk, a sector, a MiB less one" {
	each zero 0
	each data 512
	each zero 1048576
	each data 1048064
	each last 1048064
	each data 983040
}

@test "data, holes and both, with a partial last block" {
	each data 3211264
	each alternating 5308416
	each last 9437184
	each zero 9437184
}

@test "sizes that a format cannot have are padded, and it is said" {
	local format theirs options size
	content data 1000001
	while read -r format theirs options; do
		clear_out
		# shellcheck disable=SC2086
		runs 0 -O "$format" $options in.raw out.img
		[[ $stderr == *"padded from 1000001 to "*"$format"* ]] ||
			fail "$format: $stderr"
		size=$("$IMGCONV" info --allow-references out.img |
			awk '/^virtual size/ {print $3}')
		[ "$size" -gt 1000001 ] && [ "$size" -lt 1130000 ]
		runs 0 --allow-references -O raw out.img ours
		cmp -n 1000001 in.raw ours || fail "$format $options"
		tail -c +1000002 ours | tr -d '\0' | cmp - /dev/null
		# shellcheck disable=SC2086
		fails 69 "*--no-pad*" --no-pad -O "$format" $options in.raw no
		nothing_at no
	done < <(variants)
}

@test "5 GiB with a few islands of data" {
	[ "${IMGCONV_VARIANT:-}" != asan ] ||
		skip "sparse sizes are for the release variant"
	pattern in.raw 5G 0 70000 "the first" 2147479552 8192 "across 2 GiB" \
		4294963200 10000 "across 4 GiB" 5368705024 4096 "the last"
	local format theirs options
	while read -r format theirs options; do
		case $options in *fixed* | *static* | *Flat*) ;; *)
			# shellcheck disable=SC2086
			written "$format" "$theirs" "$format $options 5G" \
				$options
			;;
		esac
	done < <(variants)
}

# Others go through every block of such a disk, and need minutes: they look
# at both ends.
@test "2 TiB and 64 KiB, or a refusal that names the limit" {
	[ "${IMGCONV_VARIANT:-}" != asan ] ||
		skip "sparse sizes are for the release variant"
	pattern in.raw 2199023321088 0 4096 "A" 2199023255552 65536 "Z"
	local format theirs options
	while read -r format theirs options; do
		case $options in *fixed* | *static* | *Flat* | *4K* | *twoGb*)
			continue ;;
		esac
		clear_out
		if [ "$format" = vhd ]; then
			# shellcheck disable=SC2086
			fails 69 "*2040*" -O vhd $options in.raw out.img
			nothing_at out.img
			continue
		fi
		# shellcheck disable=SC2086
		runs 0 -O "$format" $options in.raw out.img
		runs 0 compare in.raw out.img
		[ "$theirs" != - ] || continue
		run -0 qemu-io -r -f "$theirs" -c 'read -P 65 0 1' \
			-c 'read -P 90 2199023255552 1' out.img
		[[ $output != *failed* && $output != *error* ]] ||
			fail "$format: $output"
	done < <(variants)
}

# digests: of the output's files.
digests() {
	local file
	for file in out.img out-*; do
		[ ! -e "$file" ] || sha256sum "$file"
	done
}

@test "the same bytes for any number of threads, to a file and to a pipe" {
	local format theirs options digests
	make_odd_disk in.raw
	truncate -s 5308416 in.raw
	while read -r format theirs options; do
		clear_out
		# shellcheck disable=SC2086
		runs 0 -m 1 -O "$format" $options in.raw out.img
		digests=$(digests)
		clear_out
		# shellcheck disable=SC2086
		runs 0 -m 4 -O "$format" $options in.raw out.img
		equal "$digests" "$(digests)" "$format $options, four threads"
		clear_out
		# shellcheck disable=SC2086
		runs 0 -m 3 -O "$format" $options - out.img < <(cat in.raw)
		equal "$digests" "$(digests)" "$format $options, from a pipe"
		# The descriptor of a sparse VMDK has the file's name.
		case $format:$options in
		*twoGb* | *Flat* | vmdk:) continue ;;
		esac
		# shellcheck disable=SC2086
		"$IMGCONV" -q -O "$format" $options in.raw - >ours
		equal "${digests%% *}" "$(digest_of ours)" \
			"$format $options, to a pipe"
	done < <(variants)
}

# Of what comes through a pipe the size is known at the end alone.
piped() {
	local digests what="$*: from a pipe, $(size_of in.raw) bytes"
	clear_out
	runs 0 "$@" in.raw out.img
	digests=$(digests)
	clear_out
	runs 0 "$@" - out.img < <(cat in.raw)
	equal "$digests" "$(digests)" "$what"
}

@test "an input of unknown size gives the bytes that a file gives" {
	local format theirs options size
	for size in 0 512 1048064; do
		content data $size
		while read -r format theirs options; do
			# shellcheck disable=SC2086
			piped -O "$format" $options
		done < <(variants)
	done
}

# Too long for the room in front of the blocks.
@test "the same where tables are long, and other programs agree" {
	[ "${IMGCONV_VARIANT:-}" != asan ] ||
		skip "sparse sizes are for the release variant"
	local format theirs size options
	while read -r format theirs size options; do
		rm -f in.raw
		pattern in.raw "$size" 0 300000 "first" 30M 5000 "middle" \
			$((size - 1048576)) 1000000 "last"
		# shellcheck disable=SC2086
		piped -O "$format" $options
		runs 0 compare in.raw out.img
		runs 0 check out.img
		[ "$format" != qcow2 ] || sound out.img
		# QEMU reads VDIs with blocks of 1 MiB only.
		[ "$theirs" = - ] || same_disk raw in.raw "$theirs" out.img
	done <<-END
		qcow2 qcow2 272629760 -o cluster_size=512
		qcow2 qcow2 272629760 -o cluster_size=512,refcount_bits=1
		vdi - 1075838976 -o block_size=4K,static=on
		parallels parallels 52428800 -o cluster_size=4K
		vmdk vmdk 461373440
	END
	# Compressed, the size is not known either.
	gzip -1 in.raw
	cp out.img right.img
	runs 0 --force -O vmdk in.raw.gz out.img
	cmp right.img out.img
}

@test "measure foretells the length of every variant" {
	local format theirs options
	need_json
	make_odd_disk odd.raw
	truncate -s 5308416 odd.raw
	while read -r format theirs options; do
		clear_out
		# A descriptor is as long as the names in it.
		# shellcheck disable=SC2086
		runs 0 -O "$format" $options odd.raw out.img
		# shellcheck disable=SC2086
		equal "$(stat -c %s out*.* | awk '{n += $1} END {print n}')" \
			"$("$IMGCONV" measure --json -O "$format" $options \
				odd.raw | jq .required)" "$format $options"
	done < <(variants)
}

@test "grown and shrunk while converting, in and out of every format" {
	local format theirs options
	make_odd_disk in.raw
	truncate -s 5308416 in.raw
	while read -r format theirs options; do
		clear_out
		# shellcheck disable=SC2086
		runs 0 -O "$format" $options -s 8M in.raw out.img
		runs 0 --allow-references -O raw out.img ours
		equal 8388608 "$(size_of ours)"
		cmp -n 5308416 in.raw ours
		rm ours
		runs 0 --allow-references -s 4M --shrink -O raw out.img ours
		equal 4194304 "$(size_of ours)"
		cmp -n 4194304 in.raw ours
	done < <(variants)
}

@test "cut off anywhere, no format is converted" {
	local format theirs options size at
	make_odd_disk in.raw
	truncate -s 5308416 in.raw
	while read -r format theirs options; do
		case $options in *Flat* | *twoGb*) continue ;; esac
		clear_out
		# shellcheck disable=SC2086
		runs 0 -O "$format" $options in.raw out.img
		size=$(size_of out.img)
		for at in 1 511 512 4097 70000 $((size / 3)) $((size / 2)) \
			$((size - 66000)) $((size - 513)) $((size - 512)) \
			$((size - 1)); do
			head -c "$at" out.img >cut.img
			run --separate-stderr timeout 60 "$IMGCONV" -f "$format" \
				cut.img -O raw ours
			case $status in
			65 | 69 | 77) ;;
			# What is missing was proven to be padding.
			0)
				cmp in.raw ours ||
					fail "$format $options cut at $at"
				rm ours
				;;
			*) fail "$format $options cut at $at of $size:" \
				"$status $stderr" ;;
			esac
			nothing_at ours
		done
	done < <(variants)
}

@test "a file of raw bytes that a descriptor names is explained" {
	make_odd_disk in.raw
	runs 0 -o subformat=monolithicFlat in.raw out.vmdk
	fails 69 "*out-flat.vmdk: *an extent of a vmdk image*" out-flat.vmdk no.raw
	nothing_at no.raw
	runs 0 -f raw out-flat.vmdk -O raw ours
	cmp in.raw ours
}
