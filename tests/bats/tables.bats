#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Tables of blocks that lie, in each format that has them: no place outside the
# file, in the header or half a block off, and none for two blocks.

load helper
load images
load every

# shellcheck disable=SC2154 # bats sets output and stderr

setup_file() { every_once; }

prepare() { every_here; }

# spoilt IMAGE KIND LEAST: each wrong entry is refused, from a file and from a
# pipe, and found by a check; there are LEAST or more of them.
spoilt() {
	local file count=0 way
	rm -rf wrong
	mkdir wrong
	run -0 python3 -B "$fixtures/tables.py" "$1" "$2" wrong
	for file in wrong/*; do
		run --separate-stderr "$IMGCONV" check "$file"
		[ "$status" -eq 2 ] || [ "$status" -eq 65 ] ||
			fail "$1 ${file#*/}: check: $status $output"
		count=$((count + 1))
		# It is other data, but of the file; no limit is passed by it.
		[[ $file != *table || $file == *upper* ]] || continue
		for way in "$file" -; do
			run --separate-stderr timeout 60 "$IMGCONV" -q -O raw \
				"$way" out.raw < <(cat "$file")
			equal 65 "$status" "$1 ${file#*/}, $way: $stderr"
			nothing_at out.raw
		done
	done
	[ "$count" -ge "$3" ] || fail "$1: $count wrong tables"
}

@test "qcow2, with tables of both sizes and subclusters" {
	spoilt all/qcow2 qcow2 10
	spoilt all/qcow2-small qcow2 10
	spoilt all/qcow2-wide qcow2 10
	spoilt all/qcow2-old qcow2 10
}

@test "qcow and QED" {
	spoilt all/qcow qcow 10
	spoilt all/qed qed 9
}

@test "VHD and VHDX" {
	spoilt all/vhd vhd 5
	spoilt all/vhdx vhdx 6
}

@test "VDI, VMDK, Parallels and Bochs" {
	spoilt all/vdi vdi 4
	spoilt all/vdi-static vdi 4
	spoilt all/vmdk vmdk 6
	spoilt all/parallels parallels 4
	spoilt all/bochs bochs 4
}

@test "what maps a byte twice is refused, also by other ways than raw" {
	mkdir wrong
	python3 -B "$fixtures/tables.py" all/qcow2 qcow2 wrong
	for options in "-O qcow2" "-O qcow2 --rewrite" "-O vmdk" "-O raw.gz" \
		"-O qcow2 -c" "-O vhd -o subformat=fixed" "-O raw --digest"; do
		# shellcheck disable=SC2086
		fails 65 "*twice*" $options wrong/twice out.img
		nothing_at out.img
	done
	xz -0 wrong/twice
	fails 65 "*" -O qcow2 wrong/twice.xz out.img
	nothing_at out.img
	fails 65 "*" -O raw wrong/twice.xz out.img
}
