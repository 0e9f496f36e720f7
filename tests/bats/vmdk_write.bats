#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VMDK images that imgconv makes, judged by other programs.

load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

subformats="monolithicSparse streamOptimized twoGbMaxExtentSparse
	monolithicFlat twoGbMaxExtentFlat"

prepare() {
	need qemu-img python3
}

# good IMAGE RAW SUBFORMAT: other people's readers find no fault and the disk.
good() {
	local said
	run -0 --separate-stderr qemu-img check -q -f vmdk "$1"
	[ -z "$output$stderr" ] || fail "qemu-img check: $output $stderr"
	same_disk vmdk "$1" raw "$2"
	said=$(qemu-img info -f vmdk "$1")
	[[ $said == *"create type: $3"* ]] || fail "not $3: $said"
	# Our own.
	runs 0 check --allow-references "$1"
	runs 0 compare --allow-references "$1" "$2"
}

@test "every subformat, whatever is in it" {
	local recipe subformat
	for recipe in zero:1M "data:3M zero:3M data:1M" \
		"data:512 hole:40M data:70000 zero:100000" \
		"hole:33488896 data:131072" "hole:1M zero:65535 data:1"; do
		# shellcheck disable=SC2086
		make_pattern in.raw $recipe
		truncate -s %64K in.raw
		for subformat in $subformats; do
			runs 0 --force -o "subformat=$subformat" in.raw \
				out.vmdk
			good out.vmdk in.raw "$subformat"
		done
	done
}

@test "sizes of whole sectors, and what a stream makes of them" {
	local size subformat padded
	for size in 512 33555968; do
		make_pattern in.raw "data:$size"
		for subformat in $subformats; do
			runs 0 --force -o "subformat=$subformat" in.raw \
				out.vmdk
			padded=$size
			[ $subformat != streamOptimized ] || padded=$(((size +
				65535) / 65536 * 65536))
			cp in.raw padded.raw
			truncate -s $padded padded.raw
			good out.vmdk padded.raw "$subformat"
		done
	done
	fails 69 "*33555968*33619968*" --no-pad -c -O vmdk in.raw no.vmdk
	nothing_at no.vmdk
}

@test "nothing is made a sector, which is the least that VMDK can have" {
	: >in.raw
	runs 0 in.raw out.vmdk
	truncate -s 512 in.raw
	good out.vmdk in.raw monolithicSparse
}

@test "disks of 5 GiB: three files of 2047 MiB" {
	local subformat
	truncate -s 5G in.raw
	printf x | dd of=in.raw bs=1 seek=2146435071 conv=notrunc status=none
	printf y | dd of=in.raw bs=1 seek=2146435072 conv=notrunc status=none
	printf z | dd of=in.raw bs=1 seek=5368709119 conv=notrunc status=none
	for subformat in $subformats; do
		runs 0 --force -o "subformat=$subformat" in.raw out.vmdk
		good out.vmdk in.raw "$subformat"
	done
	equal "in.raw out-f001.vmdk out-f002.vmdk out-f003.vmdk out-flat.vmdk \
out-s001.vmdk out-s002.vmdk out-s003.vmdk out.vmdk " "$(files)"
	grep -qx 'RW 4192256 FLAT "out-f002.vmdk" 0' out.vmdk
}

@test "disks of more than 2 TiB" {
	truncate -s $((2199023255552 + 65536)) in.raw
	printf x | dd of=in.raw bs=1 seek=1099511627776 conv=notrunc status=none
	printf y | dd of=in.raw bs=1 seek=2199023321087 conv=notrunc status=none
	runs 0 in.raw sparse.vmdk
	runs 0 -c in.raw stream.vmdk
	[ "$(du -k sparse.vmdk | cut -f1)" -lt 2000 ]
	# To compare all of it takes qemu-img a minute.
	for image in sparse.vmdk stream.vmdk; do
		run -0 qemu-img check -q $image
		runs 0 compare $image in.raw
	done
	fails 69 "*1025 files*" -o subformat=twoGbMaxExtentSparse in.raw no.vmdk
	nothing_at no.vmdk
	equal "in.raw sparse.vmdk stream.vmdk " "$(files)"
}

@test "the same bytes for any number of threads, and from a pipe" {
	local subformat
	make_pattern in.raw data:3M hole:32M text:5M zero:1M data:70000
	truncate -s 50M in.raw
	for subformat in $subformats; do
		mkdir one many pipe
		runs 0 --threads 1 -o "subformat=$subformat" in.raw one/d.vmdk
		runs 0 --threads 4 -o "subformat=$subformat" in.raw many/d.vmdk
		diff -r one many
		# Its size is known at the end alone.
		runs 0 -o "subformat=$subformat" - pipe/d.vmdk < <(cat in.raw)
		diff -r one pipe
		rm -r one many pipe
	done
}

@test "a stream goes to a pipe with the bytes of a file" {
	make_pattern in.raw data:300000 hole:36M text:5M
	truncate -s 48M in.raw
	runs 0 -o subformat=streamOptimized in.raw file.vmdk
	"$IMGCONV" -O vmdk -o subformat=streamOptimized in.raw - |
		cmp - file.vmdk
	qemu-img convert -O qcow2 in.raw in.qcow2
	"$IMGCONV" -O vmdk -o subformat=streamOptimized in.qcow2 - |
		cmp - file.vmdk
	# Of unknown size: by way of a file.
	"$IMGCONV" -O vmdk -o subformat=streamOptimized - - < <(cat in.raw) |
		cmp - file.vmdk
	# The hosted form has its tables in front: by way of a file.
	"$IMGCONV" -O vmdk in.raw - | cat >piped.vmdk
	good piped.vmdk in.raw monolithicSparse
	fails 64 "*several files*" -O vmdk -o subformat=monolithicFlat in.raw -
}

