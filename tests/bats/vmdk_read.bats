#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VMDK as input: every subformat, from files and pipes, what other programs
# say of the same files, and what is refused.
load helper
load images

make_vmdk() { python3 "$fixtures/make_vmdk.py" "$@"; }

# reads FILE RAW [OPTION...]: the disk in FILE is RAW.
reads() {
	local file=$1 raw=$2
	shift 2
	"$IMGCONV" "$@" -O raw "$file" - | cmp -- - "$raw" ||
		fail "$file and $raw differ"
}

# pipes FILE RAW: the same through a pipe, in one pass.
pipes() {
	"$IMGCONV" -O raw - - <"$1" | cmp -- - "$2" || fail "file: $1"
	# shellcheck disable=SC2002
	cat "$1" | "$IMGCONV" -O raw - - | cmp -- - "$2" || fail "pipe: $1"
}

@test "what qemu-img writes, of five subformats" {
	need qemu-img
	local type size
	make_odd_disk odd.raw
	pattern none.raw 1M
	pattern sector.raw 512 0 512 x
	pattern short.raw 1048064 1048063 1 z
	for type in monolithicSparse streamOptimized monolithicFlat \
		twoGbMaxExtentSparse twoGbMaxExtentFlat; do
		for size in odd none sector short; do
			qemu-img convert -O vmdk -o subformat=$type \
				"$size.raw" "$type.vmdk"
			reads "$type.vmdk" "$size.raw" --allow-references
			runs 0 check --allow-references "$type.vmdk"
		done
	done
	pipes streamOptimized.vmdk short.raw
	qemu-img convert -O vmdk -o subformat=streamOptimized odd.raw s.vmdk
	pipes s.vmdk odd.raw
}

@test "the kinds that no program here writes" {
	need qemu-img python3
	local kind word
	make_odd_disk odd.raw
	truncate -s 5244416 odd.raw
	printf E | dd of=odd.raw bs=1 seek=5244415 conv=notrunc status=none
	for kind in sparse stream cowd sesparse; do
		for word in cut_last zeros; do
			make_vmdk $kind odd.raw d.vmdk $word
			reads d.vmdk odd.raw --allow-references
			same_disk vmdk d.vmdk raw odd.raw
			runs 0 check --allow-references d.vmdk
			equal "No errors were found." "$output"
		done
	done
	# Grains and tables of other sizes; these cross many tables.
	for word in grain=8 grain=512 entries=128; do
		make_vmdk sparse odd.raw d.vmdk $word
		reads d.vmdk odd.raw
		runs 0 check d.vmdk
		make_vmdk stream odd.raw d.vmdk $word
		pipes d.vmdk odd.raw
		make_vmdk packed odd.raw d.vmdk $word
		reads d.vmdk odd.raw
		runs 0 check d.vmdk
	done
	make_vmdk cowd odd.raw d.vmdk grain=8
	reads d.vmdk odd.raw --allow-references
	make_vmdk stream odd.raw d.vmdk front
	pipes d.vmdk odd.raw
	make_vmdk stream odd.raw d.vmdk cut_last zeros
	pipes d.vmdk odd.raw
}

@test "other programs see the same" {
	need qemu-img python3 7z vmdkinfo
	make_odd_disk odd.raw
	local kind
	for kind in sparse stream; do
		make_vmdk $kind odd.raw $kind.vmdk
		mkdir "$kind.d"
		7z x -tvmdk -o"$kind.d" $kind.vmdk >/dev/null
		same_bytes odd.raw "$kind.d/$(ls "$kind.d")"
		runs 0 info $kind.vmdk
		run -0 vmdkinfo $kind.vmdk
		[[ $output == *"Media size:"*"5242880 bytes"* ]]
		[[ $output == *"Content identifier:"*"0x12345678"* ]]
	done
}

@test "info has the format's facts" {
	need python3
	need_json
	pattern a.raw 1M 0 70000 text
	make_vmdk stream a.raw s.vmdk
	runs 0 info --json s.vmdk
	equal '["streamOptimized","12345678","ide","4",65536,true,1,3]' \
		"$(jq -c '."format-specific" | [.subformat, .cid,
		."adapter-type", ."hardware-version", ."grain-size",
		.compressed, .extents, .version]' <<<"$output")"
	make_vmdk cowd a.raw c.vmdk parent=p.vmdk:00000001
	runs 0 info --json c.vmdk
	equal '["vmfsSparse","00000001","p.vmdk","c-delta.vmdk",1048576]' \
		"$(jq -c '[(."format-specific" | .subformat, ."parent-cid",
		."backing-file", ."data-file"[]), ."virtual-size"]' \
		<<<"$output")"
	runs 0 info s.vmdk
	[[ $output == *"uuid: 60 00 C2 9f 48 66 ae a5-2f 18 d3 03"* ]]
	make_vmdk sparse a.raw u.vmdk unclean=1
	fails 0 "note: vmdk: the image was not closed properly*" u.vmdk u.raw
}

