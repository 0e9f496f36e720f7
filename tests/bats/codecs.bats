#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Wrapped images: each codec in and out, nested, with all the shapes that the
# codecs' own tools make; judged by those tools.

load helper
load images

prepare() {
	need qemu-img xz gzip zstd lz4 bzip2 python3
}

# pack SUFFIX FILE: to FILE.SUFFIX by the codec's own tool.
pack() {
	case $1 in
	gz) gzip -k "$2" ;;
	xz) xz -k -T1 "$2" ;;
	zst) zstd -q "$2" ;;
	bz2) bzip2 -k "$2" ;;
	lz4) lz4 -q "$2" "$2.lz4" ;;
	esac
}

# unpack SUFFIX FILE: to stdout by the codec's own tool.
unpack() {
	case $1 in
	gz) gzip -dc "$2" ;;
	xz) xz -dc "$2" ;;
	zst) zstd -qdc "$2" ;;
	lz4) lz4 -qdc "$2" ;;
	esac
}

@test "each codec in" {
	local codec
	make_odd_disk in.raw
	for codec in gz xz zst bz2 lz4; do
		built_with $codec || continue
		pack $codec in.raw
		runs 0 --force in.raw.$codec out.qcow2
		sound out.qcow2
		same_disk raw in.raw qcow2 out.qcow2
		runs 0 --force in.raw.$codec out.raw
		same_bytes in.raw out.raw
	done
}

@test "each codec out, as its own tool reads it" {
	local codec
	make_odd_disk in.raw
	for codec in gz xz zst lz4; do
		built_with $codec || continue
		runs 0 in.raw out.raw.$codec
		unpack $codec out.raw.$codec >back.raw
		same_bytes in.raw back.raw
		[ "$(size_of out.raw.$codec)" -lt 1000000 ]
	done
	if built_with xz; then xz -t out.raw.xz; fi
	gzip -t out.raw.gz
}

@test "a codec that is left out is refused by name, in and out" {
	! built_with zstd || return 0
	make_odd_disk in.raw
	pack zst in.raw
	fails 69 "*zst*" in.raw.zst out.raw
	nothing_at out.raw
	fails 69 "*zst*" in.raw out.raw.zst
	nothing_at out.raw.zst
}

@test "codec to codec" {
	local from to
	make_odd_disk in.raw
	for from in gz xz zst; do
		built_with $from || continue
		pack $from in.raw
		for to in gz xz zst lz4; do
			built_with $to || continue
			runs 0 --force in.raw.$from out.raw.$to
			unpack $to out.raw.$to | cmp - in.raw
		done
	done
}

@test "a qcow2 in each codec, in and out" {
	local codec
	make_odd_disk in.raw
	qemu-img convert -c -O qcow2 in.raw in.qcow2
	for codec in gz xz zst bz2 lz4; do
		built_with $codec || continue
		pack $codec in.qcow2
		runs 0 --force in.qcow2.$codec out.raw
		same_bytes in.raw out.raw
		runs 0 --force in.qcow2.$codec out.qcow2
		sound out.qcow2
		same_disk raw in.raw qcow2 out.qcow2
	done
	for codec in gz xz zst lz4; do
		built_with $codec || continue
		runs 0 --force in.raw packed.qcow2.$codec
		unpack $codec packed.qcow2.$codec >packed.qcow2
		sound packed.qcow2
		same_disk raw in.raw qcow2 packed.qcow2
	done
}

@test "codecs inside each other, up to eight" {
	local i
	make_odd_disk in.raw
	gzip -k in.raw && xz -k in.raw.gz
	runs 0 in.raw.gz.xz two.raw
	same_bytes in.raw two.raw
	cp in.raw eight
	for i in 1 2 3 4 5 6 7 8; do
		gzip -1 <eight >next && mv next eight
	done
	runs 0 eight -O raw eight.raw
	same_bytes in.raw eight.raw
	gzip -1 <eight >nine
	fails 65 "*8*" nine -O raw nine.raw
	nothing_at nine.raw
}

@test "gzip: members one after another, with names and comments" {
	make_odd_disk in.raw
	head -c 1000000 in.raw | gzip >in.raw.gz
	head -c 2000000 in.raw | tail -c 1000000 | gzip -1 >>in.raw.gz
	tail -c +2000001 in.raw >rest && gzip rest && cat rest.gz >>in.raw.gz
	runs 0 in.raw.gz out.raw
	same_bytes in.raw out.raw
}

@test "xz: many blocks, streams one after another, padding, each check" {
	local check
	make_odd_disk in.raw
	xz -k -T2 --block-size=256KiB in.raw
	runs 0 in.raw.xz out.raw
	same_bytes in.raw out.raw
	head -c 1M in.raw | xz >streams.raw.xz
	head -c 8 /dev/zero >>streams.raw.xz
	tail -c +1048577 in.raw | xz --block-size=300KiB >>streams.raw.xz
	head -c 4 /dev/zero >>streams.raw.xz
	runs 0 streams.raw.xz streams.raw
	same_bytes in.raw streams.raw
	for check in none crc32 crc64 sha256; do
		xz -C $check <in.raw >check.raw.xz
		runs 0 --force check.raw.xz check.raw
		same_bytes in.raw check.raw
	done
	head -c 3 /dev/zero >>streams.raw.xz
	fails 65 "*" --force streams.raw.xz streams.raw
}

