#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# raw and qcow2 into each other, judged by qemu-img.

load helper
load images

prepare() {
	need qemu-img qemu-io python3
}

@test "raw to qcow2: the same disk, and sound" {
	make_odd_disk in.raw
	runs 0 in.raw out.qcow2
	[ -z "$output" ]
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
}

@test "qcow2 to raw: the same bytes, and holes where nothing was" {
	make_odd_disk in.raw
	qemu-img convert -O qcow2 in.raw in.qcow2
	runs 0 in.qcow2 out.raw
	same_bytes in.raw out.raw
	# 5 MiB of which less than 1.5 hold anything.
	[ "$(du -k out.raw | cut -f1)" -lt 2000 ]
}

@test "written zeros become holes in raw and nothing in qcow2" {
	make_pattern in.raw data:64K zero:8M data:64K
	runs 0 in.raw out.raw
	same_bytes in.raw out.raw
	[ "$(du -k out.raw | cut -f1)" -le 256 ]
	runs 0 in.raw out.qcow2
	[ "$(size_of out.qcow2)" -lt 1000000 ]
}

@test "a disk of zeros is nearly nothing" {
	truncate -s 1G in.raw
	runs 0 in.raw out.qcow2
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	[ "$(size_of out.qcow2)" -le 1048576 ]
}

@test "any size: 0, 1, 511, 512, 513 bytes, and just under a mebibyte" {
	local size
	for size in 0 1 511 512 513 65535 65537 1048064 2097665; do
		make_pattern in.raw "data:$size"
		runs 0 --force in.raw same.raw
		same_bytes in.raw same.raw
		runs 0 --force in.raw out.qcow2
		sound out.qcow2
		runs 0 --force out.qcow2 back.raw
		# qcow2 counts sectors: padded with zeros to the next.
		cp in.raw padded.raw
		truncate -s $(((size + 511) / 512 * 512)) padded.raw
		same_bytes padded.raw back.raw
	done
}

@test "padding is said, and refused with --no-pad" {
	make_pattern in.raw data:1000
	runs 0 in.raw out.qcow2
	[[ $stderr == "imgconv: "*512* || $stderr == "imgconv: "*1024* ]]
	fails 69 "*1000*1024*" --no-pad in.raw no.qcow2
	nothing_at no.qcow2
	runs 0 --no-pad in.raw out.raw
	same_bytes in.raw out.raw
}

@test "every cluster size, written and read" {
	local size
	make_odd_disk in.raw
	for size in 512 1024 2048 4096 8192 16384 32768 65536 128K 256K 512K \
		1M 2M; do
		runs 0 --force -o "cluster_size=$size" in.raw out.qcow2
		sound out.qcow2
		same_disk raw in.raw qcow2 out.qcow2
		qemu-img convert -O qcow2 -o "cluster_size=$size" in.raw \
			theirs.qcow2
		runs 0 --force theirs.qcow2 back.raw
		same_bytes in.raw back.raw
	done
}

@test "every refcount width, written and read" {
	local bits
	make_odd_disk in.raw
	for bits in 1 2 4 8 16 32 64; do
		runs 0 --force -o "refcount_bits=$bits" in.raw out.qcow2
		sound out.qcow2
		same_disk raw in.raw qcow2 out.qcow2
		equal "$bits" "$(qemu-img info --output=json out.qcow2 |
			jq '."format-specific".data."refcount-bits"')"
		qemu-img convert -O qcow2 -o "refcount_bits=$bits" in.raw \
			theirs.qcow2
		runs 0 --force theirs.qcow2 back.raw
		same_bytes in.raw back.raw
	done
}

@test "version 2, written and read" {
	make_odd_disk in.raw
	runs 0 -o compat=0.10 in.raw out.qcow2
	equal 0.10 "$(qemu-img info --output=json out.qcow2 |
		jq -r '."format-specific".data.compat')"
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	qemu-img convert -O qcow2 -o compat=0.10 in.raw theirs.qcow2
	runs 0 theirs.qcow2 back.raw
	same_bytes in.raw back.raw
}

