#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VHDX both ways, judged by other people's programs; logs, chains and damage
# from images made field by field.

load helper
load images

prepare() {
	need qemu-img qemu-io python3
}

make_vhdx() { python3 "$fixtures/make_vhdx.py" "$@"; }

# vhdx NAME...: NAME.vhdx and NAME.raw, what its guest sees.
vhdx() {
	local name
	for name in "$@"; do make_vhdx "$name" "$name.vhdx" "$name.raw"; done
}

# fact FILE NAME: of `info`.
fact() { "$IMGCONV" info "$1" 2>/dev/null | sed -n "s/^$2: //p"; }

# quiet check: nothing found, no note either.
clean() {
	runs 0 check "$1"
	equal "No errors were found." "$output"
	[ -z "$stderr" ] || fail "$stderr"
}

@test "written, and read by others and by itself" {
	local options
	make_odd_disk in.raw
	truncate -s 90M in.raw
	for options in subformat=dynamic subformat=fixed block_size=1M \
		block_size=256M,log_size=4M block_state_zero=off \
		subformat=fixed,block_size=1M,preallocation=full \
		subformat=fixed,preallocation=falloc; do
		imgconv --force in.raw out.vhdx -o "$options"
		same_disk raw in.raw vhdx out.vhdx
		sound out.vhdx
		clean out.vhdx
		imgconv --force --verify out.vhdx back.raw
		same_bytes in.raw back.raw
	done
	equal "$(size_of out.vhdx)" $((4 * 1048576 + 96 * 1048576))
}

@test "what others say of it" {
	need vhdiinfo 7z
	make_odd_disk in.raw
	imgconv in.raw out.vhdx
	run -0 vhdiinfo out.vhdx
	[[ $output == *"VHDX (version 2)"*Dynamic*"5.0 MiB (5242880 bytes)"* ]]
	run -0 7z x -so out.vhdx
	7z x -so out.vhdx | cmp - in.raw
	imgconv --force -o subformat=fixed,block_size=2M in.raw out.vhdx
	run -0 vhdiinfo out.vhdx
	[[ $output == *Fixed* ]]
	7z x -so out.vhdx | cmp - in.raw
	run -0 7z l out.vhdx
	[[ $output == *"BlockSize: 2097152"* ]]
	[[ $output == *"PhysicalSectorSize: 4096"* ]]
}

@test "made by qemu-img, read here" {
	local options
	make_odd_disk in.raw
	truncate -s 90M in.raw
	for options in subformat=dynamic subformat=fixed \
		subformat=dynamic,block_size=1M \
		subformat=dynamic,block_size=256M,log_size=4M \
		subformat=dynamic,block_state_zero=off; do
		qemu-img convert -O vhdx -o "$options" in.raw in.vhdx
		imgconv --force in.vhdx out.raw
		same_bytes in.raw out.raw
	done
	qemu-img create -q -f vhdx empty.vhdx 5G
	imgconv empty.vhdx empty.raw
	equal "0 5368709120" "$(stat -c '%b %s' empty.raw)"
}

