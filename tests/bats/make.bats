#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Recipes of make and ninja, run by make and ninja.

load helper
load images

prepare() {
	need make ninja
	make_odd_disk disk.raw
	export IMGCONV
}

# made TARGET...: what make had to do, one word a target.
made() { make --no-print-directory "$@" 2>&1 | grep -o '^imgconv.*' || true; }

@test "dependencies: a backing file that changes, or is gone" {
	cp disk.raw base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw over.qcow2 5M
	printf '%s\n' 'out.raw: over.qcow2' \
		$'\t"$(IMGCONV)" --force --allow-references -MF out.d $< $@' \
		'-include out.d' >Makefile
	make
	same_bytes disk.raw out.raw
	make -q
	touch -d '+1 minute' base.raw
	run make -q
	equal 1 "$status" "is up to date after its backing file changed"
	make
	# Another backing file: the old one is no error, having a rule.
	mv base.raw renamed.raw
	qemu-img rebase -u -b renamed.raw -F raw over.qcow2
	make
	grep -q renamed.raw out.d
	run grep -q base.raw out.d
	equal 1 "$status"
}

@test "dependencies in ninja, and names that are hard to write" {
	mkdir 'a b#c$d'
	mv disk.raw 'a b#c$d/in put.raw'
	cat >build.ninja <<-END
		rule image
		  command = "$IMGCONV" --force -MF out.d 'a b#c\$\$d/in put.raw' \$out
		  depfile = out.d
		build out.qcow2: image
	END
	sed -i 's/\\\$\$/$$/' build.ninja
	ninja >log
	# shellcheck disable=SC2016
	grep -q 'a\\ b\\#c$$d/in\\ put.raw' out.d || fail "$(cat out.d)"
	ninja >log
	grep -q 'no work to do' log || fail "$(cat log)"
	touch -d '+1 minute' 'a b#c$d/in put.raw'
	ninja >log
	! grep -q 'no work to do' log || fail "$(cat log)"
	printf 'all: out.qcow2\n-include out.d\n' >Makefile
	make -n >/dev/null
}

@test "what is not written: dry runs, failures, pipes, names with newlines" {
	runs 0 --dry-run -MF out.d disk.raw out.qcow2
	nothing_at out.d
	head -c 1000 /dev/urandom >bad.qcow2
	run "$IMGCONV" -f qcow2 -MF out.d bad.qcow2 out.raw
	[ "$status" -ne 0 ]
	nothing_at out.d
	run -0 "$IMGCONV" -f raw -MF out.d - out.qcow2 < <(cat disk.raw)
	equal "out.qcow2:" "$(cat out.d)"
	local name
	for name in $'line\nend' 'X=b' 'a;b' 'a|b' 'a%b' 'a*b' 'a\b' 'l(m)'; do
		cp disk.raw "$name"
		fails 64 "-MF: to make the name \"*\" would mean something else" \
			-MF no.d -f raw "$name" no.qcow2
		nothing_at no.d
		nothing_at no.qcow2
	done
}

# A jobserver of our own: tokens in a pipe.
tokens() {
	mkfifo pipe
	exec 7<>pipe
	printf '%s' "$1" >&7
}

# left: the tokens that are in the pipe.
left() {
	local all=
	while IFS= read -r -t 0.1 -n 1 -u 7 one; do all+=$one; done
	printf '%s' "$all"
}

@test "the jobserver's tokens are all there afterwards" {
	tokens abc
	MAKEFLAGS=" -j4 --jobserver-auth=7,7" runs 0 -v disk.raw out.qcow2
	[[ $stderr == *thread* ]]
	equal abc "$(left | fold -w1 | sort | tr -d '\n')"
	printf abc >&7
	MAKEFLAGS=" -j4 --jobserver-auth=fifo:$PWD/pipe" runs 0 --force \
		disk.raw out.qcow2
	head -c 1000 /dev/urandom >bad.qcow2
	MAKEFLAGS=" -j4 --jobserver-auth=7,7" run "$IMGCONV" -f qcow2 \
		bad.qcow2 x.raw
	equal abc "$(left | fold -w1 | sort | tr -d '\n')"
	# One token of its own, none in the pipe: one thread.
	MAKEFLAGS=" --jobserver-auth=7,7" runs 0 -v --force disk.raw out.qcow2
	[[ $stderr == *"1 thread,"* ]] || fail "$stderr"
	# Advertised, but closed or something else.
	MAKEFLAGS=" -j4 --jobserver-auth=98,99" runs 0 --force disk.raw \
		out.qcow2
	MAKEFLAGS=" -j4 --jobserver-auth=-2,-2" runs 0 --force disk.raw \
		out.qcow2
	MAKEFLAGS=" -j4 --jobserver-fds=0,0" runs 0 --force disk.raw out.qcow2
	exec 7>&-
}

