#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where the time goes: the table of -v, the event of --progress=json, --trace.

load helper
load images

prepare() { make_odd_disk disk.raw; }

# row STAGE: the MiB of a stage in the table that was said.
row() { awk -v stage="$1" '$2 == stage { print $4 }' said; }

@test "-v ends with a table: what was read, scanned and stored" {
	imgconv -v disk.raw out.qcow2 2>said
	grep -q '^imgconv: stage *busy s *MiB *MiB/s *waiting s$' said
	[ "$(row read)" = "$(row scan)" ] || fail "$(cat said)"
	[ "$(row store)" != - ] || fail "$(cat said)"
	tail -n 1 said | grep -Eq '^imgconv: the runs took [0-9.]+ s, and [0-9.]+ s of processors$'
	imgconv disk.raw plain.raw 2>said
	run grep stage said
	equal 1 "$status" "a table without -v"
}

@test "the bytes of stages: decoding makes more of them, encoding less" {
	need_json
	built_with zlib
	imgconv -c disk.raw small.qcow2
	imgconv --progress=json small.qcow2 back.raw 2>said
	same_bytes disk.raw back.raw
	jq -se 'map(select(.event == "stages")) | length == 1' said
	jq -se 'map(select(.event == "stages"))[0].stages |
		map({key: .stage, value: .bytes}) | from_entries |
		.read > 0 and .decode > .read and .store > 0 and
		.decode == .scan' said || fail "$(cat said)"
	jq -se 'map(select(.event == "stages"))[0] | .seconds >= 0 and
		(.stages | map(.busy >= 0 and .waiting >= 0) | all)' said
}

@test "a plan of several runs is one table" {
	need_json
	imgconv --progress=json -O raw disk.raw - 2>said | cat >piped.raw
	jq -se 'map(select(.event == "stages")) | length == 1' said
	# From a pipe to a pipe in qcow2: aside first.
	imgconv --progress=json -O qcow2 - - <disk.raw 2>said | cat >piped.qcow2
	jq -se 'map(select(.event == "stages")) | length == 1' said
	same_disk raw disk.raw qcow2 piped.qcow2
}

@test "--trace: a JSON array of spans, of both processes, that nest" {
	need_json
	imgconv --trace trace.json disk.raw out.qcow2
	jq -e 'length > 10' trace.json
	jq -e '[.[] | select(.ph == "M") | .args.name] | sort ==
		["conductor", "worker"]' trace.json
	jq -e '[.[] | select(.ph == "X").name] | unique as $names |
		(["probe", "plan", "run", "commit", "command", "fetch", "read",
		 "guest", "scan", "place", "store", "write", "finish"] -
		 $names) == []' trace.json
	# Whatever a worker does lies in the conductor's run.
	jq -e '(map(select(.name == "run"))[0]) as $run |
		[.[] | select(.name == "write")] | length > 0 and
		all(.ts >= $run.ts and .ts + .dur <= $run.ts + $run.dur)' \
		trace.json
	same_disk raw disk.raw qcow2 out.qcow2
}

@test "--trace: refused as an image's name, kept after a failure" {
	refuses 64 '--trace: * is an image of this command; give another file' \
		--force --trace disk.raw disk.raw out.qcow2
	refuses 64 '--trace: * is an image of this command; give another file' \
		--trace out.qcow2 disk.raw out.qcow2
	ln disk.raw other-name
	refuses 64 '--trace: * is an image of this command; give another file' \
		--force --trace other-name disk.raw out.qcow2
	refuses 64 '--trace*: a file is needed' --trace - disk.raw out.qcow2
	echo mine >there
	refuses 73 'there: *' --trace there disk.raw out.qcow2
	equal mine "$(cat there)"
	nothing_at out.qcow2
	imgconv --force --trace there disk.raw out.qcow2
	need_json
	jq -e 'length > 10' there
	imgconv disk.raw cut.qcow2
	truncate -s -70K cut.qcow2
	run imgconv --trace failed.json cut.qcow2 out.raw
	equal 65 "$status"
	jq -e 'map(.name) | index("command")' failed.json
	nothing_at out.raw
	refuses 73 'no/where: *' --trace no/where disk.raw again.qcow2
	nothing_at again.qcow2
}
