#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# XenServer exports, made by fixtures/make_xva.py.
load helper
load images

make_xva() { python3 "$fixtures/make_xva.py" "$@"; }

prepare() {
	make_odd_disk odd.raw
	truncate -s 9M odd.raw
	make_pattern small.raw text:1M hole:300K data:70K
}

@test "xva: both checksums, long headers, dummy blocks, from file and pipe" {
	local options
	for options in "--sum sha1" "--sum xxh64 --dummy" "--sum none --pax"; do
		# shellcheck disable=SC2086
		make_xva $options x.xva odd.raw
		imgconv --force x.xva out.raw
		same_bytes out.raw odd.raw
		imgconv -O raw - - < <(cat x.xva) | cmp - odd.raw
		imgconv --force -O qcow2 - out.qcow2 < <(cat x.xva)
		same_disk raw odd.raw qcow2 out.qcow2
		runs 0 check x.xva
	done
}

@test "xva: tar unpacks the same blocks" {
	make_xva x.xva small.raw
	tar -xf x.xva
	cat Ref:10/00000000 Ref:10/00000001 | cmp - small.raw
	printf '%s  %s\n' "$(cat Ref:10/00000000.checksum)" Ref:10/00000000 |
		sha1sum -c
}

@test "xva: one of several disks, by name, label or number" {
	local which
	make_xva x.xva odd.raw small.raw
	fails 64 "*holds 2 disks*Ref:10*Ref:11*" x.xva out.raw
	fails 64 "*holds 2 disks*" - out.raw < <(cat x.xva)
	for which in Ref:11 1 "disk 1"; do
		imgconv --force --member "$which" x.xva out.raw
		same_bytes out.raw small.raw
		imgconv --member "$which" -O raw - - < <(cat x.xva) | cmp - small.raw
	done
	fails 64 "*has no disk 2*" --member 2 x.xva out.raw
	runs 0 --member 0 info x.xva
	[[ $output == *"disk: Ref:11 1427456 disk 1"* ]]
}

@test "xva: a disk described but not exported does not count" {
	make_xva --iso x.xva small.raw
	imgconv x.xva out.raw
	same_bytes out.raw small.raw
	runs 0 check x.xva
	fails 65 "*exported without data*" --member Ref:99 x.xva out.raw
}

@test "xva: cut anywhere, it is refused, from a file and a pipe" {
	make_xva x.xva small.raw
	local size cut
	size=$(size_of x.xva)
	for cut in 0 511 512 1023 2048 4096 1050000 1053184 1053696 \
		1400000 $((size / 512 / 2 * 512)); do
		head -c $cut x.xva >cut.xva
		never_succeeds out.raw -f xva cut.xva out.raw
		never_succeeds out.raw -f xva - out.raw < <(cat cut.xva)
	done
}

@test "xva: a wrong byte is found by the checksums" {
	local kind
	for kind in sha1 xxh64; do
		make_xva --sum $kind x.xva odd.raw
		overwrite x.xva 20000 ff 00 ff
		runs 2 check x.xva
		[[ $output == *"Ref:10: the block at 0 has checksum"* ]]
		fails 65 "*has checksum*" - out.raw < <(cat x.xva)
		fails 65 "*has checksum*" x.xva out.raw
		nothing_at out.raw
	done
}

@test "xva: a header's wrong byte, and what follows the end" {
	make_xva x.xva small.raw
	cp x.xva bad.xva
	overwrite bad.xva 20 ff
	fails 65 "*header at 0 has a wrong checksum*" -f xva bad.xva out.raw
	cp x.xva bad.xva
	printf x >>bad.xva
	fails 65 "*bytes follow the archive's end*" bad.xva out.raw
	fails 65 "*bytes follow the archive's end*" - out.raw < <(cat bad.xva)
}

@test "xva: no disk reaches past 2^60 bytes" {
	make_pattern whole.raw text:1M
	make_xva --far x.xva whole.raw
	fails 65 "*block 1099511627776 of 1048576 bytes lies past the limit*" \
		-f xva x.xva out.raw
	nothing_at out.raw
	runs 2 check x.xva
	[[ $output == *"block 1099511627776 of"*"lies past the limit"* ]]
}

@test "xva: plain archives are none" {
	tar -cf plain.tar small.raw
	built_with archive || {
		fails 69 "plain.tar: tar: built without libarchive*" \
			plain.tar out.raw
		return
	}
	runs 0 info plain.tar
	[[ $output != *xva* ]]
}
