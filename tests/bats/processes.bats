#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Two processes: what each may open, and how both end.

load helper
load images

prepare() {
	need strace python3 xz qemu-img pgrep
	# A sanitizer cannot look for leaks in a process that is traced.
	export ASAN_OPTIONS=detect_leaks=0 LSAN_OPTIONS=detect_leaks=0
}

# traced ARGUMENTS...: every call that takes a file's name, in `trace`.
traced() {
	rm -f trace
	strace -f -qq -o trace -e trace=%file,clone,fork,vfork "$IMGCONV" "$@"
}

# by_worker: the calls with names of all processes and threads but the first;
# not those on a descriptor, whose name is empty, not what comes before there
# is a worker, not threads, and not the second half of a call that was
# interrupted.
by_worker() {
	local first
	first=$(head -n 1 trace | cut -d' ' -f1)
	awk -v first="$first" '$1 != first' trace |
		grep -vE 'stat[a-z0-9]*\([0-9]+, ""|clone\(|<\.\.\. .* resumed>' ||
		true
}

# for_writing: what was opened, or tried to be, for anything but reading.
for_writing() {
	grep -E '(open|openat|openat2|creat|mkdir|mkdirat|mknod|mknodat)\(' \
		trace | grep -E 'O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|creat\(|mk' |
		grep -vF '"/dev/null"' || true
}

fixtures_here() {
	make_odd_disk in.raw
	xz -k in.raw
	qemu-img convert -O qcow2 in.raw in.qcow2
	qemu-img convert -c -O qcow2 in.raw packed.qcow2
}

@test "the worker opens nothing by name" {
	local input output
	fixtures_here
	for input in in.raw in.raw.xz in.qcow2 packed.qcow2; do
		for output in out.raw out.qcow2 out.raw.gz; do
			traced --force $input $output
			[ -n "$(grep clone trace)" ] || fail "no worker"
			run -0 by_worker
			# Numbers 0 and 1 of it are the null device.
			run -0 grep -vE '"/dev/null"|/proc/self/' <(by_worker
				echo end)
			equal end "$output" "opened by the worker"
		done
	done
}

@test "info, map, check and compare: the worker opens nothing by name" {
	fixtures_here
	for command in "info in.qcow2" "map packed.qcow2" "check in.qcow2" \
		"compare in.raw packed.qcow2" "info in.raw.xz"; do
		# shellcheck disable=SC2086
		traced $command >/dev/null
		run -0 grep -vE '"/dev/null"|/proc/self/' <(by_worker
			echo end)
		equal end "$output" "opened by the worker of $command"
	done
}

@test "decompress, resize and convert open no file but the output" {
	fixtures_here
	traced in.raw.xz out.qcow2 -s 1G
	equal 1 "$(for_writing | wc -l)" "files opened for writing"
	for_writing | grep -qF O_TMPFILE || fail "$(for_writing)"
	equal "in.qcow2 in.raw in.raw.xz out.qcow2 packed.qcow2 trace " \
		"$(files)"
	# It gets its name at the end, once.
	equal 1 "$(grep -cE ' link(at)?\(' trace)" "links"
	grep -E 'linkat\(' trace | grep -q '"/proc/self/fd/[0-9]*".*out.qcow2'
	! grep -E 'unlink|rename' trace
}

@test "the other routes without temporary files have none" {
	fixtures_here
	for words in "in.raw out.qcow2" "in.qcow2 out.raw" "-c in.raw b.qcow2" \
		"in.raw out.raw.zst" "in.raw.xz direct.raw"; do
		case $words in
		*zst) built_with zstd || continue ;;
		esac
		# shellcheck disable=SC2086
		traced $words
		equal 1 "$(for_writing | wc -l)" "$words: $(for_writing)"
	done
}

@test "the conductor names only the input, the output and their folders" {
	fixtures_here
	mkdir elsewhere
	echo secret >elsewhere/other
	traced in.qcow2 elsewhere/out.raw
	run -0 grep -c '"in.qcow2"' trace
	# One is opened, others would be a race.
	equal 1 "$(grep -cE 'open(at)?\(.*"in.qcow2"' trace)" "opens of the input"
	! grep -q '"[^"]*other"' trace
	! grep -E 'open(at)?2?\(.*"[^"/]*(\.imgconv|packed|in\.raw)' trace
}

@test "a worker killed at any point: status 70, one line, nothing left" {
	make_odd_disk in.raw
	local call
	# What only the worker calls: when it starts, has its input, writes,
	# is done.
	for call in prctl close_range pwrite64 ftruncate; do
		run --separate-stderr strace -f -qq -o trace \
			-e "inject=$call:signal=KILL:when=1" -e trace=$call \
			"$IMGCONV" in.raw out.raw
		equal 70 "$status" "killed in $call ($stderr)"
		[ "${#stderr_lines[@]}" -eq 1 ] || fail "$stderr"
		[[ $stderr == "imgconv: "*"signal 9"* ]] || fail "$stderr"
		nothing_at out.raw
		equal "in.raw trace " "$(files)"
	done
}

