#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verdict on images of unknown origin: each trick that is known to be
# played with an upload, by the code that a service acts on; what is sound is
# safe; and what cannot be read is a verdict, not an error.
load helper
load images

fixture() { python3 "$fixtures/make_$1.py" "${@:2}"; }

# safe ARGUMENTS...: exit status 0, and no reason.
safe() {
	run -0 --separate-stderr timeout 120 "$IMGCONV" inspect "$@"
	[[ ${lines[0]} == *": safe, "* ]] || fail "not safe: $output"
	equal 1 "${#lines[@]}" "lines of $output" || return 1
	[ -z "$stderr" ] || fail "stderr: $stderr"
}

# unsafe CODES ARGUMENTS...: exit status 1, and just these codes, in this
# order, each with a message.
unsafe() {
	local wanted=$1
	shift
	run -1 --separate-stderr timeout 120 "$IMGCONV" inspect "$@"
	[[ ${lines[0]} == *": unsafe, "* ]] || fail "not unsafe: $output"
	equal "$wanted" "$(sed -n '2,$s/^\([a-z-]*\): ..*/\1/p' <<<"$output" |
		xargs)" "codes of $* ($output)" || return 1
	[ -z "$stderr" ] || fail "stderr: $stderr"
}

# wants FILTER VALUE: of the JSON in $output.
wants() { equal "$2" "$(jq -c "$1" <<<"$output")" "$1"; }

# descriptor FILE LINE...: a VMDK that is text alone.
descriptor() {
	local file=$1
	shift
	printf '%s\n' '# Disk DescriptorFile' version=1 CID=12345678 "$@" \
		>"$file"
}

@test "sound images are safe" {
	need qemu-img python3
	pattern x.raw 1M 0 70000 text
	safe x.raw
	equal "x.raw: safe, raw, 1048576 (1M) bytes" "$output"
	local format
	for format in qcow2 vmdk vhdx vdi qed; do
		qemu-img convert -O $format x.raw "x.$format"
		safe "x.$format"
		[[ $output == *": safe, $format, 1048576 (1M) bytes" ]]
	done
	make_gpt_image gpt.raw 24
	safe gpt.raw
	# A disk image is called .img whatever it is.
	cp x.qcow2 x.img
	safe x.img
	qemu-img create -q -f qcow2 -o extended_l2=on,lazy_refcounts=on \
		n.qcow2 1M
	safe n.qcow2
	if built_with zstd; then
		qemu-img create -q -f qcow2 -o compression_type=zstd z.qcow2 1M
		safe z.qcow2
	fi
	qemu-img snapshot -c one x.qcow2
	safe x.qcow2
}

@test "containers that are no raw disks, by their names" {
	need qemu-img python3
	pattern x.raw 1M 0 70000 text
	fixture vhd fixed type=fixed 'data[0]=text'
	safe fixed
	[[ $output == "fixed: safe, vhd, "* ]]
	safe -f vpc fixed
	fixture vhd dynamic 'data[0]=text'
	safe dynamic
	fixture parallels prl
	safe prl
	[[ $output == "prl: safe, parallels, "* ]]
	"$IMGCONV" -q -O simg x.raw sparse
	safe sparse
	[[ $output == "sparse: safe, simg, 1048576 (1M) bytes" ]]
	local name
	for name in fixed dynamic prl sparse; do
		unsafe other-format -f raw "$name"
	done
	safe -f raw x.raw
	unsafe other-format -f qcow2 x.raw
	[[ $output == *"other-format: it is raw, not qcow2" ]]
	# A footer is seen at the end of a stream, too.
	gzip -k fixed
	safe fixed.gz
	[[ $output == "fixed.gz: safe, vhd in gz, "* ]]
	unsafe other-format -f vhd fixed.gz
}

