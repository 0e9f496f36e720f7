#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Expert Witness images: those that ewfacquire makes come out as what went in,
# and as what ewfexport makes of them.
load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

setup_file() {
	command -v ewfacquire >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	# Text, bytes that cannot be compressed, zeros, an end within a chunk.
	{
		yes "a line of text" | head -c 1500000
		head -c 1200000 "$IMGCONV"
		openssl enc -aes-128-ctr -K 00 -iv 00 </dev/zero 2>/dev/null |
			head -c 700000
	} >disk.raw
	truncate -s 4194816 disk.raw
	acquire encase6 fast whole
	acquire encase6 none plain
	acquire encase6 none split 1MiB
}

# acquire FORMAT LEVEL NAME [SEGMENT]
acquire() {
	ewfacquire -u -q -t "$3" -f "$1" -c "deflate:$2" -d sha1 \
		-S "${4:-100MiB}" "$BATS_FILE_TMPDIR/disk.raw" >/dev/null 2>&1
}

prepare() {
	need ewfacquire ewfexport
	at=$BATS_FILE_TMPDIR
}

@test "each kind that ewfacquire makes" {
	local kind level file
	for kind in ewf smart ftk encase1 encase5 encase7 linen6; do
		for level in none fast; do
			rm -f image.*
			acquire $kind $level image
			file=$(echo image.[Ees]01)
			[ -e "$file" ] || continue
			runs 0 --force "$file" out.raw
			cmp out.raw "$at/disk.raw" || fail "$kind $level"
			runs 0 check "$file"
		done
	done
	[ -e "$file" ]
}

@test "as ewfexport has it" {
	ewfexport -u -q -f raw -t theirs "$at/whole.E01" >/dev/null 2>&1
	runs 0 --digest "$at/whole.E01" ours.raw
	cmp ours.raw theirs.raw
	equal "$(digest_of ours.raw)  ours.raw" "$output"
}

@test "chunks of another size, sectors of 4096 bytes" {
	ewfacquire -u -q -t image -f encase6 -b 1024 "$at/disk.raw" \
		>/dev/null 2>&1
	runs 0 image.E01 out.raw
	cmp out.raw "$at/disk.raw"
	rm image.E01
	truncate -s 4M even.raw
	ewfacquire -u -q -t image -f encase6 -P 4096 even.raw >/dev/null 2>&1
	runs 0 --force image.E01 out.raw
	cmp out.raw even.raw
	runs 0 info image.E01
	[[ $output == *"sector-size: 4096"* ]]
}

@test "to qcow2, through a compression, by name" {
	need xz qemu-img
	runs 0 --verify "$at/whole.E01" out.qcow2
	qemu-img compare -q out.qcow2 "$at/disk.raw"
	xz -1 <"$at/whole.E01" >whole.E01.xz
	runs 0 whole.E01.xz out.raw
	cmp out.raw "$at/disk.raw"
	cp "$at/whole.E01" nameless
	runs 0 --force -f expert nameless out.raw
	cmp out.raw "$at/disk.raw"
	runs 0 compare nameless "$at/disk.raw"
}

@test "segments are other files, and followed only where allowed" {
	refuses 77 "*split.E02*--allow-references*" "$at/split.E01" out.raw
	runs 0 --allow-references "$at/split.E01" out.raw
	cmp out.raw "$at/disk.raw"
	runs 0 check --allow-references "$at/split.E01"
	refuses 77 "*split.E02*--allow-references*" check "$at/split.E01"
	refuses 69 "*segment 2; give the first one" "$at/split.E02" out2.raw
	runs 0 info "$at/split.E01"
	[[ $output == *"data-file: split.E02"* ]]
	[[ $output == *"virtual-size: 4194816"* ]]
	mkdir part
	cp "$at/split.E01" "$at/split.E02" part
	refuses 66 "*split.E03*" --allow-references part/split.E01 out2.raw
	[ ! -e out2.raw ]
	refuses 66 "*split.E03*" check --allow-references part/split.E01
}

@test "more segments than numbers have names" {
	pattern large.raw 110M 0 110M "0123456789abcdef"
	ewfacquire -u -q -t many -f encase6 -c deflate:none -S 1MiB \
		large.raw >/dev/null 2>&1
	[ -e many.EAA ]
	runs 0 --allow-references many.E01 out.raw
	cmp out.raw large.raw
}

@test "a changed byte is told by conversion and check" {
	local image offset
	for image in whole plain; do
		for offset in 2000 300000 900000; do
			cp "$at/$image.E01" bad.E01
			overwrite bad.E01 $offset de ad be ef
			run --separate-stderr "$IMGCONV" bad.E01 out.raw
			equal 65 "$status" "$image at $offset: $stderr"
			[ ! -e out.raw ]
			run --separate-stderr "$IMGCONV" check bad.E01
			[ "$status" -eq 2 ] || [ "$status" -eq 65 ] ||
				fail "check of $image at $offset: $status"
		done
	done
}

@test "the media's hash is held against the media" {
	need python3
	# Another MD5, with a checksum that is right.
	cp "$at/whole.E01" bad.E01
	python3 -c '
import struct, sys, zlib
data = bytearray(open("bad.E01", "rb").read())
for name, length in ((b"hash", 36), (b"digest", 80)):
    at = data.find(name + bytes(16 - len(name)))
    if at >= 0:
        at += 76
        data[at] ^= 1
        total = zlib.adler32(data[at : at + length - 4])
        data[at + length - 4 : at + length] = struct.pack("<I", total)
open("bad.E01", "wb").write(data)'
	runs 2 check bad.E01
	[[ $output == *"MD5"* ]]
}

@test "cut anywhere, nothing is made" {
	local size cut
	size=$(size_of "$at/whole.E01")
	for cut in 1 76 77 200 4000 $((size / 2)) $((size - 100)) \
		$((size - 13)); do
		head -c $((size - cut)) "$at/whole.E01" >cut.E01
		never_succeeds out.raw cut.E01 out.raw
	done
}

@test "images of other people" {
	local corpus=${IMGCONV_CORPUS:-$IMGCONV_SOURCE/../shared/corpus}
	local format file digest count=0
	[ -r "$corpus/corpus.tsv" ] || skip "no images in $corpus"
	while IFS=$'\t' read -r format file digest; do
		[ "$format" = ewf ] || continue
		runs 0 --force --digest --allow-references "$corpus/$file" \
			out.raw
		equal "$digest  out.raw" "$output" "$file"
		runs 0 check --allow-references "$corpus/$file"
		count=$((count + 1))
	done < <(awk -F '\t' -v OFS='\t' '{ print $1, $2, $5 }' \
		"$corpus/corpus.tsv")
	[ "$count" -ge 4 ]
}