@test "-c means streamOptimized, and nothing else" {
	make_pattern in.raw text:3M
	runs 0 -c in.raw a.vmdk
	runs 0 --compress=zlib:9 in.raw b.vmdk
	good a.vmdk in.raw streamOptimized
	good b.vmdk in.raw streamOptimized
	[ "$(size_of b.vmdk)" -le "$(size_of a.vmdk)" ]
	fails 64 "*monolithicFlat*streamOptimized*" -c \
		-o subformat=monolithicFlat in.raw no.vmdk
	fails 64 "*zstd*" --compress=zstd in.raw no.vmdk
	nothing_at no.vmdk
}

@test "no larger than qemu-img's streams by more than a twentieth at level 4" {
	local own other
	# By zlib alone the same level is less, and nothing is promised.
	[ "${IMGCONV_VARIANT:-}" != minimal ] || return 0
	# Programs: what most of a disk is.
	cat /usr/bin/[a-q]* 2>/dev/null | head -c 32M >in.raw || :
	truncate -s 32M in.raw
	runs 0 -f raw --compress=zlib:4 in.raw own.vmdk
	runs 0 -f raw -c in.raw fast.vmdk
	qemu-img convert -f raw -O vmdk -o subformat=streamOptimized in.raw \
		other.vmdk
	own=$(size_of own.vmdk) other=$(size_of other.vmdk)
	[ $((own * 20)) -le $((other * 21)) ] || fail "$own against $other"
	# The default is for speed: programs take more, whole systems do not.
	own=$(size_of fast.vmdk)
	[ $((own * 7)) -le $((other * 8)) ] || fail "$own against $other"
}

@test "options are found where they belong" {
	local said
	make_pattern in.raw data:1M
	runs 0 -o adapter_type=lsilogic,hwversion=14,cid=0badcafe \
		--uuid 00112233-4455-6677-8899-aabbccddeeff in.raw out.vmdk
	said=$(head -c 10240 out.vmdk | tr -d '\0')
	[[ $said == *'ddb.adapterType = "lsilogic"'* ]]
	[[ $said == *'ddb.virtualHWVersion = "14"'* ]]
	[[ $said == *'ddb.uuid.image = "00112233-4455-6677-8899-aabbccddeeff"'* ]]
	[[ $said == *'ddb.uuid = "00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff"'* ]]
	equal 195939070 "$(qemu-img info --output=json out.vmdk |
		python3 -c 'import json, sys
print(json.load(sys.stdin)["format-specific"]["data"]["cid"])')"
	# Two runs give the same, two contents do not.
	runs 0 -c in.raw a.vmdk
	runs 0 -c in.raw b.vmdk
	same_bytes a.vmdk b.vmdk
	printf x | dd of=in.raw bs=1 conv=notrunc status=none
	runs 0 -c in.raw c.vmdk
	! cmp -s a.vmdk c.vmdk || fail "the same CID for another disk"
}

@test "flat files: preallocation, and zeros in an old place" {
	make_pattern in.raw data:64K hole:4M data:64K
	runs 0 -o subformat=monolithicFlat in.raw a.vmdk
	[ "$(du -k a-flat.vmdk | cut -f1)" -le 256 ]
	runs 0 -o subformat=monolithicFlat,preallocation=falloc in.raw b.vmdk
	[ "$(du -k b-flat.vmdk | cut -f1)" -ge 4000 ]
	runs 0 -o subformat=twoGbMaxExtentFlat,preallocation=full in.raw c.vmdk
	[ "$(du -k c-f001.vmdk | cut -f1)" -ge 4000 ]
	same_bytes a-flat.vmdk in.raw
	same_bytes b-flat.vmdk in.raw
	same_bytes c-f001.vmdk in.raw
	fails 64 "*preallocation*" -o preallocation=full in.raw no.vmdk
}

@test "create makes empty disks of every subformat" {
	local subformat
	truncate -s 100M in.raw
	for subformat in $subformats; do
		runs 0 create --force -o "subformat=$subformat" vmdk \
			out.vmdk 100M
		good out.vmdk in.raw "$subformat"
	done
	runs 0 create vmdk tera.vmdk 1T
	run -0 qemu-img check -q tera.vmdk
}

@test "libvmdk and 7-Zip agree" {
	need vmdkinfo 7z
	local subformat
	make_pattern in.raw data:300000 hole:36M text:5M
	truncate -s 48M in.raw
	for subformat in $subformats; do
		runs 0 --force -o "subformat=$subformat" in.raw out.vmdk
		run -0 vmdkinfo out.vmdk
		[[ $output == *"(50331648 bytes)"* ]] || fail "$output"
	done
	for subformat in monolithicSparse streamOptimized; do
		runs 0 --force -o "subformat=$subformat" in.raw out.vmdk
		rm -rf x && run -0 7z x -ox out.vmdk
		same_bytes in.raw x/out.img
	done
}
