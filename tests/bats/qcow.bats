#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# qcow version 1, which qemu-img writes: read, mapped, checked and refused.
load helper
load images

prepare() {
	need qemu-img python3
	make_odd_disk x.raw
}

# Some versions of the tool end with 1 and no message though all is written.
make_packed() {
	qemu-img convert -c -O qcow "$1" "$2" || true
	same_disk qcow "$2" raw "$1"
}

# reads QCOW RAW: the same disk, by us and by qemu-img.
reads() {
	runs 0 "$1" out.raw -O raw
	cmp out.raw "$2"
	same_disk qcow "$1" raw out.raw
	rm out.raw
}

@test "plain and compressed, from files and pipes, by any threads" {
	qemu-img convert -O qcow x.raw x.qcow
	make_packed x.raw c.qcow
	reads x.qcow x.raw
	reads c.qcow x.raw
	runs 0 -m 1 c.qcow one.raw
	runs 0 -m 4 c.qcow four.raw
	cmp one.raw four.raw
	"$IMGCONV" -O raw - - <c.qcow | cmp - x.raw
	runs 0 check x.qcow
	runs 0 check c.qcow
}

@test "sizes from one sector to beyond 2 TiB" {
	local size
	for size in 512 1048064 5G 2199023321088; do
		truncate -s 0 s.raw
		truncate -s "$size" s.raw
		printf x | dd of=s.raw bs=1 seek=$(($(stat -c %s s.raw) - 1)) \
			conv=notrunc status=none
		qemu-img convert -O qcow s.raw s.qcow
		runs 0 s.qcow out.raw -O raw
		equal "$(stat -c %s s.raw)" "$(stat -c %s out.raw)"
		equal "78" "$(tail -c 1 out.raw | od -An -tx1 | tr -d ' ')"
		rm -f s.raw s.qcow out.raw
	done
}

@test "a backing file is named, and followed only when allowed" {
	qemu-img convert -O qcow x.raw base.qcow
	qemu-img create -q -f qcow -b base.qcow -F qcow top.qcow
	qemu-io -f qcow -c 'write -P 7 1M 100k' top.qcow >/dev/null
	runs 0 info top.qcow
	[[ $output == *"backing-file: base.qcow"* ]]
	runs 0 check top.qcow
	refuses 77 "*base.qcow*--allow-references*" top.qcow out.raw
	runs 0 --allow-references top.qcow out.raw
	same_disk qcow top.qcow raw out.raw
}

@test "encryption is refused by name, and info says it" {
	qemu-img convert -O qcow x.raw x.qcow
	overwrite x.qcow 36 00 00 00 01
	refuses 69 "*encrypted*--secret*" x.qcow out.raw
	runs 0 info x.qcow
	[[ $output == *"encryption: aes"* ]]
}

@test "no cut and no wrong field passes" {
	local cut size
	make_packed x.raw c.qcow
	size=$(stat -c %s c.qcow)
	for cut in 1 20 47 48 100 4000 5000 $((size / 2)) $((size - 1)); do
		head -c "$cut" c.qcow >cut.qcow
		run --separate-stderr "$IMGCONV" -f qcow cut.qcow out.raw
		[ "$status" -ne 0 ] || fail "cut at $cut passes"
		[ ! -e out.raw ]
	done
	qemu-img convert -O qcow x.raw x.qcow
	cp x.qcow y.qcow
	overwrite y.qcow 32 08
	refuses 65 "*cluster_bits 8*9..16*" y.qcow out.raw
	cp x.qcow y.qcow
	overwrite y.qcow 33 20
	refuses 65 "*l2_bits 32*6..13*" y.qcow out.raw
	cp x.qcow y.qcow
	overwrite y.qcow 24 ff ff
	refuses 65 "*above 2^60*" y.qcow out.raw
	cp x.qcow y.qcow
	# The first L2 table, by the L1 table, lies far away.
	overwrite y.qcow $((16#$(od -An -tx1 -j 40 -N 8 x.qcow | tr -d ' '))) \
		00 00 7f ff ff ff f0 00
	refuses 65 "*L2 table*past the end of the file*" y.qcow out.raw
	runs 2 check y.qcow
}

@test "a cluster used twice is a corruption" {
	local l1 l2
	qemu-img convert -O qcow x.raw x.qcow
	l1=$((16#$(od -An -tx1 -j 40 -N 8 x.qcow | tr -d ' ')))
	l2=$((16#$(od -An -tx1 -j "$l1" -N 8 x.qcow | tr -d ' ')))
	dd if=x.qcow of=x.qcow bs=1 count=8 skip="$l2" seek=$((l2 + 8)) \
		conv=notrunc status=none
	runs 2 check x.qcow
}
