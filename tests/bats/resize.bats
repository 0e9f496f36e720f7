#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# -s: growing and shrinking on the way, and what happens to a GPT.

load helper
load images

prepare() {
	need qemu-img sgdisk mkfs.ext4 e2fsck python3
}

# gpt_valid RAW: sgdisk finds no problem, and says so.
gpt_valid() {
	run -0 sgdisk -v "$1"
	[[ $output == *"No problems found"* ]] || fail "$output"
}

# filesystem_valid RAW MEBIBYTES: of the one partition at 1 MiB.
filesystem_valid() {
	dd if="$1" of=partition bs=1M skip=1 count=$(($2 - 3)) status=none
	run -0 e2fsck -f -n partition
}

# The table as sgdisk prints it, but for what must change with the size.
partitions() {
	sgdisk -p "$1" | sed -n '/^Number/,$p'
	sgdisk -i 1 "$1"
	sgdisk -p "$1" | grep 'identifier (GUID)'
}

@test "growing moves the backup table to the new end" {
	make_gpt_image in.raw 32
	partitions in.raw >before
	runs 0 in.raw out.raw -s 100M
	equal 104857600 "$(size_of out.raw)"
	gpt_valid out.raw
	filesystem_valid out.raw 32
	partitions out.raw >after
	same_bytes before after
	# The last sector is a header.
	equal "EFI PART" "$(tail -c 512 out.raw | head -c 8)"
	# The protective MBR covers the whole: sectors minus one, at 458.
	equal $((204800 - 1)) "$(od -An -tu4 -j 458 -N 4 out.raw | xargs)"
}

@test "everything but the tables is as it was" {
	make_gpt_image in.raw 32
	runs 0 in.raw out.raw -s 64M
	# From behind the first table to before the old backup.
	cmp -i $((34 * 512)) -n $((32 * 1048576 - 67 * 512)) in.raw out.raw
	cmp -n 440 in.raw out.raw
}

@test "compressed in, larger qcow2 out" {
	make_gpt_image in.raw 32
	xz -k -T2 --block-size=4MiB in.raw
	runs 0 in.raw.xz out.qcow2 -s 1G
	sound out.qcow2
	equal 1073741824 "$(qemu-img info --output=json out.qcow2 |
		jq '."virtual-size"')"
	qemu-img convert -O raw out.qcow2 out.raw
	gpt_valid out.raw
	filesystem_valid out.raw 32
}

@test "the same from a pipe, whose length nobody knows" {
	make_gpt_image in.raw 32
	runs 0 in.raw right.raw -s 64M
	cat in.raw | "$IMGCONV" - -s 64M out.raw
	same_bytes right.raw out.raw
	cat in.raw | "$IMGCONV" - -s +32M more.raw
	same_bytes right.raw more.raw
}

@test "-s +N adds, from any format" {
	make_gpt_image in.raw 32
	qemu-img convert -O qcow2 in.raw in.qcow2
	runs 0 -s +32M in.qcow2 out.raw
	equal $((64 << 20)) "$(size_of out.raw)"
	gpt_valid out.raw
	runs 0 -s 64M in.raw same.raw
	same_bytes out.raw same.raw
}

@test "a digest and a verification are of what was written" {
	make_gpt_image in.raw 32
	runs 0 --digest --verify -s 64M in.raw out.raw
	[[ $output == *"$(digest_of out.raw)"* ]]
}

@test "--no-partition-fix leaves the table alone" {
	make_gpt_image in.raw 32
	runs 0 --no-partition-fix -s 64M in.raw out.raw
	cmp -n $((32 << 20)) in.raw out.raw
	equal 0 "$(tail -c $((32 << 20)) out.raw | tr -d '\0' | wc -c)"
}

@test "an odd relative size of unknown length: the GPT ends where it does" {
	make_gpt_image in.raw 16
	gzip -1 in.raw
	runs 0 -s +1 in.raw.gz out.qcow2
	runs 0 out.qcow2 out.raw
	equal $(((16 << 20) + 512)) "$(size_of out.raw)"
	sgdisk -v out.raw | grep -q "No problems found"
	fails 69 "*--no-pad*" --no-pad -s +1 in.raw.gz no.qcow2
	nothing_at no.qcow2
}

@test "without a GPT nothing is touched" {
	make_odd_disk in.raw
	runs 0 -s 9M in.raw out.raw
	cmp -n "$(size_of in.raw)" in.raw out.raw
	equal 0 "$(tail -c 4M out.raw | tr -d '\0' | wc -c)"
}

