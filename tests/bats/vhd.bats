#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# VHD from the command line: against qemu-img both ways, against libvhdi and
# 7-Zip, chains, creators, and what must be refused.
load helper
load images

make_vhd() { python3 "$fixtures/make_vhd.py" "$@"; }

# Forms of the writer, one a line.
forms() {
	cat <<-'END'
		subformat=dynamic
		block_size=512K
		block_size=512K,alignment=512
		alignment=64K
		subformat=fixed
		subformat=fixed,preallocation=falloc
		subformat=fixed,preallocation=full
	END
}

@test "what is written is what others read" {
	need qemu-img
	local form
	make_odd_disk in.raw
	truncate -s $((11 * 1024 * 1024 + 512)) in.raw
	while read -r form; do
		runs 0 --force -o "$form" in.raw out.vhd
		[ -z "$stderr" ] || fail "$form: $stderr"
		same_disk raw in.raw vpc out.vhd
		runs 0 check out.vhd
		runs 0 --force out.vhd back.raw
		same_bytes in.raw back.raw
		# The same bytes into a pipe, and for any number of threads.
		"$IMGCONV" -o "$form" -O vhd in.raw - | cmp - out.vhd
		runs 0 --force --threads 1 -o "$form" in.raw one.vhd
		same_bytes out.vhd one.vhd
	done < <(forms)
}

@test "libvhdi and 7-Zip agree" {
	need vhdiinfo 7z
	local form
	make_odd_disk in.raw
	for form in subformat=dynamic block_size=512K subformat=fixed; do
		runs 0 --force -o $form in.raw out.vhd
		run -0 vhdiinfo out.vhd
		[[ $output == *"(5242880 bytes)"* ]] || fail "$output"
		rm -rf extracted
		run -0 7z x -oextracted out.vhd
		same_bytes in.raw extracted/out*
	done
}

@test "what qemu-img writes is read" {
	need qemu-img
	local form
	make_odd_disk in.raw
	for form in subformat=dynamic subformat=fixed \
		subformat=dynamic,force_size=on subformat=fixed,force_size=on
	do
		qemu-img convert -f raw -O vpc -o $form in.raw q.vhd
		runs 0 check q.vhd
		equal "No errors were found." "$output" $form
		runs 0 --force q.vhd out.raw
		run qemu-img compare -f vpc -F raw q.vhd out.raw
		equal "Images are identical." "$output" $form
		cmp -n "$(size_of in.raw)" in.raw out.raw
		qemu-img convert -f vpc -O raw q.vhd q.raw
		equal "$(size_of q.raw)" "$(size_of out.raw)" "$form: size"
	done
}

@test "no size that qemu-img makes is a finding" {
	need qemu-img
	local size
	for size in 1M 17M 300M 503M 505M 3G 32255M 100G 127G 128G 500G; do
		qemu-img create -q -f vpc q.vhd $size
		runs 0 check q.vhd
		equal "No errors were found." "$output" $size
	done
}

@test "the size is kept, or rounded to a geometry when asked" {
	need qemu-img
	local size
	for size in 0 512 1000 1M 5G 100G; do
		truncate -s 0 in.raw && truncate -s $size in.raw
		rm -f out.vhd q.vhd q.raw out.raw
		runs 0 in.raw out.vhd
		runs 0 out.vhd out.raw
		equal $((($(size_of in.raw) + 511) / 512 * 512)) \
			"$(size_of out.raw)" "$size"
		runs 0 --force -o force_chs=on in.raw out.vhd
		runs 0 --force out.vhd out.raw
		[ $size = 0 ] || qemu-img convert -O vpc in.raw q.vhd
		[ $size = 0 ] || equal "$(qemu-img info q.vhd | grep virtual)" \
			"$(qemu-img info out.vhd | grep virtual)" "$size"
	done
}

