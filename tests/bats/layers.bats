#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What lies in what, and how much of it: compressions, archives, disks, members,
# dictionaries, and names that are not what they seem.

load helper
load images
load every

# shellcheck disable=SC2154 # bats sets output and stderr

prepare() {
	need python3 xz gzip tar
	[ "${IMGCONV_VARIANT:-}" != minimal ] || skip "built without archives"
	make_pattern disk.raw text:1M
}

# refused_both STATUS PATTERN FILE: as a file, and in a pipe.
refused_both() {
	fails "$1" "$2" -O raw "$3" out.raw
	nothing_at out.raw
	fails "$1" "$2" -O raw - out.raw < <(cat "$3")
	nothing_at out.raw
}

taken_both() {
	runs 0 -O raw "$1" out.raw
	same_bytes disk.raw out.raw
	rm out.raw
	runs 0 -O raw - out.raw < <(cat "$1")
	same_bytes disk.raw out.raw
	rm out.raw
}

@test "eight compressions, not nine" {
	local i
	cp disk.raw 0
	for i in 1 2 3 4 5 6 7 8 9; do
		if [ $((i % 2)) = 1 ]; then
			gzip -c $((i - 1)) >$i
		else
			xz -0 -c $((i - 1)) >$i
		fi
	done
	taken_both 8
	refused_both 65 "*more than 8 compressions*" 9
	run -65 "$IMGCONV" info 9
}

@test "two archives, not three; a disk in a disk is bytes" {
	tar -cf 1.tar disk.raw
	tar -cf 2.tar 1.tar
	tar -cf 3.tar 2.tar
	gzip -k 2.tar
	tar -cf gz.tar 2.tar.gz
	taken_both 1.tar
	taken_both 2.tar
	refused_both 65 "*more than 2 archives*" 3.tar
	refused_both 65 "*more than 2 archives*" gz.tar
	imgconv disk.raw inner.qcow2
	imgconv -q -f raw -O qcow2 inner.qcow2 outer.qcow2
	imgconv -q -O raw outer.qcow2 out.raw
	same_bytes inner.qcow2 out.raw
}

@test "a raw output that begins like an image is reported" {
	local input
	imgconv disk.raw inner.qcow2
	imgconv -q -f raw -O qcow2 inner.qcow2 outer.qcow2
	for input in outer.qcow2 "-f raw inner.qcow2"; do
		# shellcheck disable=SC2086
		runs 0 -O raw $input out.raw
		[[ $stderr == *"note: the disk itself begins like"*qcow2* ]] ||
			fail "$input: $stderr"
		rm out.raw
	done
	runs 0 -O raw - out.raw < <(cat outer.qcow2)
	[[ $stderr == *"note: the disk itself begins like"*qcow2* ]]
	# Where the output says what it is there is nothing to mistake.
	runs 0 -O vmdk outer.qcow2 out.vmdk
	[ -z "$stderr" ] || fail "$stderr"
	runs 0 --force -O raw disk.raw out.raw
	[ -z "$stderr" ] || fail "$stderr"
}

@test "an empty file is a disk of no bytes, with a note" {
	: >empty
	runs 0 -O raw empty out.raw
	[[ $stderr == *"note: the input is empty"* ]] || fail "$stderr"
	[ -e out.raw ] && [ ! -s out.raw ]
	rm out.raw
	runs 0 -O raw - out.raw < <(cat empty)
	[[ $stderr == *"note: the input is empty"* ]] || fail "$stderr"
	[ -e out.raw ] && [ ! -s out.raw ]
	runs 0 -O qcow2 empty out.qcow2
	[[ $stderr == *"note: the input is empty"* ]] || fail "$stderr"
	runs 0 compare empty out.qcow2
	runs 0 info empty
}

@test "several disks, and names that two have, are listed" {
	local file
	cp disk.raw b.raw
	tar -cf two.tar disk.raw b.raw
	cp two.tar twice.tar
	tar -rf twice.tar disk.raw
	python3 -c 'import zipfile
with zipfile.ZipFile("two.zip", "w") as file:
    file.write("disk.raw")
    file.write("b.raw")'
	for file in two.tar two.zip; do
		fails 64 "*2 disks*--member*disk.raw*b.raw*" -O raw $file out.raw
		nothing_at out.raw
		fails 64 "*b.raw*--member*" -O raw - out.raw < <(cat $file)
		nothing_at out.raw
		runs 64 info $file
		runs 0 --member disk.raw -O raw $file out.raw
		same_bytes disk.raw out.raw
		rm out.raw
	done
	fails 64 "*3 disks*disk.raw*b.raw*disk.raw*" -O raw twice.tar out.raw
	nothing_at out.raw
	# A name that two have chooses neither, a number does.
	fails 64 "*more than one file called disk.raw*" --member disk.raw \
		-O raw twice.tar out.raw
	fails 64 "*more than one file called disk.raw*" --member disk.raw \
		-O raw - out.raw < <(cat twice.tar)
	nothing_at out.raw
	runs 0 --member b.raw -O raw twice.tar out.raw
	rm out.raw
	runs 0 --member 2 -O raw twice.tar out.raw
	same_bytes disk.raw out.raw
}

