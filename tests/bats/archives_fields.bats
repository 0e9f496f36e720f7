#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Archives written field by field: every way to say the same, and every way to
# say something that is wrong. What tools write is in archives.bats.

load helper
load images

prepare() {
	built_with archive || {
		make_disk
		make tar_base256 in.tar
		fails 69 "*built without libarchive*" in.tar out.raw
		skip_rest=yes
	}
}

# here: the variant has archives at all.
here() { [ -z "${skip_rest:-}" ]; }

make() { python3 "$fixtures/make_archive.py" "$1" "$2" disk.raw; }
make_all() { python3 "$fixtures/make_archive.py" --all "$1" "$1" disk.raw; }

make_disk() { make_pattern disk.raw data:64K zero:64K data:512; }

@test "sound archives give the disk, from files and pipes" {
	here || return 0
	make_disk
	local one
	make_all sound
	for one in sound/*; do
		runs 0 --force "$one" out.raw
		same_bytes disk.raw out.raw
		runs 0 --force -O raw - out.raw < <(cat "$one")
		same_bytes disk.raw out.raw
	done
}

@test "what lies in the open is read in place, and only that" {
	here || return 0
	make_disk
	local one
	make_all sound
	for one in sound/*; do
		runs 0 plan "$one" planned.raw
		case ${one#*/} in
		tar_sparse_10_dense | zip_stored* | cpio_newc | \
			tar_[!s]*) [[ $output == *"window "* ]] ||
				fail "$one: $output" ;;
		*) [[ $output == *"extract "* ]] || fail "$one: $output" ;;
		esac
	done
}

@test "damaged archives are refused and leave nothing" {
	here || return 0
	make_disk
	local one
	make_all damaged
	for one in damaged/*; do
		run --separate-stderr "$IMGCONV" "$one" out.raw
		equal 65 "$status" "$one: $stderr"
		nothing_at out.raw
		run --separate-stderr "$IMGCONV" -O raw - out.raw \
			< <(cat "$one")
		equal 65 "$status" "$one in a pipe: $stderr"
		nothing_at out.raw
	done
}

@test "a stored member's CRC is looked at in place too" {
	here || return 0
	make_disk
	make zip_stored_crc in.zip
	fails 65 "in.zip: inside zip: the CRC-32 is *, expected * (from the archive)" \
		in.zip out.raw
	fails 65 "*the CRC-32 is *" check in.zip
	nothing_at out.raw
}

@test "members of more than 8 GiB" {
	here || return 0
	make_disk
	local one size=$((9 << 30)) front
	for one in tar_big_base256 tar_big_pax; do
		make "$one" in.tar
		front=$(size_of in.tar)
		truncate -s $((front + size)) in.tar
		printf end | dd of=in.tar bs=1 seek=$((front + size - 3)) \
			conv=notrunc status=none
		truncate -s +1024 in.tar
		runs 0 --force in.tar out.qcow2
		runs 0 info out.qcow2
		[[ $output == *"virtual-size: $size "* ]] || fail "$output"
		equal end "$(qemu-io -f qcow2 -r -c \
			"read -v $((size - 512)) 512" out.qcow2 |
			grep -o 'end$')"
		truncate -s $((front + size - 1)) in.tar
		fails 65 "in.tar: tar: Truncated *" in.tar cut.qcow2
		rm in.tar
	done
}

@test "a disk is found behind more files than can be chosen among" {
	here || return 0
	make_disk
	make tar_many_others in.tar
	runs 0 in.tar out.raw
	same_bytes disk.raw out.raw
	# What passes by cannot be taken back.
	fails 64 "*another file that may be the disk, *" -O raw - none.raw \
		< <(cat in.tar)
	nothing_at none.raw
}

@test "the rest of a file from another volume is no disk" {
	here || return 0
	make_disk
	make tar_second_volume in.tar
	fails 69 "*holds no disk*" in.tar out.raw
	nothing_at out.raw
}

@test "cut anywhere, an archive is refused" {
	here || return 0
	make_disk
	local one cut size
	for one in tar_base256 tar_sparse_10 zip_stored zip_deflated_descriptor \
		cpio_newc; do
		make $one in
		size=$(size_of disk.raw)
		size=$(size_of in)
		# Without the blocks at its end a tar is whole.
		case $one in tar_*) size=$((size - 1024 - 512)) ;; esac
		for cut in $((size - 40)) $((size / 2)) 1100; do
			head -c $cut in >cut
			run --separate-stderr "$IMGCONV" cut out.raw
			[ "$status" -eq 65 ] ||
				fail "$one cut at $cut: $status $stderr"
			run --separate-stderr "$IMGCONV" -O raw - out.raw \
				< <(cat cut)
			# In a pipe a zip's table comes when all is read.
			[ "$status" -eq 65 ] ||
				[[ $status$one$cut == 0zip*$((size - 40)) ]] ||
				fail "$one cut at $cut, pipe: $status $stderr"
			rm -f out.raw
		done
	done
}

@test "names begin where folders do" {
	here || return 0
	make_odd_disk disk.raw
	qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk
	qemu-img convert -O raw disk.vmdk disk.raw
	python3 "$fixtures/make_ova.py" in.ova disk.vmdk
	tar -xf in.ova
	tar --format=ustar -cf dots.ova ./in.ovf ./in.mf ./disk.vmdk
	runs 0 dots.ova out.raw
	same_bytes disk.raw out.raw
	runs 0 --force -O raw - out.raw < <(cat dots.ova)
	same_bytes disk.raw out.raw
	runs 0 --force --member ./disk.vmdk dots.ova out.raw
}

@test "a name chooses what else is not called as a disk" {
	here || return 0
	make_pattern disk.raw data:64K
	make_pattern blob data:100K
	tar -cf in.tar disk.raw blob
	runs 0 --member blob in.tar out.raw
	same_bytes blob out.raw
	runs 0 --force --member blob -O raw - out.raw < <(cat in.tar)
	same_bytes blob out.raw
}

@test "info tells the members, and what an appliance says of itself" {
	here || return 0
	make_odd_disk disk.raw
	qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk
	python3 "$fixtures/make_ova.py" in.ova disk.vmdk --manifest sha512
	runs 0 info in.ova
	local line
	for line in "member: disk.vmdk, $(size_of disk.vmdk) bytes" \
		"members: 3" "machine: test machine" "disk-file: disk.vmdk" \
		"disk-capacity: 5242880 (5M)" "manifest: SHA-512"; do
		[[ $output == *"$line"* ]] || fail "no \"$line\": $output"
	done
	need_json
	runs 0 info --json in.ova
	equal "in.ovf in.mf disk.vmdk " "$(jq -r \
		'.["format-specific"].member[] | split(",")[0]' <<<"$output" |
		tr '\n' ' ')"
}
