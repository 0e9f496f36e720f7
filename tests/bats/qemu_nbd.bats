#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Encrypted images, which qemu-nbd decrypts while the run reads: what comes out
# is what qemu-img reads with the same secret.
load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

# The secret's pass phrase has no line end: every byte of the file counts.
setup_file() {
	local at=$BATS_FILE_TMPDIR format name
	command -v qemu-img >/dev/null && command -v qemu-io >/dev/null ||
		return 0
	cd "$at" || return 1
	printf 'open sesame' >key
	printf 'open barley' >wrong
	encrypted qcow2 luks.qcow2 luks
	encrypted qcow2 aes.qcow2 aes
	encrypted qcow aes.qcow aes
	encrypted luks volume.luks
	for name in luks.qcow2 aes.qcow2 aes.qcow volume.luks; do
		format=${name##*.}
		qio "$(opened "$format" "$name")" -c "write -P 7 1M 3M" \
			-c "write -P 9 33000000 70000" \
			-c "write -P 1 39M 1023K"
	done
	qemu-img snapshot -c before "${object[@]}" \
		--image-opts "$(opened qcow2 luks.qcow2)"
	qemu-img snapshot -c snapshot.odd "${object[@]}" \
		--image-opts "$(opened qcow2 luks.qcow2)"
	qio "$(opened qcow2 luks.qcow2)" -c "write -P 5 2M 8M" \
		-c "write -z 20M 1M"
	for name in luks.qcow2 aes.qcow2 aes.qcow volume.luks; do
		qemu-img convert "${object[@]}" -O raw --image-opts \
			"$(opened "${name##*.}" "$name")" "$name.raw"
	done
	qemu-img convert "${object[@]}" -l snapshot.name=before -O raw \
		--image-opts "$(opened qcow2 luks.qcow2)" before.raw
}

object=(--object "secret,id=s,file=key")

# opened FORMAT FILE: as QEMU's options.
opened() {
	case $1 in
	luks) echo "driver=luks,key-secret=s,file.filename=$2" ;;
	*) echo "driver=$1,encrypt.key-secret=s,file.filename=$2" ;;
	esac
}

qio() { qemu-io "${object[@]}" --image-opts "$@" >/dev/null; }

# encrypted FORMAT FILE [METHOD]. LUKS measures the machine for its count of
# iterations, and at times cannot.
encrypted() {
	local options="encrypt.format=${3-},encrypt.key-secret=s"
	if [ "${3-}" = luks ]; then options+=,encrypt.iter-time=100; fi
	if [ "$1" = luks ]; then options="key-secret=s,iter-time=100"; fi
	for _ in {1..25}; do
		qemu-img create -q -f "$1" "${object[@]}" -o "$options" "$2" \
			40M 2>/dev/null && return
	done
	return 1
}

prepare() {
	need qemu-img qemu-io qemu-nbd
	case $("$IMGCONV" plan --secret "$BATS_FILE_TMPDIR/key" \
		"$BATS_FILE_TMPDIR/luks.qcow2" x.raw 2>&1) in
	*'built without'*)
		[ "${IMGCONV_VARIANT-}" != minimal ] ||
			skip "libnbd is left out of this variant"
		lack "libnbd in this imgconv"
		;;
	esac
	at=$BATS_FILE_TMPDIR
	key=$at/key
}

@test "each kind of encryption gives the guest that qemu-img reads" {
	local name from
	for name in luks.qcow2 aes.qcow2 aes.qcow volume.luks; do
		from=()
		if [ $name = volume.luks ]; then from=(-f luks); fi
		runs 0 --secret "$key" "${from[@]}" "$at/$name" "$name.raw"
		cmp "$name.raw" "$at/$name.raw"
	done
}

@test "the plan is one run, and what is not promised is said" {
	runs 0 plan --secret "$key" "$at/luks.qcow2" out.raw
	[[ $output == *"1. qemu-nbd"*"2. convert"*"temp: 0"* ]]
	[[ $output == *"caveat: qemu-nbd: "* ]]
	runs 0 -v --secret "$key" "$at/luks.qcow2" out.raw
	[[ $stderr == *"step: qemu-nbd"*"step: convert"* ]]
}

@test "holes stay holes" {
	runs 0 --secret "$key" "$at/luks.qcow2" out.raw
	[ "$(du -k out.raw | cut -f1)" -lt 16384 ]
}

@test "to qcow2, compressed, larger, and into a pipe" {
	runs 0 --secret "$key" --verify -c "$at/luks.qcow2" out.qcow2
	qemu-img compare -q out.qcow2 "$at/luks.qcow2.raw"
	runs 0 --secret "$key" -s 50M "$at/aes.qcow2" larger.qcow2
	truncate -s 50M "$at/aes.qcow2.raw"
	qemu-img compare -q larger.qcow2 "$at/aes.qcow2.raw"
	truncate -s 40M "$at/aes.qcow2.raw"
	"$IMGCONV" -q --secret "$key" -O raw "$at/luks.qcow2" - |
		cmp - "$at/luks.qcow2.raw"
	"$IMGCONV" -q --secret "$key" -O qcow2 "$at/luks.qcow2" - >piped.qcow2
	qemu-img compare -q piped.qcow2 "$at/luks.qcow2.raw"
}

