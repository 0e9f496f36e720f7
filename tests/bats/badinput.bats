#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Inputs that lie: each gets one line and its status, and leaves nothing.

load helper
load images

prepare() {
	need qemu-img python3
}

# bad STATUS PATTERN WORD...: a qcow2 with these words (make_qcow2.py) fails
# so, to either format.
bad() {
	local wanted=$1 pattern=$2
	shift 2
	make_qcow2 bad.qcow2 "$@"
	fails "$wanted" "$pattern" -f qcow2 bad.qcow2 out.raw
	nothing_at out.raw
	fails "$wanted" "$pattern" -f qcow2 bad.qcow2 out.qcow2
	nothing_at out.qcow2
}

@test "the image that the bad ones are made from is good" {
	local words
	for words in "" v2 bits=9 bits=12 bits=21; do
		# shellcheck disable=SC2086
		make_qcow2 good.qcow2 $words
		sound good.qcow2
		runs 0 --force good.qcow2 out.raw
		qemu-img convert -O raw good.qcow2 right.raw
		same_bytes right.raw out.raw
	done
}

@test "header: magic and version" {
	bad 65 "*magic*" magic=0x12345678
	bad 69 "*version 4*" version=4
	bad 69 "*version 1*" version=1
	bad 69 "*version 0*" version=0
}

@test "header: cluster_bits" {
	bad 65 "*bad.qcow2*qcow2*cluster_bits 63 is out of range (9..21)*" \
		cluster_bits=63
	bad 65 "*cluster_bits 8 *" cluster_bits=8
	bad 65 "*cluster_bits 22 *" cluster_bits=22
	bad 65 "*cluster_bits 4294967295 *" cluster_bits=0xffffffff
	bad 65 "*cluster_bits 0 *" cluster_bits=0
}

@test "header: size" {
	bad 65 "*" size=0xffffffffffffffff
	bad 65 "*" size=0x7fffffffffffffff
	bad 65 "*L1*" size=0x100000000000
}

@test "header: L1 table" {
	bad 65 "*L1*" l1_size=0xffffffff
	bad 65 "*L1*" l1_size=0
	bad 65 "*L1*" l1_table_offset=0x7fffffffffff0000
	bad 65 "*L1*" l1_table_offset=+1
	bad 65 "*L1*" l1_table_offset=0x1000000
	bad 65 "*L1*" l1_table_offset=0
}

@test "header: refcounts" {
	bad 65 "*refcount*" refcount_order=7
	bad 65 "*refcount*" refcount_order=0xffffffff
	bad 65 "*refcount*" refcount_table_offset=+1
	bad 65 "*refcount*" refcount_table_offset=0x7fffffffffff0000
	bad 65 "*refcount*" refcount_table_clusters=0xffffffff
}

@test "header: length" {
	bad 65 "*header*" header_length=103
	bad 65 "*header*" header_length=0
	bad 65 "*header*" header_length=0xfffffff8
}

@test "header: encryption is refused by name" {
	bad 69 "*encrypt*" crypt_method=1
	bad 69 "*encrypt*" crypt_method=2
	bad 65 "*77*" crypt_method=77
}

@test "header: incompatible features, known and unknown" {
	bad 69 "*" incompatible_features=0x8000000000000000
	bad 65 "*corrupt*" incompatible_features=2
	bad 65 "*compression*" compression_type=1
	bad 69 "*compression type*" compression_type=9 incompatible_features=8
}

@test "a dirty image is explained, not guessed at" {
	make_qcow2 dirty.qcow2 incompatible_features=1
	runs 0 dirty.qcow2 out.raw
	[[ $stderr == "imgconv: note: "*"not closed properly"* ]]
	qemu-img convert -O raw dirty.qcow2 right.raw
	same_bytes right.raw out.raw
}

@test "header: snapshots" {
	bad 65 "*snapshot*" nb_snapshots=1 snapshots_offset=0x7fffffffffff0000
	bad 65 "*snapshot*" nb_snapshots=0xffffffff snapshots_offset=65536
	bad 65 "*snapshot*" nb_snapshots=1 snapshots_offset=+7
}

