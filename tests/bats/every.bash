# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# One small image of every kind that is read, and every kind that is written,
# for the suites whose promise is about all of them.

# by_script KIND ARGUMENT...: fixtures/make_KIND.py.
by_script() { python3 -B "$fixtures/make_$1.py" "${@:2}"; }

# make_every RAW FOLDER: RAW as an image of every kind that is one file, in
# FOLDER, by name: what is in front of the first dot is the kind. Whole grains
# and blocks of 64 KiB, please: then each holds RAW and nothing behind it.
make_every() {
	local raw=$1 at=$2 kind
	mkdir -p "$at"
	ours() { "$IMGCONV" -q "${@:3}" -O "$2" "$raw" "$at/$1"; }
	ours qcow2 qcow2
	ours qcow2-zlib qcow2 -c
	ours qcow2-small qcow2 -o cluster_size=4k,extended_l2=off
	ours qcow2-wide qcow2 -o cluster_size=16k,extended_l2=on
	ours qcow2-old qcow2 -o compat=0.10
	ours vmdk vmdk
	ours vmdk-stream vmdk -o subformat=streamOptimized
	ours vhd vhd
	ours vhd-fixed vhd -o subformat=fixed
	ours vhdx vhdx -o block_size=1M
	ours vhdx-fixed vhdx -o subformat=fixed,block_size=1M
	ours vdi vdi
	ours vdi-static vdi -o static=on
	ours qed qed
	ours parallels parallels
	ours simg simg
	ours simg-crc simg -o crc=on
	by_script ova "$at/ova" "$at/vmdk-stream" \
		--capacity "$(stat -c %s "$raw")"
	qemu-img convert -O qcow "$raw" "$at/qcow"
	# It may end with 1 though all is well.
	qemu-img convert -c -O qcow "$raw" "$at/qcow-zlib" ||
		[ -s "$at/qcow-zlib" ]
	for kind in sparse packed; do
		by_script vmdk $kind "$raw" "$at/vmdk-$kind.vmdk"
	done
	by_script bochs "$raw" "$at/bochs" 2 65536
	by_script bochs "$raw" "$at/bochs-old" 1 65536
	by_script cloop "$raw" "$at/cloop" 65536
	by_script partclone --sum crc32 "$at/partclone" "$raw"
	by_script partclone --version 1 "$at/partclone-one" "$raw"
	by_script vma "$at/vma" drive-scsi0="$raw"
	by_script xva "$at/xva" "$raw"
	gzip -c "$raw" >"$at/raw.gz"
	xz -1 -T1 -c "$raw" >"$at/raw.xz"
	xz -1 -T1 --block-size=256K -c "$raw" >"$at/blocks.xz"
	bzip2 -c "$raw" >"$at/raw.bz2"
	gzip -c "$at/qcow2" >"$at/qcow2.gz"
	cp "$raw" "$at/disk.raw"
	(
		cd "$at" || exit
		tar --format=ustar -cf tar disk.raw
		tar --format=pax -cf tar-pax disk.raw
		tar -czf tar-gz disk.raw
		python3 -c 'import sys, zipfile
for name, kind in ("zip", zipfile.ZIP_DEFLATED), ("zip-stored", zipfile.ZIP_STORED):
    with zipfile.ZipFile(name, "w", kind) as file:
        file.write("disk.raw")'
		echo disk.raw | cpio -o -H newc --quiet >cpio
		rm disk.raw
	)
	if [ "${IMGCONV_VARIANT:-}" = minimal ]; then
		rm "$at"/tar* "$at/zip" "$at/zip-stored" "$at/cpio" "$at/ova"
		rm "$at/raw.bz2"
		return
	fi
	ours qcow2-zstd qcow2 --compress=zstd
	for kind in zlib bzip2 xz adc; do
		by_script dmg "$raw" "$at/dmg-$kind" zero $kind raw
	done
	# Tools that not everybody has.
	! type -P zstd >/dev/null || zstd -q -c "$raw" >"$at/raw.zst"
	! type -P lz4 >/dev/null || lz4 -q -c "$raw" >"$at/raw.lz4"
	! type -P 7z >/dev/null || (
		cp "$raw" "$at/disk.raw"
		cd "$at" && 7z a -bso0 -bsp0 -t7z 7z. disk.raw
		rm disk.raw
	)
	! type -P ewfacquire >/dev/null || (
		ewfacquire -u -q -t "$at/ewf" -f encase6 -c deflate:fast \
			-d sha1 -b 16 -S 1G "$raw" >/dev/null 2>&1
		mv "$at/ewf.E01" "$at/ewf"
	)
}

# For setup_file: disk.raw and all/, once for a suite; every_here, for prepare: in
# the test.
every_once() {
	cd "$BATS_FILE_TMPDIR" || return 1
	make_odd_disk disk.raw
	truncate -s 5308416 disk.raw
	make_every disk.raw all
}

every_here() {
	need python3 qemu-img xz bzip2 gzip cpio
	cp -rl "$BATS_FILE_TMPDIR"/{disk.raw,all} .
}

# every_output: options for each kind that is written, one a line.
every_output() {
	cat <<-END
		-O raw
		-O qcow2
		-O qcow2 -c
		-O qcow2 -o extended_l2=on
		-O vmdk
		-O vmdk -o subformat=streamOptimized
		-O vmdk -o subformat=twoGbMaxExtentSparse
		-O vmdk -o subformat=monolithicFlat
		-O vhd
		-O vhd -o subformat=fixed
		-O vhdx
		-O vhdx -o subformat=fixed
		-O vdi
		-O vdi -o static=on
		-O qed
		-O parallels
		-O simg
		-O raw.gz
		-O raw.xz
	END
	[ "${IMGCONV_VARIANT:-}" != minimal ] || return 0
	cat <<-END
		-O qcow2 --compress=zstd
		-O raw.zst
		-O raw.bz2
		-O raw.lz4
		-O raw.tar
		-O raw.zip
	END
}
