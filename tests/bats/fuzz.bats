#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The fuzz targets on their seeds and on mutations of them, always the same
# ones; scripts/fuzz looks for new ones.

load helper
load images

@test "each target comes back from each of its seeds and their mutations" {
	local replay=${IMGCONV%/*}/tests/fuzz_replay
	[ -x "$replay" ] || skip "not built with the units"
	need xz bzip2 gzip zstd lz4 qemu-img ewfacquire
	bash "$IMGCONV_SOURCE/tests/fuzz/make_seeds" seeds
	"$replay" --list >targets
	[ "$(wc -l <targets)" -ge 30 ]
	# The minutes that sanitizers take are better spent in scripts/fuzz.
	run "$replay" seeds 150 last
	equal 0 "$status" "$output"
	equal "$(wc -l <targets)" "${#lines[@]}"
	[[ $output != *': 0 inputs'* ]] || fail "$output"
}
