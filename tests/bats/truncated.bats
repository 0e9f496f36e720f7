#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Files that lack their end, and files that have more than it.

load helper
load images
load every

# shellcheck disable=SC2154 # bats sets output and stderr

setup_file() { every_once; }

prepare() { every_here; }

# What may be missing, in bytes: by its format it is nothing but padding.
padding() {
	case $1 in
	# Of the two blocks of zeros and of the record the first must be there.
	tar | tar-pax | ova | xva) echo $((10240 - 512)) ;;
	cpio) echo 511 ;;
	# The last block reaches past the disk's end.
	vdi-static | vhdx-fixed) echo $((1048576 - 65536)) ;;
	# Footers of old versions are of 511 bytes.
	vhd | vhd-fixed) echo 1 ;;
	# A compressed grain ends before its sector does.
	vmdk-packed.vmdk) echo 511 ;;
	*) echo 0 ;;
	esac
}

@test "cut anywhere, no kind of image is taken for a whole" {
	local file kind found name lacking format list=()
	for file in all/*; do
		kind=${file#all/}
		format=${kind%%[-.]*}
		case $kind in
		# Whose end makes them what they are are raw disks without it.
		vhd-fixed | dmg*) format+=! ;;
		# Around images there is no format to state.
		raw* | blocks* | qcow2.gz | tar* | zip* | 7z | cpio | ova)
			format= ;;
		esac
		list+=("$file:$format")
	done
	[ "${#list[@]}" -ge 30 ]
	run -0 python3 -B "$fixtures/cuts.py" "$IMGCONV" disk.raw 6 "${list[@]}"
	[ "${output##*$'\n'}" != "0 cuts tried" ]
	while read -r found name lacking _; do
		[ "$found" = right ] && [ "$lacking" -le "$(padding "$name")" ] ||
			fail "$found $name, $lacking bytes short"
	done < <(printf '%s\n' "${lines[@]}" | sed '$d')
}

# behind FILE STATUS BYTES: what follows the compressed stream ends so, from a
# file, by one thread, from a pipe, and for a question about it.
behind() {
	local status_wanted=$2 way
	cat "$1" "$3" >more.bin
	for way in "more.bin" "-m 1 more.bin" "-"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$IMGCONV" -q --force -O raw $way out.raw \
			< <(cat more.bin)
		equal "$status_wanted" "$status" "$3 behind $1, $way ($stderr)"
		[ "$status" -eq 0 ] || nothing_at out.raw
		rm -f out.raw
	done
	run "$IMGCONV" check more.bin
	equal "$status_wanted" "$status" "$3 behind $1, check"
}

@test "bytes behind a compressed stream, unless a member or padding" {
	local file tail padding
	printf x >one
	head -c 4 /dev/zero >four
	head -c 512 /dev/zero >zeros
	printf '\0\0\0\0x' >zeros-and-one
	head -c 700 all/raw.bz2 >foreign
	for file in all/raw.* all/blocks.xz all/qcow2.gz; do
		head -c 7 "$file" >half
		for tail in one zeros-and-one half; do
			behind "$file" 65 $tail
		done
		case $file in
		# Its specification has padding of whole words.
		*.xz) padding=0 ;;
		*) padding=65 ;;
		esac
		behind "$file" $padding four
		behind "$file" $padding zeros
		case $file in
		*.bz2) ;;
		*) behind "$file" 65 foreign ;;
		esac
		# Of itself, it is another member.
		behind "$file" 0 "$file"
	done
}
