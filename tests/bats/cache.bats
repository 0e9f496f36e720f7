#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --cache: what a run leaves in the page cache, and that nothing else depends
# on it. What is in there is asked of the kernel (fincore); file systems that
# keep their files nowhere else cannot be asked.
load helper
load images

# Beside the test's own files, which may be on a tmpfs.
prepare() {
	need fincore
	case $(stat -f -c %T .) in
	tmpfs | ramfs)
		room=$(mktemp -d /var/tmp/imgconv-cache.XXXXXX)
		cd "$room" || return 1
		case $(stat -f -c %T .) in
		tmpfs | ramfs | overlayfs) skip "no file system on a disk" ;;
		esac
		;;
	esac
	# Units of all kinds: whole, with holes, an end within a page.
	pattern in.raw 40000512 0 1000 head 1M 9M first 12345678 20M second \
		40000000 512 end
	sync in.raw
}

teardown() {
	local path
	[ -z "${mounted:-}" ] || umount "$mounted"
	if [ -e "$BATS_TEST_TMPDIR/loops" ]; then
		while read -r path; do
			losetup -d "$path" || true
		done <"$BATS_TEST_TMPDIR/loops"
	fi
	cd / && rm -rf "${room:-/nonexistent}"
}

resident() { fincore -b -n -o RES "$1" | tr -d ' '; }

# stays FILE: more than half of its blocks; leaves FILE: hardly anything.
stays() {
	[ "$(resident "$1")" -gt $(($(stat -c %b "$1") * 256)) ] ||
		fail "$1: only $(resident "$1") bytes are cached"
}

leaves() {
	[ "$(resident "$1")" -le 65536 ] ||
		fail "$1: $(resident "$1") bytes are cached"
}

warm() { cat "$1" >/dev/null; }

@test "the bytes are the same in every way, and for every format" {
	local format way
	# Some formats hold their own name.
	mkdir auto none direct
	for format in raw qcow2 vmdk vhdx; do
		for way in auto none direct; do
			runs 0 --cache=$way in.raw $way/x.$format
			cmp auto/x.$format $way/x.$format
			# And from there: tables, and data where it lies.
			runs 0 --cache=$way -O raw auto/x.$format back.raw
			cmp -n 40000512 in.raw back.raw
			rm back.raw
		done
	done
}

@test "bytes that begin anywhere: compressed, and in a stream" {
	local way
	mkdir auto none direct
	for way in auto none direct; do
		runs 0 --cache=$way -c in.raw $way/x.qcow2
		cmp auto/x.qcow2 $way/x.qcow2
		runs 0 --cache=$way -o subformat=streamOptimized in.raw \
			$way/x.vmdk
		cmp auto/x.vmdk $way/x.vmdk
		runs 0 --cache=$way -O raw auto/x.vmdk $way/x.raw
		cmp -n 40000512 in.raw $way/x.raw
		"$IMGCONV" --cache=$way -O raw in.raw - | cmp in.raw -
		"$IMGCONV" --cache=$way -O raw - p.raw < <(cat in.raw)
		cmp in.raw p.raw
		rm p.raw
	done
}

@test "a small file stays in the cache, input and output" {
	warm in.raw
	runs 0 in.raw out.qcow2
	stays in.raw
	stays out.qcow2
	runs 0 --cache=auto out.qcow2 back.raw
	stays out.qcow2
	stays back.raw
}

@test "--cache=none leaves nothing, synced or not, warm or not" {
	local sync
	for sync in "" --no-sync; do
		warm in.raw
		# shellcheck disable=SC2086
		runs 0 --cache=none $sync in.raw out.qcow2
		leaves in.raw
		leaves out.qcow2
		runs 0 --cache=none $sync out.qcow2 back.raw
		leaves out.qcow2
		leaves back.raw
		rm out.qcow2 back.raw
	done
}