@test "sizes, and contents of one kind" {
	local size kind
	for size in 512 1048064 1M 33M; do
		rm -f ./*.raw
		pattern last.raw $size 0 0 x
		printf x | dd of=last.raw bs=1 conv=notrunc status=none \
			seek=$(($(size_of last.raw) - 1))
		pattern none.raw $size
		pattern some.raw $size 0 65536 some
		truncate -s $size some.raw
		for kind in last none some; do
			imgconv --force $kind.raw out.vhdx
			same_disk raw $kind.raw vhdx out.vhdx
			clean out.vhdx
		done
		# The last of them has data in its first block.
		equal 37748736 "$(size_of out.vhdx)"
	done
	truncate -s 5G large.raw
	printf x | dd of=large.raw bs=1 seek=5368709119 conv=notrunc \
		status=none
	imgconv --force large.raw out.vhdx
	equal 37748736 "$(size_of out.vhdx)"
	imgconv compare large.raw out.vhdx
	qemu-io -f vhdx -c 'read -P 0 5100M 8M' out.vhdx >/dev/null
	qemu-io -f vhdx -c 'read -P 120 -s 511 -l 1 5368708608 512' \
		out.vhdx >/dev/null
}

@test "an empty disk of any size takes its tables" {
	truncate -s $(((2 << 40) + 65536)) in.raw
	imgconv in.raw out.vhdx
	equal 4194304 "$(size_of out.vhdx)"
	equal $(((2 << 40) + 65536)) "$(fact out.vhdx virtual-size |
		cut -d' ' -f1)"
	clean out.vhdx
	imgconv create -O vhdx huge.vhdx 64T
	[ "$(size_of huge.vhdx)" -lt 32000000 ]
	run -0 qemu-img info huge.vhdx
	[[ $output == *"64 TiB"* ]]
	refuses 69 "*larger than a VHDX can be (64 TiB)" \
		create -O vhdx larger.vhdx $(((64 << 40) + 512))
	nothing_at larger.vhdx
}

@test "zeros inside large blocks are not stored" {
	make_pattern in.raw data:64K hole:20M data:64K zero:10M
	imgconv -o block_size=32M in.raw out.vhdx
	[ "$(stat -c %b out.vhdx)" -lt 2048 ] ||
		fail "$(stat -c %b out.vhdx) sectors"
	runs 0 map out.vhdx
	equal 4 "$(grep -cE ' (data|zero) ' <<<"$output")"
	imgconv -o subformat=fixed in.raw fixed.vhdx
	[ "$(stat -c %b fixed.vhdx)" -lt 2048 ]
	imgconv -o subformat=fixed,preallocation=full in.raw full.vhdx
	[ "$(stat -c %b full.vhdx)" -ge 65536 ]
}

@test "the same bytes for any number of threads, to a file and to a pipe" {
	local options
	make_pattern in.raw text:3M hole:40M data:5M zero:3M data:100K hole:1M
	for options in subformat=dynamic block_size=2M,block_state_zero=off \
		subformat=fixed; do
		imgconv --force -o $options --threads 1 in.raw one.vhdx
		imgconv --force -o $options --threads 4 in.raw four.vhdx
		same_bytes one.vhdx four.vhdx
		imgconv -O vhdx -o $options in.raw - >pipe.vhdx
		same_bytes one.vhdx pipe.vhdx
		cat in.raw | imgconv --force -O vhdx -o $options - unknown.vhdx
		same_bytes one.vhdx unknown.vhdx
		cat one.vhdx | imgconv -O raw - - | cmp - in.raw
	done
}

@test "every state of a block, sectors of 512 and 4096" {
	vhdx states sectors4k chunks
	for name in states sectors4k; do
		imgconv --force $name.vhdx out.raw
		same_bytes $name.raw out.raw
		clean $name.vhdx
	done
	clean chunks.vhdx
	imgconv --force chunks.vhdx out.raw
	equal "$(stat -c '%s %b' chunks.raw)" "$(stat -c '%s %b' out.raw)"
	cmp -i 4094M -n 5M chunks.raw out.raw
	equal 4096 "$(fact sectors4k.vhdx sector-size | cut -d' ' -f1)"
	runs 0 map states.vhdx
	equal "data zero hole data hole data" \
		"$(awk 'NR > 1 {print $3}' <<<"$output" | xargs)"
	# The sector size is kept, and must not be lost.
	imgconv sectors4k.vhdx kept.vhdx
	equal 4096 "$(fact kept.vhdx logical-sector-size | cut -d' ' -f1)"
	imgconv compare sectors4k.vhdx kept.vhdx
	fails 64 "*physical_sector_size=512 is less*" sectors4k.vhdx \
		-o physical_sector_size=512 less.vhdx
	imgconv --sector-size 4096 states.vhdx made.vhdx
	equal 4096 "$(fact made.vhdx logical-sector-size | cut -d' ' -f1)"
	imgconv --force -o physical_sector_size=512 states.vhdx made.vhdx
	equal 512 "$(fact made.vhdx physical-sector-size)"
}

@test "a dirty log is replayed in memory, the file stays as it is" {
	local name before
	for name in log log_wrapped log_tail log_stale log_last log_many \
		log_torn; do
		vhdx $name
		before=$(digest_of $name.vhdx)
		runs 0 $name.vhdx out.raw
		[[ $stderr == *"not closed properly"*"replayed in memory"* ]]
		same_bytes $name.raw out.raw
		rm out.raw
		runs 0 check $name.vhdx
		equal dirty "$(fact $name.vhdx log)"
		equal "$before" "$(digest_of $name.vhdx)" "$name.vhdx"
		runs 0 map $name.vhdx
	done
}

@test "qemu-img replays a log to the same disk" {
	local name
	# Not log_wrapped and log_stale: it knows a sequence neither by its
	# head nor by its tail; nor log_many: of descriptors it reads a sector.
	for name in log log_torn; do
		vhdx $name
		cp $name.vhdx copy.vhdx
		# It does not make the file as long as the log says.
		truncate -s $((7 << 20)) copy.vhdx
		qemu-img check -q -r all copy.vhdx
		same_disk raw $name.raw vhdx copy.vhdx
	done
}

@test "a log that cannot be replayed is refused" {
	local name
	for name in torn guid tail; do
		vhdx bad_log_$name
		fails 65 "*no valid sequence of them: it is damaged" \
			bad_log_$name.vhdx out.raw
	done
	vhdx bad_log_cut bad_log_outside bad_log_odd
	fails 65 "*its log says it had at least*" bad_log_cut.vhdx out.raw
	fails 65 "*the log writes 4096 bytes at 67108864*" \
		bad_log_outside.vhdx out.raw
	fails 65 "*not whole sectors of 4 KiB*" bad_log_odd.vhdx out.raw
	nothing_at out.raw
}

@test "a chain of differencing disks" {
	vhdx base middle child
	fails 77 "*parent middle.vhdx is not followed*--allow-references*" \
		child.vhdx out.raw
	for name in middle child; do
		imgconv --force --allow-references $name.vhdx out.raw
		same_bytes $name.raw out.raw
		clean $name.vhdx
	done
	equal middle.vhdx "$(fact child.vhdx backing-file)"
	equal differencing "$(fact child.vhdx type)"
	# The digest does not depend on the way.
	imgconv --allow-references child.vhdx flat.vhdx
	same_disk raw child.raw vhdx flat.vhdx
	rm base.vhdx
	fails 66 "*parent ./base.vhdx*" --allow-references middle.vhdx a.raw
	runs 0 info middle.vhdx
}

@test "bits far into a bitmap, and in a second one" {
	local name block
	vhdx base far far4k
	for name in far far4k; do
		clean $name.vhdx
		imgconv --force --allow-references $name.vhdx out.raw
		equal "$(size_of $name.raw)" "$(size_of out.raw)"
		for block in 0 299 3999 4096; do
			cmp -i ${block}M -n 3M $name.raw out.raw
		done
	done
}

@test "a parent that is another one, or was written to, is refused" {
	vhdx base bad_stranger middle bad_bitmap
	fails 65 "*parent ./base.vhdx has the data write GUID *wanted*" \
		--allow-references bad_stranger.vhdx out.raw
	fails 65 "*sector bitmap 0 has entry 0x0*" --allow-references \
		bad_bitmap.vhdx out.raw
	runs 2 check bad_bitmap.vhdx
	nothing_at out.raw
}

@test "one damaged copy of headers and region tables is a note" {
	local offset
	vhdx states
	for offset in 65636 131172 196700 262300; do
		cp states.vhdx one.vhdx
		overwrite one.vhdx $offset 55
		runs 0 --force one.vhdx out.raw
		[[ $stderr == *"is damaged (checksum is"*"other one is used"* ]] ||
			fail "$offset: $stderr"
		same_bytes states.raw out.raw
		runs 2 check one.vhdx
		[[ $output == *"checksum is"* ]]
	done
	rm out.raw
	overwrite states.vhdx 65636 55
	overwrite states.vhdx 131172 55
	fails 65 "*both headers are damaged*" states.vhdx out.raw
	vhdx states
	overwrite states.vhdx 196700 55
	overwrite states.vhdx 262300 55
	fails 65 "*both region tables are damaged*" states.vhdx out.raw
	nothing_at out.raw
}

@test "what is not known is refused only when it is required" {
	vhdx more_regions bad_region bad_item bad_region_overlap
	imgconv more_regions.vhdx out.raw
	same_bytes more_regions.raw out.raw
	clean more_regions.vhdx
	fails 69 "*region 12345678-*0001 is not known, but required" \
		bad_region.vhdx a.raw
	fails 69 "*metadata item 12345678-*0002 is not known, but required" \
		bad_item.vhdx a.raw
	fails 65 "*overlaps another" bad_region_overlap.vhdx a.raw
}

@test "check: used twice, past the end, used by nothing" {
	make_pattern in.raw data:4M
	imgconv -o block_size=1M in.raw in.vhdx
	cp in.vhdx twice.vhdx
	overwrite twice.vhdx $((3145728 + 8)) 06 00 40 00
	runs 2 check twice.vhdx
	[[ $output == *"block at 4194304 overlaps block at 4194304 (1048576"* ]]
	[[ $output == *"1048576 bytes at 5242880 are used by nothing"* ]]
	cp in.vhdx end.vhdx
	overwrite end.vhdx $((3145728 + 8)) 06 00 80 00
	runs 2 check end.vhdx
	[[ $output == *"block 1 at 8388608 lies past the end of the file"* ]]
	fails 65 "*block 1 at 8388608 lies past the end*" end.vhdx out.raw
	cp in.vhdx upon.vhdx
	overwrite upon.vhdx $((3145728 + 8)) 06 00 20 00
	runs 2 check upon.vhdx
	[[ $output == *"block 1 at 2097152 overlaps a region"* ]]
	cp in.vhdx leak.vhdx
	truncate -s +3M leak.vhdx
	runs 3 check leak.vhdx
	[[ $output == *"3145728 bytes at 8388608 are used by nothing"* ]]
}

@test "a truncated file never succeeds" {
	local cut
	make_pattern in.raw data:4M
	imgconv -o block_size=2M in.raw in.vhdx
	for cut in 9 512 65000 65600 70000 135168 200000 262144 327679 1048576 \
		2000000 2097152 2162688 3000000 4194303 4194304 5000000 \
		6291456 8388607; do
		head -c $cut in.vhdx >cut.vhdx
		never_succeeds out.raw -f vhdx cut.vhdx out.raw
	done
}

@test "identifiers: the same for the same input, given, or fresh" {
	make_pattern in.raw data:1M
	imgconv in.raw a.vhdx
	imgconv in.raw b.vhdx
	same_bytes a.vhdx b.vhdx
	imgconv --uuid 00112233-4455-6677-8899-aabbccddeeff in.raw c.vhdx
	equal 00112233-4455-6677-8899-aabbccddeeff "$(fact c.vhdx disk-id)"
	need vhdiinfo
	vhdiinfo a.vhdx | grep -q "$(fact a.vhdx data-write-guid)" ||
		vhdiinfo a.vhdx | grep -q "$(fact a.vhdx disk-id)"
}

@test "options that do not go together" {
	pattern in.raw 1M
	fails 64 "*block_size=3145728 is not a power of two*" in.raw \
		-o block_size=3M out.vhdx
	fails 64 "*block_size=512M is out of range (1M..256M)" in.raw \
		-o block_size=512M out.vhdx
	fails 64 "*log_size=1572864 is not in whole MiB" in.raw \
		-o log_size=1536K out.vhdx
	fails 64 "*preallocation needs subformat=fixed" in.raw \
		-o preallocation=full out.vhdx
	fails 64 "*no compression*" -c in.raw out.vhdx
	nothing_at out.vhdx
}