@test "a snapshot, and one that is not there" {
	runs 0 --secret "$key" -l before "$at/luks.qcow2" out.raw
	cmp out.raw "$at/before.raw"
	run ! cmp -s out.raw "$at/luks.qcow2.raw"
	runs 0 --secret "$key" -l 1 "$at/luks.qcow2" same.raw
	cmp out.raw same.raw
	refuses 64 "*no snapshot after*" --secret "$key" -l after \
		"$at/luks.qcow2" no.raw
	refuses 69 "*give its id*" --secret "$key" -l snapshot.odd \
		"$at/luks.qcow2" no.raw
	[ ! -e no.raw ]
}

@test "in a compression, and from a pipe" {
	need gzip
	gzip -1 <"$at/luks.qcow2" >luks.qcow2.gz
	runs 0 --secret "$key" luks.qcow2.gz out.raw
	cmp out.raw "$at/luks.qcow2.raw"
	"$IMGCONV" -q --secret "$key" - piped.raw < <(cat "$at/luks.qcow2")
	cmp piped.raw "$at/luks.qcow2.raw"
}

@test "a secret out of a pipe" {
	runs 0 --secret <(printf 'open sesame') "$at/luks.qcow2" out.raw
	cmp out.raw "$at/luks.qcow2.raw"
}

@test "the wrong secret is told by who knows, and leaves nothing" {
	local image
	for image in luks.qcow2 volume.luks; do
		refuses 65 "*qemu-nbd failed: *Invalid password*" -q \
			--secret "$at/wrong" -f "${image##*.}" "$at/$image" \
			out.raw
	done
	equal "" "$(files)"
}

@test "the pass phrase is on no command line" {
	need strace
	strace -f -qq -e trace=execve -s 4096 -o trace "$IMGCONV" -q \
		--secret "$key" "$at/luks.qcow2" out.raw
	grep -q qemu-nbd trace
	run ! grep -q sesame trace
}

@test "qemu-nbd finds no other file" {
	# A header that names a backing file: nothing is started.
	cp "$at/luks.qcow2" overlay.qcow2
	qemu-img create -q -f raw base.raw 40M
	qemu-img rebase -u -q "${object[@]/key/$key}" -b base.raw -F raw \
		--image-opts "$(opened qcow2 overlay.qcow2)" ||
		skip "this qemu-img cannot name a backing file here"
	refuses 69 "*needs no other file*" --secret "$key" \
		--allow-references overlay.qcow2 out.raw
}

@test "without a secret, or qemu-nbd, it is refused by name" {
	refuses 69 "*encrypted*--secret FILE*" "$at/luks.qcow2" out.raw
	refuses 69 "*encrypted*--secret FILE*" -f luks "$at/volume.luks" \
		out.raw
	refuses 69 "*encrypted*qemu-nbd*" --reproducible --secret "$key" \
		"$at/luks.qcow2" out.raw
	refuses 64 "*none*" --secret "$at/none" "$at/luks.qcow2" out.raw
	run -69 --separate-stderr without_tools "$IMGCONV" --secret "$key" \
		"$at/luks.qcow2" out.raw
	[[ $stderr == *"qemu-nbd, which is not installed"* ]]
	equal "" "$(files)"
}

@test "a LUKS volume is raw bytes until -f says otherwise" {
	runs 0 "$at/volume.luks" out.raw
	cmp out.raw "$at/volume.luks"
}

@test "info and check need no secret" {
	runs 0 info "$at/luks.qcow2"
	[[ $output == *"encryption: luks"*"before"* ]]
	runs 0 info "$at/aes.qcow2"
	[[ $output == *"encryption: aes"* ]]
	runs 0 check "$at/luks.qcow2"
	runs 0 check "$at/aes.qcow2"
	refuses 69 "*encrypted (LUKS)*" map "$at/luks.qcow2"
	refuses 69 "*encrypted (AES)*" map "$at/aes.qcow"
	refuses 69 "*encrypted (AES)*" compare "$at/aes.qcow2" \
		"$at/aes.qcow2.raw"
}

@test "a run leaves no socket behind" {
	local before
	before=$(find /var/tmp -maxdepth 1 -name 'imgconv-*' | wc -l)
	runs 0 --secret "$key" "$at/luks.qcow2" out.raw
	equal "$before" \
		"$(find /var/tmp -maxdepth 1 -name 'imgconv-*' | wc -l)"
}
