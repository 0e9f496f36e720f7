#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a stranger's image may ask for at most.

load helper
load images
load every

# shellcheck disable=SC2154 # bats sets output and stderr

@test "--max-size: what an image says is refused before the output is opened" {
	qemu-img create -q -f qcow2 large.qcow2 65T
	refuses 65 'large.qcow2: 71468255805440 bytes are more than the 70368744177664 of --max-size: *' \
		large.qcow2 out.qcow2
	nothing_at out.qcow2
	imgconv --max-size 66T large.qcow2 out.qcow2
	imgconv info large.qcow2 >/dev/null
	truncate -s 1M small.raw
	imgconv --max-size 1M small.raw out.raw
	refuses 65 'small.raw: 1048576 bytes are more than the 1048575 *' \
		--max-size 1048575 small.raw no.raw
	nothing_at no.raw
	refuses 64 '--max-size: nothing is 0 bytes or less' \
		--max-size 0 small.raw no.raw
	refuses 65 'small.raw: * bytes are more than *' \
		measure --max-size 1000 small.raw
}

@test "--max-size: a stream is stopped at the byte after, wherever it goes" {
	# 785 bytes that are a GiB; here 16 MiB, so that nobody waits.
	head -c 16M /dev/zero | bzip2 >bomb.bz2
	[ "$(size_of bomb.bz2)" -lt 1000 ]
	imgconv --max-size 16M bomb.bz2 all.raw
	equal 16777216 "$(size_of all.raw)"
	for out in raw qcow2 raw.xz; do
		refuses 65 'bomb.bz2: unpacks to more than 16777215 bytes: allow it by --max-size' \
			--max-size 16777215 bomb.bz2 "cut.$out"
		nothing_at "cut.$out"
	done
	run -65 --separate-stderr "$IMGCONV" --max-size 5M -O raw - cut.raw <bomb.bz2
	[[ $stderr == *'unpacks to more than 5242880 bytes'* ]]
	# Also where it would go into a temporary file.
	imgconv all.raw all.qcow2.bz2
	run -65 --separate-stderr "$IMGCONV" map --max-size 100000 all.qcow2.bz2
	[[ $stderr == *'unpacks to more than 100000 bytes'* ]] || fail "$stderr"
	refuses 65 'bomb.bz2*unpacks to more than 5242880 bytes*' \
		compare --max-size 5M bomb.bz2 all.raw
}

# passed FILE : how many bytes came out before --max-size stopped it; $status.
passed() {
	set +e
	"$IMGCONV" -q --max-size 5308415 -O raw "$1" - 2>said | wc -c
	status=${PIPESTATUS[0]}
	set -e
}

@test "--max-size: every kind, before the first byte, and what is not known" {
	local file kind bytes
	need python3 qemu-img xz bzip2 gzip cpio
	make_odd_disk disk.raw
	truncate -s 5308416 disk.raw
	make_every disk.raw all
	for file in all/*; do
		kind=${file#all/}
		passed "$file" >bytes
		equal 65 "$status" "$kind"
		grep -q -- --max-size said
		# What says its size says it before.
		case $kind in
		raw.gz | raw.bz2 | raw.lz4) [ "$(cat bytes)" -le 5308415 ] ;;
		*) equal 0 "$(cat bytes)" "bytes of $kind" ;;
		esac
		# These are not known for what they are in a pipe.
		case $kind in vhd-fixed | dmg* | 7z) continue ;; esac
		passed - < <(cat "$file") >bytes
		equal 65 "$status" "$kind in a pipe: $(cat said)"
		case $kind in
		raw.* | blocks.xz | xva) [ "$(cat bytes)" -le 5308415 ] ;;
		*) equal 0 "$(cat bytes)" "bytes of $kind in a pipe" ;;
		esac
		# At the limit all of it passes.
		runs 0 -q --max-size 5308416 -O raw "$file" out.raw
		same_bytes disk.raw out.raw
		rm out.raw
	done
}

@test "what the output can hold: before the first byte, and in a stream" {
	local options out
	truncate -s 2T large.raw
	while read -r options; do
		for out in out.img -; do
			# shellcheck disable=SC2086
			run --separate-stderr "$IMGCONV" -O $options large.raw \
				$out
			# A survey of so much is a limit, too.
			[ "$status" -eq 69 ] || [ "$status" -eq 65 ] ||
				fail "$options: $status ($stderr)"
			[ -z "$output" ] || fail "$options: bytes came out"
			nothing_at out.img
		done
	done <<-END
		vhd
		vhd -o subformat=fixed
		qcow2 -o cluster_size=512
		vdi -o block_size=4K
		qed -o cluster_size=4K,table_size=1
		parallels -o cluster_size=4K
	END
	truncate -s 15T large.raw
	fails 69 "*4294967295 blocks of 1024*" -O simg -o block_size=1K \
		large.raw out.img
	fails 69 "*999 are possible*" -O vmdk \
		-o subformat=twoGbMaxExtentSparse large.raw out.img
	nothing_at out.img
	# Of a stream it is known when it has been too much.
	head -c 110M /dev/zero | gzip -1 >part.gz
	cat part.gz{,,,,,,,,,} >large.gz
	fails 69 "*can map (1073741824)*" -O qed \
		-o cluster_size=4K,table_size=1 large.gz out.img ||
		fails 65 "*can map (1073741824)*" -O qed \
			-o cluster_size=4K,table_size=1 large.gz out.img
	nothing_at out.img
}
