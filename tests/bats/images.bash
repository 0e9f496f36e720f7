# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the suites about conversion share: fixtures by recipe, judgement by
# other people's programs.

PATH=$PATH:/usr/sbin:/sbin
fixtures=$IMGCONV_SOURCE/tests/fixtures

# make_pattern FILE KIND:SIZE...: see fixtures/make_pattern.py.
make_pattern() { python3 "$fixtures/make_pattern.py" "$@"; }
make_qcow2() { python3 "$fixtures/make_qcow2.py" "$@"; }
make_gpt_image() { sh "$fixtures/make_gpt_image.sh" "$@"; }
drip() { python3 "$fixtures/drip.py" "$@"; }

# Was this codec left out on purpose? Then its tests have nothing to say; that
# is no skip, which would be a failure where all must run.
built_with() {
	[ "${IMGCONV_VARIANT:-}" != minimal ] || case $1 in
	zstd | zst | lz4 | bzip2 | bz2 | json | xml | ewf | nbd | archive | curl) return 1 ;;
	esac
}

# An odd disk: data, written zeros and holes, none of it on cluster bounds.
make_odd_disk() {
	make_pattern "$1" data:70000 hole:1M text:300K zero:200K hole:2M \
		data:65536 hole:65024 text:512 hole:1M
	truncate -s 5M "$1"
}

# sound QCOW2: its own checker finds nothing.
sound() {
	run -0 --separate-stderr qemu-img check -q "$1"
	[ -z "$output$stderr" ] || fail "qemu-img check: $output $stderr"
}

# same_disk FORMAT A FORMAT B: another program says the guests see the same.
same_disk() {
	run qemu-img compare -f "$1" -F "$3" "$2" "$4"
	# Of different length with zeros behind is the same to it, not to us.
	if [ "$status" -ne 0 ] || [[ $output == *mismatch* ]]; then
		fail "$2 and $4 differ: $output"
	fi
}

same_bytes() { cmp -- "$1" "$2" || fail "$1 and $2 differ"; }

# nothing_at NAME: neither the output nor what it would be made of.
nothing_at() {
	[ ! -e "$1" ] || fail "$1 is there"
	nothing_beside "$1"
}

# nothing_beside NAME: no sibling left over.
nothing_beside() {
	local folder base rest
	folder=$(dirname "$1") base=$(basename "$1")
	rest=$(find "$folder" -maxdepth 1 -name ".$base.imgconv-*" -o \
		-maxdepth 1 -name '.imgconv-*')
	[ -z "$rest" ] || fail "left over: $rest"
}

# fails STATUS PATTERN ARGUMENTS...: ends with STATUS, its last line on stderr
# is "imgconv: PATTERN" (notes may come before), no signal, no sanitizer.
fails() {
	local wanted=$1 pattern=$2
	shift 2
	run --separate-stderr timeout 120 "$IMGCONV" "$@"
	equal "$wanted" "$status" "status of $* ($stderr)" || return 1
	# shellcheck disable=SC2053
	[[ ${stderr_lines[-1]} == "imgconv: "$pattern ]] ||
		fail "not \"imgconv: $pattern\": $stderr"
}

# never_succeeds OUTPUT ARGUMENTS...: some failure with one of the statuses of
# the table and a message; nothing at OUTPUT.
never_succeeds() {
	local out=$1
	shift
	run --separate-stderr timeout 120 "$IMGCONV" "$@"
	case $status in
	65 | 69 | 77) ;;
	*) fail "status $status for: $*; $stderr" ;;
	esac
	[[ ${stderr_lines[-1]} == "imgconv: "* ]] || fail "message: $stderr"
	nothing_at "$out"
}

# without_tools COMMAND...: as if no outside program were installed.
without_tools() {
	mkdir -p "$BATS_TEST_TMPDIR/no-tools"
	PATH=$BATS_TEST_TMPDIR/no-tools "$@"
}

digest_of() { sha256sum <"$1" | cut -d' ' -f1; }

size_of() { stat -c %s "$1"; }
