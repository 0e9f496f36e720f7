#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --resume: what an interrupted run has done is not done again, and the output
# is what it would have been.

load helper
load images

# A disk of 24 MiB: noise, text, zeros and holes.
make_input() {
	make_pattern in.raw hole:1M data:6M zero:1M text:7M hole:2M data:6M \
		hole:1M
}

# interrupted LIMIT ARGUMENTS...: a run that finds no more room than LIMIT KiB.
interrupted() {
	local limit=$1
	shift
	run -74 --separate-stderr bash -c \
		'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"' \
		- "$limit" "$IMGCONV" --resume "$@"
	[[ $stderr == *'; the same command goes on from there' ]] ||
		fail "$stderr"
}

# goes_on ARGUMENTS...: the run that ends it, which does not begin anew.
goes_on() {
	run -0 --separate-stderr "$IMGCONV" --resume "$@"
	[[ $stderr == *'goes on behind the '*' that an interrupted run made'* ]] ||
		fail "from the start: $stderr"
}

# begins_anew ARGUMENTS...
begins_anew() {
	run -0 --separate-stderr "$IMGCONV" --resume "$@"
	[[ $stderr != *'goes on'* ]] || fail "$stderr"
}

# kept OUTPUT: the partial output and its journal, and no output.
kept() {
	[ ! -e "$1" ] || fail "$1 is there"
	[ -f ".$1.imgconv-partial" ]
	[ -f ".$1.imgconv-journal" ]
}

alone() {
	[ -f "$1" ]
	equal '' "$(find . -name '*imgconv-*')" left
}

# resumed INPUT OUTPUT LIMIT OPTIONS...: interrupted, gone on with: the same.
resumed() {
	local input=$1 made=$2 limit=$3
	shift 3
	imgconv "$@" "$input" "$made"
	mv "$made" wanted
	interrupted "$limit" "$@" "$input" "$made"
	kept "$made"
	goes_on "$@" "$input" "$made"
	cmp wanted "$made" || fail "$input $made $*"
	alone "$made"
	rm "$made" wanted
}

@test "every format that is written goes on where it was" {
	local out
	make_input
	for out in o.raw o.qcow2 o.vdi o.vhd o.vhdx o.vmdk o.qed o.hds o.simg; do
		resumed in.raw "$out" 9000
	done
}

@test "options that decide where and how things are stored" {
	make_input
	resumed in.raw o.qcow2 7000 -c
	resumed in.raw o.qcow2 9000 -o extended_l2=on,cluster_size=128K
	resumed in.raw o.qcow2 9000 -o cluster_size=512
	resumed in.raw o.qcow2 9000 -o preallocation=full
	resumed in.raw o.vmdk 7000 -o subformat=streamOptimized
	resumed in.raw o.simg 9000 -o crc=on
	resumed in.raw o.vdi 9000 -o static=on
	resumed in.raw o.qcow2 9000 -s 1G
	resumed in.raw o.qcow2 9000 --cache=direct
	resumed in.raw o.qcow2 9000 --no-sync
	resumed in.raw o.qcow2 9000 --verify
}

@test "inputs of which each kind is read in another way" {
	local input
	make_pattern in.raw hole:1M data:2M zero:1M text:3M hole:1M data:2M
	imgconv in.raw in.qcow2
	imgconv in.raw in.vmdk -o subformat=streamOptimized
	imgconv in.raw in.raw.gz
	imgconv in.raw in.raw.xz --wrap-level 1
	gzip -k in.vmdk
	for input in in.qcow2 in.vmdk in.raw.gz in.raw.xz in.vmdk.gz; do
		resumed "$input" o.raw 3500
		resumed "$input" o.vhdx 7000
	done
}

@test "a compressed file goes on behind its last block" {
	local out
	make_pattern in.raw data:4M hole:1M data:3M text:1M
	for out in o.raw.gz o.raw.xz o.qcow2.gz o.raw.tar.gz; do
		resumed in.raw "$out" 6000 --wrap-level 1
	done
	for out in o.raw.zst:zstd o.raw.lz4:lz4 o.raw.bz2:bzip2; do
		built_with "${out#*:}" || continue
		resumed in.raw "${out%:*}" 6000 --wrap-level 1
	done
}

@test "any number of interruptions, and other numbers of threads" {
	local limit
	make_input
	imgconv in.raw right.qcow2
	for limit in 3000 6000 9000 12000; do
		interrupted "$limit" --threads $((limit / 3000)) in.raw o.qcow2
		kept o.qcow2
	done
	goes_on in.raw o.qcow2
	cmp right.qcow2 o.qcow2
	alone o.qcow2
}

