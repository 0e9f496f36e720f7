#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A GiB of address space and 256 MiB of memory do for every conversion; threads
# do not add their stacks and arenas to it.

load helper
load images
load every

# Sanitizers reserve terabytes, and their own memory counts.
sanitized() { case ${IMGCONV_VARIANT-} in *san*) true ;; *) false ;; esac }

setup_file() { sanitized || every_once; }

prepare() {
	! sanitized || skip "sanitized"
	every_here
}

space=1073741824

# confined MEBIBYTES [SECONDS]: the commands on stdin, each process of theirs.
confined() {
	local most=$(($1 * 1024))
	shift
	run -0 python3 "$fixtures/confined.py" $space $most "$@"
	[ "${#lines[@]}" -eq 1 ] || fail "$output"
	echo "$output"
}

@test "the least that is: what only starts takes no more than 16 MiB" {
	# The conductor reads no image; with this and a worker of 240 MiB it is
	# 256 MiB for all of them.
	echo "$IMGCONV --version" | confined 16
}

@test "every kind of image to every kind of output, in a GiB" {
	local input output
	# Other ways to write the same are for reading alone.
	rm all/*-old all/*-small all/*-wide all/*-static all/*-crc all/tar-* \
		all/*-fixed all/*-one all/*-sparse.* all/zip-stored
	cp disk.raw all/raw
	for input in all/*; do
		every_output | sed "s|.*|$IMGCONV -q --no-sync & $input OUT|"
	done >commands
	[ "$(wc -l <commands)" -ge 400 ]
	confined 240 <commands
}

# Blocks are full of bytes that are not all zeros, and quick to compress.
make_large() {
	truncate -s 64M large.raw
	python3 -c 'import os
with open("large.raw", "r+b") as file:
    for at in range(0, 64 << 20, 1 << 16):
        os.pwrite(file.fileno(), b"%d" % at, at)'
}

@test "blocks and encoders of more than a few MiB, at the default threads" {
	make_large
	every_output | sed "s|.*|$IMGCONV -q --no-sync & large.raw OUT|" |
		confined 240
	# Dictionaries and windows as large as their makers like.
	xz -9 -T1 -k large.raw
	bzip2 -9 -k large.raw
	gzip -k large.raw
	! type -P zstd || zstd -q -19 --long=26 -k large.raw
	imgconv -c large.raw large.qcow2
	for input in large.raw.* large.qcow2; do
		echo "$IMGCONV -q -O raw $input OUT"
		echo "$IMGCONV -q -O raw.gz $input OUT"
		echo "$IMGCONV check $input"
		echo "$IMGCONV compare $input large.raw"
	done | grep -v 'check .*raw' | confined 240
}

@test "many threads asked for: fewer run, or they do with the same space" {
	local threads
	make_large
	for threads in 16 64 1024; do
		every_output | sed \
			"s|.*|$IMGCONV -q --no-sync -m $threads & large.raw OUT|"
	done >commands
	gzip -k large.raw
	xz -T2 --block-size=4M -1 -k large.raw
	bzip2 -k large.raw
	for input in large.raw.*; do
		echo "$IMGCONV -q -m 16 -O qcow2 -c $input OUT"
		echo "$IMGCONV -q -m 64 -O raw.gz $input OUT"
	done >>commands
	# Beyond four threads there may be 32 MiB for each, up to half of it.
	confined 600 <commands
	imgconv -m 64 -O raw.gz large.raw many.gz
	(ulimit -v $((space / 1024)) && "$IMGCONV" -m 64 -O raw.gz large.raw few.gz)
	same_bytes many.gz few.gz
}

@test "info and inspect: in two seconds of processor time, and in a GiB" {
	cp disk.raw all/raw
	for input in all/*; do
		echo "$IMGCONV info $input"
		echo "$IMGCONV map $input"
	done | confined 128 2
	# Terabytes of tables are no more than a look at a few of them.
	qemu-img create -q -f qcow2 -o cluster_size=512 huge.qcow2 60G
	truncate -s 15T huge.raw
	imgconv -q huge.raw huge.vhdx
	for input in huge.*; do echo "$IMGCONV info $input"; done |
		confined 128 2
}
