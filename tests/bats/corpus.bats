#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Disk images by other people's programs: converted to the very bytes that
# several readers agree upon, or refused by name. They are no part of the
# source: $IMGCONV_CORPUS, or shared/corpus beside the source's folder.

load helper
load images

# shellcheck disable=SC2154 # bats sets output, stderr and their lines

# Absent images are no lack of the machine's: a skip, also where all must run.
prepare() {
	corpus=${IMGCONV_CORPUS:-$IMGCONV_SOURCE/../shared/corpus}
	[ -r "$corpus/corpus.tsv" ] || skip "no images in $corpus"
}

# rows: format, file, why it must be refused or "-", SHA-256; for each image.
rows() {
	tail -n +2 "$corpus/corpus.tsv" |
		awk -F '\t' -v OFS='\t' '{ print $1, $2, $4 == "" ? "-" : $4, $5 }'
}

# This codec was left out of the build on purpose.
left_out() {
	case $1 in
	*.bz2) ! built_with bz2 ;;
	*) false ;;
	esac
}

# is_what_it_should DIGEST FILE: what imgconv said, what it wrote.
is_what_it_should() {
	equal "$1  out.raw" "$output" "--digest of $2" || return 1
	equal "$1" "$(digest_of out.raw)" "content of $2"
}

@test "raw and qcow2 become the raw disk that others read, also in a pipe" {
	local format file negative digest count=0
	while IFS=$'\t' read -r format file negative digest; do
		case $format in raw | qcow2) ;; *) continue ;; esac
		left_out "$file" && continue
		runs 0 --force --digest "$corpus/$file" out.raw
		is_what_it_should "$digest" "$file"
		cp "$corpus/$file" in.bin
		runs 0 --force --digest -O raw - out.raw < <(cat in.bin)
		is_what_it_should "$digest" "$file in a pipe"
		runs 0 --force --verify "$corpus/$file" out.qcow2
		runs 0 compare out.qcow2 out.raw
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 10 ]
}

@test "what must be refused is refused, and nothing is left" {
	local format file negative digest count=0
	while IFS=$'\t' read -r format file negative digest; do
		[ "$negative" != - ] || continue
		left_out "$file" && continue
		never_succeeds out.raw "$corpus/$file" out.raw
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 5 ]
}

# The flat part of a Parallels disk is raw; that is what it must come out as.
@test "other formats go through qemu-img, or are refused; never as raw" {
	local format file negative digest
	while IFS=$'\t' read -r format file negative digest; do
		case $format in raw | qcow2) continue ;; esac
		if [ "$negative" != - ] || left_out "$file"; then continue; fi
		rm -f out.raw
		run --separate-stderr "$IMGCONV" --digest "$corpus/$file" \
			out.raw
		case $status in
		0)
			is_what_it_should "$digest" "$file"
			[[ $stderr == *qemu-img* || $file == */plain.hdd.* ]] ||
				fail "not a word on qemu-img: $file"
			;;
		65 | 69)
			[[ ${stderr_lines[-1]} == "imgconv: "* ]] ||
				fail "message: $stderr"
			nothing_at out.raw
			;;
		*) fail "status $status for $file: $stderr" ;;
		esac
	done < <(rows)
}

@test "without tools other formats are refused by name" {
	local format file negative digest
	while IFS=$'\t' read -r format file negative digest; do
		case $format:$file in
		raw:* | qcow2:* | *.gz | *.bz2) continue ;;
		esac
		run --separate-stderr without_tools "$IMGCONV" \
			"$corpus/$file" out.raw
		equal 69 "$status" "status for $file ($stderr)"
		[[ $stderr == *"($format)"* || $stderr == *"$format archive"* ||
			$stderr == *"(OVA)"* ]] || fail "no $format in $stderr"
		nothing_at out.raw
	done < <(rows)
}

@test "map and check agree with another program" {
	local format file negative digest
	need qemu-img jq
	need_json
	while IFS=$'\t' read -r format file negative digest; do
		case $format:$file in qcow2:*.qcow2) ;; *) continue ;; esac
		runs 0 check "$corpus/$file"
		qemu-img map --output=json -f qcow2 "$corpus/$file" >theirs
		"$IMGCONV" map --json "$corpus/$file" >ours
		# Runs may be cut differently: join what touches.
		for side in ours theirs; do
			jq -c 'map(select(.data)) | reduce .[] as $e ([];
				if length > 0 and
				.[-1].start + .[-1].length == $e.start and
				(.[-1].offset == null or $e.offset ==
				.[-1].offset + .[-1].length)
				then .[-1].length += $e.length
				else . + [$e | {start, length, offset}]
				end)' $side >$side.joined
		done
		diff ours.joined theirs.joined || fail "map of $file"
	done < <(rows)
}
