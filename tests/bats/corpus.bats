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

# rows: format, file, why it must be refused or "-", SHA-256, whether it needs
# other files; for each image.
rows() {
	tail -n +2 "$corpus/corpus.tsv" | awk -F '\t' -v OFS='\t' '{
		print $1, $2, $4 == "" ? "-" : $4, $5, $3 == "" ? "-" : "yes"}'
}

# Formats that imgconv reads; the others are refused by name.
reads() {
	case $1 in
	sparseimage | asif) false ;;
	esac
}

# This codec or library was left out of the build on purpose.
left_out() {
	case $1:$2 in
	*.bz2 | *-bz2.dmg) ! built_with bz2 ;;
	dmg:*) ! built_with xml ;;
	# No library unpacks deflate64.
	zip:*deflate64*) true ;;
	ova:* | tar:* | zip:*) ! built_with archive ;;
	ewf:*) ! built_with ewf ;;
	*) false ;;
	esac
}

# is_what_it_should DIGEST FILE: what imgconv said, what it wrote.
is_what_it_should() {
	equal "$1  out.raw" "$output" "--digest of $2" || return 1
	equal "$1" "$(digest_of out.raw)" "content of $2"
}

@test "every format becomes the raw disk that others read, without tools" {
	local format file negative digest others count=0 options
	while IFS=$'\t' read -r format file negative digest others; do
		reads "$format" && [ "$negative" = - ] || continue
		left_out "$format" "$file" && continue
		options=(--force --digest)
		[ "$others" = - ] || options+=(--allow-references)
		run --separate-stderr without_tools "$IMGCONV" \
			"${options[@]}" "$corpus/$file" out.raw
		[ "$status" -eq 0 ] || fail "$file: $status $stderr"
		is_what_it_should "$digest" "$file"
		runs 0 "${options[@]:1}" --force -O qcow2 "$corpus/$file" \
			out.qcow2
		runs 0 compare out.qcow2 out.raw
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 40 ] || [ "${IMGCONV_VARIANT:-}" = minimal ]
}

@test "the same from a pipe, or refused with the reason" {
	local format file negative digest others count=0
	while IFS=$'\t' read -r format file negative digest others; do
		reads "$format" && [ "$negative" = - ] && [ "$others" = - ] ||
			continue
		left_out "$format" "$file" && continue
		cp --no-preserve=mode "$corpus/$file" in.bin
		run --separate-stderr "$IMGCONV" --force --digest -O raw - \
			out.raw < <(cat in.bin)
		case $status in
		0) is_what_it_should "$digest" "$file in a pipe" ;;
		# What begins as something else is known by its end.
		69) [[ $format == dmg || $format == vhd ]] ||
			fail "$file: $stderr" ;;
		*) fail "$file: $status: $stderr" ;;
		esac
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 30 ] || [ "${IMGCONV_VARIANT:-}" = minimal ]
}

@test "info, map, check and measure work for every format" {
	local format file negative digest others options
	need_json
	while IFS=$'\t' read -r format file negative digest others; do
		reads "$format" && [ "$negative" = - ] || continue
		left_out "$format" "$file" && continue
		options=()
		[ "$others" = - ] || options+=(--allow-references)
		run --separate-stderr "$IMGCONV" info --json "${options[@]}" \
			"$corpus/$file"
		[ "$status" -eq 0 ] || fail "info of $file: $status $stderr"
		case $file in
		*.gz | *.bz2) ;;
		*) equal "$(jq -r '."virtual-size"' <<<"$output")" \
			"$(awk -F '\t' -v f="$file" '$2 == f {print $6}' \
				"$corpus/corpus.tsv")" "size of $file" ;;
		esac
		"$IMGCONV" map --json "${options[@]}" "$corpus/$file" >map
		jq -e 'length >= 0' map >/dev/null || fail "map of $file"
		run --separate-stderr "$IMGCONV" check "${options[@]}" \
			"$corpus/$file"
		case $status:$format:$output in
		0:* | 3:* | 69:raw:*) ;;
		*) fail "check of $file: $status $output $stderr" ;;
		esac
		runs 0 measure "${options[@]}" -O qcow2 "$corpus/$file"
	done < <(rows)
}

@test "what must be refused is refused, and nothing is left" {
	local format file negative digest others count=0
	while IFS=$'\t' read -r format file negative digest others; do
		[ "$negative" != - ] || continue
		left_out "$format" "$file" && continue
		run --separate-stderr "$IMGCONV" --allow-references \
			"$corpus/$file" out.raw
		case $status in
		65 | 66 | 69) ;;
		*) fail "$file: $status $stderr" ;;
		esac
		nothing_at out.raw
		never_succeeds out.raw "$corpus/$file" out.raw
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 5 ]
}

@test "images in parts are refused unless the parts may be opened" {
	local format file negative digest others count=0
	while IFS=$'\t' read -r format file negative digest others; do
		[ "$negative" = - ] && [ "$others" = yes ] || continue
		case $format in parallels) continue ;; esac
		left_out "$format" "$file" && continue
		fails 77 "*--allow-references*" "$corpus/$file" out.raw
		nothing_at out.raw
		count=$((count + 1))
	done < <(rows)
	[ "$count" -ge 2 ]
}

@test "formats that are not read are refused by name" {
	local format file negative digest others
	while IFS=$'\t' read -r format file negative digest others; do
		reads "$format" && continue
		left_out "$format" "$file" && continue
		run --separate-stderr "$IMGCONV" "$corpus/$file" out.raw
		case $status in 65 | 69) ;; *) fail "$status for $file" ;; esac
		[[ $stderr == *"($format)"* || $stderr == *"$format archive"* ||
			$stderr == *"(OVA)"* ]] || fail "no $format in $stderr"
		nothing_at out.raw
	done < <(rows)
}

@test "map and check agree with another program" {
	local format file negative digest others
	need qemu-img jq
	need_json
	while IFS=$'\t' read -r format file negative digest others; do
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