@test "zeros that are stored as such are kept apart from holes" {
	need python3
	pattern a.raw 3M 0 70000 text
	make_vmdk sparse a.raw a.vmdk
	runs 0 map a.vmdk
	[[ $output == *hole* && $output != *zero* ]]
	make_vmdk sparse a.raw z.vmdk zeros
	runs 0 map z.vmdk
	[[ $output == *zero* && $output != *hole* ]]
	make_vmdk sesparse a.raw e.vmdk zeros
	runs 0 --allow-references map e.vmdk
	[[ $output == *zero* && $output != *hole* ]]
}

@test "split disks: order, offsets, zeros, and files in two parts" {
	need python3
	make_odd_disk odd.raw
	head -c 2M odd.raw >a.bin
	tail -c +2097153 odd.raw | head -c 1M >b.bin
	tail -c 2M odd.raw >c.raw
	cat b.bin a.bin >ba.bin
	make_vmdk sparse c.raw c.vmdk
	make_vmdk text - all.vmdk line='RW 4096 FLAT "ba.bin" 2048' \
		line='RW 2048 FLAT "ba.bin" 0' line='RW 4096 SPARSE "c.vmdk"'
	reads all.vmdk odd.raw --allow-references
	runs 0 check --allow-references all.vmdk
	make_vmdk text - zero.vmdk line='RW 4096 VMFS "a.bin"' \
		line='RDONLY 6144 ZERO'
	truncate -s 5M a.bin
	run -65 --separate-stderr "$IMGCONV" --allow-references zero.vmdk x.raw
	[[ $stderr == *"the file has 5242880 bytes, but the descriptor uses \
only 2097152 of them"* ]]
	truncate -s 2M a.bin
	cp a.bin want.raw
	truncate -s 5M want.raw
	reads zero.vmdk want.raw --allow-references
	runs 0 --allow-references map zero.vmdk
	[[ ${lines[-1]} == *" zero "* ]]
}

@test "parents, by CID" {
	need qemu-img python3
	local kind
	make_odd_disk base.raw
	cp base.raw top.raw
	yes new | head -c 70000 |
		dd of=top.raw bs=1000 seek=1500 conv=notrunc status=none
	dd if=/dev/zero of=top.raw bs=4096 count=4 conv=notrunc status=none
	make_vmdk sparse base.raw base.vmdk cid=0badcafe
	for kind in sparse cowd sesparse; do
		# COWD has no entry for zeros, and what qemu-img reads of the
		# others is the same.
		make_vmdk $kind top.raw top.vmdk below=base.raw \
			parent=base.vmdk:0badcafe
		fails 77 "top.vmdk: *not*--allow-references*" top.vmdk x.raw
		[ $kind = cowd ] && continue
		reads top.vmdk top.raw --allow-references
		same_disk vmdk top.vmdk raw top.raw
		runs 0 check --allow-references top.vmdk
	done
	# A third on top, COWD: nothing of it turns to zeros.
	cp top.raw third.raw
	yes third | head -c 5000 |
		dd of=third.raw bs=512 seek=4000 conv=notrunc status=none
	make_vmdk cowd third.raw third.vmdk below=top.raw \
		parent=top.vmdk:12345678
	reads third.vmdk third.raw --allow-references
	same_disk vmdk third.vmdk raw third.raw
	make_vmdk sparse base.raw base.vmdk cid=0badcaff
	fails 65 "third.vmdk: *parent top.vmdk: *parent base.vmdk has the CID \
0badcaff, not 0badcafe*" --allow-references third.vmdk x.raw
	run -2 --separate-stderr "$IMGCONV" check --allow-references top.vmdk
	[[ $output == *"has the CID 0badcaff, not 0badcafe"* ]]
	rm base.vmdk
	fails 66 "third.vmdk: *base.vmdk*No such file*" --allow-references \
		third.vmdk x.raw
	runs 0 info third.vmdk
	make_vmdk sparse top.raw top.vmdk parent=top.vmdk:12345678
	fails 65 "*loop of files*" --allow-references top.vmdk x.raw
}

