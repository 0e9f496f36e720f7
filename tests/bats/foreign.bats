#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images that name other files, from wherever they come, and formats that only
# another program reads: what is allowed, and what is said when it is not.

load helper
load images

prepare() {
	need qemu-img qemu-io xz python3
}

# An overlay over a raw file, and what both hold.
make_overlay() {
	make_odd_disk base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw top.qcow2
	qemu-io -c 'write -P 42 100K 300K' top.qcow2 >/dev/null
	qemu-img convert -O raw top.qcow2 right.raw
}

@test "a compressed overlay finds its backing file beside it" {
	make_overlay
	xz -0 top.qcow2
	fails 77 "top.qcow2.xz: qcow2: *base.raw*--allow-references" \
		top.qcow2.xz out.raw
	nothing_at out.raw
	runs 0 --allow-references top.qcow2.xz out.raw
	same_bytes right.raw out.raw
	runs 0 --allow-references --digest top.qcow2.xz out.qcow2
	equal "$(digest_of right.raw)  out.qcow2" "$output"
}

@test "an overlay in a pipe has no folder: one must be named" {
	make_overlay
	run --separate-stderr bash -c '"$0" --allow-references -O raw - no.raw \
		< <(cat top.qcow2)' "$IMGCONV"
	equal 77 "$status" "$stderr"
	[[ $stderr == *"--allow-references=DIR"* ]] || fail "$stderr"
	nothing_at no.raw
	runs 0 --allow-references=. -O raw - out.raw < <(cat top.qcow2)
	same_bytes right.raw out.raw
}

@test "a loop of backing files is called one, in a line that can be read" {
	qemu-img create -q -f qcow2 a.qcow2 1M
	qemu-img create -q -f qcow2 -b a.qcow2 -F qcow2 b.qcow2
	qemu-img rebase -u -b b.qcow2 -F qcow2 a.qcow2
	fails 65 "a.qcow2: *a.qcow2 leads back to itself*" \
		--allow-references a.qcow2 out.raw
	[ "${#stderr}" -lt 300 ] || fail "long: $stderr"
	qemu-img rebase -u -b ./b.qcow2 -F qcow2 b.qcow2
	fails 65 "b.qcow2: *leads back to itself*" \
		--allow-references b.qcow2 out.raw
	nothing_at out.raw
}

@test "a compressed file is copied as it is, but not unseen" {
	local codec suffix
	make_odd_disk in.raw
	for codec in gzip:gz xz:xz zstd:zst bzip2:bz2 lz4:lz4; do
		suffix=${codec#*:} codec=${codec%:*}
		built_with "$suffix" || continue
		need "$codec"
		"$codec" -q -c in.raw >in.raw.$suffix
		runs 0 in.raw.$suffix out.raw.$suffix
		same_bytes in.raw.$suffix out.raw.$suffix
		head -c -9 in.raw.$suffix >cut.raw.$suffix
		fails 65 "cut.raw.$suffix: *cut off*" \
			cut.raw.$suffix no.raw.$suffix
		fails 65 "cut.raw.$suffix: *cut off*" \
			--consume cut.raw.$suffix no.raw.$suffix
		nothing_at no.raw.$suffix
		[ -e cut.raw.$suffix ]
	done
	runs 0 plan in.raw.xz new.raw.xz
	[[ $output == *"1. test"*"2. copy"* ]] || fail "$output"
}

@test "what is named like a container, and is none, is not taken for raw" {
	local name
	yes text | head -c 65536 >in.raw
	: >nothing.raw.xz
	printf '\x1f' >byte.raw.gz
	cp in.raw text.qcow2
	gzip -c in.raw >text.qcow2.gz
	for name in nothing.raw.xz byte.raw.gz text.qcow2 text.qcow2.gz; do
		fails 65 "$name: the name says *-f raw*" $name -O raw no.raw
		fails 65 "$name: the name says *-f raw*" plan $name -O raw no.raw
		nothing_at no.raw
		runs 0 --force -f raw $name -O raw forced.raw
		same_bytes $name forced.raw
	done
	# What bytes say counts more than names.
	make_gpt_image disk.qcow2 16
	runs 0 disk.qcow2 out.raw
	same_bytes disk.qcow2 out.raw
}

@test "what only qemu-img writes is written by it" {
	make_odd_disk in.raw
	runs 0 in.raw out.qcow
	[[ $stderr == *"qemu-img-convert"* ]] || fail "no note: $stderr"
	same_disk raw in.raw qcow out.qcow
	runs 0 compare in.raw out.qcow
	run --separate-stderr without_tools "$IMGCONV" in.raw no.qcow
	equal 69 "$status" "$stderr"
	nothing_at no.qcow
}

@test "a format that nothing reads is said to be one" {
	printf 'shdw\0\0\0\1' >in.asif
	truncate -s 64K in.asif
	fails 69 "in.asif: *recognised but not read*" in.asif -O raw out.raw
	gzip -k in.asif
	fails 69 "in.asif.gz: *recognised but not read*" in.asif.gz \
		-O raw out.raw
	fails 69 "in.asif: *recognised but not read*" plan in.asif -O raw \
		out.raw
	nothing_at out.raw
}
