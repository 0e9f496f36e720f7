#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is made for clouds and hypervisors, and what they would accept.

load helper
load images

all="aws azure gce esxi vsphere hyperv virtualbox openstack proxmox xcp-ng
libvirt kubevirt digitalocean oracle"

# A disk with a GPT, of no round size.
a_disk() {
	truncate -s $(((40 << 20) + 512 * 3)) disk.raw
	sgdisk -n 1:2048:+20M disk.raw >/dev/null
	yes words | head -c 300000 |
		dd of=disk.raw bs=1M seek=5 conv=notrunc status=none
}

name_for() {
	case $1 in
	gce) echo out.tar.gz ;;
	vsphere) echo out.ova ;;
	*) echo "out.$1" ;;
	esac
}

# left_out TARGET: this variant cannot read back what it made.
left_out() {
	case $1 in gce | vsphere) ! built_with archive ;; *) false ;; esac
}

@test "every target is made, and accepted" {
	a_disk
	local target out
	for target in $all; do
		out=$(name_for "$target")
		runs 0 --for "$target" disk.raw "$out"
		left_out "$target" && continue
		runs 0 check --for "$target" "$out"
		[[ $output == *"$target accepts it."* ]] || fail "$output"
		runs 0 --force -O raw "$out" back.raw
		# The partition table is right on the new disk too.
		sgdisk -v back.raw | grep -q 'No problems found' ||
			fail "$target: $(sgdisk -v back.raw)"
		rm "$out"
	done
}

@test "azure: fixed, whole MiB, the footer apart" {
	a_disk
	runs 0 --for azure disk.raw out.vhd
	equal 0 $((($(size_of out.vhd) - 512) % (1 << 20)))
	equal 00000002 "$(tail -c 512 out.vhd | dd bs=1 skip=60 count=4 \
		status=none | od -An -tx1 | tr -d ' ')"
	local size
	size=$(tail -c 512 out.vhd | od -An -tx1 -j 48 -N 8 | tr -d ' ')
	equal $(($(size_of out.vhd) - 512)) $((16#$size))
	runs 0 --for azure -s 60M --force disk.raw out.vhd
	equal $(((60 << 20) + 512)) "$(size_of out.vhd)"
}

@test "gce: disk.raw, old GNU, gzip, whole GiB" {
	a_disk
	runs 0 --for gce disk.raw out.tar.gz
	gzip -t out.tar.gz
	tar -tvf out.tar.gz >list
	equal "$((1 << 30)) disk.raw" "$(awk '{print $3, $6}' list)"
	equal "ustar  " "$(gzip -dc out.tar.gz | dd bs=1 skip=257 count=7 \
		status=none)"
}

@test "what is said explicitly holds" {
	a_disk
	runs 0 --for azure -O vhdx disk.raw out.img
	runs 0 info out.img
	[[ $output == *vhdx* ]]
	runs 0 --for aws -o adapter_type=ide disk.raw out.vmdk
	runs 0 info out.vmdk
	[[ $output == *"adapter-type: ide"* &&
		$output == *streamOptimized* ]] || fail "$output"
	refuses 64 "azure takes vhd, and the name says vdi*" --for azure \
		disk.raw no.vdi
	refuses 64 "--for: \"nimbus\" is no target*" --for nimbus disk.raw no
	nothing_at no.vdi
}

# not_accepted TARGET FILE PATTERN: exit status 2, and why.
not_accepted() {
	runs 2 check --for "$1" "$2"
	# shellcheck disable=SC2053
	[[ $output == *"$1: "$3* ]] || fail "not \"$3\": $output"
}

@test "what would not be accepted, and why" {
	a_disk
	runs 0 disk.raw disk.qcow2
	runs 0 disk.raw dynamic.vhd
	runs 0 -o subformat=fixed disk.raw odd.vhd
	not_accepted azure disk.qcow2 "it is qcow2; accepted are: vhd fixed"
	not_accepted azure dynamic.vhd "it is vhd dynamic; accepted are: *"
	not_accepted azure odd.vhd "the disk has * bytes, which is no multiple"
	not_accepted gce disk.raw "it is raw; accepted are: raw in gz.tar"
	qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
	not_accepted openstack over.qcow2 "it needs another file"
	truncate -s 101G large.raw
	not_accepted digitalocean large.raw "the disk has * bytes; at most"
	fails 69 "*digitalocean takes disks of at most*" --for digitalocean \
		large.raw none.qcow2.gz
	nothing_at none.qcow2.gz
	truncate -s 50M stale.raw
	dd if=disk.raw of=stale.raw conv=notrunc status=none
	runs 0 -o subformat=fixed --no-partition-fix stale.raw stale.vhd
	not_accepted azure stale.vhd "the backup of the partition table"
}

@test "targets: a row for each, in JSON too, and in the manual" {
	local target
	runs 0 targets
	for target in $all; do
		[[ $output == *"$target: "* ]] || fail "no $target"
		grep -q "${target//-/.*-}" "$IMGCONV_SOURCE/man/imgconv.1" ||
			fail "$target is not in the manual"
	done
	runs 0 targets gce
	[[ $output == "gce: "*"--member-name disk.raw"*"why: "*"source: "* ]]
	refuses 64 "nimbus is no target*" targets nimbus
	need_json
	equal "$(wc -w <<<"$all")" "$("$IMGCONV" targets --json | jq length)"
	"$IMGCONV" targets --json | jq -e 'all(.why and .source and .to)'
}