@test "qcow2: other files" {
	need qemu-img python3
	need_json
	qemu-img create -q -f qcow2 base.qcow2 1M
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
	unsafe backing-file over.qcow2
	qemu-img rebase -u -F raw \
		-b 'json:{"driver":"file","filename":"/etc/passwd"}' over.qcow2
	unsafe backing-file over.qcow2
	[[ $output == *'json:{"driver":"file","filename":"/etc/passwd"}'* ]]
	# An offset, but a length of nothing.
	make_qcow2 empty.qcow2 backing_file_offset=600
	unsafe "backing-file unsupported-format" empty.qcow2
	make_qcow2 far.qcow2 backing_file_offset=0x100000 backing_file_size=9
	unsafe "backing-file damaged" far.qcow2
	qemu-img create -q -f qcow2 -o data_file=d.bin data.qcow2 1M
	unsafe data-file data.qcow2
	run -1 --separate-stderr "$IMGCONV" inspect --json data.qcow2
	wants .references '[{"kind":"data-file","name":"d.bin"}]'
	wants '.features | index("data-file") != null' true
	# By the bit, and by the name without it.
	make_qcow2 bit.qcow2 incompatible_features=4
	unsafe "data-file damaged" bit.qcow2
	make_qcow2 name.qcow2 extension=0x44415441:2f6574632f706173737764
	unsafe "data-file damaged" name.qcow2
	[[ $output == *'"/etc/passwd"'* ]]
}

@test "qcow2: bits" {
	need python3
	need_json
	make_qcow2 x.qcow2 incompatible_features=2
	unsafe corrupt-bit x.qcow2
	make_qcow2 x.qcow2 incompatible_features=1
	unsafe dirty x.qcow2
	make_qcow2 x.qcow2 incompatible_features=0x8000000000000000
	unsafe "unknown-feature unsupported-format" x.qcow2
	run -1 --separate-stderr "$IMGCONV" inspect --json x.qcow2
	wants .features '["incompatible bit 63"]'
	make_qcow2 x.qcow2 incompatible_features=3 compatible_features=3
	unsafe "dirty corrupt-bit" x.qcow2
	run -1 --separate-stderr "$IMGCONV" inspect --json x.qcow2
	wants .features \
		'["dirty","corrupt","lazy-refcounts","compatible bit 1"]'
	make_qcow2 l.qcow2 crypt_method=2
	unsafe encrypted l.qcow2
	run -1 --separate-stderr "$IMGCONV" inspect --json l.qcow2
	wants .encrypted true
	# An encryption header, but no method.
	make_qcow2 l.qcow2 extension=0x0537be77:00000000000400000000000000010000
	unsafe "encrypted unsupported-format" l.qcow2
	printf 'LUKS\272\276\0\1' >l.raw
	truncate -s 2M l.raw
	unsafe encrypted l.raw
}

@test "qcow2: cut, and tables that lead astray" {
	need qemu-img python3
	qemu-img create -q -f qcow2 x.qcow2 1M
	local end
	for end in 5 24 71 104 400 511; do
		head -c $end x.qcow2 >cut.qcow2
		unsafe truncated cut.qcow2
		[[ $output == "cut.qcow2: unsafe, qcow2"* ]]
		# Nor under a name that says nothing.
		mv cut.qcow2 cut
		unsafe truncated cut
	done
	pattern x.raw 1M 0 1048576 text
	qemu-img convert -O qcow2 x.raw x.qcow2
	head -c 600000 x.qcow2 >cut.qcow2
	unsafe truncated cut.qcow2
	# Two guest clusters in one place; a table in the header's.
	make_qcow2 x.qcow2 'l2[3]=0x8000000000050000'
	unsafe damaged x.qcow2
	make_qcow2 x.qcow2 'l1[0]=0x8000000000000000'
	unsafe damaged x.qcow2
	make_qcow2 x.qcow2 size=0x7ffffffffffffe00
	unsafe too-large x.qcow2
}

