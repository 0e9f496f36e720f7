#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a stranger's image may ask for at most.

load helper
load images

@test "--max-size: what an image says is refused before the output is opened" {
	qemu-img create -q -f qcow2 large.qcow2 65T
	refuses 65 'large.qcow2: 71468255805440 bytes are more than the 70368744177664 of --max-size: *' \
		large.qcow2 out.qcow2
	nothing_at out.qcow2
	imgconv --max-size 66T large.qcow2 out.qcow2
	imgconv info large.qcow2 >/dev/null
	truncate -s 1M small.raw
	imgconv --max-size 1M small.raw out.raw
	refuses 65 'small.raw: 1048576 bytes are more than the 1048575 *' \
		--max-size 1048575 small.raw no.raw
	nothing_at no.raw
	refuses 64 '--max-size: nothing is 0 bytes or less' \
		--max-size 0 small.raw no.raw
	refuses 65 'small.raw: * bytes are more than *' \
		measure --max-size 1000 small.raw
}

@test "--max-size: a stream is stopped at the byte after, wherever it goes" {
	# 785 bytes that are a GiB; here 16 MiB, so that nobody waits.
	head -c 16M /dev/zero | bzip2 >bomb.bz2
	[ "$(size_of bomb.bz2)" -lt 1000 ]
	imgconv --max-size 16M bomb.bz2 all.raw
	equal 16777216 "$(size_of all.raw)"
	for out in raw qcow2 raw.xz; do
		refuses 65 'bomb.bz2: unpacks to more than 16777215 bytes: allow it by --max-size' \
			--max-size 16777215 bomb.bz2 "cut.$out"
		nothing_at "cut.$out"
	done
	run -65 --separate-stderr "$IMGCONV" --max-size 5M -O raw - cut.raw <bomb.bz2
	[[ $stderr == *'unpacks to more than 5242880 bytes'* ]]
	# Also where it would go into a temporary file.
	imgconv all.raw all.qcow2.bz2
	run -65 --separate-stderr "$IMGCONV" map --max-size 100000 all.qcow2.bz2
	[[ $stderr == *'unpacks to more than 100000 bytes'* ]] || fail "$stderr"
	refuses 65 'bomb.bz2*unpacks to more than 5242880 bytes*' \
		compare --max-size 5M bomb.bz2 all.raw
}
