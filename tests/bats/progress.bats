#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is said while something runs, and that none of it is on stdout.
load helper

prepare() { pattern x.raw 8M 0 3000000 text 5000000 2000000 more; }

@test "nothing unless asked for" {
	runs 0 x.raw x.qcow2
	[ -z "$output$stderr" ]
}

@test "a plain line at a time where stderr is no terminal" {
	runs 0 -p x.raw x.qcow2
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -ge 1 ]
	[[ $stderr != *$'\r'* && $stderr != *$'\e'* ]]
	[[ ${stderr_lines[-1]} == "imgconv: 100 % ("* ]]
}

@test "a bar on a terminal" {
	need script
	script -qec '"$IMGCONV" -p x.raw x.qcow2' /dev/null >typed </dev/null
	grep -q '\[=*>* *\]  *100%' typed
	grep -q ETA typed
}

@test "-q wins over -p" {
	runs 0 -q -p x.raw x.qcow2
	[ -z "$output$stderr" ]
}

@test "JSON: an object a line, the last one says how it went" {
	need_json
	runs 0 --progress=json x.raw x.qcow2
	[ -z "$output" ]
	jq -e -s 'all(.[]; has("event"))' <<<"$stderr"
	equal '["done",0]' "$(jq -c '[.event, .status]' \
		<<<"${stderr_lines[-1]}")"
	jq -e -s 'any(.[]; .event == "step")' <<<"$stderr"
	jq -e -s '[.[] | select(.event == "progress") | .done] |
		. == sort' <<<"$stderr"
}

@test "JSON: errors too" {
	need_json
	run -66 --separate-stderr "$IMGCONV" --progress=json nothing x.qcow2
	equal '["done",66]' "$(jq -c '[.event, .status]' \
		<<<"${stderr_lines[-1]}")"
	jq -e -s '.[-1].message | contains("nothing")' <<<"$stderr"
}

@test "-v says why, and shows the steps" {
	runs 0 -v x.raw x.qcow2
	[[ $stderr == *"imgconv: step: convert"* ]]
	equal "${#stderr_lines[@]}" "$(grep -c '^imgconv: ' <<<"$stderr")"
}

@test "data on stdout is data only" {
	"$IMGCONV" -v -p -f raw -O raw x.raw - >copy 2>messages
	cmp x.raw copy
	[ -s messages ]
}