@test "header: backing file name" {
	bad 65 "*backing*" backing_file_offset=120 backing_file_size=0xffffffff
	bad 65 "*backing*" backing_file_offset=0x7fffffffffff0000 \
		backing_file_size=5
	bad 65 "*backing*" backing_file_offset=120 backing_file_size=1024
}

@test "header extensions that run out of the header" {
	bad 65 "*extension*" extension=0x12345678:aabb \
		"at 116=fffffff0"
}

@test "L1 entries" {
	bad 65 "*L1*" "l1[0]=0x8000000000040200"
	bad 65 "*L2*" "l1[0]=0x8000000100000000"
	bad 65 "*L*" "l1[0]=0x80fffffffffff000"
}

@test "L2 entries" {
	bad 65 "*" "l2[0]=0x8000000000050200"
	bad 65 "*" "l2[0]=0x8000000100000000"
	bad 65 "*" "l2[0]=0x80fffffffffff000"
}

@test "clusters mapped twice are a way to claim more than is there" {
	bad 65 "*" $(seq -f 'l2[%g]=0x8000000000050000' 3 15)
}

@test "backing chains that come back to themselves end" {
	make_qcow2 self.qcow2 backing=self.qcow2
	never_succeeds out.raw --allow-references self.qcow2 out.raw
	make_qcow2 a.qcow2 backing=b.qcow2
	make_qcow2 b.qcow2 backing=a.qcow2
	never_succeeds out.raw --allow-references a.qcow2 out.raw
}

@test "compressed clusters: wrong length, garbage, past the end" {
	bad 65 "*" deflate=65535
	bad 65 "*" deflate=65537
	bad 65 "*" deflate=1
	bad 65 "*" "at 0x60000=ffffffffffff"
	bad 65 "*" "l2[1]=0x4000000100000000"
	bad 65 "*" "l2[1]=0x7fffffffffffffff"
}

@test "truncated at every boundary, and beside it" {
	local cut
	# Header 0, refcount table 1, block 2, L1 3, L2 4, data 5, packed 6.
	for cut in 1 3 4 8 20 24 71 72 100 103 104 111 512 65535 65536 131072 \
		196608 196616 262143 262144 262145 327679 327680 327681 \
		393215 393216 393217 393230; do
		make_qcow2 cut.qcow2 "cut=$cut"
		fails 65 "*" -f qcow2 cut.qcow2 out.raw
		nothing_at out.raw
	done
}

@test "a short container without its magic is not taken for raw" {
	make_qcow2 cut.qcow2 cut=60
	never_succeeds out.raw cut.qcow2 out.raw
}

@test "a container signature with bootable raw content needs -f" {
	make_qcow2 both.qcow2 "at 510=55aa" "at 446=80" \
		"at 450=83" "at 454=01000000" "at 458=ff000000"
	fails 65 "*-f*" both.qcow2 out.raw ||
		fails 69 "*-f*" both.qcow2 out.raw
	nothing_at out.raw
	runs 0 -f raw both.qcow2 out.raw
	same_bytes both.qcow2 out.raw
}

# Signatures of what cannot be read, at their offsets, in a file of 1 MiB.
foreign() {
	cat <<-'END'
		vmdk 0 4b444d56
		vmdk 0 23204469736b2044657363726970746f7246696c65
		vhdx 0 7668647866696c65
		vdi 64 7f10dabe
		qed 0 51454400
		qcow1 0 514649fb00000001
		parallels 0 576974686f757446726565537061636500
		parallels 0 576974686f75466f55747253706163
		bochs 0 426f636873205669727475616c204844
		android 0 3aff26ed01000000
		luks -
		e01 0 455646090d0aff00
		tar 257 7573746172
		zip 0 504b0304
		7z 0 377abcaf271c
		rar 0 526172211a0700
		partclone 0 706172746366c6f6e65
		vma 0 564d4100
		vhd 0 636f6e6563746978
		caibx 0 9d5d8a8f
	END
}