@test "what a decoder needs and what is allowed is said, for each codec" {
	xz --lzma2=dict=1536MiB -kc disk.raw >huge.xz
	# A frame whose header wants a window of 2 GiB, and a block of RLE.
	printf '\050\265\057\375\000\250\003\000\020a' >huge.zst
	local file
	for file in huge.xz huge.zst; do
		[ $file != huge.zst ] || built_with zstd || continue
		refused_both 65 "*needs *bytes*allowed are *--memory*" $file
		run --separate-stderr "$IMGCONV" info $file
		equal 65 "$status"
		[[ $stderr == *"needs "*"allowed are "* ]]
	done
	runs 0 --memory 4G -O raw huge.xz out.raw
	same_bytes disk.raw out.raw
	# Those that cannot need more than a few MiB are never refused for it.
	gzip -9 -k disk.raw
	bzip2 -9 -k disk.raw
	rm out.raw
	for file in disk.raw.gz disk.raw.bz2; do
		runs 0 --memory 16M -O raw $file out.raw
		same_bytes disk.raw out.raw
		rm out.raw
	done
}

# In every name: what a terminal would obey, a line's end, no UTF-8.
bad_name() { printf 'a\033]0;x\a\n\377\300\257\302\233\342\200\256b'; }

# harmless FILE: lines of UTF-8 without control characters, neither those of the
# second set nor those that turn the direction; JSON may have these.
harmless() {
	python3 -c 'import sys
data = open(sys.argv[1], "rb").read()
text = data.decode("utf-8")
json = text.startswith(("{", "["))
bad = [c for c in text if c != "\n" and (ord(c) < 32 or not json and (
       127 <= ord(c) < 160 or 0x202a <= ord(c) <= 0x202e or
       0x2066 <= ord(c) <= 0x2069))]
sys.exit(f"{bad} in {data}" if bad else 0)' "$1"
}

@test "names of any bytes: in errors, info, map, inspect, and in JSON" {
	local name hex file command
	need_json
	name=$(bad_name)
	hex=$(bad_name | xxd -p | tr -d '\n')
	by_script qcow2 backing.qcow2 "backing=NAME"
	python3 - "$hex" <<-'END'
		import sys, tarfile, io
		name = bytes.fromhex(sys.argv[1])
		data = bytearray(open("backing.qcow2", "rb").read())
		at = data.index(b"NAME", 72)
		data[at:at + len(name)] = name
		data[16:20] = len(name).to_bytes(4, "big")
		open("backing.qcow2", "wb").write(data)
		disk = open("disk.raw", "rb").read()
		for out, count in ("one.tar", 1), ("two.tar", 2):
		    with open(out, "wb") as file:
		        for i in range(count):
		            head = tarfile.TarInfo("x" * len(name) + "%d.raw" % i)
		            head.size = len(disk)
		            raw = bytearray(head.tobuf(tarfile.USTAR_FORMAT))
		            raw[:len(name)] = name
		            raw[148:156] = b" " * 8
		            raw[148:156] = b"%06o\0 " % sum(raw)
		            file.write(raw + disk)
		        file.write(bytes(10240))
	END
	by_script qcow2 data.qcow2 incompatible_features=4 \
		"extension=0x44415441:$hex"
	by_script qcow2 feature.qcow2 incompatible_features=0x8000000000000000 \
		"extension=0x6803f857:003f$hex$(printf '0%.0s' {1..80})"
	cp backing.qcow2 "$name.qcow2"
	for file in backing.qcow2 one.tar two.tar data.qcow2 feature.qcow2 \
		"$name.qcow2"; do
		for command in info map check inspect "measure -O raw" \
			"compare disk.raw" "-v --dry-run -O qcow2 disk.raw"; do
			# shellcheck disable=SC2086
			"$IMGCONV" $command "$file" >said 2>&1 || true
			harmless said || fail "$command $file"
		done
		for command in info map check inspect plan; do
			# shellcheck disable=SC2046
			"$IMGCONV" $command --json "$file" \
				$([ $command != plan ] || echo new.raw) \
				>said 2>errors || true
			harmless said && harmless errors ||
				fail "$command --json $file"
			[ ! -s said ] || jq -e . said >/dev/null ||
				fail "$command --json $file: $(cat said)"
		done
		"$IMGCONV" --allow-references "$file" -O raw out.raw >said 2>&1 ||
			true
		harmless said || fail "conversion of $file"
		rm -f out.raw
	done
}