@test "tables of 4096-byte sectors move too" {
	make_pattern in.raw hole:64M
	# By hand: an empty table whose sectors are 4096 bytes long.
	python3 - in.raw <<-'END'
		import struct, sys, zlib
		SECTOR, ENTRIES, ENTRY = 4096, 128, 128
		with open(sys.argv[1], "r+b") as disk:
		    last = disk.seek(0, 2) // SECTOR - 1
		    table = bytearray(ENTRIES * ENTRY)
		    table[:56] = struct.pack("<16s16sQQQ", b"\x0f" * 16,
		                             b"\x11" * 16, 256, 511, 0)
		    def header(here, other, entries):
		        head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART",
		            0x10000, 92, 0, 0, here, other, 6, last - 5, b"\x22" * 16,
		            entries, ENTRIES, ENTRY, zlib.crc32(table))
		        return (head[:16] + struct.pack("<I", zlib.crc32(head))
		                + head[20:])
		    mbr = bytearray(512)
		    mbr[446:462] = struct.pack("<8sII", b"\0\0\2\0\xee\xff\xff\xff",
		                               1, last)
		    mbr[510:] = b"\x55\xaa"
		    for place, content in ((0, mbr), (1, header(1, last, 2)),
		                           (2, table), (last - 4, table),
		                           (last, header(last, 1, last - 4))):
		        disk.seek(place * SECTOR)
		        disk.write(content)
	END
	runs 0 -s 128M in.raw out.raw
	equal "EFI PART" "$(tail -c 4096 out.raw | head -c 8)"
	# The first header's idea of where the other one is.
	equal $(((128 << 20) / 4096 - 1)) \
		"$(od -An -tu8 -j $((4096 + 32)) -N 8 out.raw | xargs)"
}

@test "a damaged GPT is not repaired behind one's back" {
	make_gpt_image in.raw 32
	overwrite in.raw $((512 + 72)) ff ff
	runs 0 -s 64M in.raw out.raw
	[[ $stderr == *"note: the GUID partition table is damaged"* ]] ||
		fail "not said: $stderr"
	cmp -n $((32 << 20)) in.raw out.raw
	equal 0 "$(tail -c $((32 << 20)) out.raw | tr -d '\0' | wc -c)"
}

@test "a smaller size needs --shrink" {
	make_odd_disk in.raw
	fails 77 "*--shrink*" -s 1M in.raw out.raw
	nothing_at out.raw
}

@test "--shrink refuses to cut into a partition, and names it" {
	make_gpt_image in.raw 32
	fails 77 "*partition*" --shrink -s 16M in.raw out.raw
	nothing_at out.raw
	fails 77 "*" --shrink -s 16M in.raw out.qcow2
	nothing_at out.qcow2
}

@test "--shrink refuses to cut a filesystem" {
	truncate -s 32M in.raw
	mkfs.ext4 -q -F in.raw
	fails 77 "*ext*" --shrink -s 16M in.raw out.raw
	nothing_at out.raw
}

@test "--shrink cuts off what nobody uses, and mends the GPT" {
	make_gpt_image small.raw 32
	runs 0 -s 96M small.raw in.raw
	runs 0 --shrink -s 48M in.raw out.raw
	equal $((48 << 20)) "$(size_of out.raw)"
	gpt_valid out.raw
	filesystem_valid out.raw 32
	# Back to where it started, to the byte.
	runs 0 --shrink -s 32M in.raw back.raw
	same_bytes small.raw back.raw
	make_pattern tail.raw data:1M hole:4M
	runs 0 --shrink -s 1M tail.raw cut.raw
	cmp -n 1048576 tail.raw cut.raw
	equal 1048576 "$(size_of cut.raw)"
}

@test "resize in place of what only a conversion can resize" {
	runs 0 create vdi x.vdi 8M
	fails 69 "*in place here; convert it with -s" resize x.vdi 16M
	runs 0 -s 16M x.vdi y.vdi
	[[ $("$IMGCONV" info y.vdi) == *"virtual-size: 16777216"* ]]
}

@test "resize in place: raw, and qcow2 by plan" {
	make_gpt_image in.raw 32
	runs 0 in.raw in.qcow2
	runs 0 -s 64M in.raw right.raw
	runs 0 resize in.raw 64M
	same_bytes right.raw in.raw
	runs 0 resize in.qcow2 64M
	sound in.qcow2
	qemu-img convert -O raw in.qcow2 out.raw
	gpt_valid out.raw
}

@test "resize --dry-run shows the plan and changes nothing" {
	make_gpt_image in.raw 32
	cp in.raw before.raw
	runs 0 resize --dry-run in.raw 64M
	[[ $output == *"1. resize-file"* ]] || fail "$output"
	same_bytes before.raw in.raw
	gzip -1 in.raw
	refuses 69 "*in place; convert it with -s" resize --dry-run in.raw.gz 64M
}

@test "a stream whose backup GPT is not where it should be is refused" {
	need sgdisk gzip
	truncate -s 16M disk.raw
	sgdisk -n 1:2048:10000 disk.raw >/dev/null
	truncate -s 20M disk.raw
	gzip -k disk.raw
	run --separate-stderr "$IMGCONV" disk.raw.gz out.raw -s 40M
	equal 65 "$status" "$stderr"
	[[ $stderr == *"backup partition table"*"--no-partition-fix"* ]] ||
		fail "$stderr"
	nothing_at out.raw
	run --separate-stderr "$IMGCONV" disk.raw.gz out.qcow2 -s 40M
	equal 65 "$status" "$stderr"
	"$IMGCONV" --no-partition-fix disk.raw.gz out.raw -s 40M
	cmp -n $((20 << 20)) disk.raw out.raw
}