@test "a part of a split disk is explained" {
	need qemu-img python3
	pattern a.raw 1M 0 70000 text
	qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse a.raw a.vmdk
	make_vmdk cowd a.raw c.vmdk
	make_vmdk sesparse a.raw e.vmdk
	local file
	for file in a-s001.vmdk c-delta.vmdk e-sesparse.vmdk; do
		fails 69 "$file: vmdk: this is one extent * of a split disk: \
give its descriptor, *" $file x.raw
		fails 69 "*this is one extent * of a split disk*" info $file
		fails 69 "-: vmdk: this is one extent*" -O raw - x.raw <$file
	done
	make_vmdk sparse a.raw n.vmdk descriptor=0
	fails 69 "n.vmdk: vmdk: this is one extent*" n.vmdk x.raw
}

# bad STATUS PATTERN WORD...: such an image is refused so.
bad() {
	local status=$1 pattern=$2 kind=${kind:-sparse}
	shift 2
	rm -f d.vmdk d-*.vmdk
	make_vmdk $kind a.raw d.vmdk "$@"
	fails "$status" "d.vmdk: vmdk: *$pattern*" --allow-references d.vmdk \
		x.raw
	nothing_at x.raw
}

# The unit goes through the fields of hosted extents.
@test "fields out of range" {
	need python3
	pattern a.raw 3M 0 70000 text 2M 1M more
	bad 69 "version 4 is unknown (1 to 3)" version=4
	bad 65 "changed by a transfer as text" newlines=0x0a0d0a20
	bad 65 "a grain of 100 sectors is not a power of two" grain_size=100
	kind=cowd
	bad 69 "COWD version 2" version=2
	bad 65 "the grain directory has 0 entries" gd_entries=0
	bad 65 "a grain of 3 sectors" grain_size=3
	bad 65 "grain directory at 512 lies in the header" gd_offset=1
	bad 65 "the capacity is 0" capacity=0
	kind=sesparse
	bad 69 "seSparse: grain is 0x10 (0x8)" grain_size=16
	bad 69 "seSparse: flags is 0x1" flags=1
	bad 69 "a reserved field" reserved=1
	bad 69 "the padding" padding=1
	bad 69 "its journal is not replayed here" replay=1
	bad 65 "volatile header begins with" volatile_offset=2
	bad 65 "directory entry 0 is 0x2000000000000000" gd=0:0x2000000000000000
	bad 65 "directory entry 0 is *, which is no grain table" \
		gd=0:0x1000000000000009
	bad 65 "is no grain" gt=0:0x4000000000000000
	bad 65 "is no grain" gt=0:0x3fff000000000000
}

@test "descriptors that contradict themselves or the extents" {
	need python3
	pattern a.raw 3M 0 70000 text
	bad 69 "createType fullDevice maps a raw device" \
		text=monolithicSparse=\>fullDevice
	bad 65 "the descriptor says 1048576 bytes, but the extent has 3145728" \
		'line=RW 2048 SPARSE "d.vmdk"'
	bad 69 "but the descriptor inside lists 2 extents" \
		'line=RW 2048 SPARSE "d.vmdk"' 'line=RW 2048 SPARSE "e.vmdk"'
	kind=text
	bad 65 "extents 1 and 2 overlap in a.raw" \
		'line=RW 2048 FLAT "a.raw" 0' 'line=RW 2048 FLAT "a.raw" 2047'
	bad 65 "extent a.raw: the descriptor says 4194304 bytes at 0, but the \
file has 3145728" 'line=RW 8192 FLAT "a.raw" 0'
	bad 65 "extent a.raw: the file is not a sparse extent" \
		'line=RW 6144 SPARSE "a.raw"'
	bad 66 "extent nothing.vmdk: *No such file" 'line=RW 1 VMFS "nothing.vmdk"'
	bad 77 "lies outside" 'line=RW 1 VMFS "/etc/passwd"'
	bad 77 "not a plain file name" 'line=RW 1 VMFS "nbd:x"'
	make_vmdk sparse a.raw s.vmdk
	bad 65 "extent s.vmdk: the file is a hosted sparse extent, not" \
		'line=RW 6144 VMFSSPARSE "s.vmdk"'
	yes 'RW 1 ZERO' | head -n 5000 >>d.vmdk
	fails 65 "*more than 4096 extents" --allow-references d.vmdk x.raw
	{
		cat d.vmdk
		head -c 1M /dev/zero | tr '\0' '#'
	} >e.vmdk
	fails 65 "*a descriptor of * bytes is more than*" e.vmdk x.raw
	printf '# Disk DescriptorFile\nversion=1\0%s' \
		'createType="monolithicFlat"' >e.vmdk
	fails 65 "*has a zero byte at 31 and goes on behind it" e.vmdk x.raw
}