@test "the largest disk is made at once, a larger one not at all" {
	runs 0 create -O vhd huge.vhd 2040G
	[ "$(size_of huge.vhd)" -lt $((8 << 20)) ]
	runs 0 check huge.vhd
	truncate -s 2T in.raw && truncate -s +64K in.raw
	fails 69 "*2040 GiB*vhdx*" in.raw out.vhd
	nothing_at out.vhd
	truncate -s 2039G in.raw
	printf end | dd of=in.raw oflag=seek_bytes seek=$(((2039 << 30) - 3)) \
		bs=1 count=3 conv=notrunc status=none
	runs 0 in.raw out.vhd
	runs 0 compare in.raw out.vhd
}

@test "a fixed disk may be sparse or not" {
	truncate -s 8M in.raw
	runs 0 -o subformat=fixed in.raw sparse.vhd
	runs 0 -o subformat=fixed,preallocation=full in.raw full.vhd
	same_bytes sparse.vhd full.vhd 2>/dev/null ||
		cmp -n $((8 << 20)) sparse.vhd full.vhd
	[ "$(stat -c %b sparse.vhd)" -lt 64 ]
	[ "$(stat -c %b full.vhd)" -ge $((8 << 11)) ]
}

@test "wrong options are usage errors" {
	local row
	truncate -s 1M in.raw
	for row in block_size=3M block_size=4K alignment=3000 \
		subformat=sparse preallocation=full \
		subformat=fixed,block_size=2M force_chs=on,force_size=on; do
		fails 64 "*" -o $row in.raw out.vhd
		nothing_at out.vhd
	done
}

@test "the identifier follows from what is written, the time is none" {
	need_json
	local id
	make_odd_disk in.raw
	runs 0 in.raw out.vhd
	runs 0 info --json out.vhd
	id=$(jq -r '."format-specific".uuid' <<<"$output")
	[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab] ]]
	equal null "$(jq -r '."format-specific".time' <<<"$output")"
	overwrite in.raw 100 ff
	runs 0 in.raw other.vhd
	runs 0 info --json other.vhd
	[ "$id" != "$(jq -r '."format-specific".uuid' <<<"$output")" ]
}

# A chain of three; sectors 0, 2, 5, 7 of block 1 are the child's.
make_chain() {
	make_vhd base.vhd "data[0]=base zero" "data[1]=base one" \
		"data[2]=base two" uuid="${1:-$(printf '11%.0s' {1..16})}"
	make_vhd middle.vhd type=differencing uuid="$(printf '22%.0s' {1..16})" \
		parent_uuid="$(printf '11%.0s' {1..16})" parent=base.vhd \
		"W2ku=C:\\vm\\base.vhd" "data[0]=middle"
	make_vhd child.vhd type=differencing uuid="$(printf '33%.0s' {1..16})" \
		parent_uuid="$(printf '22%.0s' {1..16})" "W2ru=.\\middle.vhd" \
		"data[1]=child" "bits[1]=a5"
}

@test "differencing disks and their parents" {
	local i wanted
	make_chain
	fails 77 "child.vhd: *middle.vhd*--allow-references" child.vhd out.raw
	runs 0 --allow-references child.vhd out.raw
	equal 19968 "$(size_of out.raw)"
	equal middle "$(head -c 6 out.raw)"
	for i in {0..7}; do
		case $i in
		0 | 2 | 5 | 7) wanted=child ;;
		*) wanted=base ;;
		esac
		# A sector has all letters of its text somewhere.
		dd if=out.raw bs=512 skip=$((8 + i)) count=1 status=none |
			grep -aq $wanted || fail "sector $i is not $wanted"
	done
	equal "base two" "$(dd if=out.raw bs=8 skip=1024 count=1 status=none)"
	runs 0 info child.vhd
	[[ $output == *"backing-file: middle.vhd"* ]]
	runs 0 check child.vhd
	# Another one of that name, or none.
	make_chain "$(printf '44%.0s' {1..16})"
	fails 65 "*parent base.vhd*44444444*not its parent" \
		--allow-references child.vhd again.raw
	rm base.vhd
	fails 66 "*base.vhd*" --allow-references child.vhd again.raw
	nothing_at again.raw
}

