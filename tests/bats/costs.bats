#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The coefficients that plans are priced with: printed, read from a file,
# decisive, and refused where they are none. Their grammar is the units'
# concern.
load helper

# A qcow2 with compressed clusters, which grows by inflating them all or by an
# external program that changes a few tables.
prepare() {
	need qemu-img qemu-io
	pattern x.raw 4M 0 3000000 "the same text"
	qemu-img convert -c -O qcow2 x.raw x.qcow2
	table decode_xz 11
}

# table NAME NUMBER...: a file that says so.
table() {
	{
		echo "imgconv-costs 1"
		[ $# -eq 0 ] || printf '%s %s\n' "$@"
	} >table
}

# plan: the names of its steps, by the table.
plan() {
	runs 0 plan -s 8M x.qcow2 out.qcow2
	sed -n 's/^[0-9]*\. \([^ ]*\).*/\1/p' <<<"$output" | paste -sd,
}

@test "what is dear is avoided" {
	export IMGCONV_COSTS=table
	table process_us 1e9
	equal resize,convert "$(plan)"
	table cluster_decode 1e6 process_us 1
	equal check,copy,qemu-img-resize "$(plan)"
	# The run follows it, too.
	runs 0 -v -s 8M x.qcow2 out.qcow2
	[[ $stderr == *"step: qemu-img-resize"* ]]
}

@test "weights are in proportion" {
	need_json
	weigh() {
		runs 0 plan --json x.raw x.raw.xz
		jq '.plans[0].seconds * 1e6 | round' <<<"$output"
	}
	export IMGCONV_COSTS=table
	table encode_xz 1e6
	local once twice
	once=$(weigh)
	table encode_xz 2e6
	twice=$(weigh)
	[ $((twice * 100 / once)) -ge 199 ]
}

@test "what is printed is read back as it was" {
	runs 0 plan --coefficients
	printf '%s\n' "$output" >defaults
	equal "imgconv-costs 1" "${lines[0]}"
	[ "${#lines[@]}" -gt 20 ]
	IMGCONV_COSTS=defaults runs 0 plan --coefficients
	equal "$(cat defaults)" "$output"
	table decode_xz 0.1234567890123456 write 1e6
	IMGCONV_COSTS=table runs 0 plan --coefficients
	printf '%s\n' "$output" >odd
	equal "decode_xz 0.1234567890123456" \
		"$(sed -n 's/ #.*//; /^decode_xz /p' odd)"
	equal "$(grep -c . defaults)" "$(grep -c . odd)"
	IMGCONV_COSTS=odd runs 0 plan --coefficients
	equal "$(cat odd)" "$output"
	# To the last digit of the weight.
	IMGCONV_COSTS=table runs 0 plan --all -s 8M x.qcow2 out.qcow2
	printf '%s\n' "$output" >wanted
	IMGCONV_COSTS=odd runs 0 plan --all -s 8M x.qcow2 out.qcow2
	equal "$(cat wanted)" "$output"
	IMGCONV_COSTS=defaults runs 0 plan --all -s 8M x.qcow2 out.qcow2
	printf '%s\n' "$output" >wanted
	IMGCONV_COSTS='' runs 0 plan --all -s 8M x.qcow2 out.qcow2
	equal "$(cat wanted)" "$output"
}

@test "bad tables are refused, wherever a plan is made" {
	export IMGCONV_COSTS=table
	local wanted="IMGCONV_COSTS: table: line 3: *\"speed\"*"
	table decode_xz 1 speed 2
	refuses 64 "$wanted" plan --coefficients
	refuses 64 "*$wanted" plan x.raw out.qcow2
	refuses 64 "*$wanted" x.raw out.qcow2
	refuses 64 "*$wanted" resize x.raw 8M
	refuses 64 "*$wanted" measure -O qcow2 x.raw
	equal 4194304 "$(stat -c %s x.raw)"
	table write -1
	refuses 64 "*table: line 2: write cannot be \"-1\"*" plan --coefficients
	echo other >table
	refuses 64 "*table: line 1 *imgconv-costs 1*" plan --coefficients
	table && yes '' | head -c 65521 >>table
	refuses 64 "*table: more than 65536 bytes*" plan --coefficients
	table && yes '' | head -c 65520 >>table
	runs 0 plan --coefficients
	IMGCONV_COSTS=nowhere refuses 64 "IMGCONV_COSTS: nowhere: No such*" \
		plan --coefficients
	IMGCONV_COSTS=. refuses 64 "IMGCONV_COSTS: .: Is a dir*" \
		plan --coefficients
	equal "table x.qcow2 x.raw " "$(files)"
}

@test "the table stands alone" {
	refuses 64 "*x.raw*plan --coefficients takes no arguments*" \
		plan --coefficients x.raw
	refuses 64 "*--coefficients and --json*" plan --coefficients --json
	refuses 64 "--coefficients is not an option of convert" \
		--coefficients x.raw out.raw
	runs 0 plan --coefficients --verify --for azure --consume
}
