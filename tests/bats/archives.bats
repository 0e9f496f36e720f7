#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images inside archives: found, read in place where they lie in the open, and
# as a stream elsewhere; nothing of an archive is believed unseen.

load helper
load images

prepare() {
	built_with archive || {
		make_odd_disk disk.raw
		tar -cf in.tar disk.raw
		fails 69 "*built without libarchive*" in.tar out.raw
		skip_rest=yes
	}
}

# here: the variant has archives at all.
here() { [ -z "${skip_rest:-}" ]; }

# both_ways ARCHIVE: from the file and from a pipe it is disk.raw.
both_ways() {
	runs 0 --force "$1" out.raw
	same_bytes disk.raw out.raw
	run -0 --separate-stderr "$IMGCONV" --force -O raw - out.raw \
		< <(cat "$1")
	same_bytes disk.raw out.raw
}

@test "tar of every dialect, cpio, zip: from files and pipes" {
	here || return 0
	need tar cpio zip
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	local dialect
	for dialect in v7 oldgnu gnu ustar posix; do
		tar --format=$dialect -cf in.tar disk.raw
		both_ways in.tar
		tar --format=$dialect -cf in.tar disk.qcow2
		both_ways in.tar
	done
	for dialect in newc odc crc bin; do
		echo disk.raw | cpio -o -H $dialect >in.cpio 2>/dev/null
		both_ways in.cpio
	done
	zip -q in.zip disk.raw
	both_ways in.zip
	zip -q -0 stored.zip disk.qcow2
	both_ways stored.zip
}

@test "sparse members, long names, folders around" {
	here || return 0
	make_odd_disk disk.raw
	local dialect folder
	folder=$(printf 'folder%.0s' {1..30})
	mkdir -p "$folder"
	cp --sparse=always disk.raw "$folder/disk.raw"
	for dialect in oldgnu gnu posix; do
		tar --format=$dialect -S -cf in.tar "$folder"
		both_ways in.tar
	done
	for dialect in 0.0 0.1 1.0; do
		tar --format=posix --sparse-version=$dialect -S -cf in.tar \
			"$folder"
		both_ways in.tar
	done
}

@test "7z has its table at the end: from files only" {
	here || return 0
	need 7z
	make_odd_disk disk.raw
	7z a in.7z disk.raw >/dev/null
	runs 0 in.7z out.raw
	same_bytes disk.raw out.raw
	fails 69 "-: 7z: cannot be read in one pass*" -O raw - none.raw \
		< <(cat in.7z)
	nothing_at none.raw
}

@test "nested and compressed in any way" {
	here || return 0
	make_odd_disk disk.raw
	qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk
	runs 0 -O raw disk.vmdk padded.raw
	mv padded.raw disk.raw
	gzip -k disk.vmdk
	tar -czf in.tar.gz disk.vmdk.gz
	both_ways in.tar.gz
	tar -cf outer.tar in.tar.gz
	runs 0 info outer.tar
	[[ $output == *"+tar +gz +tar +gz "* ]] || fail "$output"
	both_ways outer.tar
}

@test "a member in the open is read where it lies" {
	here || return 0
	need strace
	make_pattern disk.raw data:1M hole:30M data:1M
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	tar -cf in.tar disk.qcow2
	runs 0 plan in.tar out.raw
	[[ $output == *"window tar"* && $output != *spool* ]] || fail "$output"
	# No file is made but the output's own, which has no name until the end.
	strace -f -e trace=openat,open,creat -o trace "$IMGCONV" in.tar out.raw
	same_bytes disk.raw out.raw
	equal 1 "$(grep -cE 'O_(RDWR|WRONLY).*O_TMPFILE' trace)"
	equal 0 "$(grep -E 'O_(RDWR|WRONLY)|O_CREAT' trace |
		grep -vcE 'O_TMPFILE|/dev/|/proc/')"
}

@test "several disks: said, and chosen by name or number" {
	here || return 0
	make_odd_disk disk.raw
	make_pattern other.raw text:1M
	echo words >README.txt
	tar -cf in.tar README.txt other.raw disk.raw
	fails 64 "*holds 2 disks; choose one with --member: 0 other.raw, 1 disk.raw" \
		in.tar out.raw
	nothing_at out.raw
	runs 0 --member 1 in.tar out.raw
	same_bytes disk.raw out.raw
	runs 0 --force --member disk.raw in.tar out.raw
	same_bytes disk.raw out.raw
	fails 64 "*has no disk none*" --member none in.tar none.raw
	# In a pipe the second one is seen at the end, before the commit.
	fails 64 "*another file that may be the disk, disk.raw*" -O raw - \
		none.raw < <(cat in.tar)
	nothing_at none.raw
	run -0 "$IMGCONV" --force -O raw --member 1 - out.raw < <(cat in.tar)
	same_bytes disk.raw out.raw
	run -0 "$IMGCONV" --force -O raw --member disk.raw - out.raw \
		< <(cat in.tar)
	same_bytes disk.raw out.raw
}

