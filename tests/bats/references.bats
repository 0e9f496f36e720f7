#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every way in which an image can name another file: refused by name, followed
# only where that is allowed, and never out of the folder or in circles.

load helper
load images
load every

# The deepest is a folder in a folder: what is above is not to be reached.
prepare() {
	need python3 xxd
	mkdir -p top/inner
	cd top/inner || return 1
	make_pattern x.raw text:1M
	cp x.raw ../outside.raw
}

hex() { printf %s "$1" | xxd -p | tr -d '\n'; }

# refused FILE STATUS PATTERN STATUS PATTERN: without --allow-references, and
# with it; by info's and inspect's judgement no file is there for it either.
refused() {
	local file=$1
	fails "$2" "$3" "$file" -O raw out.raw
	nothing_at out.raw
	fails "$4" "$5" --allow-references "$file" -O raw out.raw
	nothing_at out.raw
	run --separate-stderr "$IMGCONV" inspect "$file"
	[ "$status" -ne 0 ] || fail "inspect: $file is safe: $output"
}

@test "qcow2: backing files, and names that are none" {
	local name long
	long=$(head -c 400 /dev/zero | tr '\0' a)
	by_script qcow2 q backing_file_offset=120 backing_file_size=0
	refused q 69 "*name is empty*" 69 "*name is empty*"
	for name in 'json:{}' 'json:{"driver":"nbd"}' nbd://localhost/x \
		http://localhost/x "nbd:unix:/tmp/x" vvfat:. ; do
		by_script qcow2 q "backing=$name"
		refused q 77 "*not followed without --allow-references" \
			77 "*not a plain file name*"
	done
	by_script qcow2 q "backing=$long"
	refused q 77 "*$long is not followed*" 66 "*$long*"
	by_script qcow2 q "backing=$PWD/../outside.raw"
	refused q 77 "*not followed*" 77 "*lies outside*"
}

@test "qcow2: a data file by the bit, by the name, and by both" {
	by_script qcow2 q incompatible_features=4
	refused q 65 "*does not name it*" 65 "*does not name it*"
	by_script qcow2 q "extension=0x44415441:$(hex data.raw)"
	refused q 65 "*data.raw*bit*is clear*" 65 "*data.raw*bit*is clear*"
	by_script qcow2 q incompatible_features=4 \
		"extension=0x44415441:$(hex data.raw)"
	refused q 77 "*data.raw is not followed*" 66 "*data.raw*No such file*"
	by_script qcow2 q incompatible_features=4 extension=0x44415441:
	refused q 65 "*name of 0 bytes*" 65 "*name of 0 bytes*"
	for name in ../outside.raw 'json:{}' /etc/passwd; do
		by_script qcow2 q incompatible_features=4 \
			"extension=0x44415441:$(hex "$name")"
		refused q 77 "*not followed*" 77 "*data file $name: *"
	done
}

@test "VMDK: extents" {
	local line
	for line in '"/etc/passwd" 0' '"../outside.raw" 0' '"json:{}" 0' \
		'"nbd://localhost/" 0' '"sub/../../outside.raw" 0'; do
		by_script vmdk text x.raw v.vmdk "line=RW 2048 FLAT $line"
		mkdir -p sub
		refused v.vmdk 77 "*extent *not followed*" 77 "*extent *"
	done
	by_script vmdk text x.raw v.vmdk 'line=RW 2048 FLAT "" 0'
	refused v.vmdk 65 "*names no file*" 65 "*names no file*"
	by_script vmdk text x.raw v.vmdk 'line=RW 2048 VMFSRDM "/dev/sda"'
	refused v.vmdk 69 "*raw device*" 69 "*raw device*"
	by_script vmdk text x.raw v.vmdk 'line=RW 2048 FLAT "x.raw" 0'
	fails 77 "*extent x.raw is not followed*" v.vmdk -O raw out.raw
	runs 0 --allow-references v.vmdk -O raw out.raw
	same_bytes x.raw out.raw
	rm out.raw
	# A link is where it leads to.
	ln -s ../outside.raw link.raw
	by_script vmdk text x.raw v.vmdk 'line=RW 2048 FLAT "link.raw" 0'
	refused v.vmdk 77 "*not followed*" 77 "*link.raw lies outside*"
	runs 0 "--allow-references=$PWD/.." v.vmdk -O raw out.raw
	same_bytes x.raw out.raw
}

