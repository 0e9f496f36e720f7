#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The README's examples work as they stand there: each fenced console block is
# run, with the files that it names at hand.

load helper
load images

prepare() {
	need qemu-img qemu-io sgdisk mkfs.ext4 xz python3
	mkdir bin
	ln -s "$IMGCONV" bin/imgconv
	PATH=$PWD/bin:$PATH
	make_gpt_image disk.raw 24
	xz -k -1 disk.raw
	sha256sum disk.raw disk.raw.xz >SHA256SUMS
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	cp disk.qcow2 server.qcow2
	qemu-img snapshot -c before-upgrade server.qcow2
	qemu-io -c 'write -P 7 2M 64K' server.qcow2 >/dev/null
	qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
}

# The blocks, one file each: block.01, block.02 ...
extract_blocks() {
	awk '/^```console$/ {inside = 1; name = sprintf("block.%02d", ++count)
			next}
		/^```$/ {inside = 0}
		inside {print > name}' "$IMGCONV_SOURCE/README.md"
}

@test "there are fifteen examples" {
	extract_blocks
	equal 15 "$(find . -name 'block.*' | wc -l)"
}

@test "each example works, and prints what is printed there" {
	local block line
	extract_blocks
	for block in block.*; do
		: >said
		# "$ " begins a command; other lines must be in its output.
		while IFS= read -r line <&9; do
			case $line in
			'$ '*)
				bash -c "set -o pipefail; ${line#??}" >said \
					2>errors </dev/null ||
					fail "$line: $(cat errors)"
				;;
			*) grep -qxF -- "$line" said ||
				fail "not printed: $line" ;;
			esac
		done 9<"$block"
	done
	# And did what the words around them say.
	sound disk-10g.qcow2
	equal 10737418240 "$(qemu-img info --output=json disk-10g.qcow2 |
		jq '."virtual-size"')"
	same_disk raw disk.raw qcow2 small.qcow2
	xz -dc published.raw.xz | cmp - disk.raw
	same_disk raw disk.raw qcow2 verified.qcow2
	same_disk raw disk.raw qcow2 checked.qcow2
	same_bytes disk.raw before.raw
	same_disk raw disk.raw qcow2 flat.qcow2
	same_disk raw disk.raw vmdk disk.vmdk
	same_disk raw disk.raw vmdk split.vmdk
	equal 25166336 "$(stat -c %s azure.vhd)"
	[ ! -e planned.qcow2 ]
	[ ! -e planned.raw ]
}

@test "the folders on the map are there, and no others" {
	local folder
	# The first column of the table.
	for folder in $(grep '^| `' "$IMGCONV_SOURCE/README.md" |
		cut -d'|' -f2 | tr -d '`/,'); do
		[ -d "$IMGCONV_SOURCE/$folder" ] || fail "no folder $folder"
	done
	for folder in base io formats planner transforms cmd tests man bench \
		scripts; do
		grep -q "^| .*\`$folder/\`" "$IMGCONV_SOURCE/README.md" ||
			fail "$folder is not on the map"
	done
}