@test "what lies beside a disk is not taken for one" {
	here || return 0
	make_odd_disk disk.raw
	mkdir docs __MACOSX
	echo x >docs/README
	echo x >disk.raw.sha256
	echo x >__MACOSX/._disk.raw
	: >empty.img
	tar -cf in.tar docs __MACOSX disk.raw.sha256 empty.img disk.raw
	both_ways in.tar
	tar -cf none.tar docs disk.raw.sha256
	fails 69 "*holds no disk*" none.tar out2.raw
	echo a >a.bin
	echo b >b.bin
	tar -cf none.tar a.bin b.bin
	fails 69 "*none of its 2 files is called as a disk image*" none.tar \
		out2.raw
}

@test "names with tricks are data" {
	here || return 0
	make_odd_disk disk.raw
	python3 - <<-'END'
		import tarfile
		with tarfile.open("in.tar", "w") as tar:
		    info = tar.gettarinfo("disk.raw")
		    info.name = "../../etc/pass\x1b[31mwd.raw"
		    tar.addfile(info, open("disk.raw", "rb"))
	END
	runs 0 info in.tar
	[[ $output != *$'\e'* ]]
	both_ways in.tar
	equal "disk.raw in.tar out.raw " "$(files)"
}

@test "a link, a device and a folder called as a disk are none" {
	here || return 0
	make_odd_disk disk.raw
	ln -s /etc/passwd link.raw
	mkdir folder.raw
	mkfifo fifo.raw
	tar -cf none.tar link.raw folder.raw fifo.raw
	fails 69 "*holds no disk*" none.tar out.raw
	tar -cf in.tar link.raw folder.raw fifo.raw disk.raw
	both_ways in.tar
}

@test "cut and damaged archives are errors" {
	here || return 0
	need zip
	make_pattern disk.raw data:300K
	local cut
	tar -cf in.tar disk.raw
	for cut in 100 512 700 100000 300000; do
		head -c $cut in.tar >cut.tar
		run --separate-stderr "$IMGCONV" cut.tar out.raw
		[ "$status" -ne 0 ] || [ $cut -lt 512 ] ||
			fail "cut at $cut: $output"
		rm -f out.raw
	done
	zip -q in.zip disk.raw
	for cut in 200 100000 200000; do
		head -c $cut in.zip >cut.zip
		never_succeeds out.raw cut.zip out.raw
		run --separate-stderr "$IMGCONV" -O raw - out.raw \
			< <(cat cut.zip)
		[ "$status" -eq 65 ] || fail "cut at $cut: $status $stderr"
		nothing_at out.raw
	done
	# A wrong checksum.
	zip -q -0 stored.zip disk.raw
	overwrite in.zip 150000 00 ff 00 ff
	never_succeeds out.raw in.zip out.raw
	gzip -k in.tar
	overwrite in.tar.gz $(($(size_of in.tar.gz) - 6)) 00 ff
	never_succeeds out.raw in.tar.gz out.raw
}

@test "an encrypted member is refused" {
	here || return 0
	need zip
	make_pattern disk.raw data:100K
	zip -q -P secret in.zip disk.raw
	fails 69 "*encrypted*" in.zip out.raw
	nothing_at out.raw
}

@test "info, map, check and compare see through archives" {
	here || return 0
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	tar -cf in.tar disk.qcow2
	tar -cJf in.tar.xz disk.qcow2
	local one
	for one in in.tar in.tar.xz; do
		runs 0 compare $one disk.raw
		runs 0 check $one
		runs 0 map $one
		runs 0 measure -O raw $one
		runs 0 info $one
		[[ $output == *"member disk.qcow2"* ]] || fail "$output"
	done
}

make_ova() { python3 "$fixtures/make_ova.py" "$@"; }

# an_ova_disk: disk.vmdk, and the raw disk that it is.
an_ova_disk() {
	make_odd_disk disk.raw
	qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw \
		disk.vmdk
	qemu-img convert -O raw disk.vmdk disk.raw
}

