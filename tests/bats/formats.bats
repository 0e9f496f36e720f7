#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper
load images

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

@test "a snapshot of what has none: said once, by name, from file and pipe" {
	need python3 qemu-img
	local name
	make_pattern in.raw data:100K hole:900K
	cp in.raw x.raw
	for name in vdi qed parallels vhd vhdx vmdk simg; do
		imgconv -q -O $name in.raw x.$name
	done
	python3 "$fixtures/make_xva.py" x.xva in.raw
	python3 "$fixtures/make_vma.py" x.vma scsi0=in.raw
	python3 "$fixtures/make_partclone.py" x.partclone in.raw
	python3 "$fixtures/make_cloop.py" in.raw x.cloop 65536
	python3 "$fixtures/make_bochs.py" in.raw x.bochs 2 65536
	python3 "$fixtures/make_dmg.py" in.raw x.dmg zlib --rsrc
	imgconv -q -O qcow in.raw x.qcow
	for name in x.*; do
		refuses 69 "$name: ${name#*.}: *so *no one*" \
			--snapshot one "$name" out.raw
		[[ $stderr != *": ${name#*.}: ${name#*.}"* ]] || fail "$stderr"
		nothing_at out.raw
	done
	for name in x.raw x.simg x.xva x.vma x.partclone; do
		refuses 69 "-: ${name#*.}: *so no one" -f "${name#*.}" \
			--snapshot one -O raw - out.raw < <(cat "$name")
		nothing_at out.raw
	done
}
