#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# QED: against qemu-img, both ways; fixtures for what it does not make.

load helper
load images
load blocks

make_qed() { python3 "$fixtures/make_qed.py" "$@"; }

@test "disks go to QED and back as qemu-img sees them" {
	need qemu-img python3
	make_disks
	both_ways qed
	both_ways qed cluster_size=4K,table_size=2
	both_ways qed cluster_size=1M,table_size=16
	from_qemu qed
	from_qemu qed cluster_size=4096,table_size=2
}

@test "large sparse disks" {
	need qemu-img
	large qed huge
}

@test "threads and pipes make the same image" {
	need python3
	make_odd_disk odd.raw
	same_image qed
	same_image qed cluster_size=4K,table_size=1
}

@test "a stream of unknown length becomes a QED" {
	need qemu-img python3
	make_odd_disk odd.raw
	gzip -c odd.raw | "$IMGCONV" -q -O qed - out.qed
	run -0 qemu-img check -q -f qed out.qed
	same_disk qed out.qed raw odd.raw
}

@test "an overlay is made, and read where that is allowed" {
	need qemu-img qemu-io python3
	make_odd_disk below.raw
	runs 0 create -O qed -b below.raw over.qed
	run -0 qemu-img info over.qed
	[[ $output == *"backing file: below.raw"* ]]
	[[ $output == *"backing file format: raw"* ]]
	qemu-io -f qed -c 'write -P 7 1M 100k' -c 'write -z 64k 128k' \
		over.qed >/dev/null
	fails 77 '*backing file below.raw is not followed*' over.qed out.raw
	runs 0 info over.qed
	[[ $output == *"backing-file: below.raw"* ]]
	runs 0 -q --allow-references over.qed out.raw
	same_disk qed over.qed raw out.raw
	runs 0 check over.qed
}

@test "zeros over a backing file hide it" {
	need qemu-img python3
	make_pattern below.raw data:1M
	make_odd_disk odd.raw
	for options in "" ,cluster_size=4K,table_size=2; do
		runs 0 -q --force \
			-o "backing_file=below.raw,backing_fmt=raw$options" \
			odd.raw over.qed
		run -0 qemu-img check -q over.qed
		same_disk qed over.qed raw odd.raw
	done
}

@test "zero clusters, large headers, tables of any size" {
	need qemu-img python3
	local words
	for words in "" "head=3" "table=4 cluster=8192 head=2" "table=16"; do
		# shellcheck disable=SC2086
		make_qed in.qed guest=want.raw $words
		runs 0 -q --force -O raw in.qed got.raw
		same_bytes want.raw got.raw
		# QEMU takes no table of one cluster.
		[[ $words != *table* ]] || same_disk qed in.qed raw got.raw
		runs 0 check in.qed
	done
}

@test "an image that was not closed is read if it is sound" {
	need python3
	make_qed in.qed guest=want.raw unclean
	runs 0 in.qed got.raw
	same_bytes want.raw got.raw
	[[ $stderr == *"not closed properly; its mapping was checked"* ]]
	make_qed in.qed unclean 'l2[2]=12288'
	fails 65 '*not closed properly*overlaps*qemu-img check -r all*' \
		in.qed out.raw
	nothing_at out.raw
	runs 0 info in.qed
	[[ $output == *"need-check: yes"* ]]
}

@test "a check finds what is wrong" {
	need python3
	make_qed in.qed 'l2[2]=12288'
	runs 2 check in.qed
	[[ $output == *"data cluster at 12288 overlaps data cluster at "* ]]
	make_qed in.qed 'l2[3]=0'
	runs 3 check in.qed
	[[ $output == *"4096 bytes at 12288 are used by nothing"* ]]
	make_qed in.qed 'l2[0]=+1'
	runs 2 check in.qed
	[[ $output == *"not a multiple of the cluster size"* ]]
}

@test "unknown features and damaged images are refused" {
	need python3
	make_qed in.qed features=8
	fails 69 '*unknown features 0x8*' in.qed out.raw
	make_qed in.qed
	cuts in.qed
	make_pattern data.raw data:2M
	runs 0 -q data.raw out.qed
	cuts out.qed
}

@test "options that do not go together" {
	truncate -s 1M in.raw
	refuses 64 '*cluster_size=5120*power of two*' \
		-o cluster_size=5K in.raw out.qed
	refuses 64 '*table_size=3*power of two*' \
		-o table_size=3 in.raw out.qed
	refuses 64 '*table_size=32*out of range*' \
		-o table_size=32 in.raw out.qed
	refuses 64 '*backing_fmt needs backing_file*' \
		-o backing_fmt=raw in.raw out.qed
	truncate -s 3G large.raw
	refuses 69 '*more than tables*larger cluster_size*' \
		-o cluster_size=4K,table_size=1 large.raw out.qed
	nothing_at out.qed
}
