#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Proxmox backups, made by fixtures/make_vma.py.
load helper
load images

make_vma() { python3 "$fixtures/make_vma.py" "$@"; }

prepare() {
	make_odd_disk odd.raw
	# No whole block at the end.
	make_pattern small.raw text:1M hole:300K data:70000
	truncate -s 1426000 small.raw
}

@test "vma: clusters in any order, from a file and a pipe" {
	local order
	for order in plain mixed backwards; do
		make_vma --order $order --vmstate x.vma scsi0=odd.raw
		imgconv --force x.vma out.raw
		same_bytes out.raw odd.raw
		imgconv --force - out.raw < <(cat x.vma)
		same_bytes out.raw odd.raw
		imgconv --force -O qcow2 - out.qcow2 < <(cat x.vma)
		same_disk raw odd.raw qcow2 out.qcow2
		runs 0 check x.vma
	done
}

@test "vma: one of several disks, by name or number" {
	make_vma --order mixed x.vma drive-scsi0=odd.raw drive-virtio1=small.raw
	fails 64 "*holds 2 disks*0 drive-scsi0, 1 drive-virtio1*" x.vma out.raw
	fails 64 "*holds 2 disks*" - out.raw < <(cat x.vma)
	imgconv --member drive-virtio1 x.vma out.raw
	same_bytes out.raw small.raw
	imgconv --member 0 -O raw - - < <(cat x.vma) | cmp - odd.raw
	fails 64 "*has no disk 7*" --member 7 x.vma out.raw
	runs 0 --member 1 info x.vma
	[[ $output == *"created: 2023-11-14T22:13:20Z"* ]]
	[[ $output == *"disk: drive-virtio1 1426000"* ]]
}

@test "vma: cut anywhere, it is refused, from a file and a pipe" {
	make_vma x.vma scsi0=odd.raw
	local size cut
	size=$(size_of x.vma)
	for cut in 0 3 59 511 12287 12288 12800 13311 13312 100000 \
		$((size / 2)) $((size - 4096)) $((size - 1)); do
		head -c $cut x.vma >cut.vma
		never_succeeds out.raw -f vma cut.vma out.raw
		never_succeeds out.raw -f vma - out.raw < <(cat cut.vma)
	done
	# The last extent and no more.
	head -c 476160 x.vma >cut.vma
	never_succeeds out.raw cut.vma out.raw
	never_succeeds out.raw - out.raw < <(cat cut.vma)
}

@test "vma: wrong bytes in headers are found by their MD5" {
	local at
	make_vma x.vma scsi0=odd.raw
	for at in 30 4200 12300 12850 13000; do
		cp x.vma bad.vma
		overwrite bad.vma $at 7e
		fails 65 "*wrong MD5*" bad.vma out.raw
		fails 65 "*wrong MD5*" - out.raw < <(cat bad.vma)
		runs 2 check bad.vma
	done
	overwrite x.vma 7 02
	fails 69 "*version 2*" -f vma x.vma out.raw
}

# remake FILE PYTHON: its first extent's header, changed, and the MD5 of it.
remake() {
	python3 - "$@" <<-'END'
		import hashlib, struct, sys
		data = bytearray(open(sys.argv[1], "rb").read())
		at = 12800
		head = data[at:at + 512]
		exec(sys.argv[2])
		head[24:40] = bytes(16)
		head[24:40] = hashlib.md5(head).digest()
		data[at:at + 512] = head
		open(sys.argv[1], "wb").write(data)
	END
}

@test "vma: sound checksums over what cannot be" {
	local change message
	while IFS='|' read -r change message; do
		make_vma x.vma scsi0=odd.raw
		remake x.vma "$change"
		fails 65 "*$message*" x.vma out.raw
		fails 65 "*" - out.raw < <(cat x.vma)
	done <<-'END'
		head[55] = 0|stored twice
		head[52:56] = b"\xff" * 4|past the disk's end
		head[7] ^= 1|blocks, but its clusters
		head[8] ^= 1|another archive
		head[0] = 0|no extent at
	END
}