@test "foreign containers are refused by name, never taken as raw" {
	local name offset hex
	while read -r name offset hex; do
		case $name in
		# Names whose rest the probe looks at are in its own unit.
		luks | caibx | partclone | tar | vhd | parallels | qcow1 | bochs)
			continue
			;;
		esac
		truncate -s 0 in.bin
		truncate -s 1M in.bin
		python3 -c 'import sys
with open("in.bin", "r+b") as file:
    file.seek(int(sys.argv[1]))
    file.write(bytes.fromhex(sys.argv[2]))' "$offset" "$hex"
		run --separate-stderr without_tools "$IMGCONV" in.bin -O raw \
			out.raw
		case $status in
		65 | 69) ;;
		*) fail "$name: status $status: $stderr" ;;
		esac
		nothing_at out.raw
		# But one may insist.
		runs 0 --force -f raw in.bin -O raw forced.raw
		same_bytes in.bin forced.raw
	done < <(foreign)
}

@test "what qemu-img makes is read without it" {
	local format
	make_odd_disk in.raw
	for format in vmdk vdi vhdx qed parallels qcow; do
		qemu-img convert -O $format in.raw in.$format
		run -0 --separate-stderr without_tools "$IMGCONV" --force \
			in.$format -O raw out.raw
		cmp -n "$(size_of in.raw)" in.raw out.raw
		run -0 without_tools "$IMGCONV" plan in.$format -O raw new.raw
		[[ $output != *qemu-img* ]]
	done
}

@test "a fixed VHD has its mark at the end only" {
	qemu-img create -q -f vpc -o subformat=fixed fixed.bin 8M
	runs 0 fixed.bin -O raw out.raw
	rm out.raw
	fails 69 "*vhd*" - -O raw out.raw < <(cat fixed.bin)
	nothing_at out.raw
}

@test "archives that are not read are refused by name" {
	printf 'Rar!\032\a\1\0' >in.rar
	head -c 4096 /dev/zero >>in.rar
	fails 69 "*RAR*archives are not read*" in.rar -O raw out.raw
	printf 'MSCF\0\0\0\0' >in.cab
	head -c 4096 /dev/zero >>in.cab
	fails 69 "*cab*" in.cab -O raw out.raw
	nothing_at out.raw
}

@test "a disk that holds a filesystem is raw, whatever lies inside" {
	truncate -s 32M in.raw
	PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F in.raw
	runs 0 -v in.raw out.raw
	[[ $stderr == *ext* ]]
	same_bytes in.raw out.raw
}

@test "no such input, no right, a folder" {
	fails 66 "*absent.raw*" absent.raw out.raw
	nothing_at out.raw
	mkdir folder
	fails 66 "*folder*" folder -O raw out.raw ||
		fails 69 "*folder*" folder -O raw out.raw
	nothing_at out.raw
	if [ "$(id -u)" != 0 ]; then
		touch secret.raw && chmod 0 secret.raw
		fails 77 "*secret.raw*" secret.raw out.raw ||
			fails 66 "*secret.raw*" secret.raw out.raw
	fi
}

@test "an empty file with a container's name" {
	: >in.qcow2
	never_succeeds out.raw -f qcow2 in.qcow2 out.raw
}

@test "an input that changes during the run fails with 75" {
	local how
	for how in 'printf x >>in.raw' 'truncate -s 60M in.raw' \
		'touch -d @1 in.raw'; do
		make_pattern in.raw data:64M
		# The reader holds the run in its middle while the file changes.
		run bash -c '"$1" in.raw -O raw - 2>said | {
				head -c 65536 >/dev/null
				eval "$2"
				cat >/dev/null
			}
			exit ${PIPESTATUS[0]}' - "$IMGCONV" "$how"
		equal 75 "$status" "$how: $(cat said)"
		grep -q '^imgconv: .*changed' said
	done
}