@test "zstd: many frames, skippable frames, a long window, no checksum" {
	built_with zstd || return 0
	make_odd_disk in.raw
	head -c 1M in.raw | zstd -q >in.raw.zst
	# A skippable frame: magic 0x184d2a50, length 4, content.
	printf '\x50\x2a\x4d\x18\x04\x00\x00\x00abcd' >>in.raw.zst
	tail -c +1048577 in.raw | zstd -q --no-check >>in.raw.zst
	runs 0 in.raw.zst out.raw
	same_bytes in.raw out.raw
	zstd -q --long=27 -19 <in.raw >long.raw.zst
	runs 0 long.raw.zst long.raw
	same_bytes in.raw long.raw
}

@test "lz4: frames one after another, linked and independent blocks" {
	built_with lz4 || return 0
	make_odd_disk in.raw
	head -c 1M in.raw | lz4 -q -BD >in.raw.lz4
	tail -c +1048577 in.raw | lz4 -q -B4 -BX >>in.raw.lz4
	runs 0 in.raw.lz4 out.raw
	same_bytes in.raw out.raw
}

@test "bzip2: streams one after another" {
	built_with bzip2 || return 0
	make_odd_disk in.raw
	head -c 1M in.raw | bzip2 >in.raw.bz2
	tail -c +1048577 in.raw | bzip2 -1 >>in.raw.bz2
	runs 0 in.raw.bz2 out.raw
	same_bytes in.raw out.raw
}

@test "an empty and a one-byte disk in each codec" {
	local codec size
	for size in 0 1; do
		make_pattern in.raw data:$size
		for codec in gz xz zst bz2 lz4; do
			built_with $codec || continue
			rm -f in.raw.$codec
			pack $codec in.raw
			runs 0 --force in.raw.$codec out.raw
			same_bytes in.raw out.raw
		done
		for codec in gz xz zst lz4; do
			built_with $codec || continue
			runs 0 --force in.raw out.raw.$codec
			unpack $codec out.raw.$codec | cmp - in.raw
		done
	done
}

@test "--wrap-level makes a difference" {
	make_pattern in.raw text:4M
	runs 0 --wrap-level 1 in.raw fast.raw.xz
	runs 0 --wrap-level 9 --memory 1G in.raw small.raw.xz
	xz -dc fast.raw.xz | cmp - in.raw
	xz -dc small.raw.xz | cmp - in.raw
	[ "$(size_of small.raw.xz)" -lt "$(size_of fast.raw.xz)" ]
}

@test "cut short at any point is an error, never a shorter disk" {
	local codec size cut
	make_pattern in.raw text:700K data:100K
	for codec in gz xz zst bz2 lz4; do
		built_with $codec || continue
		pack $codec in.raw
		size=$(size_of in.raw.$codec)
		for cut in 7 20 1000 $((size / 2)) $((size - 30)) \
			$((size - 9)) $((size - 4)) $((size - 1)); do
			head -c "$cut" in.raw.$codec >cut.raw.$codec
			never_succeeds out.raw cut.raw.$codec out.raw
			never_succeeds out.qcow2 cut.raw.$codec out.qcow2
		done
		rm in.raw.$codec
	done
}

@test "garbage after the end is an error" {
	local codec
	make_pattern in.raw text:700K
	for codec in gz xz zst bz2 lz4; do
		built_with $codec || continue
		pack $codec in.raw
		printf 'garbage, not a header' >>in.raw.$codec
		never_succeeds out.raw in.raw.$codec out.raw
	done
}

@test "a wrong check, and a bit turned in the middle, are errors" {
	local codec size
	make_pattern in.raw text:700K data:300K
	for codec in gz xz zst bz2 lz4; do
		built_with $codec || continue
		pack $codec in.raw
		size=$(size_of in.raw.$codec)
		cp in.raw.$codec bad.raw.$codec
		python3 - bad.raw.$codec $((size / 2)) <<-'END'
			import sys
			with open(sys.argv[1], "r+b") as file:
			    file.seek(int(sys.argv[2]))
			    byte = file.read(1)[0]
			    file.seek(-1, 1)
			    file.write(bytes([byte ^ 16]))
		END
		never_succeeds out.raw bad.raw.$codec out.raw
		rm bad.raw.$codec
	done
	# gzip: the CRC-32 lies eight bytes before the end.
	overwrite in.raw.gz $(($(size_of in.raw.gz) - 8)) 00 11 22 33
	never_succeeds out.raw in.raw.gz out.raw
	# And the length behind it.
	gzip -f -k in.raw
	overwrite in.raw.gz $(($(size_of in.raw.gz) - 4)) 00 11 22 33
	never_succeeds out.raw in.raw.gz out.raw
}

@test "an xz made with the largest preset decodes in bounded memory" {
	case ${IMGCONV_VARIANT:-} in
	asan | tsan) return 0 ;; # the sanitizer's own memory counts
	esac
	make_pattern in.raw text:40M hole:60M
	xz -9 -T2 -k in.raw
	runs 0 in.raw.xz out.raw
	same_bytes in.raw out.raw
	need /usr/bin/time
	run -0 --separate-stderr /usr/bin/time -f %M "$IMGCONV" --force \
		in.raw.xz out.qcow2
	[ "${stderr_lines[-1]}" -le 262144 ]
}
