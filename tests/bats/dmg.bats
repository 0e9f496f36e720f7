#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Apple disk images, made field by field, against qemu-img and 7z.
load helper
load images

prepare() {
	need python3
	built_xml || skip "libxml2 is left out of this variant"
	make_odd_disk x.raw
}

make_dmg() { python3 "$fixtures/make_dmg.py" "$@"; }
# The property list is read by an optional library.
built_xml() { [ "${IMGCONV_VARIANT:-}" != minimal ]; }

# reads DMG: it is x.raw, from a file, by any threads; and is sound.
reads() {
	runs 0 "$1" out.raw
	cmp x.raw out.raw
	runs 0 -m 1 "$1" one.raw
	cmp x.raw one.raw
	runs 0 check "$1"
	rm out.raw one.raw
}

@test "each kind of chunk alone, whatever the file begins with" {
	local kind
	for kind in raw adc zlib bzip2 xz; do
		make_dmg x.raw "$kind.dmg" "$kind"
		reads "$kind.dmg"
	done
}

@test "all kinds in one image; a stream is refused" {
	make_dmg x.raw x.dmg zlib zero bzip2 raw ignore adc xz
	reads x.dmg
	run -69 --separate-stderr "$IMGCONV" -O raw - out.raw < <(cat x.dmg)
	[[ $stderr == *"dmg image, which cannot be read in one pass"* ]]
	[ ! -e out.raw ]
}

@test "old images have their tables in a resource fork" {
	make_dmg x.raw x.dmg zlib zero raw --rsrc
	reads x.dmg
}

@test "qemu-img and 7z read the same" {
	need qemu-img
	make_dmg x.raw x.dmg zlib zero raw ignore
	runs 0 x.dmg out.raw
	same_disk dmg x.dmg raw out.raw
	need 7z
	make_dmg x.raw y.dmg zlib zero bzip2 raw ignore adc
	mkdir parts
	7z x -y -oparts y.dmg >/dev/null
	# Its members are the partitions, which are all of the disk here.
	find parts -type f -print0 | sort -z | xargs -0 cat | cmp - x.raw
}

@test "facts" {
	make_dmg x.raw x.dmg zlib xz
	runs 0 info x.dmg
	[[ $output == *"compression: zlib"*"compression: xz"* ]]
	[[ $output == *"partition: part 0"*"partition: part 1"* ]]
}

@test "checksums of partitions are for check, that of all is always verified" {
	make_dmg x.raw x.dmg zlib --crc
	runs 2 check x.dmg
	[[ $output == *"partition part 0: checksum is"* ]]
	make_dmg x.raw x.dmg raw
	overwrite x.dmg 5000 ff 00 ff
	runs 2 check x.dmg
	[[ $output == *"data fork: checksum is"* ]]
	fails 65 "*of the data fork*" x.dmg out.raw
	nothing_at out.raw
}

@test "what is not read is refused by name" {
	make_dmg x.raw x.dmg zlib --segments=2
	refuses 69 "*2 segments*" x.dmg out.raw
	make_dmg x.raw x.dmg zlib --type=0x80000007
	refuses 69 "*LZFSE*" x.dmg out.raw
	make_dmg x.raw x.dmg zlib --type=0x80000099
	refuses 69 "*chunk type 0x80000099*" x.dmg out.raw
	printf 'encrcdsa' | dd of=e.dmg conv=sync bs=4096 status=none
	refuses 69 "*encrypted*" e.dmg out.raw
}

@test "chunks over each other, past the end, or not what they say" {
	make_dmg x.raw x.dmg zlib --overlap
	refuses 65 "*overlap*" x.dmg out.raw
	make_dmg x.raw x.dmg zlib --place=1,99999999
	refuses 65 "*outside the data fork*" x.dmg out.raw
	make_dmg x.raw x.dmg raw --place=1,0
	runs 2 check x.dmg
	make_dmg x.raw x.dmg zlib --place=1,0
	refuses 65 "*two chunks at 0 are not the same*" x.dmg out.raw
	make_dmg x.raw x.dmg zlib
	overwrite x.dmg 1000 ff fe fd fc
	refuses 65 "*chunk at*damaged*" x.dmg out.raw
	runs 2 check x.dmg
}

@test "a property list that is garbage, or dangerous" {
	local text
	for text in garbage '<plist>' '<plist/>' '<a><b/></a>' \
		'<plist><dict><key>resource-fork</key><dict/></dict></plist>'; do
		make_dmg x.raw x.dmg zlib "--plist=$text"
		refuses 65 "*property list*" x.dmg out.raw
	done
	make_dmg x.raw x.dmg zlib "--plist=<!DOCTYPE p [<!ENTITY a 'b'>]><plist/>"
	refuses 65 "*entities*" x.dmg out.raw
	# Of what cannot be decoded the library would speak by itself.
	make_dmg x.raw x.dmg zlib \
		"--plist=<?xml version=\"1.0\" encoding=\"UTF-32\"?><plist><dict/></plist>"
	refuses 65 "*property list of * is not well-formed" x.dmg out.raw
}

@test "no cut passes" {
	local cut size
	make_dmg x.raw x.dmg zlib raw
	size=$(stat -c %s x.dmg)
	for cut in 1 500 512 100000 $((size - 600)) $((size - 512)) \
		$((size - 1)); do
		head -c "$cut" x.dmg >cut.dmg
		run --separate-stderr "$IMGCONV" -f dmg cut.dmg out.raw
		[ "$status" -ne 0 ] || fail "cut at $cut passes"
		[ ! -e out.raw ]
		tail -c "$cut" x.dmg >cut.dmg
		run --separate-stderr "$IMGCONV" -f dmg cut.dmg out.raw
		[ "$status" -ne 0 ] || fail "the last $cut pass"
	done
}