@test "extended L2 entries, written and read" {
	make_odd_disk in.raw
	runs 0 -o extended_l2=on in.raw out.qcow2
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128K \
		theirs.qcow2 5M
	# Parts of clusters, and zeros over data: subclusters of each kind.
	qemu-io -c 'write -P 7 4096 8192' -c 'write -P 8 1M 128K' \
		-c 'write -z 1064960 4096' -c 'write -z 3M 4K' theirs.qcow2 \
		>/dev/null
	qemu-img convert -O raw theirs.qcow2 right.raw
	runs 0 theirs.qcow2 back.raw
	same_bytes right.raw back.raw
}

@test "lazy_refcounts and preallocation are written as asked" {
	local how
	make_odd_disk in.raw
	runs 0 -o lazy_refcounts=on in.raw out.qcow2
	equal true "$(qemu-img info --output=json out.qcow2 |
		jq '."format-specific".data."lazy-refcounts"')"
	for how in metadata falloc full; do
		runs 0 --force -o "preallocation=$how" in.raw out.qcow2
		sound out.qcow2
		same_disk raw in.raw qcow2 out.qcow2
	done
	# full: all of it takes room on disk.
	[ "$(du -k out.qcow2 | cut -f1)" -ge 5000 ]
	for how in falloc full; do
		runs 0 --force -o "preallocation=$how" in.raw out.raw
		same_bytes in.raw out.raw
		[ "$(du -k out.raw | cut -f1)" -ge 5000 ]
	done
}

@test "-c makes zlib clusters that others read" {
	make_odd_disk in.raw
	runs 0 -c in.raw out.qcow2
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	equal zlib "$(qemu-img info --output=json out.qcow2 |
		jq -r '."format-specific".data."compression-type"')"
	qemu-img map --output=json out.qcow2 | jq -e 'any(.data and
		(has("offset") | not))'
}

@test "-c of real files is at most 4 % larger than what qemu-img makes" {
	# Programs, as a system disk has them; enough for rounding not to count.
	find /usr/bin /usr/sbin -type f -size +50k -size -4M -readable | sort |
		xargs cat | head -c 24M >in.raw
	[ "$(size_of in.raw)" -gt 8000000 ]
	runs 0 -f raw -c in.raw out.qcow2
	qemu-img convert -f raw -c -O qcow2 in.raw theirs.qcow2
	[ "$(size_of out.qcow2)" -le $(($(size_of theirs.qcow2) * 104 / 100)) ] ||
		fail "$(size_of out.qcow2) against $(size_of theirs.qcow2)"
}

@test "--compress=zlib and zstd, with levels and cluster sizes" {
	local type size
	make_odd_disk in.raw
	for type in zlib zlib:1 zlib:9 zstd zstd:1 zstd:12; do
		built_with "${type%:*}" || continue
		for size in 4K 64K 2M; do
			runs 0 --force "--compress=$type" \
				-o "cluster_size=$size" in.raw out.qcow2
			sound out.qcow2
			same_disk raw in.raw qcow2 out.qcow2
			runs 0 --force out.qcow2 back.raw
			same_bytes in.raw back.raw
		done
	done
}

@test "compressed clusters of others are read" {
	local type
	make_odd_disk in.raw
	for type in zlib zstd; do
		built_with "$type" || continue
		qemu-img convert -c -O qcow2 -o "compression_type=$type" in.raw \
			in.qcow2
		runs 0 --force in.qcow2 out.raw
		same_bytes in.raw out.raw
		rm in.qcow2
	done
}

@test "a codec that is not built in is refused by name" {
	! built_with zstd || return 0
	make_odd_disk in.raw
	fails 69 "*zstd*" --compress=zstd in.raw out.qcow2
	nothing_at out.qcow2
	qemu-img convert -c -O qcow2 -o compression_type=zstd in.raw in.qcow2
	fails 69 "*zstd*" in.qcow2 out.raw
	nothing_at out.raw
}

