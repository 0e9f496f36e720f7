#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --checksum: the input has the digest that somebody published, or nothing is
# made of it. Files of checksums are written by the programs that people use.

load helper

prepare() {
	pattern disk.raw 9M 0 3M 'some content' 5M 2M 'some more of it'
}

sha() { sha256sum <"$1" | cut -d' ' -f1; }

# Of other bytes.
other() { echo other | sha256sum | cut -d' ' -f1; }

# mismatch WANTED-MESSAGE ARGUMENTS... OUTPUT: refused, and nothing is left.
mismatch() {
	local message=$1 before
	shift
	before=$(files)
	refuses 65 "$message" "$@"
	equal "$before" "$(files)" "files"
}

@test "a digest by its kind, by its length, in upper case" {
	need qemu-img
	local sum
	for sum in md5 sha1 sha224 sha256 sha384 sha512; do
		runs 0 -q --checksum "$sum:$("${sum}sum" <disk.raw |
			cut -d' ' -f1)" disk.raw "$sum.qcow2"
		runs 0 -q --checksum "$("${sum}sum" <disk.raw |
			cut -d' ' -f1 | tr a-f A-F)" --force disk.raw \
			"$sum.qcow2"
	done
	runs 0 -q --checksum "blake2b:$(b2sum <disk.raw | cut -d' ' -f1)" \
		disk.raw b2.qcow2
	qemu-img compare disk.raw b2.qcow2
	qemu-img compare disk.raw sha512.qcow2
}

@test "a mismatch shows both digests, and there is no output" {
	local is wanted
	is=$(sha disk.raw) wanted=$(other)
	mismatch "disk.raw: the SHA-256 is $is, expected $wanted (from --checksum)" \
		--checksum "$wanted" disk.raw out.qcow2
	# What was there stays.
	echo old >out.qcow2
	mismatch "disk.raw: the SHA-256 is $is, *" \
		--force --checksum "$wanted" disk.raw out.qcow2
	equal old "$(cat out.qcow2)"
	# Several: each must be right.
	mismatch "disk.raw: the SHA-256 is *" --checksum "$is" \
		--checksum "$wanted" disk.raw out.raw
	runs 0 --checksum "$is" --checksum "sha512:$(sha512sum <disk.raw |
		cut -d' ' -f1)" disk.raw both.raw
	cmp disk.raw both.raw
}

@test "files as sha256sum, shasum --tag, openssl and others write them" {
	local form
	need openssl
	cp disk.raw other.raw
	echo x >>other.raw
	sha256sum other.raw disk.raw >text
	sha256sum -b other.raw ./disk.raw >binary
	sha256sum --tag other.raw disk.raw >tag
	sha256sum --tag -b "$PWD/disk.raw" >path
	openssl dgst -sha256 other.raw disk.raw >openssl
	openssl dgst -r -sha512 disk.raw >reverse
	openssl dgst -sha1 <disk.raw >stdin
	sha256sum <disk.raw >dash
	sha256sum disk.raw | cut -d' ' -f1 >bare
	sed 's/$/\r/' text >crlf
	{
		echo '# published'
		echo "SHA256 (other.raw) = $(sha other.raw | tr a-f A-F)"
		echo "SHA256 (disk.raw) = $(sha disk.raw | tr a-f A-F)"
	} >upper
	b2sum disk.raw >B2SUMS
	md5sum disk.raw >several
	sha256sum disk.raw >>several
	for form in text binary tag path openssl reverse stdin dash bare crlf \
		upper B2SUMS several; do
		runs 0 -q --checksum "$form" disk.raw "out.$form.raw"
		cmp disk.raw "out.$form.raw"
		# The same text says that another file is wrong.
		mkdir -p "$form.d"
		cp other.raw "$form.d/disk.raw"
		run -65 --separate-stderr "$IMGCONV" -q --checksum "$form" \
			"$form.d/disk.raw" bad.raw
		[[ $stderr == *"the "*" is "*", expected "*" (from $form)" ]]
		[ ! -e bad.raw ]
	done
}