@test "appliances: the disk that the description lists, of any version" {
	here || return 0
	an_ova_disk
	local version
	for version in 0.9 1.0 2.0; do
		make_ova in.ova disk.vmdk --ovf $version
		both_ways in.ova
	done
	# What is not listed is none, whatever it is called.
	cp disk.raw stray.raw
	tar -rf in.ova stray.raw
	runs 0 --force in.ova out.raw
	same_bytes disk.raw out.raw
	gzip -k in.ova
	runs 0 --force in.ova.gz out.raw
	same_bytes disk.raw out.raw
}

@test "appliances: several disks, in the order of the description" {
	here || return 0
	an_ova_disk
	cp disk.vmdk second.vmdk
	make_ova in.ova second.vmdk disk.vmdk --reverse
	fails 64 "*holds 2 disks; choose one with --member: 0 disk.vmdk, 1 second.vmdk" \
		in.ova out.raw
	fails 64 "*holds 2 disks; choose one with --member: 0 disk.vmdk, 1 second.vmdk" \
		-O raw - out.raw < <(cat in.ova)
	runs 0 --member 0 plan in.ova out.raw
	runs 0 --member 0 info in.ova
	[[ $output == *"member disk.vmdk"* ]] || fail "$output"
	run -0 "$IMGCONV" --member 0 -O raw - out.raw < <(cat in.ova)
	same_bytes disk.raw out.raw
}

@test "appliances: the manifest holds, wherever it stands" {
	here || return 0
	an_ova_disk
	local kind
	for kind in none sha1 sha256 sha512; do
		make_ova in.ova disk.vmdk --manifest $kind
		both_ways in.ova
		make_ova in.ova disk.vmdk --manifest $kind --manifest-last
		both_ways in.ova
	done
	make_ova bad.ova disk.vmdk --break-digest ovf
	fails 65 "bad.ova: ova: bad.ovf: the SHA-256 is *, the manifest says *" \
		bad.ova none.raw
	make_ova bad.ova disk.vmdk --break-digest disk
	fails 65 "*inside ova: the SHA-256 is *, expected * (from the manifest)" \
		bad.ova none.raw
	fails 65 "*from the manifest*" bad.ova none.qcow2
	fails 65 "*from the manifest*" -O raw - none.raw < <(cat bad.ova)
	make_ova bad.ova disk.vmdk --break-digest disk --manifest-last
	fails 65 "*from the manifest*" bad.ova none.raw
	fails 65 "*disk.vmdk: the SHA-256 is *, the manifest says *" -O raw - \
		none.raw < <(cat bad.ova)
	nothing_at none.raw
}

@test "appliances: descriptions that are refused" {
	here || return 0
	an_ova_disk
	make_ova in.ova disk.vmdk --entity
	fails 65 "*declares entities*" in.ova out.raw
	make_ova in.ova disk.vmdk --chunked
	fails 69 "*a disk is in chunks of 1048576 bytes*" in.ova out.raw
	echo '<Envelope>' >broken.ovf
	tar -cf broken.ova broken.ovf disk.vmdk
	fails 65 "*broken.ovf: description of 11 bytes is not well-formed*" \
		broken.ova out.raw
	# Of what cannot be decoded the library would speak by itself.
	echo '<?xml version="1.0" encoding="UTF-32"?><Envelope>    </Envelope>' \
		>broken.ovf
	tar -cf broken.ova broken.ovf disk.vmdk
	refuses 65 "*broken.ovf: description of * is not well-formed*" \
		broken.ova out.raw
	nothing_at out.raw
}

@test "what libarchive cannot unpack is refused by name" {
	here || return 0
	need 7z
	make_pattern disk.raw data:200K
	7z a -m0=Deflate64 in.7z disk.raw >/dev/null
	fails 69 "in.7z: inside 7z: Unknown codec*; extract the image first" \
		in.7z out.raw
	7z a -psecret -mhe=on hidden.7z disk.raw >/dev/null
	fails 69 "hidden.7z: 7z: The archive header is encrypted*" hidden.7z \
		out.raw
	7z a -psecret secret.7z disk.raw >/dev/null
	fails 69 "secret.7z: inside 7z: the member is encrypted" secret.7z \
		out.raw
	7z a -mx=0 -tzip -psecret -mem=AES256 secret.zip disk.raw >/dev/null
	fails 69 "secret.zip: inside zip: the member is encrypted" secret.zip \
		out.raw
	nothing_at out.raw
}

@test "a zip in several files is refused by its first and its last" {
	here || return 0
	need zip
	make_pattern disk.raw data:200K
	zip -q -s 64k in.zip disk.raw
	fails 69 "in.zip: zip-part: one of several files of a zip archive *" \
		in.zip out.raw
	fails 69 "in.z01: zip-part: one of several files of a zip archive *" \
		in.z01 out.raw
	nothing_at out.raw
}
