#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What info says of an image, layer by layer.
load helper

# wants FILTER VALUE: of the JSON in $output.
wants() { equal "$2" "$(jq -c "$1" <<<"$output")" "$1"; }

@test "raw" {
	need_json
	pattern x.raw 1M 0 70000 text
	runs 0 info x.raw
	[[ ${lines[0]} == "image: x.raw" ]]
	[[ ${lines[1]} == "tags: +template +format=raw +size=1M"* ]]
	[[ $output == *"format: raw"*"virtual-size: 1048576 (1M)"* ]]
	runs 0 info --json x.raw
	[ -z "$stderr" ]
	wants .filename '"x.raw"'
	wants .format '"raw"'
	wants '."virtual-size"' 1048576
	wants '.layers | length' 1
	wants '.layers[0].kind' '"image"'
	wants '.tags | index("+format=raw") != null' true
}

@test "the fields that qemu-img has are equal" {
	need qemu-img
	need_json
	local file
	qemu-img create -q -f qcow2 -o cluster_size=4k a.qcow2 5M
	qemu-img create -q -f qcow2 -o compat=0.10 b.qcow2 1G
	pattern c.raw 1001 0 1001 text
	for file in a.qcow2 b.qcow2; do
		runs 0 info --json "$file"
		equal "$(qemu-img info --output=json "$file" |
			jq -c '[.format, ."virtual-size", ."cluster-size"]')" \
			"$(jq -c '[.format, ."virtual-size",
				."format-specific"."cluster-size"]' \
				<<<"$output")"
	done
	runs 0 info --json c.raw
	wants '."virtual-size"' 1001
}

@test "each layer of compression is shown, outermost first" {
	need qemu-img xz gzip
	need_json
	pattern x.raw 1M 0 70000 text
	qemu-img convert -O qcow2 x.raw x.qcow2
	xz -k x.qcow2
	gzip -k x.qcow2.xz
	runs 0 info --json x.qcow2.xz.gz
	wants '[.layers[].name]' '["gz","xz","qcow2"]'
	wants '.layers[0].size' "$(stat -c %s x.qcow2.xz.gz)"
	wants '.tags[:4]' '["+gz","+xz","+template","+format=qcow2"]'
	wants '."virtual-size"' 1048576
	runs 0 info x.qcow2.xz
	[[ $output == *"layer 1: xz, "*"layer 2: qcow2"* ]]
}

@test "snapshots and backing files" {
	need qemu-img
	need_json
	qemu-img create -q -f qcow2 base.qcow2 1M
	qemu-img snapshot -c first base.qcow2
	qemu-img snapshot -c second base.qcow2
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
	runs 0 info --json base.qcow2
	wants .snapshots 2
	wants '."format-specific".snapshot | length' 2
	runs 0 info base.qcow2
	[[ $output == *first*second* ]]
	runs 0 info --json over.qcow2
	wants '.tags | index("+backing") != null' true
	runs 0 info over.qcow2
	[[ $output == *base.qcow2* ]]
}

@test "a format that is only recognised" {
	need_json
	printf 'sprs\0\0\0\3' >x.sparseimage
	truncate -s 1M x.sparseimage
	runs 0 info x.sparseimage
	[[ $output == *"format: sparseimage (recognised, not read natively)"* ]]
	runs 0 info --json x.sparseimage
	wants .native false
}

@test "names that are not UTF-8 give valid JSON" {
	need_json
	local name=$'caf\xe9 \xc3\xa9 "\\\x01.raw'
	pattern "$name" 64K 0 100 x
	runs 0 info --json "$name"
	iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
	wants .filename $'"caf\xef\xbf\xbd \xc3\xa9 \\"\\\\\\u0001.raw"'
}

@test "a terminal does not obey a file's name" {
	pattern $'\e[2Jx.raw' 64K 0 100 x
	runs 0 info $'\e[2Jx.raw'
	[[ $output != *$'\e'* ]]
}

@test "standard input" {
	need_json
	pattern x.raw 1M 0 70000 text
	run -0 --separate-stderr sh -c '"$IMGCONV" info --json - <x.raw'
	wants .format '"raw"'
	run -0 --separate-stderr sh -c 'cat x.raw | "$IMGCONV" info --json -'
	wants .format '"raw"'
}

@test "what cannot be opened" {
	mkdir folder
	refuses 66 "*nothing*" info nothing
	refuses 66 "*folder*" info folder
	refuses 64 "--from: unknown format \"x\" (*)" info -f x nothing
}

@test "what there may be several of is a list, also where there is one" {
	need qemu-img python3
	need_json
	local n
	qemu-img create -q -f qcow2 x.qcow2 1M
	for n in 1 2; do
		qemu-img snapshot -c "state$n" x.qcow2
		runs 0 info --json x.qcow2
		wants '."format-specific".snapshot | type, length' \
			"\"array\"
$n"
	done
	pattern x.raw 64K 0 100 x
	tar -cf x.tar x.raw
	runs 0 info --json x.tar
	wants '."format-specific".member | type, length' '"array"
1'
}
