#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Parallels: against qemu-img, both ways; fixtures for what it does not make.

load helper
load images
load blocks

make_parallels() { python3 "$fixtures/make_parallels.py" "$@"; }

@test "disks go to Parallels and back as qemu-img sees them" {
	need qemu-img python3
	make_disks
	both_ways parallels
	both_ways parallels cluster_size=64K
	from_qemu parallels
	from_qemu parallels cluster_size=32256
}

@test "large sparse disks" {
	need qemu-img
	large parallels
}

@test "threads and pipes make the same image" {
	need python3
	make_odd_disk odd.raw
	same_image parallels
	same_image parallels cluster_size=4K
}

@test "a stream of unknown length becomes a Parallels image" {
	need qemu-img python3
	make_odd_disk odd.raw
	gzip -c odd.raw | "$IMGCONV" -q -O parallels - out.hds
	run -0 qemu-img check -q -f parallels out.hds
	same_disk parallels out.hds raw odd.raw
	runs 0 check out.hds
}

@test "both magics, odd clusters" {
	need qemu-img python3
	local words
	for words in "" ext "cluster=1" "cluster=2048 ext" "cluster=252" \
		"data_off=0" "in_use=0" "in_use=0x37316470" "bitmap" \
		"bitmap ext cluster=16"; do
		# shellcheck disable=SC2086
		make_parallels in.hds guest=want.raw $words
		runs 0 -q --force -O raw in.hds got.raw
		same_bytes want.raw got.raw
		same_disk parallels in.hds raw got.raw
		runs 0 check in.hds
		equal "No errors were found." "$output" "check with $words"
	done
}

@test "an image that was not closed is read if it is sound" {
	need python3
	make_parallels in.hds guest=want.raw in_use=0x746f6e59
	runs 0 in.hds got.raw
	same_bytes want.raw got.raw
	[[ $stderr == *"not closed properly; its BAT was checked"* ]]
	make_parallels in.hds in_use=0x746f6e59 'bat[1]=1'
	fails 65 '*not closed properly*overlaps*qemu-img check -r all*' \
		in.hds out.raw
	nothing_at out.raw
}

@test "a check finds what is wrong" {
	need python3
	make_parallels in.hds 'bat[1]=1'
	runs 2 check in.hds
	[[ $output == *"block at 512 overlaps block at 512 (32256 bytes)"* ]]
	make_parallels in.hds 'bat[0]=0'
	runs 3 check in.hds
	[[ $output == *"32256 bytes at 65024 are used by nothing"* ]]
	make_parallels in.hds 'bat[0]=+1'
	runs 2 check in.hds
	make_parallels in.hds bitmap ext_off=100000
	runs 2 check in.hds
	[[ $output == *"format extension at 51200000"*"past the end"* ]]
	make_parallels in.hds bitmap at 97280=00
	runs 2 check in.hds
	[[ $output == *"format extension at 97280 has no magic"* ]]
}

@test "truncated images are refused, and so is one marked as empty" {
	need python3
	make_parallels in.hds cluster=256
	cuts in.hds
	make_pattern data.raw data:2M
	runs 0 -q data.raw out.hds
	cuts out.hds
	make_parallels in.hds flags=1
	fails 65 '*marked as empty*' in.hds out.raw
	nothing_at out.raw
}

@test "a descriptor says which file is wanted" {
	echo '<?xml version="1.0"?><Parallels_disk_image Version="1.0">' \
		>DiskDescriptor.xml
	truncate -s 1K DiskDescriptor.xml
	fails 69 '*DiskDescriptor.xml*give the .hds file*' \
		DiskDescriptor.xml out.raw
	nothing_at out.raw
}

@test "options that do not go together" {
	truncate -s 1M in.raw
	refuses 64 '*cluster_size=3145728*power of two*' \
		-o cluster_size=3M in.raw out.hds
	refuses 64 '*cluster_size=1K*out of range*' \
		-o cluster_size=1K in.raw out.hds
	nothing_at out.hds
}
