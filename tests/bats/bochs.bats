#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bochs growing disks, made field by field, against qemu-img.
load helper
load images

prepare() {
	need qemu-img python3
	make_odd_disk x.raw
}

make_bochs() { python3 "$fixtures/make_bochs.py" "$@"; }

@test "both versions, any extent size, from files and pipes" {
	local version extent
	for version in 1 2; do
		for extent in 512 4096 65536 2097152; do
			make_bochs x.raw x.bochs "$version" "$extent"
			runs 0 x.bochs out.raw
			cmp x.raw out.raw
			same_disk bochs x.bochs raw out.raw
			"$IMGCONV" -O raw - - <x.bochs | cmp - x.raw
			runs 0 check x.bochs
			rm out.raw
		done
	done
}

@test "other types and versions are refused by name" {
	make_bochs x.raw x.bochs 2 65536 Undoable
	refuses 69 "*Redolog Undoable*only Redolog Growing*" x.bochs out.raw
	make_bochs x.raw x.bochs 3 65536
	refuses 69 "*version 0x30000*" x.bochs out.raw
}

@test "no cut and no wrong field passes" {
	local cut size
	make_bochs x.raw x.bochs 2 65536
	size=$(stat -c %s x.bochs)
	for cut in 1 60 511 512 700 $((size / 2)) $((size - 70000)); do
		head -c "$cut" x.bochs >cut.bochs
		run --separate-stderr "$IMGCONV" -f bochs cut.bochs out.raw
		[ "$status" -ne 0 ] || fail "cut at $cut passes"
		[ ! -e out.raw ]
	done
	cp x.bochs y.bochs
	overwrite y.bochs 80 01 00 01 00
	refuses 65 "*extent size 65537*" y.bochs out.raw
	cp x.bochs y.bochs
	overwrite y.bochs 72 01 00 00 00
	refuses 65 "*catalog of 1 entries is too small*" y.bochs out.raw
	cp x.bochs y.bochs
	overwrite y.bochs 512 00 00 00 10
	refuses 65 "*past the end of the file*" y.bochs out.raw
	runs 2 check y.bochs
	# Two entries of the catalog name one extent.
	cp x.bochs y.bochs
	overwrite y.bochs 512 00 00 00 00 00 00 00 00
	runs 2 check y.bochs
}
