# SPDX-License-Identifier: MIT
# What every suite loads: where the program is, a directory for each test,
# tools that may be missing, and the checks that read well.
bats_require_minimum_version 1.5.0

: "${IMGCONV:?the imgconv to test}"
: "${IMGCONV_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"

setup() {
	# Not the directory itself: bats keeps files of its own there.
	mkdir "$BATS_TEST_TMPDIR/here" && cd "$BATS_TEST_TMPDIR/here" ||
		return 1
	unset SOURCE_DATE_EPOCH MAKEFLAGS POSIXLY_CORRECT POSIX_ME_HARDER \
		IMGCONV_COSTS
	export LC_ALL=C
	if [ "$(type -t prepare)" = function ]; then prepare; fi
}

imgconv() { "$IMGCONV" "$@"; }

# A sanitizer cannot look for leaks in a process that is traced; and what a
# build with --coverage writes (scripts/coverage) is not the program's.
strace() {
	local status=0 i
	ASAN_OPTIONS=detect_leaks=0 command strace "$@" || status=$?
	if [ "${IMGCONV_VARIANT-}" = coverage ]; then
		for ((i = 1; i < $#; i++)); do
			[ "${!i}" = -o ] || continue
			i=$((i + 1))
			sed -i '/\.gcda"/d' "${!i}"*
		done
	fi
	return $status
}

# runs STATUS ARGUMENTS...: imgconv ends with STATUS; $output and $stderr.
runs() {
	local status_wanted=$1
	shift
	run -"$status_wanted" --separate-stderr "$IMGCONV" "$@"
}

# refuses STATUS MESSAGE ARGUMENTS...: one line "imgconv: MESSAGE" (MESSAGE is
# a pattern), nothing on standard output.
refuses() {
	local status_wanted=$1 message=$2
	shift 2
	run -"$status_wanted" --separate-stderr "$IMGCONV" "$@"
	[ -z "$output" ] || fail "something on stdout: $output"
	[ "${#stderr_lines[@]}" -eq 1 ] || fail "not one line: $stderr"
	# shellcheck disable=SC2053
	[[ $stderr == "imgconv: "$message ]] ||
		fail "not \"imgconv: $message\": $stderr"
}

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# equal WANTED FOUND [WHAT]
equal() {
	[ "$1" = "$2" ] || fail "${3:-value}: wanted \"$1\", found \"$2\""
}

# A test that cannot run here is a failure where all must run.
lack() {
	if [ -n "${IMGCONV_STRICT:-}" ] || [ "${CI:-}" = true ]; then
		fail "missing: $*"
		return 1
	fi
	skip "missing: $*"
}

need() {
	local tool
	for tool in "$@"; do
		# In the path: a function of that name is none.
		type -P "$tool" >/dev/null || lack "$tool"
	done
}

need_json() {
	need jq
	case $("$IMGCONV" --version) in
	*'json: not built in'*)
		# What a variant leaves out is no lack of the machine's.
		[ "${IMGCONV_VARIANT-}" != minimal ] ||
			skip "JSON is left out of this variant"
		lack "JSON in this imgconv"
		;;
	esac
}

# Fixtures, byte for byte the same at every run.

# pattern NAME SIZE OFFSET LENGTH TEXT [OFFSET LENGTH TEXT]...: a sparse raw
# image with ranges filled by repeating TEXT.
pattern() {
	local name=$1 size=$2
	shift 2
	truncate -s "$size" "$name"
	while [ $# -ge 3 ]; do
		yes "$3" | head -c "$2" |
			dd of="$name" bs=64K oflag=seek_bytes seek="$1" \
				conv=notrunc iflag=fullblock status=none
		shift 3
	done
}

# overwrite FILE OFFSET HEX...: these bytes there.
overwrite() {
	local file=$1 offset=$2 byte
	shift 2
	for byte in "$@"; do
		# shellcheck disable=SC2059
		printf "\\x$byte"
	done | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

# files DIR: what is there, hidden ones too, on one line.
files() {
	(cd "${1:-.}" && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}
