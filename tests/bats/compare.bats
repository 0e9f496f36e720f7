#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Exit status 0 equal, 1 different, more for errors; where they differ.
load helper

prepare() { pattern a.raw 4M 0 300000 first 2000000 500000 second; }

@test "equal in whatever format" {
	need qemu-img xz
	qemu-img convert -O qcow2 a.raw a.qcow2
	qemu-img convert -c -O qcow2 a.raw c.qcow2
	xz -k a.raw
	local one two
	for one in a.raw a.qcow2 c.qcow2 a.raw.xz; do
		for two in a.raw a.qcow2 c.qcow2; do
			runs 0 compare "$one" "$two"
			equal "Images are identical." "$output"
		done
	done
}

@test "the first byte that differs" {
	need qemu-img
	local at
	for at in 0 1 511 299999 2000000 4194303; do
		cp a.raw b.raw
		overwrite b.raw "$at" 01
		qemu-img convert -O qcow2 b.raw b.qcow2
		runs 1 compare a.raw b.qcow2
		equal "Images differ at offset $at." "$output"
		runs 1 compare b.qcow2 a.raw
		equal "Images differ at offset $at." "$output"
	done
}

@test "holes and zeros are equal" {
	truncate -s 1M hole.raw
	head -c 1M /dev/zero >zero.raw
	runs 0 compare hole.raw zero.raw
}

@test "sizes that differ" {
	cp a.raw b.raw
	truncate -s 5M b.raw
	runs 1 compare a.raw b.raw
	[[ $output == *"Sizes differ: a.raw has 4194304 bytes, \
b.raw has 5242880 bytes."* ]]
}

@test "quiet, and JSON" {
	need_json
	cp a.raw b.raw
	overwrite b.raw 1000 01
	runs 1 compare -q a.raw b.raw
	[ -z "$output$stderr" ]
	runs 1 compare --json a.raw b.raw
	equal '[false,1000,4194304,4194304]' "$(jq -c '[.identical, .offset,
		."size-a", ."size-b"]' <<<"$output")"
	runs 0 compare --json a.raw a.raw
	equal true "$(jq .identical <<<"$output")"
}

@test "errors are neither equal nor different" {
	need xz
	refuses 66 "*nothing.raw*" compare a.raw nothing.raw
	refuses 66 "*nothing.raw*" compare nothing.raw a.raw
	xz -k a.raw
	head -c 200 a.raw.xz >cut.raw.xz
	refuses 65 "*cut.raw.xz*" compare a.raw cut.raw.xz
}