@test "signals: dies of each, at once, with no output and no process left" {
	make_pattern part.raw data:3M
	local name number out
	for name in SIGINT SIGTERM SIGHUP SIGQUIT SIGXCPU SIGXFSZ \
		group:SIGTERM group:SIGHUP group:SIGXCPU group:SIGXFSZ; do
		for out in out.raw out.qcow2; do
			# One of them is enough for most.
			[[ $out == *raw || $name == *TERM ]] || continue
			(ulimit -c 0 && python3 "$fixtures/interrupt.py" \
				$name part.raw "$IMGCONV" -f raw - $out) \
				>how 2>said
			number=$(python3 -c 'import signal, sys
print(int(getattr(signal, sys.argv[1])))' "${name#group:}")
			equal "signal $number" "$(cat how)" "$name"
			[ "$(grep -c . said)" -eq 1 ] || fail "$(cat said)"
			nothing_at $out
		done
	done
}

@test "an ignored signal stays ignored" {
	make_pattern part.raw data:3M
	local name pid
	mkfifo gate
	for name in HUP INT TERM QUIT XCPU XFSZ; do
		# As nohup does it.
		(trap '' $name && exec "$IMGCONV" -f raw - out.raw <gate) 3>&- &
		pid=$!
		exec 7>gate
		cat part.raw >&7
		until pgrep -P $pid >/dev/null; do sleep 0.01; done
		kill -$name $pid
		exec 7>&-
		wait $pid
		same_bytes part.raw out.raw
		rm out.raw
	done
}

@test "limits on time and length: dies of their signals, or says so" {
	need prlimit
	make_pattern part.raw data:3M
	# Of the one that works, not of the one that waits.
	run bash -c 'ulimit -c 0; ulimit -f 1024; "$1" part.raw out.raw 2>said' \
		- "$IMGCONV"
	equal $((128 + 25)) "$status" "length ($(cat said))"
	grep -q '^imgconv: .*RLIMIT_FSIZE' said
	nothing_at out.raw
	run bash -c 'trap "" XFSZ; ulimit -f 1024; "$1" part.raw out.raw 2>said' \
		- "$IMGCONV"
	equal 74 "$status" "length, ignored ($(cat said))"
	nothing_at out.raw
	# A sanitizer's start alone takes a second.
	[ "${IMGCONV_VARIANT:-}" != asan ] || return 0
	# It decodes until it is told to end.
	head -c 64M /dev/zero | gzip -9 >part.gz
	for i in {1..100}; do cat part.gz; done >large.gz
	run bash -c 'ulimit -c 0; prlimit --cpu=1:60 "$1" -q -O raw.gz large.gz \
		out.gz 2>said' - "$IMGCONV"
	equal $((128 + 24)) "$status" "time ($(cat said))"
	grep -q '^imgconv: .*RLIMIT_CPU' said
	nothing_at out.gz
}

@test "every answer to a full device, a closed pipe, and nobody" {
	local line
	make_odd_disk in.raw
	qemu-img convert -O qcow2 in.raw in.qcow2
	while read -r line; do
		# shellcheck disable=SC2086
		run --separate-stderr bash -c '"$@" >/dev/full' - "$IMGCONV" \
			$line
		equal 74 "$status" "full: $line ($stderr)"
		[ "${#stderr_lines[@]}" -eq 1 ] || fail "$line: $stderr"
		# shellcheck disable=SC2086
		run --separate-stderr bash -c '"$@" >&-' - "$IMGCONV" $line
		equal 74 "$status" "closed: $line ($stderr)"
		# Nobody reads: SIGPIPE, or status 74 where that is ignored.
		mkfifo pipe
		# shellcheck disable=SC2086
		(exec env --default-signal=PIPE "$IMGCONV" $line >pipe 2>said) \
			3>&- &
		exec 7<pipe 7<&-
		status=0
		wait $! || status=$?
		rm pipe
		case $status in
		141) [ ! -s said ] || fail "$line: $(cat said)" ;;
		74) equal 1 "$(wc -l <said)" "$line" ;;
		# What was written before it closed went nowhere.
		0) [ ! -s said ] || fail "$line: $(cat said)" ;;
		*) fail "nobody: $line: $status $(cat said)" ;;
		esac
	done <<-END
		info in.raw
		info --json in.qcow2
		map in.qcow2
		map --json in.raw
		check in.qcow2
		compare in.raw in.qcow2
		measure -O vhd in.raw
		inspect in.qcow2
		inspect --json in.raw
		plan in.raw new.qcow2
		plan --json in.raw new.qcow2
		formats
		targets
		--help
		--version
		help convert
		-O raw in.qcow2 -
		-O qcow2 in.raw -
		-O raw.gz in.raw -
		-O vmdk in.raw -
	END
}