@test "VMDK: parents by hint, by CID, and by one without the other" {
	by_script vmdk sparse x.raw v.vmdk parent=base.vmdk:12345678
	refused v.vmdk 77 "*parent base.vmdk is not followed*" 66 "*base.vmdk*"
	by_script vmdk sparse x.raw v.vmdk parent=../outside.raw:12345678
	refused v.vmdk 77 "*parent ../outside.raw is not*" 77 "*lies outside*"
	by_script vmdk sparse x.raw v.vmdk \
		"text=parentCID=ffffffff=>parentCID=12345678"
	refused v.vmdk 65 "*no parentFileNameHint*" 65 "*no parentFileNameHint*"
	by_script vmdk sparse x.raw v.vmdk \
		'text=createType=>parentFileNameHint="base.vmdk"
createType'
	refused v.vmdk 65 "*base.vmdk is named*" 65 "*base.vmdk is named*"
	by_script vmdk sparse x.raw v.vmdk \
		'text=createType=>createType="monolithicFlat"
createType'
	refused v.vmdk 65 "*second createType*" 65 "*second createType*"
}

@test "VHD, VHDX and VDI that are differences; QED and qcow on another" {
	by_script vhd d.vhd type=differencing parent=base.vhd
	refused d.vhd 77 "*parent base.vhd is not followed*" 66 "*base.vhd*"
	by_script vhd d.vhd type=differencing parent=../outside.raw
	refused d.vhd 77 "*not followed*" 77 "*lies outside*"
	by_script vhd d.vhd type=differencing
	refused d.vhd 65 "*does not name it*" 65 "*does not name it*"
	by_script vhdx child d.vhdx
	refused d.vhdx 77 "*middle.vhdx is not followed*" 66 "*middle.vhdx*"
	by_script vhdx far d.vhdx
	refused d.vhdx 77 "*base.vhdx is not followed*" 66 "*base.vhdx*"
	by_script vdi d.vdi parent
	refused d.vdi 69 "*differencing image*" 69 "*differencing image*"
	by_script qed d.qed backing=base.raw raw
	refused d.qed 77 "*base.raw is not followed*" 66 "*base.raw*"
	by_script qed d.qed backing=../outside.raw raw
	refused d.qed 77 "*not followed*" 77 "*lies outside*"
	need qemu-img
	qemu-img create -q -f qcow -b x.raw -F raw d.qcow
	fails 77 "*x.raw is not followed*" d.qcow -O raw out.raw
	runs 0 --allow-references d.qcow -O raw out.raw
	same_bytes x.raw out.raw
}

@test "what leads back to itself, by any two formats, ends" {
	local file
	by_script vmdk sparse x.raw a.vmdk parent=b.vmdk:12345678
	by_script vmdk sparse x.raw b.vmdk parent=a.vmdk:12345678
	by_script vmdk text x.raw self.vmdk 'line=RW 2048 SPARSE "self.vmdk"'
	by_script qed a.qed backing=a.qcow2
	by_script qcow2 a.qcow2 backing=a.qed
	by_script qcow2 own.qcow2 incompatible_features=4 \
		"extension=0x44415441:$(hex own.qcow2)"
	by_script vhd a.vhd type=differencing parent=a.vhd \
		uuid=000102030405060708090a0b0c0d0e0f \
		parent_uuid=000102030405060708090a0b0c0d0e0f
	ln a.qcow2 hard.qcow2
	by_script qcow2 name.qcow2 backing=hard.qcow2
	for file in a.vmdk self.vmdk a.qed a.qcow2 own.qcow2 a.vhd name.qcow2; do
		fails 65 "*leads back to itself*" --allow-references $file \
			-O raw out.raw
		nothing_at out.raw
	done
}

@test "chains are no deeper than they may be, in each format" {
	local i
	by_script qed qed backing=NN.qed
	by_script vmdk sparse x.raw vmdk parent=NN.vmdk:12345678
	for i in {10..80}; do
		sed "s/NN[.]qed/$((i + 1)).qed/" qed >"$i.qed"
		sed "s/NN[.]vmdk/$((i + 1)).vmdk/" vmdk >"$i.vmdk"
	done
	for i in 10.qed 10.vmdk; do
		run --separate-stderr timeout 60 "$IMGCONV" --allow-references \
			$i -O raw out.raw
		# Not 66: it is not the last one's absence that ends it.
		equal 65 "$status" "$i: $stderr"
		nothing_at out.raw
	done
}