@test "what was done is not done again" {
	need strace
	make_input
	interrupted 14000 in.raw o.raw
	strace -f -e trace=pwrite64 -o trace "$IMGCONV" --resume in.raw o.raw \
		2>/dev/null
	cmp in.raw o.raw
	# Bytes of data that the second run wrote; the journal's are few.
	written=$(sed -n 's/.* = \([0-9]*\)$/\1/p' trace | paste -sd+ | bc)
	[ "$written" -lt 12000000 ] || fail "$written bytes"
	[ "$written" -gt 5000000 ] || fail "$written bytes"
}

@test "killed at any moment" {
	local n=0
	make_pattern in.raw data:100M
	imgconv -c in.raw right.qcow2
	# Ends: a run that nobody kills is the last one.
	while [ ! -e o.qcow2 ] && [ $((n += 1)) -le 8 ]; do
		timeout -s KILL "0.$n" "$IMGCONV" --resume -c in.raw o.qcow2 \
			2>/dev/null || true
	done
	[ -e o.qcow2 ] || imgconv --resume -c in.raw o.qcow2 2>/dev/null
	cmp right.qcow2 o.qcow2
	# A kill between the name and the end leaves the journal to the next.
	imgconv --resume --force -c in.raw o.qcow2 2>/dev/null
	alone o.qcow2
}

@test "a signal keeps what is done" {
	local worked tracer
	need strace
	make_pattern in.raw data:160M
	# The second checkpoint takes longer than anybody waits.
	env ASAN_OPTIONS=detect_leaks=0 strace -D -f -o trace -e trace=fdatasync \
		-e inject=fdatasync:delay_enter=60000000:when=2+ \
		"$IMGCONV" --resume in.raw o.raw 2>err 3>&- &
	worked=$!
	# Ends: the first one is there, or the run is over.
	while [ "$(stat -c %s .o.raw.imgconv-journal 2>/dev/null || echo 0)" -le 64 ] &&
		kill -0 $worked 2>/dev/null; do
		sleep 0.05
	done
	tracer=$(sed -n 's/^TracerPid:\t//p' /proc/$worked/status)
	kill -TERM $worked
	wait $worked && status=0 || status=$?
	equal 143 "$status"
	kept o.raw
	# It holds what it delays.
	[ "$tracer" -gt 0 ]
	kill -KILL "$tracer"
	goes_on in.raw o.raw
	cmp in.raw o.raw
	alone o.raw
}

@test "the signal of a limit keeps what is done" {
	make_input
	# Of what the worker had written no checkpoint was due.
	run -153 bash -c 'ulimit -f 9000; exec "$@"' - "$IMGCONV" --resume \
		in.raw o.raw
	kept o.raw
	imgconv --resume in.raw o.raw
	cmp in.raw o.raw
	alone o.raw
}

# changed COMMAND...: interrupted; what COMMAND does then has the next run begin
# anew, with what is right now.
changed() {
	interrupted 9000 in.raw o.qcow2
	"$@"
	begins_anew "${options[@]}" in.raw o.qcow2
	same_disk raw in.raw qcow2 o.qcow2
	alone o.qcow2
	rm o.qcow2
}

one_byte() { printf x | dd of=in.raw bs=1 seek=20M conv=notrunc status=none; }
another_file() { cp -p "$1" other && mv other "$1"; }

@test "what changed begins anew" {
	local options=()
	make_input
	changed one_byte
	changed another_file in.raw
	# The partial output, and its journal.
	changed rm .o.qcow2.imgconv-partial
	changed another_file .o.qcow2.imgconv-partial
	changed rm .o.qcow2.imgconv-journal
	changed overwrite .o.qcow2.imgconv-journal 20 ff
	# What is asked for.
	options=(-o cluster_size=32K)
	changed true
}

@test "what an earlier run wrote of a compressed file is looked at" {
	make_input
	interrupted 5000 in.raw o.raw.gz
	overwrite .o.raw.gz.imgconv-partial 2000000 00 11 22 33
	run -65 --separate-stderr "$IMGCONV" --resume in.raw o.raw.gz
	[[ $stderr == *'is not what it noted of it, and was removed; run it again'* ]] ||
		fail "$stderr"
	equal 'in.raw ' "$(files)" left
	begins_anew in.raw o.raw.gz
}

