#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Android sparse images: what libsparse's tools write is read, what is written
# is what they would have written.
load helper
load images

prepare() {
	make_odd_disk odd.raw
}

@test "simg: byte for byte what img2simg writes, and read by simg2img" {
	need img2simg simg2img
	local size
	for size in 4096 1024; do
		img2simg odd.raw theirs.simg $size
		imgconv --force -o block_size=$size odd.raw ours.simg
		same_bytes ours.simg theirs.simg
		rm -f back.raw
		simg2img ours.simg back.raw
		same_bytes back.raw odd.raw
	done
}

@test "simg: with checksum and holes, simg2img and we agree" {
	need simg2img
	imgconv -o crc=on,zero=dont-care,block_size=16K -s 5M odd.raw x.simg
	simg2img x.simg back.raw
	[ "$(size_of back.raw)" -eq 5242880 ]
	cmp -n 5242880 back.raw odd.raw
	runs 0 check x.simg
}

@test "simg: file and pipe, one thread and four: the same bytes" {
	local options
	for options in crc=off crc=on,zero=dont-care; do
		imgconv --force --threads 1 -O simg -o $options odd.raw a.simg
		imgconv --force --threads 4 -O simg -o $options odd.raw b.simg
		imgconv -O simg -o $options odd.raw - >c.simg
		imgconv -O simg -o $options - - <odd.raw >d.simg
		same_bytes a.simg b.simg
		same_bytes a.simg c.simg
		same_bytes a.simg d.simg
	done
}

@test "simg: read from a file, from a pipe and drop by drop" {
	imgconv -o crc=on odd.raw x.simg
	imgconv x.simg file.raw
	same_bytes file.raw odd.raw
	imgconv -O raw - - < <(cat x.simg) | cmp - odd.raw
	drip 1000 x.simg "$IMGCONV" -O raw - - | cmp - odd.raw
	imgconv -O qcow2 - y.qcow2 < <(cat x.simg)
	same_disk raw odd.raw qcow2 y.qcow2
}

@test "simg: fills of other patterns are data" {
	need img2simg
	# 0xff as flash has it, and a pattern of four bytes.
	{
		head -c 81920 /dev/zero | tr '\0' '\377'
		yes abc | head -c 20480
		head -c 8192 odd.raw
	} >fill.raw
	img2simg fill.raw fill.simg
	[ "$(size_of fill.simg)" -lt 9000 ]
	imgconv fill.simg back.raw
	same_bytes back.raw fill.raw
	imgconv -O raw - - < <(cat fill.simg) | cmp - fill.raw
}

@test "simg: sizes are whole blocks, up to terabytes" {
	local size
	for size in 512 1048064 5G 2T; do
		rm -f big.raw
		truncate -s $size big.raw
		imgconv --force big.raw big.simg
		[ "$(size_of big.simg)" -lt 1000 ]
		runs 0 check big.simg
	done
	truncate -s 2199023321088 big.raw # and 64 KiB
	printf x | dd of=big.raw bs=1 seek=2199023321087 conv=notrunc status=none
	imgconv --force big.raw big.simg
	runs 0 info big.simg
	[[ $output == *2199023321088* ]]
	imgconv --force big.simg back.raw
	equal x "$(tail -c 1 back.raw)"
}

@test "simg: cut anywhere, it is refused, from a file and a pipe" {
	imgconv -o crc=on odd.raw x.simg
	local size cut
	size=$(size_of x.simg)
	for cut in 0 1 27 28 39 40 41 70000 71727 71728 $((size / 2)) \
		$((size - 17)) $((size - 16)) $((size - 5)) $((size - 1)); do
		head -c $cut x.simg >cut.simg
		never_succeeds out.raw -f simg cut.simg out.raw
		never_succeeds out.raw -f simg - out.raw < <(cat cut.simg)
	done
	{
		cat x.simg
		echo more
	} >long.simg
	fails 65 "*bytes follow the last chunk*" long.simg out.raw
	fails 65 "*bytes follow the last chunk*" - out.raw < <(cat long.simg)
}

@test "simg: a wrong byte is found by its checksum" {
	imgconv -o crc=on odd.raw x.simg
	overwrite x.simg 5000 ff 00 ff
	runs 2 check x.simg
	[[ $output == *checksum* ]]
	fails 65 "*checksum*" - out.raw < <(cat x.simg)
	fails 65 "*checksum*" x.simg out.raw
	nothing_at out.raw
	# The header's own, of the disk.
	imgconv --force odd.raw y.simg
	overwrite y.simg 24 01 02 03 04
	runs 2 check y.simg
	fails 65 "*04030201*" - out.raw < <(cat y.simg)
}

@test "simg: fields that cannot be" {
	imgconv odd.raw x.simg
	local change
	while read -r change status message; do
		cp x.simg bad.simg
		# shellcheck disable=SC2086
		overwrite bad.simg ${change//,/ }
		fails "$status" "*$message*" -f simg bad.simg out.raw
	done <<-END
		4,02 69 version 2
		8,1b 65 headers of 27
		10,0b 65 headers of 28 and 11
		12,00,00,00,00 65 block size 0
		12,02 65 block size 4098
		16,00,00,00,00 65 blocks
		16,ff,ff 65 chunks hold
		20,01,00,00,00 65 chunks hold
		20,ff 65 past the end
		28,c5 65 unknown type
		32,ff 65 body of bytes
		36,00,00,00,00 65 a length of
	END
}

@test "simg: options are checked" {
	fails 64 "*power of two*" -o block_size=3K odd.raw x.simg
	fails 64 "*zero=*" -o zero=maybe odd.raw x.simg
}
