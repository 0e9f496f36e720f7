#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Block devices, as output and as input. Loop devices stand in for disks;
# without them (no root, a container) there is nothing to test.
load helper
load images

# device NAME SIZE [losetup options]: $NAME is a device of SIZE full of 0xff.
device() {
	local name=$1 size=$2 path
	shift 2
	[ "$(id -u)" = 0 ] || skip "loop devices need root"
	command -v losetup >/dev/null || skip "no losetup"
	tr '\0' '\377' </dev/zero | head -c "$size" >"$BATS_TEST_TMPDIR/$name"
	path=$(losetup -f --show "$@" "$BATS_TEST_TMPDIR/$name") ||
		skip "no loop device can be had"
	echo "$path" >>"$BATS_TEST_TMPDIR/loops"
	printf -v "$name" %s "$path"
}

prepare() {
	pattern in.raw 12M 0 1000 head 5M 1M middle 10M 70000 later
}

teardown() {
	local path
	[ -e "$BATS_TEST_TMPDIR/loops" ] || return 0
	while read -r path; do
		losetup -d "$path" || true
	done <"$BATS_TEST_TMPDIR/loops"
}

# old DEVICE FROM LENGTH: only old content there.
old() {
	equal 0 "$(dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" \
		count="$3" status=none | tr -d '\377' | wc -c)" \
		"bytes changed in $3 at $2"
}

zeros() {
	equal 0 "$(dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" \
		count="$3" status=none | tr -d '\0' | wc -c)" \
		"bytes not zero in $3 at $2"
}

@test "raw onto a device: old content never shows, nothing behind is touched" {
	device dev 20M
	runs 0 in.raw "$dev"
	cmp -n 12M in.raw "$dev"
	old "$dev" 12M 8M
}

@test "an image smaller than the head leaves what is behind it" {
	device dev 4M
	truncate -s 100000 in.raw
	runs 0 in.raw "$dev"
	cmp -n 100000 in.raw "$dev"
	old "$dev" 100000 4000000
}

@test "a stream, and a compressed file, onto a device" {
	need xz
	device dev 20M
	"$IMGCONV" -O raw - "$dev" < <(cat in.raw)
	cmp -n 12M in.raw "$dev"
	old "$dev" 12M 8M
	xz -0 -k in.raw
	tr '\0' '\377' </dev/zero | head -c 20M >"$dev"
	runs 0 in.raw.xz "$dev"
	cmp -n 12M in.raw "$dev"
	old "$dev" 12M 8M
}

@test "a fragmented qcow2 in a pipe onto a device" {
	need qemu-img
	device dev 20M
	qemu-img convert -W -m 8 -O qcow2 in.raw in.qcow2
	"$IMGCONV" -O raw - "$dev" < <(cat in.qcow2)
	cmp -n 12M in.raw "$dev"
	old "$dev" 12M 8M
}

@test "qcow2 onto a device, plain and compressed" {
	need qemu-img
	device dev 20M
	local options
	for options in "" "-c" "--compress=zstd" "-o preallocation=full"; do
		case $options in
		*zstd) built_with zstd || continue ;;
		esac
		tr '\0' '\377' </dev/zero | head -c 20M >"$dev"
		# shellcheck disable=SC2086
		runs 0 $options -O qcow2 in.raw "$dev"
		qemu-img compare -f raw -F qcow2 in.raw "$dev"
		qemu-img check -f qcow2 "$dev"
	done
}

@test "a data file may be a device" {
	need qemu-img
	device dev 20M
	runs 0 in.raw x.qcow2 -o "data_file=$dev,data_file_raw=on"
	cmp -n 12M in.raw "$dev"
	old "$dev" 12M 8M
	qemu-img compare -f raw -F qcow2 in.raw x.qcow2
}

@test "a device that is too small is refused before anything is written" {
	device dev 8M
	refuses 73 "$dev: needs 12582912 bytes, but the output has room for 8388608" \
		in.raw "$dev"
	old "$dev" 0 8M
	runs 73 -O qcow2 in.raw "$dev" -o preallocation=full -s 4T
	old "$dev" 0 8M
	runs 73 create raw "$dev" 9M
	old "$dev" 0 8M
	runs 0 create qcow2 "$dev" 9G
}

@test "a device in use is refused" {
	need mkfs.ext4
	device dev 20M
	mkfs.ext4 -q -F "$dev"
	mkdir mnt
	mount "$dev" mnt || skip "no file system can be mounted"
	run -73 --separate-stderr "$IMGCONV" in.raw "$dev"
	umount mnt
	[[ $stderr == "imgconv: $dev: is in use"* ]]
}

