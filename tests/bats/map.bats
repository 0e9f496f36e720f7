#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Extents, against those qemu-img tells.
load helper

# The fields both know, one extent a line.
theirs() {
	qemu-img map --output=json "$1" | jq -c '.[] |
		[.start, .length, .zero, .data, (if .data then .offset
		else null end)]'
}
ours() {
	"$IMGCONV" map --json "$@" | jq -c '.[] |
		[.start, .length, .zero, .data, (if .data then .offset
		else null end)]'
}

same_map() {
	theirs "$1" >theirs
	ours "$@" >ours
	[ -s theirs ]
	diff theirs ours
}

@test "qcow2: data, zeros and holes as qemu-img sees them" {
	need qemu-img qemu-io
	need_json
	qemu-img create -q -f qcow2 x.qcow2 8M
	qemu-io -c "write -P 1 0 64k" -c "write -P 2 128k 192k" \
		-c "write -z 512k 64k" -c "write -P 3 7m 1m" x.qcow2 >/dev/null
	same_map x.qcow2
}

@test "qcow2 with small clusters" {
	need qemu-img
	need_json
	pattern x.raw 2M 4096 8192 one 1000000 300000 two
	qemu-img convert -O qcow2 -o cluster_size=512 x.raw x.qcow2
	same_map x.qcow2
}

@test "an empty qcow2 is one extent" {
	need_json
	imgconv create qcow2 x.qcow2 1G
	runs 0 map --json x.qcow2
	equal '[[0,1073741824,false,true]]' \
		"$(jq -c '[.[] | [.start, .length, .data, .zero]]' \
			<<<"$output")"
}

@test "raw: data at its own offset" {
	need_json
	pattern x.raw 4M 1048576 1048576 text
	runs 0 map --json x.raw
	jq -e 'all(.[]; .data == false or .offset == .start)' <<<"$output"
	equal 4194304 "$(jq 'map(.length) | add' <<<"$output")"
}

@test "compressed clusters have no plain offset" {
	need qemu-img
	need_json
	pattern x.raw 1M 0 200000 "text that packs well"
	qemu-img convert -c -O qcow2 x.raw x.qcow2
	runs 0 map --json x.qcow2
	equal '[true,"deflate",false]' "$(jq -c '.[0] |
		[.compressed, .encoding, has("offset")]' <<<"$output")"
}

@test "the table" {
	need qemu-img qemu-io
	qemu-img create -q -f qcow2 x.qcow2 1M
	qemu-io -c "write -P 1 64k 64k" x.qcow2 >/dev/null
	runs 0 map x.qcow2
	equal 4 "${#lines[@]}"
	[[ ${lines[0]} == "offset "*"length "*"kind "*"stored at" ]]
	[[ ${lines[1]} =~ ^0\ +65536\ +hole ]]
	[[ ${lines[2]} =~ ^65536\ +65536\ +data\ +[0-9]+$ ]]
	[[ ${lines[3]} =~ ^131072\ +917504\ +hole ]]
}

@test "as many extents as there are" {
	need qemu-img
	need_json
	# Every other cluster of 512 bytes holds something.
	{ printf x; head -c 1023 /dev/zero; } >two
	local i
	for i in {1..12}; do
		cat two two >four
		mv four two
	done
	qemu-img convert -O qcow2 -S 512 -o cluster_size=512 two x.qcow2
	runs 0 map --json x.qcow2
	equal '[8192,4194304,4096]' "$(jq -c '[length, (map(.length) | add),
		(map(select(.data)) | length)]' <<<"$output")"
}

@test "a reader that goes away ends it" {
	need qemu-img
	pattern x.raw 1M 0 100 x
	run bash -c '"$IMGCONV" map x.raw | head -n 0'
	equal 0 "$status"
}
