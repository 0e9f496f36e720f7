#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Pipes on either side: any read size, any order of things inside, and ends
# that go away.

load helper
load images

prepare() {
	need qemu-img qemu-io xz python3
}

@test "from a pipe, to a pipe, and both" {
	make_odd_disk in.raw
	"$IMGCONV" - -O qcow2 a.qcow2 < <(cat in.raw)
	sound a.qcow2
	same_disk raw in.raw qcow2 a.qcow2
	"$IMGCONV" in.raw -O qcow2 - | cat >b.qcow2
	sound b.qcow2
	same_disk raw in.raw qcow2 b.qcow2
	cat in.raw | "$IMGCONV" -O qcow2 - - | cat >c.qcow2
	sound c.qcow2
	same_disk raw in.raw qcow2 c.qcow2
	cat in.raw | "$IMGCONV" -O raw - - | cmp - in.raw
}

@test "a qcow2 from a pipe, as its writer happened to order it" {
	make_odd_disk in.raw
	qemu-img convert -O qcow2 in.raw plain.qcow2
	qemu-img convert -c -O qcow2 in.raw packed.qcow2
	# Written backwards and over again: tables after data, data anywhere.
	qemu-img create -q -f qcow2 -o cluster_size=4K mixed.qcow2 64M
	qemu-io -c 'write -P 1 60M 1M' -c 'write -P 2 30M 1M' \
		-c 'write -P 3 0 1M' -c 'write -P 4 30M 64K' \
		-c 'write -z 60M 64K' mixed.qcow2 >/dev/null
	qemu-img convert -O raw mixed.qcow2 mixed.raw
	cp in.raw plain.raw
	cp in.raw packed.raw
	for name in plain packed mixed; do
		cat $name.qcow2 | "$IMGCONV" - $name.out.raw
		same_bytes $name.raw $name.out.raw
		cat $name.qcow2 | "$IMGCONV" -O qcow2 - $name.out.qcow2
		sound $name.out.qcow2
		same_disk raw $name.raw qcow2 $name.out.qcow2
		cat $name.qcow2 | "$IMGCONV" -O raw - - | cmp - $name.raw
		xz -T1 -k $name.qcow2
		runs 0 $name.qcow2.xz $name.xz.raw
		same_bytes $name.raw $name.xz.raw
	done
}

@test "a pipe that hands out one byte a read changes nothing" {
	make_pattern in.raw data:40000 zero:30000 text:20000 data:17
	drip 1 in.raw "$IMGCONV" -O raw - out.raw
	same_bytes in.raw out.raw
	"$IMGCONV" in.raw right.qcow2
	drip 1 in.raw "$IMGCONV" -O qcow2 - out.qcow2
	same_disk qcow2 right.qcow2 qcow2 out.qcow2
	drip 1 right.qcow2 "$IMGCONV" -O raw - fromq.raw
	cmp -n "$(size_of in.raw)" in.raw fromq.raw
	xz -k in.raw
	drip 1 in.raw.xz "$IMGCONV" -O raw - fromx.raw
	same_bytes in.raw fromx.raw
}

@test "read sizes change no byte of the output" {
	local step
	make_pattern in.raw data:1M hole:3M text:1M
	cat in.raw | "$IMGCONV" -c -O qcow2 - one.qcow2
	for step in 511 512 4095; do
		drip $step in.raw "$IMGCONV" --force -c -O qcow2 - more.qcow2
		same_bytes one.qcow2 more.qcow2
	done
}

@test "the probe says the same for a file, a pipe and single bytes" {
	local name
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	qemu-img convert -O vmdk disk.raw disk.vmdk
	qemu-img convert -O vdi disk.raw disk.vdi
	qemu-img convert -O vhdx disk.raw disk.vhdx
	for name in disk.vmdk disk.vdi disk.vhdx; do
		runs 0 --force --digest $name -O raw a.raw
		rm -f b.raw
		drip 4096 $name "$IMGCONV" -q -O raw - b.raw
		same_bytes a.raw b.raw
	done
	rm b.raw
	head -c 200000 disk.qcow2 >short.qcow2
	run --separate-stderr drip 1 short.qcow2 "$IMGCONV" -O raw - b.raw
	equal 65 "$status"
	nothing_at b.raw
}