@test "VMDK: other files" {
	need python3
	need_json
	make_odd_disk odd.raw
	fixture vmdk sparse odd.raw x.vmdk
	safe x.vmdk
	fixture vmdk stream odd.raw x.vmdk
	safe x.vmdk
	descriptor split.vmdk parentCID=ffffffff \
		'createType="twoGbMaxExtentFlat"' \
		'RW 10 FLAT "split-f001.vmdk" 0' 'RW 10 FLAT "split-f002.vmdk" 0'
	unsafe several-files split.vmdk
	run -1 --separate-stderr "$IMGCONV" inspect --json split.vmdk
	wants '.references | length' 2
	wants '.references[1]' '{"kind":"extent","name":"split-f002.vmdk"}'
	local name
	for name in /etc/passwd ../x.vmdk sub/x.vmdk 'C:\x.vmdk'; do
		descriptor out.vmdk parentCID=ffffffff \
			'createType="monolithicFlat"' "RW 10 FLAT \"$name\" 0"
		unsafe "several-files extent-outside" out.vmdk
	done
	descriptor dev.vmdk parentCID=ffffffff 'createType="fullDevice"' \
		'RW 10 FLAT "/dev/sda" 0'
	unsafe "several-files extent-outside unsupported-format" dev.vmdk
	# The descriptor inside names another file than the one it is in.
	fixture vmdk sparse odd.raw own.vmdk 'line=RW 10237 SPARSE "/x/y.vmdk"'
	unsafe extent-outside own.vmdk
	fixture vmdk sparse odd.raw two.vmdk 'line=RW 10 SPARSE "a.vmdk"' \
		'line=RW 10 SPARSE "b.vmdk"'
	unsafe "several-files unsupported-format" two.vmdk
}

@test "VMDK: parents, contradictions, extents without a descriptor" {
	need python3
	make_odd_disk odd.raw
	fixture vmdk sparse odd.raw x.vmdk parent=base.vmdk:11223344
	unsafe parent x.vmdk
	# Only one of the two that should tell of it.
	fixture vmdk sparse odd.raw x.vmdk \
		'text=parentCID=ffffffff=>parentCID=11223344'
	unsafe "parent damaged" x.vmdk
	fixture vmdk sparse odd.raw x.vmdk \
		'text=parentCID=ffffffff=>parentCID=ffffffff\nparentFileNameHint="/x"'
	unsafe "parent damaged" x.vmdk
	fixture vmdk sparse odd.raw x.vmdk \
		'text=version=1=>createType="vmfs"\nversion=1'
	unsafe "contradiction damaged" x.vmdk
	fixture vmdk sparse odd.raw x.vmdk \
		'text=monolithicSparse=>monolithicFlat'
	unsafe contradiction x.vmdk
	fixture vmdk cowd odd.raw cow.vmdk
	unsafe several-files cow.vmdk
	mv cow-delta.vmdk alone
	unsafe "several-files unsupported-format" alone
	fixture vmdk sesparse odd.raw se.vmdk
	mv se-sesparse.vmdk alone
	unsafe "several-files unsupported-format" alone
	fixture vmdk sparse odd.raw x.vmdk unclean=1
	unsafe dirty x.vmdk
	fixture vmdk stream odd.raw x.vmdk no_end
	unsafe truncated x.vmdk
}