# stream STATUS PATTERN WORD...: of a stream, through a pipe.
stream() {
	local status=$1 pattern=$2
	shift 2
	make_vmdk stream a.raw d.vmdk "$@"
	# shellcheck disable=SC2002
	cat d.vmdk | fails "$status" "-: *$pattern*" -O raw - x.raw
	nothing_at x.raw
}

@test "a stream is verified against its tables, markers and footer" {
	need python3
	pattern a.raw 40M 0 270000 text 35M 100000 more
	make_vmdk stream a.raw d.vmdk
	pipes d.vmdk a.raw
	# A grain out of order can be read from a file, and that is said.
	make_vmdk stream a.raw d.vmdk order=0,2,1,3,4,560,561
	reads d.vmdk a.raw
	stream 69 "grain at guest offset 65536 comes after those behind it*store \
it in a file first" order=0,2,1,3,4,560,561
	stream 69 "guest offset 131072 comes after" twice=2
	stream 65 "grain table 0 (guest offset 0) does not list the grains" drop=2
	stream 65 "grain table 1 (guest offset 33554432) does not list" drop=560
	stream 65 "grain table 0 * does not list" gt=2:0
	stream 65 "grain table 0 * does not list" gt=2:500
	stream 65 "grain table 1 is said to be at 32768, but there is none" gd=1:64
	stream 65 "grain table 1 (guest offset 33554432) does not list" gd=1:0
	stream 65 "it is cut short" no_end
	stream 65 "grain table 0 * does not list" front drop=3
	stream 65 "header and footer disagree" footer.capacity=+128
	stream 65 "the footer is no header" footer.magic=0
	stream 65 "the grain directory is said to be at" footer.gd_offset=+1
	stream 65 "the grain directory is said to be at" footer.gd_offset=+-1
	stream 65 "is no grain of a disk of" at=65536:0100
	stream 65 "a compressed grain of * bytes is out of range" at=65544:ffffff7f
	stream 65 "compressed grain at 65536" at=65560:00000000
	stream 69 "version 9" version=9
	# The same from a file: the entry that is asked for is held against
	# the marker.
	make_vmdk stream a.raw d.vmdk gt=2:128
	fails 65 "*the grain's marker says sector 0 (256)" d.vmdk x.raw
	make_vmdk stream a.raw d.vmdk at=65560:00000000
	fails 65 "*compressed grain at *" d.vmdk x.raw
	# Rubbish behind the end.
	make_vmdk stream a.raw d.vmdk
	printf x >>d.vmdk
	# shellcheck disable=SC2002
	cat d.vmdk | fails 65 "*something follows the end-of-stream marker*" \
		-O raw - x.raw
}

@test "what is cut short never succeeds" {
	need python3
	make_odd_disk a.raw
	local kind size file
	for kind in sparse stream packed cowd sesparse; do
		make_vmdk $kind a.raw d.vmdk
		file=d.vmdk
		[ $kind != cowd ] || file=d-delta.vmdk
		[ $kind != sesparse ] || file=d-sesparse.vmdk
		mv $file whole
		size=$(size_of whole)
		for cut in 600 2000 10000 11500 66000 $((size / 2)) \
			$((size - 1025)) $((size - 513)); do
			head -c "$cut" whole >$file
			never_succeeds x.raw --allow-references d.vmdk x.raw
			[ $kind != stream ] || {
				never_succeeds x.raw -O raw - x.raw <$file
				# shellcheck disable=SC2002
				cat $file | never_succeeds x.raw -O raw - x.raw
			}
		done
	done
}

# finds PATTERN WORD...: check says so.
finds() {
	local pattern=$1 kind=${kind:-sparse}
	shift
	make_vmdk $kind a.raw d.vmdk "$@"
	run --separate-stderr "$IMGCONV" check --allow-references d.vmdk
	[ "$status" -eq "${wanted:-2}" ] || fail "status $status: $output $stderr"
	[[ $output == *$pattern* ]] || fail "not \"$pattern\": $output"
}