@test "the reader goes away: dies of SIGPIPE, or says so in one line" {
	make_pattern in.raw data:8M
	# Whatever calls the tests may ignore SIGPIPE, which is inherited.
	run env --default-signal=PIPE bash -c '"$1" in.raw -O raw - 2>said | head -c 1 >/dev/null
		exit ${PIPESTATUS[0]}' - "$IMGCONV"
	case $status in
	141) [ ! -s said ] ;;
	74) equal 1 "$(grep -c '^imgconv: ' said)" ;;
	*) fail "status $status" ;;
	esac
}

@test "stdout closed, or a terminal's worth of nothing on stdin" {
	make_odd_disk in.raw
	run --separate-stderr bash -c '"$1" in.raw -O raw - >&-' - "$IMGCONV"
	[ "$status" -ge 64 ]
	run --separate-stderr bash -c '"$1" - out.raw <&-' - "$IMGCONV"
	[ "$status" -ge 64 ]
	nothing_at out.raw
}

@test "a full stdout is an error" {
	[ -c /dev/full ] || lack /dev/full
	make_pattern in.raw data:1M
	run --separate-stderr bash -c '"$1" in.raw -O raw - >/dev/full' - \
		"$IMGCONV"
	equal 74 "$status"
	[[ $stderr == "imgconv: "* ]]
}

@test "a truncated stream is an error at any cut" {
	local cut size
	make_pattern in.raw text:300K data:200K
	"$IMGCONV" in.raw in.qcow2
	size=$(size_of in.qcow2)
	for cut in 50 104 512 65536 66000 196608 $((size / 2)) $((size - 65536)); do
		run --separate-stderr bash -c \
			'head -c "$2" in.qcow2 | "$1" - -f qcow2 out.raw' - \
			"$IMGCONV" "$cut"
		equal 65 "$status" "cut at $cut: $stderr"
		nothing_at out.raw
	done
}

@test "from a pipe opens no temporary file where none is needed" {
	need strace
	make_odd_disk in.raw
	xz -k in.raw
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=open,openat,creat \
		-o calls "$IMGCONV" in.raw.xz out.qcow2
	only_output_written out.qcow2
}

# Every file opened for writing is the output: its name, its folder with
# O_TMPFILE, or a device that is none.
only_output_written() {
	local others
	others=$(grep -E 'O_WRONLY|O_RDWR|O_CREAT|creat\(' calls |
		grep -vE '= -1 |O_TMPFILE|"/dev/(null|tty)"|/tmp/tsan[.]' |
		grep -vF "\"$1\"" | grep -vF "/$1\"" || true)
	[ -z "$others" ] || fail "$others"
	# And just one unnamed file, which became the output.
	[ "$(grep -c O_TMPFILE calls)" -le 1 ]
}

@test "a conversion to a larger disk writes one file only" {
	need strace sgdisk mkfs.ext4
	make_gpt_image in.raw 32
	xz -T2 --block-size=4MiB in.raw
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=open,openat,creat \
		-o calls "$IMGCONV" in.raw.xz out.qcow2 -s 1G
	only_output_written out.qcow2
}

@test "-O names the compressions around a stream too" {
	make_odd_disk in.raw
	imgconv -O raw.xz in.raw - >out.xz
	xz -dc out.xz | cmp - in.raw
	imgconv -O qcow2.gz in.raw - >out.gz
	gzip -dc out.gz >out.qcow2
	qemu-img compare in.raw out.qcow2
	fails 64 "*unknown format*raw.xy*" in.raw -O raw.xy -
}