@test "VHD, VDI and Parallels: differences, states, gaps" {
	need python3
	need_json
	fixture vhd x.vhd type=differencing parent=base.vhd 'data[0]=x'
	unsafe parent x.vhd
	run -1 --separate-stderr "$IMGCONV" inspect --json x.vhd
	wants .references '[{"kind":"parent","name":"base.vhd"}]'
	# Also where the footer is gone that open wants.
	fixture vhd x.vhd type=differencing parent=base.vhd 'data[0]=x' cut=-512
	unsafe "parent truncated" x.vhd
	fixture vhd x.vhd parent_uuid=00112233445566778899aabbccddeeff
	unsafe contradiction x.vhd
	fixture vhd x.vhd footer.features=6
	unsafe "unknown-feature unsupported-format" x.vhd
	fixture vhd x.vhd footer.data_offset=0xffffffffffffffff
	unsafe damaged x.vhd
	fixture vhd x.vhd footer.saved=1
	unsafe saved-state x.vhd
	fixture vhd x.vhd type=fixed gap=4096 'data[0]=x'
	unsafe trailing-data x.vhd
	fixture vhd x.vhd 'data[0]=x' cut=-512
	unsafe truncated x.vhd
	fixture vhd x.vhd 'data[0]=x' 'bat[0]=1'
	unsafe damaged x.vhd
	fixture vdi x.vdi
	safe x.vdi
	fixture vdi x.vdi parent
	unsafe parent x.vdi
	fixture vdi x.vdi cut=-5
	unsafe truncated x.vdi
	fixture parallels x.hds in_use=0x746f6e59
	unsafe in-use x.hds
}

@test "VHDX and QED" {
	need qemu-img python3
	need_json
	pattern x.raw 4M 0 70000 text
	qemu-img convert -O vhdx x.raw x.vhdx
	fixture vhdx middle y.vhdx y.raw
	unsafe parent y.vhdx
	fixture vhdx bad_hint y.vhdx y.raw
	unsafe contradiction y.vhdx
	head -c 3000000 x.vhdx >cut.vhdx
	unsafe truncated cut.vhdx
	qemu-img create -q -f qed x.qed 1M
	overwrite x.qed 16 02
	unsafe dirty x.qed
	overwrite x.qed 16 80
	unsafe "unknown-feature unsupported-format" x.qed
	qemu-img create -q -f qed -F raw -b x.raw y.qed
	unsafe backing-file y.qed
	run -1 --separate-stderr "$IMGCONV" inspect --json y.qed
	wants .features '["backing-file","backing-format-no-probe"]'
	wants .references '[{"kind":"backing-file","name":"x.raw"}]'
}

@test "what can be taken for two things" {
	need qemu-img
	qemu-img create -q -f qcow2 x.qcow2 1M
	safe x.qcow2
	# A partition table where the qcow2 has names of features, and 55 AA.
	head -c 66 /dev/zero | dd of=x.qcow2 bs=1 seek=446 conv=notrunc status=none
	overwrite x.qcow2 446 80 0 0 0 83 0 0 0 1 0 0 0 1 0 0 0
	overwrite x.qcow2 510 55 aa
	unsafe two-signatures x.qcow2
	[[ $output == *"qcow2"*"mbr"* ]]
	# To one reader a fixed VHD, to another the qcow2 that its disk is.
	qemu-img create -q -f qcow2 y.qcow2 1M
	runs 0 -q -f raw -O vhd -o subformat=fixed y.qcow2 y
	unsafe two-signatures y
	gzip -k y
	unsafe two-signatures y.gz
	[[ $output == *"qcow2"*"vhd"* ]]
}

@test "what its name promises" {
	need qemu-img
	qemu-img create -q -f qcow2 x.vmdk 1M
	unsafe name-mismatch x.vmdk
	pattern y.qcow2 1M 0 70000 text
	unsafe name-mismatch y.qcow2
	pattern z-flat.vmdk 1M 0 70000 text
	unsafe name-mismatch z-flat.vmdk
	cp x.vmdk x.gz
	unsafe name-mismatch x.gz
	run -0 sh -c '"$IMGCONV" inspect - <y.qcow2'
}