@test "standard output closed early, and full: one line, status 74" {
	make_pattern in.raw data:4M
	qemu-img convert -O qcow2 in.raw in.qcow2
	local input format
	for input in in.raw in.qcow2; do
		for format in raw qcow2; do
			run --separate-stderr bash -c 'set -o pipefail
				"$1" "$2" -O "$3" - | head -c 1 >/dev/null' \
				- "$IMGCONV" $input $format
			equal 74 "$status" "$input $format ($stderr)"
			[ "${#stderr_lines[@]}" -eq 1 ] || fail "$stderr"
			run --separate-stderr bash -c \
				'"$1" "$2" -O "$3" - >/dev/full' \
				- "$IMGCONV" $input $format
			equal 74 "$status" "full: $input $format ($stderr)"
			[ "${#stderr_lines[@]}" -eq 1 ] || fail "$stderr"
		done
	done
	# And where only an answer goes there.
	run --separate-stderr bash -c '"$1" --digest in.raw out.qcow2 >/dev/full' \
		- "$IMGCONV"
	equal 74 "$status" "digest ($stderr)"
}

@test "both sides of compare have chains in folders of their own" {
	mkdir a b
	for side in a b; do
		make_odd_disk $side/base.raw
		(cd $side && qemu-img create -q -f qcow2 -b base.raw -F raw \
			middle.qcow2 && qemu-img create -q -f qcow2 \
			-b middle.qcow2 -F qcow2 top.qcow2)
	done
	runs 0 compare --allow-references a/top.qcow2 b/top.qcow2
}

@test "a named file is opened without any link on the way" {
	mkdir -p inner/folder
	make_odd_disk inner/folder/base.raw
	make_qcow2 inner/top.qcow2 backing=folder/base.raw
	traced --allow-references inner/top.qcow2 out.raw
	# It was resolved before; a link that comes since is somebody's trick.
	grep -E 'openat2?\(.*base\.raw' trace | grep -vq ENOSYS
	grep -E 'openat2?\(.*base\.raw' trace |
		grep -qE 'RESOLVE_NO_SYMLINKS|ENOSYS'
}

# changed_meanwhile FILE CHANGE: CHANGE is done when the first byte of the
# output has come; nothing more is taken before.
changed_meanwhile() {
	local input=$1
	shift
	rm -f gate
	mkfifo gate
	"$IMGCONV" "$input" -O raw - >gate 2>said 3>&- &
	local pid=$! result=0
	exec 7<gate
	head -c 1 <&7 >/dev/null
	"$@"
	cat <&7 >/dev/null
	exec 7<&-
	wait $pid || result=$?
	equal 75 "$result" "$* ($(cat said))"
	equal 1 "$(wc -l <said)" "lines"
	[[ $(cat said) == "imgconv: "*changed* ]] || fail "$(cat said)"
}

append() { echo more >>"$1"; }

@test "an input that changes during the run: status 75" {
	# More than fits the pipe and the pump.
	make_pattern in.raw data:24M
	qemu-img convert -O qcow2 in.raw in.qcow2
	xz -0 -k in.raw
	for input in in.raw in.qcow2 in.raw.xz; do
		changed_meanwhile $input touch $input
	done
	changed_meanwhile in.raw append in.raw
	changed_meanwhile in.qcow2 append in.qcow2
}

@test "names in images: no protocol, no other place, no endless chain" {
	local name
	mkdir inner
	make_odd_disk outside.raw
	ln -s ../outside.raw inner/link
	mkfifo inner/pipe
	mkdir inner/folder
	for name in 'json:{"driver":"file","filename":"/etc/passwd"}' \
		nbd:localhost:1 file:outside.raw fat:rw:. ../outside.raw \
		"$PWD/outside.raw" /etc/passwd link pipe folder . \
		./../outside.raw inner/../../outside.raw; do
		make_qcow2 inner/top.qcow2 "backing=$name"
		refuses 77 "*" --allow-references inner/top.qcow2 out.raw ||
			refuses 66 "*" --allow-references inner/top.qcow2 \
				out.raw
		nothing_at out.raw
		refuses 77 "*" inner/top.qcow2 out.raw
	done
	# Each names the next one, more than there may be.
	for i in {0..70}; do
		make_qcow2 "inner/$i.qcow2" "backing=$((i + 1)).qcow2"
	done
	fails 65 "*backing file*" --allow-references inner/0.qcow2 out.raw
	nothing_at out.raw
}
