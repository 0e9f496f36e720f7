#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Compressed loop images, made field by field, against qemu-img.
load helper
load images

prepare() {
	need qemu-img python3
	make_odd_disk x.raw
}

make_cloop() { python3 "$fixtures/make_cloop.py" "$@"; }

@test "any block size, from files and pipes, by any threads" {
	local block
	for block in 512 65536 327680 1048576; do
		make_cloop x.raw x.cloop "$block"
		runs 0 x.cloop out.raw
		cmp x.raw out.raw
		same_disk cloop x.cloop raw out.raw
		"$IMGCONV" -O raw - - <x.cloop | cmp - x.raw
		runs 0 check x.cloop
		runs 0 -m 1 x.cloop one.raw
		cmp out.raw one.raw
		rm out.raw one.raw
	done
}

@test "other versions are refused by name" {
	make_cloop x.raw x.cloop 65536 3.0
	refuses 69 "*version 3.0; only 2.0*" -f cloop x.cloop out.raw
}

@test "no cut and no wrong field passes" {
	local cut size
	make_cloop x.raw x.cloop 65536
	size=$(stat -c %s x.cloop)
	for cut in 1 100 135 136 500 $((size / 2)) $((size - 1)); do
		head -c "$cut" x.cloop >cut.cloop
		run --separate-stderr "$IMGCONV" -f cloop cut.cloop out.raw
		[ "$status" -ne 0 ] || fail "cut at $cut passes"
		[ ! -e out.raw ]
	done
	cp x.cloop y.cloop
	overwrite y.cloop 128 10 00 00 00
	refuses 65 "*block size 268435456*" -f cloop y.cloop out.raw
	# The second block begins before the first.
	cp x.cloop y.cloop
	overwrite y.cloop 144 00 00 00 00 00 00 00 01
	refuses 65 "*block 0 reaches*" y.cloop out.raw
	runs 2 check y.cloop
	# A byte in the middle: its block's checksum.
	cp x.cloop y.cloop
	overwrite y.cloop 3000 ff fe fd
	refuses 65 "*compressed block*damaged*" y.cloop out.raw
	runs 2 check y.cloop
}
