#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How plans are shown, and that nothing is done by showing them. Which plan it
# is, is the planner's units' concern.
load helper

prepare() {
	need xz
	pattern x.raw 4M 0 300000 text
	xz -k x.raw
}

@test "text: start, goal, steps, and what they need" {
	runs 0 plan x.raw.xz x.qcow2 -s 1G
	[ -z "$stderr" ]
	[[ ${lines[0]} == "start: +xz +template +format=raw +size=4M"* ]]
	[[ ${lines[1]} == "goal: -xz -template +format=qcow2 +size=1G"* ]]
	[[ ${lines[2]} == "1. decompress xz" ]]
	[[ $output =~ $'\n'[2-9]". convert" ]]
	[[ $output =~ $'\n'weight:\ [0-9]+\.[0-9]{6}\ s$'\n'temp:\ [0-9]+ ]]
	[[ $output =~ $'\n'memory:\ [0-9]+.*$'\n'output:\ [0-9]+ ]]
	equal "x.raw x.raw.xz " "$(files)"
}

@test "the same question, the same answer" {
	runs 0 plan x.raw.xz x.qcow2
	local first=$output
	runs 0 plan x.raw.xz x.qcow2
	equal "$first" "$output"
}

@test "all plans: by weight, with ids that choose one" {
	need_json
	runs 0 plan --all --json x.raw.xz x.qcow2
	printf '%s' "$output" >all
	equal true "$(jq '[.plans[].seconds] == ([.plans[].seconds] | sort)' \
		all)"
	equal true "$(jq '[.plans[].id] == ([.plans[] |
		[.steps[].name] | join(",")])' all)"
	equal true "$(jq '[.plans[].number] == [range(1;
		1 + (.plans | length))]' all)"
	runs 0 plan --json x.raw.xz x.qcow2
	equal "$(jq -c '.plans[0].id' all)" "$(jq -c '.plans[0].id' \
		<<<"$output")"
	local id
	id=$(jq -r '.plans[-1].id' all)
	runs 0 plan --json --plan "$id" x.raw.xz x.qcow2
	equal "$id" "$(jq -r '.plans[0].id' <<<"$output")"
	runs 0 plan --json --plan "$(jq '.plans | length' all)" \
		x.raw.xz x.qcow2
	equal "$id" "$(jq -r '.plans[0].id' <<<"$output")"
	runs 0 plan --all x.raw.xz x.qcow2
	equal "$(jq '.plans | length' all)" \
		"$(grep -c '^plan [0-9]*: ' <<<"$output")"
}

@test "JSON has the tags after each step, the last of which reach the goal" {
	need_json
	runs 0 plan --json x.raw.xz x.qcow2
	equal '["+format=qcow2"]' "$(jq -c '.plans[0].steps[-1].tags |
		map(select(startswith("+format")))' <<<"$output")"
	equal '"decompress xz"' "$(jq '.plans[0].steps[0].text' \
		<<<"$output")"
	jq -e '.start | index("+xz")' <<<"$output"
	jq -e '.goal | index("-xz")' <<<"$output"
}

@test "a plan that is not there" {
	refuses 64 "*" plan --plan 99 x.raw.xz x.qcow2
	refuses 64 "*" plan --plan nonsense x.raw.xz x.qcow2
}

@test "the graph is one that graphviz reads" {
	runs 0 plan --all --dot x.raw.xz x.qcow2
	[[ ${lines[0]} == "digraph plan {" && ${lines[-1]} == "}" ]]
	[[ $output == *'+xz\n+template'* ]]
	[[ $output =~ s0\ -\>\ s[0-9]+\ \[label=\"decompress\ xz ]]
	[[ $output == *peripheries=2* ]]
	if command -v dot >/dev/null; then
		dot -Tplain <<<"$output" >/dev/null
	fi
}

@test "the trace of the run equals the printed steps" {
	runs 0 plan x.raw.xz x.qcow2
	sed -n 's/^[0-9]*\. //p' <<<"$output" >wanted
	[ -s wanted ]
	runs 0 convert -v x.raw.xz x.qcow2
	sed -n 's/^imgconv: step: //p' <<<"$stderr" >found
	diff wanted found
}

@test "the trace in JSON equals them, too" {
	need_json
	"$IMGCONV" plan --json x.raw.xz x.qcow2 |
		jq -r '.plans[0].steps[].text' >wanted
	[ -s wanted ]
	runs 0 convert --progress=json x.raw.xz x.qcow2
	jq -r 'select(.event == "step") | .step' <<<"$stderr" >found
	diff wanted found
}

@test "no plan: the goal that is out of reach, and why" {
	head -c 1001 /dev/zero >odd.raw
	run --separate-stderr "$IMGCONV" plan --no-pad odd.raw x.qcow2
	equal 69 "$status"
	[[ $stderr == "imgconv: "* ]]
	equal 1 "${#stderr_lines[@]}"
}
