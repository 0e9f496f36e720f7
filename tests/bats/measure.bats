#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# imgconv measure: what it says is what the conversion makes, to the byte.
load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

prepare() {
	need_json
	make_odd_disk in.raw
}

measured() {
	"$IMGCONV" measure --json "$@" | jq .required
}

@test "the length of every output is foretold, whatever its format" {
	local options
	for options in "-O raw" "-O qcow2" "-O qcow2 -c" "-O qcow2.gz" \
		"-O raw.xz" "-O qcow2 -o cluster_size=4k" "-O qcow2 -s 1G" \
		"-O qcow2 -o preallocation=full" "-O raw -s +1M"; do
		# shellcheck disable=SC2086
		runs 0 --force $options in.raw out.bin
		# shellcheck disable=SC2086
		equal "$(size_of out.bin)" "$(measured $options in.raw)" \
			"$options"
	done
}

@test "the same of a compressed input, a pipe, a qcow2" {
	gzip -k in.raw
	qemu-img convert -c -O qcow2 in.raw in.qcow2
	runs 0 in.raw out.qcow2
	equal "$(size_of out.qcow2)" "$(measured -O qcow2 in.raw.gz)"
	equal "$(size_of out.qcow2)" "$(measured -O qcow2 - < <(cat in.raw))"
	equal 5242880 "$(measured in.qcow2)"
	equal 6291456 "$(measured -s +1M - < <(cat in.raw))"
}

@test "what is measured is said to people too, and in which words" {
	runs 0 measure -O qcow2 in.raw
	[ "${lines[0]}" = "virtual size: 5242880 (5M)" ]
	[[ ${lines[1]} == "required size: "* ]]
	[[ ${lines[2]} == "fully allocated size: "* ]]
	equal "$(qemu-img measure --output=json -O qcow2 in.raw |
		jq '."fully-allocated"')" "$("$IMGCONV" measure --json \
		-O qcow2 in.raw | jq '."fully-allocated"')"
}

@test "nothing is written, and errors are those of a conversion" {
	local before
	before=$(files)
	runs 0 measure -O qcow2 in.raw
	equal "$before" "$(files)"
	refuses 66 "nothing.raw: *" measure nothing.raw
	head -c 100000 /dev/zero >cut.qcow2
	refuses 65 "cut.qcow2: *the name says*" measure cut.qcow2
	refuses 77 "in.raw: *--shrink*" measure -s 1M in.raw
	refuses 64 "* is not an option of measure" measure --force in.raw
}
