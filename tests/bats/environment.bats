#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where a run finds itself: processors, limits, descriptors, no /proc, users.
load helper

prepare() {
	pattern in.raw 12M 0 1000 head 5M 1M middle 10M 70000 later
}

# same QCOW2: it holds what in.raw does.
same() {
	"$IMGCONV" compare in.raw "$1" >/dev/null
}

@test "threads follow the affinity, and -v says so" {
	need taskset
	run -0 --separate-stderr taskset -c 0 "$IMGCONV" -v in.raw out.qcow2
	[[ $stderr == *"imgconv: 1 thread, 256.0 MiB of memory at most"* ]]
	runs 0 -v -m 3 --force in.raw out.qcow2
	[[ $stderr == *"3 threads, 256.0 MiB"* ]]
	runs 0 -v -m 8 --memory 64M --force in.raw out.qcow2
	[[ $stderr == *"8 threads, 64.0 MiB"* ]]
	runs 0 -v -m 32 --memory 64M --force in.raw out.qcow2
	[[ $stderr == *"8 threads, 64.0 MiB"* ]]
}

@test "closed descriptors do not become images" {
	"$IMGCONV" in.raw a.qcow2 <&-
	same a.qcow2
	"$IMGCONV" in.raw b.qcow2 >&-
	same b.qcow2
	"$IMGCONV" in.raw c.qcow2 2>&-
	same c.qcow2
	"$IMGCONV" in.raw d.qcow2 <&- >&- 2>&-
	same d.qcow2
	local status=0
	"$IMGCONV" -O raw in.raw - >&- || status=$?
	equal 74 "$status"
	status=0
	"$IMGCONV" -O raw - x.raw <&- || status=$?
	equal 74 "$status"
	equal "a.qcow2 b.qcow2 c.qcow2 d.qcow2 in.raw " "$(files)"
}

@test "few descriptors, little address space" {
	need prlimit xz
	# Sanitizers reserve terabytes.
	case ${IMGCONV_VARIANT-} in *san*) skip "sanitized" ;; esac
	xz -0 -k in.raw
	prlimit --nofile=16 "$IMGCONV" -m 8 -c in.raw a.qcow2
	same a.qcow2
	prlimit --nofile=16 "$IMGCONV" -m 8 in.raw.xz b.qcow2
	same b.qcow2
}

@test "without /proc a sibling serves, and nothing is left" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -m true 2>/dev/null || skip "no mount namespaces"
	no_proc() {
		# shellcheck disable=SC2016
		unshare -m sh -c 'umount -l /proc && exec "$@"' sh "$IMGCONV" "$@"
	}
	no_proc --dry-run in.raw a.qcow2 >/dev/null || skip "no run without /proc"
	no_proc in.raw a.qcow2
	same a.qcow2
	no_proc --force in.raw a.qcow2
	same a.qcow2
	run -73 no_proc in.raw a.qcow2
	# Tools cannot be given files there: none is offered.
	run -69 no_proc in.raw b.qcow
	equal "a.qcow2 in.raw " "$(files)"
}

@test "another user, umask, and bits that are not inherited" {
	chmod 4755 in.raw
	(umask 027 && "$IMGCONV" in.raw new.raw)
	equal 640 "$(stat -c %a new.raw)"
	# Other content does not get the rights of a program.
	touch there.raw && chmod 6751 there.raw
	runs 0 --force in.raw there.raw
	equal 751 "$(stat -c %a there.raw)"
	[ "$(id -u)" = 0 ] || skip "the rest needs root"
	need setpriv
	local dir
	dir=$(mktemp -d) && chmod 755 "$dir" && cp "$IMGCONV" in.raw "$dir" &&
		mkdir -m 1777 "$dir/out" && chmod a+rx "$dir"/*
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$dir/imgconv" "$dir/in.raw" "$dir/out/a.raw"
	cmp in.raw "$dir/out/a.raw"
	equal 65534 "$(stat -c %u "$dir/out/a.raw")"
	run -77 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$dir/imgconv" "$dir/in.raw" "$dir/b.raw"
	rm -r "$dir"
}

@test "standard input is a file: from its start, and from where it stands" {
	"$IMGCONV" -O raw - whole.raw <in.raw
	cmp in.raw whole.raw
	(dd bs=512 count=1 of=/dev/null status=none &&
		"$IMGCONV" -O raw - rest.raw) <in.raw
	tail -c +513 in.raw | cmp - rest.raw
	"$IMGCONV" in.raw in.qcow2
	cat in.raw in.qcow2 >both
	(dd bs=12M count=1 of=/dev/null status=none &&
		"$IMGCONV" -O raw - second.raw) <both
	cmp in.raw second.raw
}

@test "the worker holds its socket and what it was handed, nothing else" {
	[ -e /proc/self/fd ] || skip "no /proc"
	need pgrep
	mkfifo pipe
	exec 8<in.raw
	"$IMGCONV" -O raw - out.raw <pipe 3>&- &
	local pid=$! worker held
	{
		head -c 3M in.raw
		for _ in $(seq 100); do
			worker=$(pgrep -P "$pid" || true)
			[ -n "$worker" ] &&
				held=$(find "/proc/$worker/fd" -lname '*#*' \
					-o -lname '*deleted*' | wc -l) &&
				[ "$held" -gt 0 ] && break
			sleep 0.1
		done
		# Besides /dev/null, stderr and the socket: input and output.
		for fd in "/proc/$worker/fd"/*; do readlink "$fd"; done >held
	} >pipe
	wait "$pid"
	grep -c '^/dev/null$' held
	grep -v -e '^/dev/null$' -e '^socket:' -e '/pipe$' -e '#' \
		-e '(deleted)' held >rest || true
	# What is left is where standard error goes.
	equal 1 "$(sort -u rest | wc -l)" "other files: $(cat rest)"
	! grep -q in.raw held
}
