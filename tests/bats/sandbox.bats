#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The worker is closed in: what it cannot do, where it is said, and that all it
# has to do goes on working.

load helper
load images
load every

prepare() {
	case ${IMGCONV_VARIANT-} in
	asan | coverage) skip "the worker of this variant is not closed in" ;;
	esac
	"$IMGCONV" sandbox-test >tried 2>lacking || true
	[ ! -s lacking ] || skip "$(cat lacking)"
	make_odd_disk disk.raw
}

@test "whatever a worker might try is refused" {
	runs 0 sandbox-test
	[ "${#lines[@]}" -ge 30 ]
	[[ $output != *POSSIBLE* ]] || fail "$output"
}

@test "the posture is told: -v, info --json, the last event" {
	imgconv -v --sandbox=require disk.raw out.qcow2 2>said
	grep -Eq '^imgconv: sandbox: no-new-privileges landlock-[0-9]+ seccomp$' said
	imgconv -v --sandbox=off disk.raw open.qcow2 2>said
	grep -q '^imgconv: sandbox: none$' said
	same_bytes out.qcow2 open.qcow2
	need_json
	imgconv info --json out.qcow2 | jq -e '.sandbox |
		."no-new-privileges" and .seccomp and .landlock >= 1'
	imgconv info --json --sandbox=off out.qcow2 | jq -e '.sandbox |
		(."no-new-privileges" or .seccomp or .landlock > 0) | not'
	imgconv --progress=json disk.raw told.raw 2>said
	tail -n 1 said | jq -e '.event == "done" and .sandbox.seccomp'
	refuses 64 '--sandbox*: "on" is not auto, require or off' \
		info --sandbox=on disk.raw
}

# traced ARGUMENTS...: what workers and their threads called in a run, from
# when each was closed in, is in `closed`.
traced() {
	strace -f -o calls "$IMGCONV" "$@" >/dev/null
	awk '/prctl\(PR_SET_SECCOMP/ {closed[$1] = 1; next}
		!($1 in closed) {next}
		/clone.*= [0-9]+$/ {closed[$NF] = 1}
		{print}' calls >closed
	[ -s closed ] || fail "nobody was closed in: $*"
}

@test "from then on a worker opens nothing, and makes few kinds of calls" {
	need strace
	imgconv -c disk.raw c.qcow2
	tar -cf disk.tar c.qcow2
	for input in disk.raw c.qcow2; do
		traced --force --digest "$input" out.vmdk
		# An attempt is a lookup of what is not there.
		run grep -E ' (open|openat|socket|connect|execve)\(' closed
		[[ $output != *'= '[0-9]* ]] || fail "$input: $output"
		sed -E 's/^[0-9]+ +(<\.\.\. )?([a-z_0-9]+).*/\2/' closed |
			grep -v '^+\|^-' | sort -u >kinds
		[ "$(wc -l <kinds)" -le 40 ] || fail "$(cat kinds)"
	done
	# The archive's library is there before.
	traced --force disk.tar out.raw
	run grep -E ' (open|openat)\(' closed
	[[ $output != *'= '[0-9]* ]] || fail "$output"
	same_disk raw disk.raw raw out.raw
}

@test "nobody, without capabilities, descriptors, /proc or a writable root" {
	need setpriv prlimit unshare
	imgconv disk.raw small.qcow2
	mkdir out
	chmod 777 . out
	as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups
		--bounding-set=-all --inh-caps=-all)
	"${as_nobody[@]}" "$IMGCONV" --sandbox=require small.qcow2 out/a.raw
	same_bytes disk.raw out/a.raw
	prlimit --nofile=16 "$IMGCONV" --sandbox=require small.qcow2 out/b.vmdk
	same_disk raw disk.raw vmdk out/b.vmdk
	unshare -mn true 2>/dev/null || skip "no namespaces"
	# Read-only but for one folder; no /proc, no network.
	unshare -mn sh -c 'set -e
		mount --bind out out
		mount -o remount,ro,bind / 2>/dev/null || mount -o remount,ro /
		umount -l /proc
		exec "$@"' sh "$IMGCONV" --sandbox=require small.qcow2 out/c.raw
	same_bytes disk.raw out/c.raw
}

@test "libraries that a worker cannot load later are there" {
	built_with zlib
	imgconv -O raw.zip disk.raw disk.zip
	imgconv --force disk.zip back.raw
	same_bytes disk.raw back.raw
	imgconv disk.raw appliance.ova
	imgconv info appliance.ova >said
	imgconv -v appliance.ova again.raw 2>said
	same_bytes disk.raw again.raw
	# What was said before it had to begin again is said once.
	equal 1 "$(grep -c 'layer 1:' said)"
	# shellcheck disable=SC2002
	cat appliance.ova | imgconv - piped.raw
	same_bytes disk.raw piped.raw
}

# Images that others made, where they are, or one of each kind: what a run may
# open, a tab, its arguments.
all_runs() {
	local corpus=${IMGCONV_CORPUS:-$IMGCONV_SOURCE/../shared/corpus}
	local file others size with
	truncate -s 5308416 disk.raw
	if [ ! -r "$corpus/corpus.tsv" ]; then
		make_every disk.raw all
		for file in all/*; do
			printf '%s\tinfo %q\n' "$file" "$file"
			printf '%s\t-O qcow2 %q OUT\n' "$file" "$file"
		done
		return
	fi
	while IFS=$'\t' read -r file others size; do
		with=$corpus/$file
		printf '%s\tinfo %q\n' "$with" "$with"
		# The large ones take too long.
		[ "$size" != - ] && [ "$size" -gt 70000000 ] ||
			printf '%s\t-O qcow2 %q OUT\n' "$with" "$with"
		[ "$others" != - ] || continue
		for other in ${others//;/ }; do with+=,$corpus/$other; done
		printf '%s\t--allow-references -O raw %q OUT\n' "$with" \
			"$corpus/$file"
	done < <(tail -n +2 "$corpus/corpus.tsv" | awk -F '\t' -v OFS='\t' \
		'{print $2, $3 == "" ? "-" : $3, $6}')
}

@test "over all images: no path but those of the command line is opened" {
	need strace python3 qemu-img
	all_runs >runs
	[ "$(wc -l <runs)" -ge 90 ]
	run -0 python3 "$fixtures/paths.py" "$IMGCONV" <runs
	[ "${#lines[@]}" -eq 1 ] || fail "$output"
	# The test has seen something: a worker a run, and its libraries.
	read -r count _ workers _ paths _ <<<"$output"
	[ "$workers" -ge "$count" ] && [ "$paths" -ge $((count * 10)) ] ||
		fail "$output"
}
