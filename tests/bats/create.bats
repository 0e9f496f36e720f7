#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Empty images and overlays; qemu-img says whether they are what was asked.
load helper

virtual_size() {
	qemu-img info --output=json "$1" | jq '."virtual-size"'
}

@test "an empty qcow2" {
	need qemu-img jq
	runs 0 create qcow2 x.qcow2 10G
	[ -z "$output$stderr" ]
	qemu-img check -q x.qcow2
	equal 10737418240 "$(virtual_size x.qcow2)"
	equal "x.qcow2 " "$(files)"
	[ "$(stat -c %s x.qcow2)" -lt 1048576 ]
	runs 0 create -O qcow2 y.qcow2 10G
	cmp x.qcow2 y.qcow2
}

@test "qcow2 options arrive in the image" {
	need qemu-img jq
	imgconv create qcow2 x.qcow2 64M -o cluster_size=4k,refcount_bits=1 \
		-o extended_l2=off,lazy_refcounts=on
	qemu-img check -q x.qcow2
	qemu-img info --output=json x.qcow2 >info
	equal 4096 "$(jq '."cluster-size"' info)"
	equal 1 "$(jq '."format-specific".data."refcount-bits"' info)"
	equal true "$(jq '."format-specific".data."lazy-refcounts"' info)"
	imgconv create qcow2 y.qcow2 64M -o compat=0.10
	equal '"0.10"' "$(qemu-img info --output=json y.qcow2 |
		jq '."format-specific".data.compat')"
}

@test "raw: sparse, reserved or written" {
	imgconv create raw x.raw 5M
	equal 5242880 "$(stat -c %s x.raw)"
	equal 0 "$(stat -c %b x.raw)"
	imgconv create raw y.raw 5M -o preallocation=full
	[ "$(($(stat -c %b y.raw) * 512))" -ge 5242880 ]
	cmp x.raw y.raw
	imgconv create raw z.raw 1001
	equal 1001 "$(stat -c %s z.raw)"
}

@test "a size that is no whole number of sectors is rounded up, with a note" {
	need qemu-img jq
	runs 0 create qcow2 x.qcow2 1001
	equal "imgconv: note: the size is 1024, not 1001: the next that qcow2 can have" \
		"$stderr"
	equal 1024 "$(virtual_size x.qcow2)"
	runs 0 create -q qcow2 y.qcow2 1001
	[ -z "$stderr" ]
}

@test "an overlay has its backing file's size and format" {
	need qemu-img jq
	pattern base.raw 3M 1000 70000 below
	runs 0 create qcow2 -b base.raw over.qcow2
	qemu-img info --output=json over.qcow2 >info
	equal 3145728 "$(jq '."virtual-size"' info)"
	equal '"base.raw"' "$(jq '."backing-filename"' info)"
	equal '"raw"' "$(jq '."backing-filename-format"' info)"
	qemu-img compare -q base.raw over.qcow2
	qemu-img check -q over.qcow2
}

@test "an overlay of a given size, over a given format" {
	need qemu-img jq
	pattern base.img 1M 0 70000 below
	imgconv create qcow2 over.qcow2 2M -b base.img -o backing_fmt=raw
	equal 2097152 "$(virtual_size over.qcow2)"
	imgconv create qcow2 same.qcow2 2M \
		-o backing_file=base.img,backing_fmt=raw
	cmp over.qcow2 same.qcow2
}

@test "a backing file is looked for in the image's folder" {
	need qemu-img jq
	mkdir folder
	pattern folder/base.raw 1M 0 70000 below
	imgconv create qcow2 -b base.raw folder/over.qcow2
	equal 1048576 "$(virtual_size folder/over.qcow2)"
	refuses 66 "base.raw: No such file or directory" \
		create qcow2 -b base.raw over.qcow2
}

@test "backing files that cannot be" {
	need xz
	pattern base.raw 64K 0 100 x
	xz base.raw
	refuses 69 "base.raw.xz: is compressed as a whole (xz); *" \
		create qcow2 -b base.raw.xz x.qcow2
	refuses 64 "backing file \"nbd:x\" would be read as a protocol; *" \
		create qcow2 -b nbd:x x.qcow2
	refuses 64 "backing file \"json:{}\" would be read as a protocol; *" \
		create qcow2 -b json:{} x.qcow2
	refuses 64 "raw has no option backing_file (*)" \
		create raw -b base.raw.xz x.raw
	refuses 64 "--backing and -o backing_file are given" \
		create qcow2 -b a -o backing_file=b x.qcow2 1M
	equal "base.raw.xz " "$(files)"
}

@test "an image is not its own backing file" {
	imgconv create qcow2 x.qcow2 1M
	cp x.qcow2 before
	refuses 73 "x.qcow2: *" create --force qcow2 -b x.qcow2 x.qcow2
	cmp before x.qcow2
}

@test "an external data file" {
	need qemu-img jq
	imgconv create qcow2 x.qcow2 4M -o data_file=x.data,data_file_raw=on
	qemu-img check -q x.qcow2
	equal 4194304 "$(stat -c %s x.data)"
	refuses 73 "*x.data: exists; *" create qcow2 y.qcow2 4M \
		-o data_file=x.data
	equal "x.data x.qcow2 " "$(files)"
}

@test "what is there already stays, without --force" {
	echo precious >x.qcow2
	refuses 73 "x.qcow2: exists; use --force to replace it" \
		create qcow2 x.qcow2 1M
	equal precious "$(cat x.qcow2)"
	chmod 600 x.qcow2
	imgconv create qcow2 --force x.qcow2 1M
	equal 600 "$(stat -c %a x.qcow2)"
	equal "x.qcow2 " "$(files)"
}

@test "arguments that make no image" {
	refuses 64 "SIZE is missing (*)" create qcow2 x.qcow2
	refuses 64 "too few arguments: IMAGE is missing" create qcow2
	refuses 64 "unknown format \"x.qcow2\" (known: *)" create x.qcow2 1M
	refuses 69 "dmg cannot be written" create dmg x.dmg 1M
	refuses 69 "luks cannot be created (see imgconv formats)" \
		create -O luks x.luks 1M
	refuses 64 "\"2M\" is too much: with -O create takes *" \
		create -O raw x.raw 1M 2M
	refuses 64 "create makes a file, not standard output" \
		create raw - 1M
	refuses 64 "option cluster_size=1000 is not a power of two *" \
		create qcow2 x.qcow2 1M -o cluster_size=1000
	refuses 64 "raw has no option cluster_size (it has preallocation)" \
		create raw x.raw 1M -o cluster_size=4k
	refuses 73 "nowhere/x.raw: *" create raw nowhere/x.raw 1M
	mkdir folder
	refuses 73 "folder: is a directory; *" create raw folder 1M
	equal "folder " "$(files)"
}
