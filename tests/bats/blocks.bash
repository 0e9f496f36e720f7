# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the suites of VDI, QED and Parallels share: the same disks through
# imgconv and through qemu-img, both ways.

# make_disks: small raw disks that find off-by-one errors, and their names in
# $disks.
make_disks() {
	make_odd_disk odd.raw
	: >empty.raw
	truncate -s 512 sector.raw
	truncate -s 3M zero.raw
	make_pattern data.raw data:1048064
	truncate -s 2098176 last.raw
	overwrite last.raw 2098175 78
	disks="odd empty sector zero data last"
}

# both_ways FORMAT [OPTIONS]: each disk to FORMAT by imgconv, judged and read
# by qemu-img; and back by imgconv.
both_ways() {
	local format=$1 options=${2:+-o $2} disk
	for disk in $disks; do
		# shellcheck disable=SC2086
		runs 0 -q --force -O "$format" $options $disk.raw ours
		run -0 qemu-img check -q -f "$format" ours
		same_disk "$format" ours raw $disk.raw
		runs 0 check ours
		runs 0 -q --force -O raw ours back.raw
		same_bytes $disk.raw back.raw
	done
}

# from_qemu FORMAT [OPTIONS]: each disk to FORMAT by qemu-img, read by imgconv.
from_qemu() {
	local format=$1 options=${2:+-o $2} disk
	for disk in $disks; do
		# shellcheck disable=SC2086
		qemu-img convert -f raw -O "$format" $options $disk.raw theirs
		runs 0 check theirs
		runs 0 -q --force -O raw theirs back.raw
		same_bytes $disk.raw back.raw
	done
}

# same_image FORMAT [OPTIONS]: threads and pipes do not matter.
same_image() {
	local format=$1 options=${2:+-o $2}
	# shellcheck disable=SC2086
	{
		runs 0 -q --force --threads 1 -O "$format" $options odd.raw one
		runs 0 -q --force --threads 4 -O "$format" $options odd.raw two
		"$IMGCONV" -q -O "$format" $options odd.raw - >three
	}
	same_bytes one two
	same_bytes one three
}

# large FORMAT [huge]: gigabytes with little in them, from a file and from
# qemu-img; is it sound with terabytes?
large() {
	local format=$1 huge=${2:-}
	pattern large.raw 5G 0 70000 first 3221225472 1000 middle \
		5368708608 512 last
	runs 0 -q -O "$format" large.raw ours
	[ "$(size_of ours)" -lt 12582912 ]
	same_disk "$format" ours raw large.raw
	qemu-img convert -f raw -O "$format" large.raw theirs
	runs 0 compare theirs large.raw
	runs 0 compare ours theirs
	truncate -s 2199023321088 huge.raw
	overwrite huge.raw 2199023321087 78
	runs 0 -q --force -O "$format" huge.raw ours
	[ -z "$huge" ] || same_disk "$format" ours raw huge.raw
	runs 0 compare ours huge.raw
}

# cuts FILE: truncated anywhere, it is never taken for a whole.
cuts() {
	local file=$1 size at
	size=$(size_of "$file")
	for at in 512 4096 5000 $((size / 2)) $((size - 70000)) \
		$((size - 512)) $((size - 1)); do
		[ "$at" -ge 512 ] || continue # it would be anything
		head -c "$at" "$file" >cut
		never_succeeds out.raw cut out.raw
	done
}