@test "options stand anywhere, -c and -p take no argument" {
	make_odd_disk in.raw
	runs 0 -cp in.raw a.qcow2
	runs 0 -c in.raw b.qcow2
	runs 0 in.raw c.qcow2 -c
	runs 0 convert in.raw -c d.qcow2
	same_bytes a.qcow2 b.qcow2
	same_bytes a.qcow2 c.qcow2
	same_bytes a.qcow2 d.qcow2
}

@test "--digest is the SHA-256 of the guest's bytes" {
	make_odd_disk in.raw
	runs 0 --digest in.raw out.qcow2
	[[ $output == *"$(digest_of in.raw)"* ]]
	runs 0 --digest out.qcow2 out.raw
	[[ $output == *"$(digest_of in.raw)"* ]]
	# The output on stdout keeps it for itself.
	"$IMGCONV" --digest out.qcow2 -O raw - 2>said >piped.raw
	same_bytes in.raw piped.raw
	grep -q "$(digest_of in.raw)" said
}

@test "--verify reads the output again" {
	make_odd_disk in.raw
	runs 0 --verify in.raw out.qcow2
	runs 0 --verify -c out.qcow2 packed.qcow2
	same_disk raw in.raw qcow2 packed.qcow2
}

@test "thread count changes no byte" {
	local threads
	make_pattern in.raw text:9M data:3M hole:5M text:700K
	runs 0 -m 1 -c in.raw one.qcow2
	for threads in 2 3 7; do
		runs 0 --force -m $threads -c in.raw many.qcow2
		same_bytes one.qcow2 many.qcow2
	done
	runs 0 -m 1 in.raw one.raw.xz
	runs 0 -m 5 in.raw many.raw.xz
	same_bytes one.raw.xz many.raw.xz
}

@test "how the input reports holes changes no byte" {
	make_odd_disk holes.raw
	cp --sparse=never holes.raw solid.raw
	runs 0 -c holes.raw a.qcow2
	runs 0 -c solid.raw b.qcow2
	same_bytes a.qcow2 b.qcow2
}

@test "the same command twice gives the same file; --unique may not matter" {
	make_odd_disk in.raw
	runs 0 in.raw a.qcow2
	runs 0 in.raw b.qcow2
	same_bytes a.qcow2 b.qcow2
	runs 0 --reproducible -c in.raw c.qcow2
	SOURCE_DATE_EPOCH=1 runs 0 -c in.raw d.qcow2
	same_bytes c.qcow2 d.qcow2
}

make_snapshots() {
	make_odd_disk first.raw
	qemu-img convert -O qcow2 first.raw in.qcow2
	qemu-img snapshot -c first in.qcow2
	qemu-io -c 'write -P 99 1M 256K' -c 'write -z 0 64K' in.qcow2 >/dev/null
	qemu-img snapshot -c second in.qcow2
	qemu-io -c 'write -P 3 4M 64K' in.qcow2 >/dev/null
	qemu-img convert -O raw in.qcow2 now.raw
	qemu-img convert -O raw -l second in.qcow2 second.raw
}

@test "--snapshot chooses a state, by name or id" {
	make_snapshots
	runs 0 in.qcow2 out.raw
	same_bytes now.raw out.raw
	runs 0 --snapshot first in.qcow2 out1.raw
	same_bytes first.raw out1.raw
	runs 0 --snapshot second in.qcow2 out2.raw
	same_bytes second.raw out2.raw
	runs 0 --snapshot 1 in.qcow2 out3.raw
	same_bytes first.raw out3.raw
	run --separate-stderr "$IMGCONV" --snapshot third in.qcow2 no.raw
	[[ $status -ge 64 && $stderr == *third* ]]
	nothing_at no.raw
}

make_chain() {
	make_odd_disk base.raw
	qemu-img convert -O qcow2 base.raw middle.qcow2
	qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2
	qemu-io -c 'write -P 42 100K 300K' -c 'write -z 2M 64K' top.qcow2 \
		>/dev/null
	qemu-img convert -O raw top.qcow2 right.raw
}