@test "tokens are back when a run is ended by a signal" {
	tokens abc
	mkfifo in
	sleep 30 >in 3>&- &
	local writer=$!
	MAKEFLAGS=" --jobserver-auth=7,7" "$IMGCONV" -f raw in out.qcow2 \
		2>/dev/null &
	local run=$!
	sleep 0.5
	kill -TERM $run
	wait $run || true
	equal abc "$(left | fold -w1 | sort | tr -d '\n')"
	kill $writer
	exec 7>&-
}

@test "make -j with a real jobserver, and the same bytes" {
	printf '%s\n' 'all: a.qcow2 b.qcow2 c.qcow2' '%.qcow2: disk.raw' \
		$'\t+"$(IMGCONV)" -c $< $@' >Makefile
	make -j4 all
	runs 0 -c --threads 1 disk.raw one.qcow2
	for name in a b c; do same_bytes one.qcow2 $name.qcow2; done
}

@test "make -n: a recipe with + only plans" {
	printf 'out.qcow2: disk.raw\n\t+"$(IMGCONV)" $< $@\n' >Makefile
	make -n >log
	grep -q convert log
	[ ! -e out.qcow2 ]
	MAKEFLAGS="n" runs 0 resize disk.raw 10M
	equal $((5 << 20)) "$(size_of disk.raw)"
	MAKEFLAGS="n" runs 0 create -O qcow2 made.qcow2 1M
	[ ! -e made.qcow2 ]
	# A variable's value is no option.
	MAKEFLAGS=" -- NAME=n -n" runs 0 disk.raw out.qcow2
	[ -e out.qcow2 ]
}

@test "the manual's loop tries again as long as that is worth it" {
	sed -n '/^try=1/,/^done/p' "$IMGCONV_SOURCE/man/imgconv.1" >loop
	[ "$(wc -l <loop)" -eq 6 ]
	cat >imgconv <<-'END'
		#!/bin/sh
		echo >>tries
		[ "$(wc -l <tries)" -lt "$GOOD" ] || exit 0
		exit "$STATUS"
	END
	chmod +x imgconv
	local row
	# Status, the try that is good, what comes out, how often.
	for row in "75 2 0 2" "75 9 75 3" "65 9 65 1"; do
		# shellcheck disable=SC2086
		set -- $row
		rm -f tries
		STATUS=$1 GOOD=$2 PATH=$PWD:$PATH run sh loop
		equal "$3" "$status" "status for $row"
		equal "$4" "$(wc -l <tries)" "tries for $row"
	done
}

@test "--if-changed leaves the same output alone" {
	cat >build.ninja <<-END
		rule image
		  command = "$IMGCONV" --if-changed disk.raw \$out
		  restat = 1
		rule copy
		  command = cp \$in \$out
		build out.qcow2: image disk.raw
		build copy.qcow2: copy out.qcow2
	END
	ninja >log
	local before
	before=$(stat -c '%i %Y' out.qcow2)
	touch -d '+1 minute' disk.raw
	ninja -v >log
	! grep -q 'cp out' log || fail "$(cat log)"
	equal "$before" "$(stat -c '%i %Y' out.qcow2)"
	printf changed | dd of=disk.raw conv=notrunc status=none
	touch -d '+2 minutes' disk.raw
	ninja -v >log
	grep -q 'cp out' log || fail "$(cat log)"
	runs 0 compare out.qcow2 disk.raw
	refuses 64 "--if-changed needs an OUTPUT that is a file" \
		--if-changed -O raw disk.raw - >/dev/null
	# Parts too.
	runs 0 -o subformat=monolithicFlat disk.raw out.vmdk
	before=$(stat -c '%i %Y' out-flat.vmdk)
	runs 0 --if-changed -o subformat=monolithicFlat disk.raw out.vmdk
	equal "$before" "$(stat -c '%i %Y' out-flat.vmdk)"
}
