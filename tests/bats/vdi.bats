#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VDI: against qemu-img, both ways; fixtures for what it does not make.

load helper
load images
load blocks

make_vdi() { python3 "$fixtures/make_vdi.py" "$@"; }

@test "disks go to VDI and back as qemu-img sees them" {
	need qemu-img python3
	make_disks
	both_ways vdi
	both_ways vdi static=on
	from_qemu vdi
	from_qemu vdi static=on
}

@test "large sparse disks" {
	need qemu-img
	large vdi huge
}

@test "threads and pipes make the same image" {
	need python3
	make_odd_disk odd.raw
	same_image vdi
	same_image vdi block_size=64K
	same_image vdi static=on,block_size=16K
}

@test "a stream of unknown length becomes a VDI" {
	need qemu-img python3
	make_odd_disk odd.raw
	gzip -c odd.raw | "$IMGCONV" -q -O vdi - out.vdi
	run -0 qemu-img check -q -f vdi out.vdi
	same_disk vdi out.vdi raw odd.raw
	runs 0 check out.vdi
}

@test "a static image has all its blocks, a new one none" {
	need qemu-img
	truncate -s 3M zero.raw
	runs 0 -q -o static=on zero.raw out.vdi
	equal 4194304 "$(size_of out.vdi)" "size of a static image"
	runs 0 info out.vdi
	[[ $output == *"type: static"* ]]
	[[ $output == *"blocks-allocated: 3"* ]]
	runs 0 -q --force -o static=on,preallocation=full zero.raw full.vdi
	[ "$(stat -c %b full.vdi)" -ge 6144 ]
	runs 0 create -O vdi new.vdi 10M
	equal 1048576 "$(size_of new.vdi)" "size of a new image"
	run -0 qemu-img info new.vdi
	[[ $output == *"virtual size: 10 MiB"* ]]
	run -0 qemu-img check -q new.vdi
}

@test "the UUID is the same for the same disk, and can be given" {
	need python3
	make_odd_disk odd.raw
	runs 0 -q odd.raw a.vdi
	runs 0 -q odd.raw b.vdi
	same_bytes a.vdi b.vdi
	overwrite odd.raw 0 ff
	runs 0 -q --force odd.raw b.vdi
	[ "$("$IMGCONV" info a.vdi | grep '^uuid:')" != \
		"$("$IMGCONV" info b.vdi | grep '^uuid:')" ]
	"$IMGCONV" --help | grep -q -- --uuid || return 0
	runs 0 -q --force --uuid 00112233-4455-6677-8899-aabbccddeeff \
		odd.raw b.vdi
	runs 0 info b.vdi
	[[ $output == *"uuid: 00112233-4455-6677-8899-aabbccddeeff"* ]]
}

@test "what other writers make: extra bytes, old header, any block size" {
	need python3
	local words
	for words in "" extra=512 "extra=4096 fixed" old "old block=512" \
		"block=4096 data_at=4608" "fixed block=1048576" \
		"block=512 extra=1 data_at=600"; do
		# shellcheck disable=SC2086
		make_vdi in.vdi guest=want.raw $words
		runs 0 -q --force -O raw in.vdi got.raw
		same_bytes want.raw got.raw
		runs 0 check in.vdi
		equal "No errors were found." "$output" "check with $words"
	done
}

@test "free and zero blocks are told apart" {
	need python3
	make_vdi in.vdi
	runs 0 map in.vdi
	[[ $output == *"65536           65536           hole"* ]]
	[[ $output == *"131072          65536           zero"* ]]
	[[ $output == *"196608          32768           data  4096"* ]]
}

@test "a differencing image is refused by name, and looked at" {
	need python3
	make_vdi in.vdi parent
	fails 69 '*differencing*clonemedium*' in.vdi out.raw
	nothing_at out.raw
	runs 0 info in.vdi
	[[ $output == *"type: differencing"* ]]
	[[ $output == *"backing-file: 04030201-"* ]]
	make_vdi in.vdi type=3
	fails 69 '*an undo image*' in.vdi out.raw
}

@test "a check finds what is wrong" {
	need python3
	make_vdi in.vdi 'map[1]=0'
	runs 2 check in.vdi
	[[ $output == *"block at 4096 overlaps block at 4096 (65536 bytes)"* ]]
	[[ $output == *"counts 2 allocated blocks, the block map has 3"* ]]
	make_vdi in.vdi 'map[0]=7'
	runs 2 check in.vdi
	[[ $output == *"block 0 at 462848 (65536 bytes) lies past the end"* ]]
	make_vdi in.vdi 'map[0]=0xffffffff' used=1
	runs 3 check in.vdi
	[[ $output == *"65536 bytes at 69632 are used by nothing"* ]]
}

@test "truncated images are refused" {
	need python3
	make_vdi in.vdi block=1048576
	cuts in.vdi
	make_pattern data.raw data:2M
	runs 0 -q data.raw out.vdi
	cuts out.vdi
}

@test "options that do not go together" {
	truncate -s 1M in.raw
	refuses 64 '*block_size=3145728*power of two*' \
		-o block_size=3M in.raw out.vdi
	refuses 64 '*block_size=512M*out of range*' \
		-o block_size=512M in.raw out.vdi
	refuses 64 '*preallocation=full needs static=on' \
		-o preallocation=full in.raw out.vdi
	refuses 64 '*static=yes*on|off*' -o static=yes in.raw out.vdi
	nothing_at out.vdi
}
