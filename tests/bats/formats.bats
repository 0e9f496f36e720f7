#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

@test "text: each kind of thing that is known" {
	runs 0 formats
	[ -z "$stderr" ]
	[[ $output == images:* ]]
	local line
	for line in "raw  *read,write " "qcow2  *read,write " \
		"    -o cluster_size=512\.\.2M, default 64K  " \
		"xz  *\.xz  *liblzma$" "vmdk  *read,write " "qcow  *read .*; qemu-img writes it$" \
		"asif  *image " "rar  *archive " "tar  *read  *tar archive" \
		"qemu-img  "; do
		grep -q "^  $line" <<<"$output" || fail "no line like: $line"
	done
}

@test "JSON: the same" {
	need_json
	"$IMGCONV" formats --json >all
	equal '["raw","qcow2","vmdk","vhd","vhdx","vdi"]' \
		"$(jq -c '[.images[].name] | .[:6]' all)"
	jq -e '.images | length >= 17 and all(.read)' all
	equal '["zlib","zstd"]' \
		"$(jq -c '.images[] | select(.name == "qcow2") |
			.compressions' all)"
	equal '"64K"' "$(jq '.images[1].options[] |
		select(.name == "cluster_size") | .default' all)"
	equal '["gzip","xz","zstd","bzip2","lz4"]' \
		"$(jq -c '[.codecs[].name]' all)"
	jq -e '.recognised | any(.name == "asif")' all
	jq -e '.recognised | all(.name != "qcow2" and .name != "vmdk")' all
}

@test "tools are those found in PATH" {
	need_json
	mkdir bin
	printf '#!/bin/sh\n' >bin/qemu-img
	chmod +x bin/qemu-img
	equal "{\"qemu-img\":\"$PWD/bin/qemu-img\"}" \
		"$(PATH=$PWD/bin "$IMGCONV" formats --json | jq -c .tools)"
	run -0 env PATH=/nonexistent "$IMGCONV" formats
	[[ $output == *"qemu-img   not found"* ]]
}

@test "what is only read, and what qemu-img writes of it" {
	need_json
	equal '["qcow","bochs","cloop","dmg","xva","vma","partclone","ewf"]' \
		"$("$IMGCONV" formats --json |
			jq -c '[.images[] | select(.write | not) | .name]')"
	equal '["qcow"]' "$("$IMGCONV" formats --json |
		jq -c '[.images[] | select(."qemu-writes") | .name]')"
}
