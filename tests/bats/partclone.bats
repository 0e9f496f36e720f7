#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# partclone images: those of its own programs, and of fixtures/make_partclone.py
# what these no longer write.
load helper
load images

make_partclone() { python3 "$fixtures/make_partclone.py" "$@"; }

prepare() {
	make_odd_disk odd.raw
}

# reads FILE RAW: at random, in one pass, as qcow2, and nothing to complain of.
reads() {
	imgconv --force "$1" out.raw
	same_bytes out.raw "$2"
	imgconv --force - out.raw < <(cat "$1")
	same_bytes out.raw "$2"
	imgconv --force -O qcow2 "$1" out.qcow2
	same_disk raw "$2" qcow2 out.qcow2
	runs 0 check "$1"
}

# Its programs end now and then with an error although all was well, where the
# thread that shows progress is late: once more then.
theirs() {
	local try
	for try in 1 2 3 4; do
		rm -f "$1"
		"${@:2}" >/dev/null 2>&1 && return 0
	done
	fail "${*:2}: failed $try times"
}

@test "partclone: what partclone wrote of a file system" {
	need partclone.extfs partclone.restore mkfs.ext4
	truncate -s 20M fs.img
	mkfs.ext4 -q -d "$IMGCONV_SOURCE/tests/bats" fs.img
	local options
	for options in -a1 -a0 "-a1 -k7" "-a1 -k7 -K"; do
		# shellcheck disable=SC2086
		theirs x.pc partclone.extfs -c -f 0 $options -s fs.img -o x.pc \
			-L log
		theirs back.raw partclone.restore -C -f 0 -s x.pc -O back.raw \
			-L log
		chmod u+w back.raw
		truncate -s 20M back.raw
		reads x.pc back.raw
		e2fsck -fn out.raw
	done
}

@test "partclone: every version, checksum and bitmap" {
	local options
	while read -r options; do
		# shellcheck disable=SC2086
		make_partclone $options x.pc odd.raw
		reads x.pc odd.raw
	done <<-END
		--per 1000 --block 1024
		--sum none
		--sum xxh64 --per 3
		--no-reseed --per 7 --block 1024
		--sum xxh64 --no-reseed --bitmap byte
		--bitmap none
		--version 1
		--version 1 --wide --block 512
	END
}

@test "partclone: blocks that are no multiple of eight" {
	local options
	make_pattern few.raw data:20000 hole:20K text:12000
	truncate -s $((13 * 4096)) few.raw
	for options in "--bitmap bit" "--bitmap none" "--bitmap byte" \
		"--version 1"; do
		# shellcheck disable=SC2086
		make_partclone $options x.pc few.raw
		reads x.pc few.raw
	done
}

@test "partclone: a partition larger than its blocks" {
	make_partclone --device 5300224 x.pc odd.raw
	imgconv x.pc out.raw
	truncate -s 5300224 odd.raw
	same_bytes out.raw odd.raw
	imgconv -O raw - - < <(cat x.pc) | cmp - odd.raw
}

@test "partclone: cut anywhere, it is refused, from a file and a pipe" {
	local version size cut
	for version in 1 2; do
		make_partclone --version $version x.pc odd.raw
		size=$(size_of x.pc)
		for cut in 0 33 36 105 110 200 274 4160 5000 $((size / 2)) \
			$((size - 4)) $((size - 1)); do
			head -c $cut x.pc >cut.pc
			never_succeeds out.raw -f partclone cut.pc out.raw
			never_succeeds out.raw -f partclone - out.raw < <(cat cut.pc)
		done
		printf x >>x.pc
		never_succeeds out.raw x.pc out.raw
		never_succeeds out.raw - out.raw < <(cat x.pc)
	done
}

@test "partclone: wrong bytes are found by the checksums" {
	local sum
	for sum in crc32 xxh64; do
		make_partclone --sum $sum x.pc odd.raw
		overwrite x.pc 20000 ff 00 ff
		runs 2 check x.pc
		[[ $output == *checksum* ]]
		fails 65 "*have checksum*" - out.raw < <(cat x.pc)
		fails 65 "*have checksum*" x.pc out.raw
		nothing_at out.raw
	done
	make_partclone --version 1 x.pc odd.raw
	# The first byte of a block is the only one that is summed up.
	overwrite x.pc $((4160 + 1280 + 8 + 4100)) fe
	runs 2 check x.pc
	make_partclone x.pc odd.raw
	overwrite x.pc 60 7e
	fails 65 "*header has a wrong checksum*" x.pc out.raw
	make_partclone x.pc odd.raw
	overwrite x.pc 120 7e
	fails 65 "*bitmap has a wrong checksum*" x.pc out.raw
}

@test "partclone: what is not known is refused by name" {
	make_partclone --version 1 x.pc odd.raw
	overwrite x.pc 33 33
	fails 69 "*version 0003*" -f partclone x.pc out.raw
	make_partclone x.pc odd.raw
	overwrite x.pc 34 c0 de
	fails 69 "*little-endian*" x.pc out.raw
	make_partclone --version 1 x.pc odd.raw
	overwrite x.pc 36 00 00 00 00
	fails 65 "*block size 0*" x.pc out.raw
	make_partclone --version 1 x.pc odd.raw
	overwrite x.pc 55 10
	fails 65 "*limit*" x.pc out.raw
	make_partclone --version 1 x.pc odd.raw
	overwrite x.pc 4200 02
	fails 65 "*bitmap says 2*" x.pc out.raw
}
