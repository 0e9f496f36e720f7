#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every disk of a container, each into a file of its own.

load helper
load images

prepare() {
	make_odd_disk a.raw
	make_pattern b.raw text:1M hole:1M
	make_pattern c.raw data:300K hole:212K
	mkdir out
}

@test "an appliance: its disks by their names" {
	built_with archive || return 0
	local one
	for one in a b c; do
		qemu-img convert -O vmdk -o subformat=streamOptimized $one.raw \
			disk-$one.vmdk
	done
	python3 "$fixtures/make_ova.py" in.ova disk-b.vmdk disk-a.vmdk \
		disk-c.vmdk
	runs 0 --digest --all-disks out -O qcow2 in.ova
	equal 3 "${#lines[@]}" "lines of digests"
	equal "disk-a.qcow2 disk-b.qcow2 disk-c.qcow2 " "$(files out)"
	for one in a b c; do
		qemu-img convert -O raw disk-$one.vmdk want.raw
		runs 0 compare out/disk-$one.qcow2 want.raw
	done
	fails 73 "*exists; use --force*" --all-disks out -O qcow2 in.ova
	runs 0 --force --verify --all-disks out -O qcow2 in.ova
}

@test "hostile names stay in the folder, equal ones get numbers" {
	built_with archive || return 0
	python3 - <<-'END'
		import tarfile
		with tarfile.open("in.tar", "w") as tar:
		    for name in ("../../etc/disk.raw", "x/disk.raw",
		                 ".hidden.raw", "sp ace\n.raw"):
		        info = tar.gettarinfo("a.raw")
		        info.name = name
		        tar.addfile(info, open("a.raw", "rb"))
	END
	runs 0 --all-disks out -O raw.gz in.tar
	equal "_hidden.raw.gz disk-1.raw.gz disk.raw.gz sp_ace_.raw.gz " \
		"$(files out)"
	gzip -dc out/disk-1.raw.gz | cmp - a.raw
}

@test "a file with one disk" {
	runs 0 --all-disks out -O qcow2 a.raw
	equal "disk-0.qcow2 " "$(files out)"
	runs 0 compare out/disk-0.qcow2 a.raw
}

@test "one disk that fails leaves none" {
	built_with archive || return 0
	qemu-img convert -O qcow2 a.raw a.qcow2
	head -c 200000 a.qcow2 >cut.qcow2
	tar -cf in.tar b.raw cut.qcow2
	run --separate-stderr "$IMGCONV" --all-disks out -O raw in.tar
	[ "$status" -ne 0 ]
	equal "" "$(files out)"
}

@test "what goes with it and what does not" {
	refuses 64 "--all-disks needs -O*" --all-disks out a.raw
	refuses 64 "--all-disks takes INPUT alone*" --all-disks out -O raw \
		a.raw b.raw
	refuses 64 "--all-disks and --member contradict each other" \
		--all-disks out -O raw --member 0 a.raw
	refuses 64 "--all-disks reads its input more than once*" \
		--all-disks out -O raw -
	fails 73 "missing: is no folder; make it first" --all-disks missing \
		-O raw a.raw
	runs 0 --dry-run --all-disks out -O qcow2 a.raw
	[[ $stderr == *"out/disk-0.qcow2"* ]]
	equal "" "$(files out)"
	runs 0 --dry-run -O ova a.raw b.raw x.ova
	[ ! -e x.ova ]
}