@test "without --resume nothing is left, also of what was left before" {
	make_input
	run -74 bash -c 'trap "" XFSZ; ulimit -f 9000; exec "$0" in.raw o.raw' \
		"$IMGCONV"
	equal 'in.raw ' "$(files)" left
	interrupted 9000 in.raw o.raw
	imgconv in.raw o.raw
	alone o.raw
	cmp in.raw o.raw
}

@test "a failure that another run would have as well leaves nothing" {
	make_input
	imgconv in.raw in.raw.gz
	truncate -s -100 in.raw.gz
	run -65 "$IMGCONV" --resume in.raw.gz o.qcow2
	equal 'in.raw in.raw.gz ' "$(files)" left
}

@test "an output that is there is replaced at the end, with its mode" {
	make_input
	echo old >o.qcow2
	chmod 600 o.qcow2
	refuses 73 'o.qcow2: exists; use --force to replace it' \
		--resume in.raw o.qcow2
	imgconv in.raw right.qcow2
	interrupted 9000 --force in.raw o.qcow2
	equal old "$(cat o.qcow2)"
	goes_on --force in.raw o.qcow2
	cmp right.qcow2 o.qcow2
	equal 600 "$(stat -c %a o.qcow2)"
	alone o.qcow2
}

@test "two at once: the second one is told" {
	make_input
	interrupted 9000 in.raw o.qcow2
	flock .o.qcow2.imgconv-partial -c \
		"! '$IMGCONV' --resume in.raw o.qcow2 2>err"
	grep -q 'another run is making it; wait for it' err
	kept o.qcow2
	# One without --resume makes its own, and leaves this one's alone.
	flock .o.qcow2.imgconv-partial -c \
		"flock .o.qcow2.imgconv-journal -c \
		\"'$IMGCONV' in.raw o.qcow2\""
	[ -f .o.qcow2.imgconv-partial ] && [ -f .o.qcow2.imgconv-journal ]
}

@test "what lies there under these names may be a trap" {
	make_input
	echo precious >precious
	ln -s precious .o.raw.imgconv-partial
	refuses 77 'o.raw: .o.raw.imgconv-partial beside it is a symbolic link; remove it' \
		--resume in.raw o.raw
	rm .o.raw.imgconv-partial
	ln precious .o.raw.imgconv-journal
	refuses 77 'o.raw: .o.raw.imgconv-journal beside it is no file that an earlier run left; remove it' \
		--resume in.raw o.raw
	equal precious "$(cat precious)"
	rm .o.raw.imgconv-journal
	rm -f .o.raw.imgconv-partial
	mkfifo .o.raw.imgconv-partial
	refuses 77 'o.raw: .o.raw.imgconv-partial beside it is no file *' \
		--resume in.raw o.raw
}

@test "what cannot be gone on with is refused before anything is done" {
	make_input
	run -64 --separate-stderr "$IMGCONV" --resume - o.raw <in.raw
	[[ $stderr == *'--resume needs an INPUT that is a file'* ]] || fail "$stderr"
	refuses 64 '--resume needs an OUTPUT that is a file' \
		--resume -O raw in.raw -
	refuses 64 '--resume needs an OUTPUT that is a file' \
		--resume -O raw in.raw /dev/null
	refuses 64 '--resume is for one file, and with these options *' \
		--resume -o subformat=monolithicFlat in.raw o.vmdk
	refuses 64 '--resume is for one file, and with these options *' \
		--resume -o data_file=o.data in.raw o.qcow2
	refuses 64 '--resume cannot go on with an archive (tar)*' \
		--resume in.raw o.raw.tar
	refuses 64 '--unique and --resume contradict each other' \
		--resume --unique in.raw o.vdi
	refuses 64 '--resume is not an option of resize' resize --resume in.raw 1G
	mkfifo pipe
	run -64 --separate-stderr "$IMGCONV" --resume pipe o.raw <>pipe
	equal 'in.raw pipe ' "$(files)" left
}

@test "an overlay: the files that it names count as well" {
	make_input
	qemu-img create -q -f qcow2 -F raw -b in.raw top.qcow2
	qemu-io -f qcow2 -c 'write -P 7 2M 3M' top.qcow2 >/dev/null
	imgconv --allow-references top.qcow2 right.qcow2
	interrupted 9000 --allow-references top.qcow2 o.qcow2
	goes_on --allow-references top.qcow2 o.qcow2
	cmp right.qcow2 o.qcow2
	rm o.qcow2
	interrupted 9000 --allow-references top.qcow2 o.qcow2
	touch in.raw
	begins_anew --allow-references top.qcow2 o.qcow2
	cmp right.qcow2 o.qcow2
}