@test "check finds what is wrong" {
	need python3
	pattern a.raw 40M 0 270000 text 35M 100000 more
	finds "differ in 1 entries, first at guest offset 131072" redundant=2:0
	finds "grain at 131072 overlaps grain at" gt=3:256
	finds "overlaps grain at" gt=3:257
	finds "overlaps grain table at" gt=3:32
	finds "lies past the end" gt=3:0x7fffffff
	finds "grain table at * overlaps grain table" gd=1:31
	finds "redundant grain directory at 512 overlaps the descriptor" \
		rgd_offset=1
	finds "the descriptor has no CID" text=CID=12345678=\>XID=1
	finds "descriptor says 1048576 bytes" 'line=RW 2048 SPARSE "d.vmdk"'
	finds "parentCID is 00000001, but there is no" \
		text=parentCID=ffffffff=\>parentCID=1
	finds "lies past the end of the file" end=-60000
	wanted=3 finds "65536 bytes at 131072 are used by nothing" gt=1:0 \
		redundant=1:0
	kind=stream
	finds "marker says sector 128 (384)" gt=3:129
	finds "does not list the grains" drop=2
	finds "does not list the grains" gt=3:0
	finds "compressed grain at 65536" at=65560:00000000
	make_vmdk stream a.raw d.vmdk footer.magic=0
	fails 65 "*there is no footer at the end of the file*" check d.vmdk
	kind=packed
	finds "compressed grain at" at=65540:00000000
	kind=cowd
	finds "extent d-delta.vmdk: COWD version 2" version=2
	finds "past the end of the file" end=-1000
	kind=sesparse
	finds "is no grain" gt=0:0x4000000000000000
	make_vmdk text - d.vmdk 'line=RW 2048 FLAT "a.raw" 0'
	run -2 --separate-stderr "$IMGCONV" check --allow-references d.vmdk
	[[ $output == *"the descriptor uses only 1048576"* ]]
	# Not allowed is no finding.
	fails 0 "note: vmdk: not checked: *--allow-references*" check d.vmdk
}

# QEMU leaves the end of an older, longer descriptor behind the zero byte.
@test "what is left over behind a descriptor does not count" {
	need qemu-img python3
	make_odd_disk odd.raw
	qemu-img convert -O vmdk odd.raw x.vmdk
	python3 - x.vmdk <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    data = file.read(20000)
		    # The descriptor begins with sector 1.
		    file.seek(data.index(b"\0", 512) + 1)
		    file.write(b'"\n')
	END
	runs 0 x.vmdk out.raw
	cmp -n "$(size_of odd.raw)" odd.raw out.raw
	runs 0 check x.vmdk
}

@test "large and nearly empty" {
	need qemu-img
	truncate -s 5G five.raw
	printf x | dd of=five.raw bs=1 seek=5368709119 conv=notrunc status=none
	qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse five.raw \
		five.vmdk
	runs 0 --allow-references map five.vmdk
	[[ ${lines[-1]} == "5368643584 "*" data "* ]]
	runs 0 compare --allow-references five.vmdk five.raw
	qemu-img create -q -f vmdk big.vmdk $((2 * 1024 * 1024 + 0))M
	qemu-io -f vmdk -c "write -P 7 $((2 * 1024 * 1024 - 1))M 1M" big.vmdk \
		>/dev/null
	runs 0 map big.vmdk
	equal 3 "${#lines[@]}"
	runs 0 check big.vmdk
	runs 0 big.vmdk big.raw
	equal $((2 << 40)) "$(size_of big.raw)"
	equal 07 "$(tail -c 1 big.raw | od -An -tx1 | tr -d ' ')"
}

@test "the same for any number of threads" {
	need python3
	make_odd_disk odd.raw
	local kind threads
	for kind in sparse stream cowd; do
		make_vmdk $kind odd.raw d.vmdk
		for threads in 1 4; do
			reads d.vmdk odd.raw --allow-references -m $threads
		done
	done
}

@test "vmdk: tables that were never written are not read to look at an image" {
	need strace
	qemu-img create -q -f vmdk big.vmdk 1T
	strace -f -e trace=pread64 -o log "$IMGCONV" info big.vmdk >answer
	grep -q "virtual-size: 1099511627776" answer
	[ "$(grep -c pread64 log)" -lt 100 ] ||
		fail "$(grep -c pread64 log) reads"
}
