#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Exit status 0 clean, 2 corrupt, 3 leaks; more for errors.
load helper

prepare() {
	need qemu-img
	pattern x.raw 1M 0 300000 text
	qemu-img convert -O qcow2 x.raw x.qcow2
}

# be64 FILE OFFSET: the number there.
be64() { echo $((16#$(od -An -tx1 -j "$2" -N 8 "$1" | tr -d ' \n'))); }

@test "clean" {
	runs 0 check x.qcow2
	equal "No errors were found." "$output"
	runs 0 check -q x.qcow2
	[ -z "$output" ]
}

# leak FILE: one cluster more, counted in the first refcount block (which the
# refcount table's first entry leads to) and used by nothing.
leak() {
	local block last
	block=$(be64 "$1" "$(be64 "$1" 48)")
	last=$(($(stat -c %s "$1") / 65536))
	truncate -s $(((last + 1) * 65536)) "$1"
	overwrite "$1" $((block + 2 * last)) 00 01
}

@test "a leak: a reference count without a reference" {
	leak x.qcow2
	run -3 qemu-img check x.qcow2
	runs 3 check x.qcow2
	[[ ${lines[-1]} == "1 leak: space is lost, data is not." ]]
}

@test "a corruption: a cluster in use with a count of 0" {
	local block last
	block=$(be64 x.qcow2 "$(be64 x.qcow2 48)")
	last=$(($(stat -c %s x.qcow2) / 65536 - 1))
	overwrite x.qcow2 $((block + 2 * last)) 00 00
	run -2 qemu-img check x.qcow2
	runs 2 check x.qcow2
	[ "${#lines[@]}" -ge 2 ]
	[[ ${lines[-1]} == *" corruption"*": the image may lose data." ]]
}

@test "a table that points nowhere is a finding, not only an error" {
	local l1
	l1=$(be64 x.qcow2 40)
	overwrite x.qcow2 "$l1" 80 00 00 00 7f ff 00 00
	run qemu-img check x.qcow2
	[ "$status" -ne 0 ]
	runs 2 check x.qcow2
	run --separate-stderr "$IMGCONV" info x.qcow2
	equal 65 "$status"
}

@test "JSON" {
	need_json
	runs 0 check --json x.qcow2
	equal '["x.qcow2","qcow2",0,0,[]]' "$(jq -c '[.filename, .format,
		.corruptions, .leaks, .findings]' <<<"$output")"
	leak x.qcow2
	runs 3 check --json x.qcow2
	equal '[0,1,1]' "$(jq -c '[.corruptions, .leaks,
		(.findings | length)]' <<<"$output")"
}

@test "a format without checks says so" {
	refuses 69 "*x.raw*raw*nothing that could be checked" check x.raw
}

@test "damage that keeps it from being opened is an error" {
	overwrite x.qcow2 20 00 00 00 3f
	refuses 65 "*x.qcow2: *cluster*" check x.qcow2
	refuses 66 "*nothing*" check nothing
}

@test "a compressed raw image: the compression is checked" {
	need xz
	xz -k x.raw
	runs 0 check x.raw.xz
	overwrite x.raw.xz $(($(stat -c %s x.raw.xz) / 2)) 55 aa 55 aa
	run --separate-stderr "$IMGCONV" check x.raw.xz
	equal 65 "$status"
}