@test "a backing file is refused until it is allowed" {
	make_chain
	fails 77 "*middle.qcow2*" top.qcow2 out.raw
	nothing_at out.raw
	runs 0 --allow-references top.qcow2 out.raw
	same_bytes right.raw out.raw
	runs 0 --allow-references top.qcow2 flat.qcow2
	sound flat.qcow2
	same_disk raw right.raw qcow2 flat.qcow2
	equal null "$(qemu-img info --output=json flat.qcow2 |
		jq '."backing-filename"')"
}

@test "references stay inside the image's folder, or the one named" {
	mkdir inner outer
	make_odd_disk outer/base.raw
	qemu-img create -q -f qcow2 -b ../outer/base.raw -F raw inner/top.qcow2
	fails 77 "*base.raw*" --allow-references inner/top.qcow2 out.raw
	nothing_at out.raw
	runs 0 --allow-references=. inner/top.qcow2 out.raw
	same_bytes outer/base.raw out.raw
	ln -s ../outer/base.raw inner/link.raw
	qemu-img create -q -f qcow2 -u -b link.raw -F raw inner/link.qcow2 5M
	fails 77 "*" --allow-references inner/link.qcow2 no.raw
}

@test "json: and protocol names in an image are never followed" {
	local name
	for name in 'json:{"driver":"file"}' nbd://127.0.0.1/x file:in.raw \
		/etc/hostname; do
		make_qcow2 in.qcow2 "backing=$name"
		fails 77 "*" --allow-references in.qcow2 out.raw
		nothing_at out.raw
	done
}

@test "an external data file is refused until it is allowed" {
	make_odd_disk in.raw
	qemu-img convert -O qcow2 -o data_file=in.data in.raw in.qcow2
	fails 77 "*in.data*" in.qcow2 out.raw
	nothing_at out.raw
	runs 0 --allow-references in.qcow2 out.raw
	same_bytes in.raw out.raw
}

@test "a data file is written, raw too" {
	make_odd_disk in.raw
	runs 0 -o data_file=out.data,data_file_raw=on in.raw out.qcow2
	sound out.qcow2
	same_disk raw in.raw qcow2 out.qcow2
	cmp -n "$(size_of in.raw)" in.raw out.data
}

@test "create makes an empty image and an overlay that others read" {
	make_odd_disk base.raw
	runs 0 create qcow2 empty.qcow2 3G
	sound empty.qcow2
	equal 3221225472 "$(qemu-img info --output=json empty.qcow2 |
		jq '."virtual-size"')"
	runs 0 create -O qcow2 -b base.raw over.qcow2 5M
	same_disk raw base.raw qcow2 over.qcow2
	fails 73 "*" create qcow2 empty.qcow2 1G
}

@test "compare finds the first difference, in any formats" {
	make_odd_disk in.raw
	runs 0 in.raw same.qcow2
	runs 0 compare in.raw same.qcow2
	cp in.raw other.raw
	overwrite other.raw 1200000 ff
	runs 1 compare other.raw same.qcow2
	[[ $output == *1200000* ]]
}

@test "check says clean, corrupt and leaking by its status" {
	make_odd_disk in.raw
	runs 0 in.raw good.qcow2
	runs 0 check good.qcow2
	make_qcow2 leak.qcow2 'rc[7]=1' && truncate -s 512K leak.qcow2
	runs 3 check leak.qcow2
	make_qcow2 bad.qcow2 'rc[5]=0'
	runs 2 check bad.qcow2
}

@test "--verify reads back the final file, whatever is around and padded" {
	local out
	make_odd_disk in.raw
	truncate -s 1001001 odd.raw
	printf tail | dd of=odd.raw bs=1 seek=1000990 conv=notrunc status=none
	for out in a.raw a.qcow2 a.raw.gz a.qcow2.xz a.qcow2.gz; do
		run --separate-stderr "$IMGCONV" -v --verify in.raw $out
		equal 0 "$status" "$out: $stderr"
		[[ $stderr == *"step: verify"* ]] || fail "$stderr"
		run --separate-stderr "$IMGCONV" --force --verify odd.raw $out
		equal 0 "$status" "$out: $stderr"
	done
	fails 64 "*--verify*backing_file*" in.raw --verify \
		-o backing_file=in.raw,backing_fmt=raw b.qcow2
}