@test "a name with odd letters, as sha256sum escapes it" {
	local name=$'a\\b\nc.raw'
	mv disk.raw "$name"
	sha256sum "$name" >sums
	[ "$(head -c1 sums)" = '\' ]
	runs 0 --checksum sums "$name" out.raw
	cmp "$name" out.raw
}

# A message as gpg makes it; a false digest stands around it.
clearsigned() {
	cat <<-END
	$(other)  disk.raw
	-----BEGIN PGP SIGNED MESSAGE-----
	Hash: SHA512

	- - a line with a dash
	$(sha256sum disk.raw)
	-----BEGIN PGP SIGNATURE-----

	iHUEARYKAB0WIQTHISisNOTaREALsignature
	$(other)  disk.raw
	-----END PGP SIGNATURE-----
	$(other)  disk.raw
	END
}

@test "a clearsigned file: what is signed counts, the signature is not looked at" {
	clearsigned >SHA256SUMS
	runs 0 --checksum SHA256SUMS disk.raw out.raw
	[[ $stderr == *"SHA256SUMS: the signature is not verified"* ]]
	cmp disk.raw out.raw
}

@test "the strongest digest of several kinds counts" {
	md5sum disk.raw >sums
	echo "$(other)  disk.raw" >>sums
	mismatch "disk.raw: the SHA-256 is *" --checksum sums disk.raw out.raw
}

@test "which line is meant is never guessed" {
	sha256sum disk.raw >sums
	cp disk.raw b.raw
	mismatch_usage() {
		refuses 64 "$1" --checksum sums b.raw out.raw
		[ ! -e out.raw ]
	}
	mismatch_usage '--checksum: sums: has no line for b.raw (but for disk.raw)'
	sha256sum b.raw >>sums
	echo "$(other)  sub/b.raw" >>sums
	mismatch_usage '--checksum: sums: has two different lines for b.raw*'
	{ sha disk.raw; other; } >sums
	mismatch_usage '--checksum: sums: has two different lines for the input*'
}

@test "what is no file of checksums is refused" {
	head -c 4096 /dev/urandom >garbage
	refuses 65 '--checksum: garbage: is no text with checksums' \
		--checksum garbage disk.raw out.raw
	yes 'just words' | head -n 10 >words
	refuses 65 '--checksum: words: has no line with a checksum' \
		--checksum words disk.raw out.raw
	truncate -s 2M long
	refuses 65 '--checksum: long: is longer than 1048576 bytes*' \
		--checksum long disk.raw out.raw
	refuses 66 '--checksum: none: cannot open: *' \
		--checksum none disk.raw out.raw
	refuses 64 '--checksum: "12" is not a SHA-256: *64 hexadecimal digits' \
		--checksum sha256:12 disk.raw out.raw
	refuses 64 '--checksum: unknown kind "sha3-256" *' \
		--checksum "sha3-256:$(sha disk.raw)" disk.raw out.raw
	[ ! -e out.raw ]
}

@test "compressed bytes and those inside are told apart" {
	need xz
	xz -k disk.raw
	sha256sum disk.raw.xz >of-file
	sha256sum disk.raw >of-inside
	runs 0 --checksum of-file disk.raw.xz a.raw
	runs 0 --checksum of-inside disk.raw.xz b.raw
	runs 0 --checksum "inside:$(sha disk.raw)" disk.raw.xz c.raw
	runs 0 --checksum "$(sha disk.raw.xz)" \
		--checksum "inside:sha256:$(sha disk.raw)" disk.raw.xz d.raw
	cmp disk.raw d.raw
	mismatch "disk.raw.xz: the SHA-256 is $(sha disk.raw.xz), *" \
		--checksum "$(sha disk.raw)" disk.raw.xz e.raw
	mismatch "disk.raw.xz: inside xz: the SHA-256 is $(sha disk.raw), *" \
		--checksum "inside:$(other)" disk.raw.xz e.raw
	echo "$(other)  disk.raw" >wrong
	mismatch "disk.raw.xz: inside xz: *from wrong?" \
		--checksum wrong disk.raw.xz e.raw
	# A name that promises more layers than there are.
	mv disk.raw plain.raw.xz
	sha256sum plain.raw.xz | sed s/.xz// >promises
	refuses 64 '--checksum: promises has the digest of what is inside 1 *' \
		-f raw --checksum promises plain.raw.xz f.raw
}

@test "layers in layers, with digests of each" {
	need xz gzip
	xz -k disk.raw
	gzip -k disk.raw.xz
	sha256sum disk.raw >inner
	sha256sum disk.raw.xz >middle
	sha256sum disk.raw.xz.gz >outer
	runs 0 --checksum inner --checksum middle --checksum outer \
		disk.raw.xz.gz out.raw
	cmp disk.raw out.raw
	echo "$(other)  disk.raw.xz" >middle
	mismatch 'disk.raw.xz.gz: inside gz: *from middle?' \
		--checksum inner --checksum middle disk.raw.xz.gz bad.raw
}

@test "from pipes" {
	need xz qemu-img
	xz -k disk.raw
	imgconv disk.raw disk.qcow2
	local file sum
	for file in disk.raw disk.raw.xz disk.qcow2; do
		sum=$(sha $file)
		runs 0 --checksum "$sum" -O raw - out.raw < <(cat $file)
		cmp disk.raw out.raw
		rm out.raw
		run -65 --separate-stderr "$IMGCONV" --checksum "$(other)" \
			-O raw - out.raw < <(cat $file)
		[[ $stderr == *"the SHA-256 is $sum, expected "* ]]
		[ ! -e out.raw ]
	done
	# Without a name of its own: a file about one file, or none at all.
	sha256sum disk.raw >one
	runs 0 --checksum one -O raw - out.raw < <(cat disk.raw)
	sha256sum disk.raw.xz >>one
	run -64 --separate-stderr "$IMGCONV" --checksum one -O raw - b.raw \
		< <(cat disk.raw)
	[[ $stderr == *'the input has no name to choose by'* ]]
	# The file of checksums may come from a pipe too.
	runs 0 --checksum <(sha256sum disk.raw) disk.raw c.raw
	# And to a pipe: what has gone is gone, the status says it.
	run -65 --separate-stderr "$IMGCONV" --checksum "$(other)" -O raw \
		disk.raw.xz -
}

@test "bytes that nobody needs are digested too" {
	need gzip
	imgconv disk.raw disk.qcow2
	# Behind the image's own end; between what a conversion reads.
	head -c 65536 /dev/zero | tr '\0' x >>disk.qcow2
	runs 0 --checksum "$(sha disk.qcow2)" disk.qcow2 out.raw
	cmp disk.raw out.raw
	mismatch 'disk.qcow2: *' --checksum "$(other)" disk.qcow2 bad.raw
	gzip -k disk.qcow2
	runs 0 --checksum "inside:$(sha disk.qcow2)" disk.qcow2.gz out2.raw
}

@test "a fragmented image, read at random" {
	need qemu-img qemu-io
	qemu-img create -q -f qcow2 -o cluster_size=4k frag.qcow2 8M
	local i commands=()
	for i in $(seq 150 -1 0); do
		commands+=(-c "write -q -P $((i % 255 + 1)) $((i * 12))k 4k")
	done
	qemu-io -f qcow2 "${commands[@]}" frag.qcow2
	runs 0 --checksum "$(sha frag.qcow2)" frag.qcow2 out.raw
	qemu-img compare frag.qcow2 out.raw
	mismatch 'frag.qcow2: the SHA-256 *' --checksum "$(other)" \
		frag.qcow2 bad.raw
	# Inside blocks, at random or through a spool.
	xz -k --block-size=64KiB frag.qcow2
	runs 0 --checksum "inside:$(sha frag.qcow2)" \
		--checksum "$(sha frag.qcow2.xz)" frag.qcow2.xz out2.raw
	cmp out.raw out2.raw
	mismatch 'frag.qcow2.xz: inside xz: *' --checksum "inside:$(other)" \
		frag.qcow2.xz bad.raw
	# Every plan there is looks at it.
	local count n
	count=$("$IMGCONV" plan --all --checksum "inside:$(sha frag.qcow2)" \
		frag.qcow2.xz x.raw | grep -c ^weight)
	[ "$count" -ge 2 ]
	for n in $(seq "$count"); do
		runs 0 --plan "$n" --checksum "inside:$(sha frag.qcow2)" \
			frag.qcow2.xz "plan$n.raw"
		cmp out.raw "plan$n.raw"
		mismatch 'frag.qcow2.xz: inside xz: *' --plan "$n" \
			--checksum "inside:$(other)" frag.qcow2.xz bad.raw
	done
}

@test "to a pipe that a survey or a spool is needed for" {
	local good bad
	good=$(sha disk.raw) bad=$(other)
	"$IMGCONV" --checksum "$good" -O qcow2 disk.raw - >out.qcow2
	runs 0 compare disk.raw out.qcow2
	"$IMGCONV" --checksum "$good" -O qcow2 - - < <(cat disk.raw) >two.qcow2
	runs 0 compare disk.raw two.qcow2
	# What comes before the first byte can stop all of it.
	run -65 --separate-stderr "$IMGCONV" --checksum "$bad" -O qcow2 \
		disk.raw -
	[ -z "$output" ]
	run -65 --separate-stderr "$IMGCONV" --checksum "$bad" -O qcow2 - - \
		< <(cat disk.raw)
	[ -z "$output" ]
}

@test "a rename, which reads nothing, is read for" {
	cp disk.raw gone.raw
	runs 0 plan --consume --checksum "$(sha disk.raw)" gone.raw out.raw
	[[ $output == *'1. checksum'*'2. rename'* ]]
	mismatch 'gone.raw: the SHA-256 *' --consume --checksum "$(other)" \
		gone.raw out.raw
	cmp disk.raw gone.raw
	runs 0 --consume --checksum "$(sha disk.raw)" gone.raw out.raw
	[ ! -e gone.raw ]
	cmp disk.raw out.raw
	# Without it, nothing is read.
	runs 0 plan --consume out.raw x.raw
	[[ $output != *checksum* ]]
}

@test "looking at the tables before a rename writes nothing" {
	need strace
	imgconv disk.raw a.qcow2
	strace -f -qq -e trace=write,pwrite64 -o trace \
		"$IMGCONV" --consume a.qcow2 b.qcow2
	equal 0 "$(grep -c pwrite64 trace)" 'writes'
	runs 0 compare disk.raw b.qcow2
}

@test "a copy of a compressed file is read inside" {
	need xz
	xz -k disk.raw
	runs 0 --checksum "inside:$(sha disk.raw)" disk.raw.xz copy.raw.xz
	cmp disk.raw.xz copy.raw.xz
	mismatch 'disk.raw.xz: inside xz: *' --checksum "inside:$(other)" \
		disk.raw.xz bad.raw.xz
	mismatch 'disk.raw.xz: inside xz: *' --checksum "inside:$(other)" \
		disk.raw.xz bad.raw.xz.gz
	mismatch 'disk.raw.xz: the SHA-256 *' --checksum "$(other)" \
		disk.raw.xz bad.raw.xz.gz
	mismatch 'disk.raw.xz: the SHA-256 *' --consume \
		--checksum "$(other)" disk.raw.xz bad.raw.xz
	runs 0 --consume --checksum "inside:$(sha disk.raw)" disk.raw.xz \
		moved.raw.xz
	cmp copy.raw.xz moved.raw.xz
}

@test "programs of others read only what was looked at" {
	need qemu-img
	runs 0 --checksum "$(sha disk.raw)" -O qcow disk.raw out.qcow
	mismatch 'disk.raw: the SHA-256 *' -q --checksum "$(other)" -O qcow \
		disk.raw bad.qcow
	mismatch '*the SHA-256 *' -q --checksum "$(other)" -s 20M disk.raw \
		bad.qcow2
}

@test "archives: the file's digest, and the member's" {
	need tar
	[ "${IMGCONV_VARIANT-}" != minimal ] || skip 'no archives here'
	tar cf disk.tar disk.raw
	tar czf disk.tar.gz disk.raw
	sha256sum disk.raw >sums
	runs 0 --checksum "$(sha disk.tar)" disk.tar a.raw
	runs 0 --checksum sums disk.tar b.raw
	runs 0 --checksum sums --checksum "$(sha disk.tar.gz)" disk.tar.gz c.raw
	cmp disk.raw c.raw
	echo "$(other)  disk.raw" >sums
	mismatch 'disk.tar: inside tar: *' --checksum sums disk.tar bad.raw
	mismatch 'disk.tar.gz: inside tar: *' --checksum "inside:$(other)" \
		disk.tar.gz bad.raw
	mismatch 'disk.tar: the SHA-256 *' --checksum "$(other)" disk.tar \
		bad.raw
}

@test "check --checksum, without an output" {
	need xz
	xz -k disk.raw
	imgconv disk.raw disk.qcow2
	sha256sum disk.raw disk.raw.xz disk.qcow2 >SHA256SUMS
	local file
	for file in disk.raw disk.raw.xz disk.qcow2; do
		runs 0 check --checksum SHA256SUMS $file
		[[ $output == *'The checksum is as expected.'* ]]
		refuses 65 "$file: the SHA-256 is $(sha $file), expected *" \
			check --checksum "$(other)" $file
		runs 0 check --checksum "$(sha $file)" - < <(cat $file)
		run -65 --separate-stderr "$IMGCONV" check \
			--checksum "$(other)" - < <(cat $file)
		[[ $stderr == *"the SHA-256 is $(sha $file), expected "* ]]
	done
	refuses 65 'disk.raw.xz: inside xz: *' check \
		--checksum "inside:$(other)" disk.raw.xz
	runs 0 check --checksum "inside:$(sha disk.raw)" disk.raw.xz
}

@test "a weak digest is said to be one" {
	runs 0 --checksum "$(md5sum <disk.raw | cut -d' ' -f1)" disk.raw out.raw
	[[ $stderr == *'MD5 finds damage, but no forgery'* ]]
	runs 0 --checksum "$(sha disk.raw)" disk.raw two.raw
	[ -z "$stderr" ]
}