@test "compressed, and what is inside" {
	need qemu-img xz
	need_json
	qemu-img create -q -f qcow2 -b /etc/passwd -F raw over.qcow2 1M
	xz -k over.qcow2
	unsafe backing-file over.qcow2.xz
	[[ $output == "over.qcow2.xz: unsafe, qcow2 in xz, "* ]]
	run -1 --separate-stderr "$IMGCONV" inspect --json over.qcow2.xz
	wants '[.layers[].name]' '["xz","qcow2"]'
	wants .references '[{"kind":"backing-file","name":"/etc/passwd"}]'
	unsafe backing-file --shallow over.qcow2.xz
	run -1 sh -c '"$IMGCONV" inspect - <over.qcow2.xz'
	run -1 sh -c 'cat over.qcow2.xz | "$IMGCONV" inspect -'
	[[ $output == *"backing-file: "* ]]
	pattern x.raw 1M 0 70000 text
	xz -k x.raw
	safe x.raw.xz
	head -c 100 x.raw.xz >cut.raw.xz
	unsafe truncated cut.raw.xz
	# Damage that is not seen before all of it is read.
	make_pattern y.raw data:1M
	xz -k y.raw
	overwrite y.raw.xz $(($(stat -c %s y.raw.xz) - 5000)) 00 00 00 00
	unsafe damaged y.raw.xz
	safe --shallow y.raw.xz
}

@test "archives: which disk is meant is a choice" {
	need qemu-img python3
	qemu-img create -q -f qcow2 a.qcow2 1M
	pattern b.raw 1M 0 70000 text
	tar -cf one.tar a.qcow2
	built_with archive || {
		unsafe "archive unsupported-format" one.tar
		return 0
	}
	unsafe archive one.tar
	tar -cf two.tar a.qcow2 b.raw
	unsafe "archive several-disks" two.tar
	safe --member a.qcow2 two.tar
	safe --member b.raw -f tar two.tar
	qemu-img create -q -f qcow2 -b b.raw -F raw over.qcow2
	tar -cf three.tar b.raw over.qcow2
	unsafe backing-file --member over.qcow2 three.tar
	# A backup is none to unpack, but may hold several, too.
	fixture vma x.vma a=b.raw b=b.raw
	unsafe several-disks x.vma
	safe --member a x.vma
	# Two archives are two choices.
	tar -cf outer.tar one.tar
	unsafe archive --member a.qcow2 outer.tar
	refuses 64 "*--member*" inspect --member x b.raw
}

@test "no more is unpacked than --max-size allows" {
	need gzip xz qemu-img
	truncate -s 100M zero
	gzip -c <zero >bomb.gz
	[ "$(stat -c %s bomb.gz)" -lt 200000 ]
	unsafe too-large --max-size 64M bomb.gz
	safe --max-size 100M bomb.gz
	# An xz says what is in it.
	xz -0 -k zero
	unsafe too-large --max-size 64M zero.xz
	unsafe too-large --max-size 64M --shallow zero.xz
	# On the way to a few bytes again.
	pattern x.raw 1M 0 70000 text
	{ xz -c x.raw && cat zero; } | gzip >between.gz
	unsafe too-large --max-size 64M between.gz
	safe --max-size 200M between.gz
	if built_with archive; then
		mkdir __MACOSX
		mv zero __MACOSX/a
		tar -c __MACOSX/a x.raw | gzip >before.tar.gz
		unsafe "archive too-large" --max-size 64M before.tar.gz
	fi
	qemu-img create -q -f qcow2 x.qcow2 1G
	unsafe too-large --max-size 1023M x.qcow2
	unsafe too-large --shallow --max-size 1023M x.qcow2
	safe --max-size 1G x.qcow2
}

@test "formats that are only known by name" {
	printf 'sprs\0\0\0\3' >x.sparseimage
	truncate -s 1M x.sparseimage
	unsafe unsupported-format x.sparseimage
	printf 'LZIP\001\014' >x.lz
	unsafe unsupported-format x.lz
	printf '<?xml version="1.0"?><Parallels_disk_image>' >x.xml
	unsafe unsupported-format x.xml
	: >nothing
	unsafe truncated nothing
}

@test "headers alone, with --shallow" {
	need python3
	need_json
	# What lies in the tables is not seen so.
	make_qcow2 x.qcow2 'l2[3]=0x8000000000050000'
	safe --shallow x.qcow2
	unsafe damaged x.qcow2
	run -0 --separate-stderr "$IMGCONV" inspect --json --shallow x.qcow2
	wants .shallow true
	wants 'has("allocated")' false
}