@test "a parent made after its child is not believed" {
	local id
	id=$(printf '11%.0s' {1..16})
	make_vhd base.vhd uuid="$id" footer.time=2000
	make_vhd child.vhd type=differencing parent_uuid="$id" \
		W2ru=base.vhd header.parent_time=1999
	fails 65 "*made anew*" --allow-references child.vhd out.raw
	make_vhd child.vhd type=differencing parent_uuid="$id" \
		W2ru=base.vhd header.parent_time=2000
	runs 0 --allow-references child.vhd out.raw
}

@test "whose size counts follows from the creator" {
	local creator
	for creator in "vpc " qemu; do
		make_vhd in.vhd type=fixed size=1048576 creator="$creator" \
			"data[0]=x"
		runs 0 -v --force in.vhd out.raw
		[[ $stderr == *"size is the geometry's"* ]] || fail "$stderr"
		equal $((30 * 4 * 17 * 512)) "$(size_of out.raw)" "$creator"
	done
	for creator in "win " qem2 "d2v" tap CTXS wa vbox; do
		make_vhd in.vhd type=fixed size=1048576 creator="$creator" \
			"data[0]=x"
		runs 0 -v --force in.vhd out.raw
		[[ $stderr == *"size is the footer's"* ]] || fail "$stderr"
		equal 1048576 "$(size_of out.raw)" "$creator"
	done
}

@test "creators as qemu-img has them" {
	need qemu-img
	local creator
	for creator in "vpc " qemu "win " qem2 "d2v " tap CTXS; do
		make_vhd in.vhd type=dynamic size=1048576 creator="$creator" \
			"data[2]=x" "data[255]=y"
		runs 0 --force in.vhd out.raw
		qemu-img convert -f vpc -O raw in.vhd q.raw
		same_bytes q.raw out.raw
	done
}

@test "footers of 511 bytes" {
	make_vhd in.vhd type=fixed size=8192 old "data[0]=first" \
		"data[1]=second"
	runs 0 in.vhd out.raw
	equal 8192 "$(size_of out.raw)"
	make_vhd in.vhd old "data[0]=first"
	runs 0 --force in.vhd out.raw
	runs 0 check in.vhd
}

@test "a fixed disk from a pipe" {
	make_odd_disk in.raw
	runs 0 -o subformat=fixed in.raw in.vhd
	run --separate-stderr sh -c 'cat in.vhd | "$IMGCONV" -O raw - out.raw'
	equal 69 "$status"
	nothing_at out.raw
	run -0 --separate-stderr sh -c \
		'cat in.vhd | "$IMGCONV" -f vhd -O raw - out.raw'
	same_bytes in.raw out.raw
	run -0 --separate-stderr sh -c \
		'cat in.vhd | "$IMGCONV" -f vhd -O qcow2 - - >out.qcow2'
	runs 0 compare in.raw out.qcow2
	head -c 4000000 in.vhd >cut.vhd
	run --separate-stderr sh -c \
		'cat cut.vhd | "$IMGCONV" --force -f vhd -O raw - cut.raw'
	equal 65 "$status"
	nothing_at cut.raw
}

@test "a dynamic disk from a pipe, compressed, and to a pipe" {
	make_odd_disk in.raw
	runs 0 in.raw in.vhd
	run -0 --separate-stderr sh -c 'cat in.vhd | "$IMGCONV" -O raw - out.raw'
	same_bytes in.raw out.raw
	gzip -k in.vhd
	runs 0 --force in.vhd.gz out.raw
	same_bytes in.raw out.raw
	# Of unknown size.
	run -0 --separate-stderr sh -c 'cat in.raw | "$IMGCONV" -O vhd - late.vhd'
	same_bytes in.vhd late.vhd
	run -0 --separate-stderr sh -c \
		'cat in.raw | "$IMGCONV" -O vhd - - >piped.vhd'
	same_bytes in.vhd piped.vhd
	runs 0 in.raw packed.vhd.gz
	gzip -dc packed.vhd.gz | cmp - in.vhd
}