@test "--cache=none with several files, a second pass, and a second look" {
	runs 0 --cache=none -o subformat=twoGbMaxExtentSparse in.raw s.vmdk
	leaves s-s001.vmdk
	runs 0 --cache=none --verify in.raw v.qcow2
	leaves v.qcow2
	sync v.qcow2
	warm v.qcow2
	runs 0 compare --cache=none in.raw v.qcow2
	leaves in.raw
	leaves v.qcow2
	warm v.qcow2
	runs 0 check --cache=none --checksum \
		"$(sha256sum v.qcow2 | cut -d' ' -f1)" v.qcow2
	leaves v.qcow2
}

@test "--cache=direct goes around it" {
	need strace
	warm in.raw
	strace -f -qq -y -e trace=openat,pread64,pwrite64 -o calls "$IMGCONV" \
		--cache=direct in.raw out.qcow2
	grep -q 'O_RDONLY|O_DIRECT' calls
	grep -q 'O_RDWR|O_DIRECT' calls
	leaves in.raw
	leaves out.qcow2
}

@test "--cache=direct is refused where a file system cannot" {
	[ "$(id -u)" = 0 ] || skip "mounting needs root"
	mkdir ram
	mount -t ramfs none ram || skip "nothing can be mounted"
	mounted=$PWD/ram
	refuses 73 "ram/out.raw: *has no O_DIRECT; leave out --cache=direct" \
		--cache=direct in.raw ram/out.raw
	equal "" "$(files ram)"
	cp in.raw ram
	refuses 66 "ram/in.raw: *has no O_DIRECT; leave out --cache=direct" \
		--cache=direct ram/in.raw out.raw
	[ ! -e out.raw ]
	runs 0 --cache=none ram/in.raw ram/out.raw
	cmp in.raw ram/out.raw
}

@test "on XFS, too, holes of an output take no room" {
	[ "$(id -u)" = 0 ] || skip "mounting needs root"
	need mkfs.xfs
	local name
	truncate -s 400M fs.img
	mkfs.xfs -q fs.img
	mkdir xfs
	mount -o loop fs.img xfs || skip "nothing can be mounted"
	mounted=$PWD/xfs
	# Data with a hole after each bit of it.
	truncate -s 64M holes.raw
	for name in {0..15}; do
		head -c 3M in.raw | tr '\0' x | dd of=holes.raw bs=1M \
			seek=$((name * 4)) conv=notrunc iflag=fullblock \
			status=none
	done
	for name in x.raw "x.vhd -o subformat=fixed"; do
		# shellcheck disable=SC2086
		runs 0 holes.raw xfs/$name
		name=xfs/${name%% *}
		[ "$(stat -c %b "$name")" -le $((50 * 2048)) ] ||
			fail "$name takes $(stat -c %b "$name") sectors"
	done
}

@test "from a device to a device, in every way" {
	[ "$(id -u)" = 0 ] || skip "loop devices need root"
	need losetup
	local way name
	truncate -s 40M a b
	dd if=in.raw of=a conv=notrunc status=none
	for name in a b; do
		path=$(losetup -f --show $name) || skip "no loop device"
		echo "$path" >>"$BATS_TEST_TMPDIR/loops"
		printf -v "dev_$name" %s "$path"
	done
	# shellcheck disable=SC2154
	for way in auto none direct; do
		tr '\0' '\377' </dev/zero | head -c 40M >"$dev_b"
		warm "$dev_a"
		runs 0 --cache=$way -f raw -O raw "$dev_a" "$dev_b"
		cmp "$dev_a" "$dev_b"
		runs 0 --cache=$way -f raw "$dev_a" $way.qcow2
		runs 0 --cache=$way -O raw $way.qcow2 "$dev_b"
		cmp "$dev_a" "$dev_b"
	done
	# A device is written out as the run goes on.
	need strace
	strace -f -qq -e trace=sync_file_range -o calls \
		"$IMGCONV" --no-sync -O raw none.qcow2 "$dev_b"
	run -1 grep sync_file_range calls
	strace -f -qq -e trace=sync_file_range -o calls \
		"$IMGCONV" -O raw none.qcow2 "$dev_b"
	grep -q 'SYNC_FILE_RANGE_WAIT_AFTER) *= 0' calls
}