@test "JSON agrees with info" {
	need qemu-img
	need_json
	pattern x.raw 1M 0 70000 text
	qemu-img convert -O qcow2 x.raw x.qcow2
	qemu-img snapshot -c one x.qcow2
	runs 0 info --json x.qcow2
	jq -S '[.format, ."virtual-size", .allocated, .snapshots, .encrypted,
		.layers, .content, .evidence, ."format-specific"]' \
		<<<"$output" >wanted
	runs 0 inspect --json x.qcow2
	jq -S '[.format, ."virtual-size", .allocated, .snapshots, .encrypted,
		.layers, .content, .evidence, ."format-specific"]' \
		<<<"$output" | diff wanted -
	wants .safe true
	wants .verdict '"safe"'
	wants .reasons '[]'
	wants .snapshots 1
	wants '."file-size"' "$(stat -c %s x.qcow2)"
	wants '.sandbox | has("seccomp")' true
}

@test "names in the image that are not UTF-8 give valid JSON" {
	need_json
	descriptor x.vmdk parentCID=ffffffff 'createType="twoGbMaxExtentFlat"' \
		$'RW 10 FLAT "caf\xe9\x1b[2J.vmdk" 0' 'RW 10 FLAT "y.vmdk" 0'
	run -1 --separate-stderr "$IMGCONV" inspect --json x.vmdk
	iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
	wants '.references[0].name' $'"caf\xef\xbf\xbd\\u001b[2J.vmdk"'
	wants '.reasons[0].code' '"several-files"'
	run -1 --separate-stderr "$IMGCONV" inspect x.vmdk
	[[ $output != *$'\e'* ]]
}

@test "exit statuses, and what is no option of it" {
	need qemu-img
	pattern x.raw 1M 0 70000 text
	runs 0 inspect -q x.raw
	[ -z "$output$stderr" ]
	qemu-img create -q -f qcow2 -b x.raw -F raw y.qcow2
	runs 1 inspect -q y.qcow2
	[ -z "$output$stderr" ]
	refuses 66 "nothing: *" inspect nothing
	refuses 64 "--allow-references is not an option of inspect" \
		inspect --allow-references y.qcow2
	refuses 64 "*" inspect x.raw y.qcow2
	# What was not reached is not judged.
	if built_with curl; then
		runs 75 inspect --retries 0 http://127.0.0.1:1/x.raw
		[ -z "$output" ]
	fi
}

@test "nothing is opened but the image" {
	need qemu-img strace
	pattern secret 1M 0 70000 text
	qemu-img create -q -f qcow2 -b "$PWD/secret" -F raw x.qcow2
	run -1 strace -f -o trace -e trace=open,openat,openat2 "$IMGCONV" \
		inspect x.qcow2
	grep -q x.qcow2 trace
	if grep secret trace; then fail "opened"; fi
}

@test "tables that are shared by many states cost no more than an image has" {
	need python3
	fixture states few.qcow2 20 20
	unsafe damaged few.qcow2
	# 2.5 GiB of them in a file of 26 MB.
	fixture states many.qcow2 200 200
	unsafe too-large many.qcow2
}

# What is called safe is read, too: each byte of a header in turn is another.
@test "what is safe can be converted" {
	need python3
	local at count=0
	make_qcow2 sound.qcow2
	for at in $(seq 4 111); do
		cp sound.qcow2 x
		overwrite x "$at" 11
		run timeout 60 "$IMGCONV" inspect -q --max-size 1G x
		case $status in
		0)
			runs 0 -q --force -O raw x out.raw
			count=$((count + 1))
			;;
		1) ;;
		*) fail "status $status at $at: $output" ;;
		esac
	done
	# Some fields may be anything, most may not.
	[ "$count" -gt 5 ] && [ "$count" -lt 80 ] || fail "$count were safe"
}