# STATUS PATTERN | words of the generator: one a line.
bad() {
	cat <<-'END'
		65 *checksum*its*copy*at*the*start*is*sound* at -100=ff
		65 *checksum* at -100=ff at 100=ff
		65 *no*footer*sound*copy*at*its*start* at -512=00
		65 *copy*is*damaged* at 100=ff
		65 *copy*is*missing* at 0=00
		65 *different*things* copy.current_size=+512
		65 *cannot*be*told* tail.type=2
		65 *header*is*not* at 1000=ff
		65 *header*is*not* header.checksum=0
		69 *unknown*features* footer.features=10
		69 *version*2.0* footer.version=0x20000
		69 *version*2.0* header.version=0x20000
		69 *type*6* footer.type=6
		69 *saved*state* footer.saved=1
		69 *bitmaps*in*another*order* creator=tap footer.creator_version=1
		65 *out*of*range* footer.current_size=0x1fe00000200
		65 *whole*sectors* footer.current_size=+1
		65 *block*size*3000* header.block_size=3000
		65 *too*small* header.entries=4
		65 *past*the*end* header.entries=0xffffffff
		65 *past*the*end* header.table_offset=0x7fffffffffffffff
		65 *overlaps* header.table_offset=512
		65 *block*1*past*the*end* data[1]=x bat[1]=0x7fffffff
		65 *block*1*past*the*end* data[1]=x bat[1]=+1
		65 *block*0*overlaps* data[1]=x bat[0]=1
		65 *used*twice* data[0]=x bat[1]=4 bat[2]=4 bat[3]=4
		65 *cut*short* type=fixed tail.current_size=+512
	END
}

@test "what is wrong is refused by name" {
	local status_wanted pattern words list
	while read -r status_wanted pattern words; do
		# "at N=HEX" is one word to the generator.
		mapfile -t list < <(sed 's/\bat -/at@-/g; s/\bat \([0-9]\)/at@\1/g' \
			<<<"$words" | tr ' ' '\n' | tr '@' ' ')
		make_vhd in.vhd "${list[@]}"
		fails "$status_wanted" "in.vhd: ${pattern//\*/*}" in.vhd out.raw
		nothing_at out.raw
	done < <(bad)
}

@test "cut anywhere, it never succeeds" {
	local cut kind
	for kind in dynamic fixed; do
		make_vhd whole.vhd type=$kind size=20480 "data[0]=x" "data[3]=y"
		# Without its last byte it has a footer of old.
		for cut in 2 511 512 513 1000 4096 5000 9000 10000; do
			make_vhd in.vhd type=$kind size=20480 "data[0]=x" \
				"data[3]=y" cut=-$cut
			never_succeeds out.raw -f vhd in.vhd out.raw
			runs 65 check -f vhd in.vhd || [ "$status" = 2 ]
		done
	done
}

@test "check finds what is wrong, and changes nothing" {
	local before
	make_vhd in.vhd "data[0]=x" "data[2]=y" "bat[1]=4"
	before=$(digest_of in.vhd)
	runs 2 check in.vhd
	[[ $output == *"overlaps block"* ]]
	equal "$before" "$(digest_of in.vhd)"
	make_vhd in.vhd "data[0]=x" "data[2]=y" "bat[2]=0xffffffff"
	runs 3 check in.vhd
	make_vhd in.vhd "data[0]=x" "bits[0]=7f"
	runs 2 check in.vhd
	[[ $output == *"bitmap does not have"* ]]
	make_vhd in.vhd "data[0]=x" "at 100=ff"
	runs 2 check in.vhd
	[[ $output == *"copy at the start"* ]]
	make_vhd in.vhd "data[0]=x" "at -100=ff"
	runs 2 check in.vhd
	make_vhd in.vhd type=fixed gap=1024
	runs 3 check in.vhd
	make_vhd in.vhd "data[0]=x" "bat[0]=0x100"
	runs 2 check in.vhd
	make_vhd in.vhd gap=8192
	runs 3 check in.vhd
}