@test "the device that is the input is not the output" {
	device dev 20M
	refuses 73 "$dev: is the input itself*" -f raw "$dev" "$dev"
	ln -s "$dev" other
	refuses 73 "other: is the input itself*" -f raw "$dev" -O raw other
	old "$dev" 0 20M
}

@test "killed in the middle, the device has no head, neither old nor new" {
	device dev 20M
	"$IMGCONV" in.raw "$dev"
	mkfifo pipe
	"$IMGCONV" -O raw - "$dev" <pipe 3>&- &
	local worker pid=$!
	{
		# The rest never comes.
		head -c 8M in.raw
		for _ in $(seq 100); do
			# Both sides of it show that the run is on its way.
			cmp -s -n 1M -i 5M in.raw "$dev" &&
				cmp -s -n 4096 /dev/zero "$dev" && break
			sleep 0.1
		done
		worker=$(pgrep -P "$pid")
		zeros "$dev" 0 1M
		kill -9 "$pid" $worker
	} >pipe
	wait "$pid" || true
	zeros "$dev" 0 1M
	old "$dev" 12M 8M
}

@test "a run that fails in the middle leaves no head either" {
	device dev 20M
	"$IMGCONV" in.raw "$dev"
	xz -0 -c in.raw | head -c -100 >cut.xz
	runs 65 cut.xz "$dev"
	zeros "$dev" 0 1M
}

@test "the order of calls: wipe, flush, data, flush, head, flush" {
	need strace
	device dev 20M
	strace -f -y -o trace -e trace=pwrite64,pwritev,fallocate,fdatasync,fsync \
		"$IMGCONV" in.raw "$dev" 
	grep -F "$dev" trace | sed -E 's/^[0-9]+ +([a-z]+)[^(]*\(.*, ([0-9]+)\) += .*/\1 \2/; s/^[0-9]+ +([a-z]+)\(.*/\1/' >calls
	equal "pwritev 0" "$(head -n 1 calls)"
	equal fdatasync "$(sed -n 2p calls)"
	equal "fdatasync pwrite 0 fsync " "$(tail -n 3 calls | tr '\n' ' ')"
	equal 2 "$(grep -c ' 0$' <(grep pwrite calls))" "writes to the head"
	# Without it all order is the page cache's.
	strace -f -y -o trace -e trace=fdatasync,fsync \
		"$IMGCONV" --no-sync in.raw "$dev"
	! grep sync trace
}

@test "--target-is-zero leaves zeros alone" {
	device dev 20M
	runs 0 --target-is-zero in.raw "$dev"
	cmp -n 1M -i 5M in.raw "$dev"
	old "$dev" 2M 3M
}

@test "--verify and --digest see the image, not what is behind it" {
	need sha256sum
	device dev 20M
	runs 0 --verify --digest in.raw "$dev"
	equal "$(sha256sum <in.raw | cut -d ' ' -f 1)" "${output%% *}"
	runs 0 --verify -O qcow2 in.raw "$dev"
}

@test "a device is read with its size, whatever its sectors" {
	need qemu-img
	local bytes
	for bytes in 512 4096; do
		device dev 12M -b "$bytes"
		cat in.raw >"$dev"
		runs 0 -f raw --force "$dev" out.qcow2
		qemu-img compare -f raw -F qcow2 in.raw out.qcow2
		runs 0 compare in.raw "$dev"
		runs 0 map "$dev"
		tr '\0' '\377' </dev/zero | head -c 12M >"$dev"
		runs 0 out.qcow2 "$dev"
		cmp in.raw "$dev"
	done
	# Behind the image is a difference, too.
	device large 13M
	cat in.raw >"$large"
	runs 1 compare in.raw "$large"
	[[ $output == *"Sizes differ"* ]]
}

@test "a qcow2 on a device is an input" {
	device dev 20M
	"$IMGCONV" -O qcow2 in.raw "$dev"
	runs 0 "$dev" out.raw
	cmp in.raw out.raw
	runs 0 check "$dev"
	runs 0 compare "$dev" in.raw
}

@test "a partitioned disk grows to the device it goes to" {
	need sgdisk
	device dev 20M
	truncate -s 0 in.raw
	truncate -s 12M in.raw
	sgdisk -n 1:2048:+4M in.raw >/dev/null
	runs 0 -s 20M in.raw "$dev"
	sgdisk -v "$dev" | grep -q 'No problems found'
}

@test "a device is not consumed, and not resized" {
	device dev 20M
	local numbers
	numbers=$(stat -c '%Hr %Lr' "$dev")
	# shellcheck disable=SC2086
	mknod node b $numbers || skip "no device nodes can be made"
	refuses 64 "--consume needs a regular file, and node is none" \
		--consume -f raw node out.qcow2
	[ -b node ]
	refuses 69 "$dev: *a device cannot be resized in place*" \
		resize -f raw "$dev" 30M
	old "$dev" 0 20M
}
