#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rules of the house that a compiler does not keep: who may include whom,
# who may print, what names what, how long things get. Each test collects
# what breaks its rule and wants that list to be empty.

load helper

setup() {
	cd "$IMGCONV_SOURCE" || return 1
	# Every rule below would hold for an empty tree.
	[ -e base/err.h ] && [ -e cmd/settings.h ]
}

# nothing TEXT: fails and shows TEXT if there is any.
nothing() {
	[ -z "$1" ] || {
		printf '%s\n' "$1"
		return 1
	}
}

code_of() { find "$@" -name '*.[ch]' | sort; }

# may_include ROOM ALLOWED...: includes of ours in ROOM that are not allowed.
may_include() {
	local room=$1 allowed
	shift
	allowed=$(printf '%s|' "$@")
	nothing "$(code_of "$room" | xargs grep -n '^#include "' |
		grep -vE "#include \"(${allowed%|})/")"
}

@test "base includes nothing but itself" {
	may_include base base
}

@test "io includes base only" {
	may_include io io base
}

@test "planner includes base only" {
	may_include planner planner base
}

@test "formats includes io and base" {
	may_include formats formats io base
}

@test "transforms includes all but cmd" {
	may_include transforms transforms planner formats io base
}

@test "headers of ours are named from the top of the tree" {
	nothing "$(code_of base io formats planner transforms cmd |
		xargs grep -n '^#include "' |
		grep -vE '"(base|io|formats|planner|transforms|cmd)/')"
}

@test "no driver includes another" {
	local file found=""
	# A driver is a file, or a folder, in formats/images.
	for file in formats/images/*.c; do
		found+=$(grep -Hn '^#include "formats/images/' "$file" |
			grep -v '"formats/images/driver.h"' || true)
	done
	for file in formats/images/*/*.[ch]; do
		found+=$(grep -Hn '^#include "formats/images/' "$file" |
			grep -vE '"formats/images/driver.h"' |
			grep -v "\"$(dirname "$file")/" || true)
	done
	nothing "$found"
}

# Header of an outside library and how many files may include it. lzma.h has
# two: the streams, and the index that makes blocks random access. archive.h:
# reading and writing.
@test "each outside library is included by one file" {
	local row name most count found=""
	for row in lzma.h:2 zlib.h:1 zstd.h:1 zstd_errors.h:1 bzlib.h:1 \
		lz4frame.h:1 lz4.h:1 isa-l:1 libdeflate.h:1 json-c:1 json.h:1 \
		openssl:1 popt.h:1 archive.h:2 libnbd.h:1 libxml:1 \
		curl:1; do
		name=${row%:*} most=${row#*:}
		count=$(code_of base io formats planner transforms cmd |
			xargs grep -l "^#include <${name}[/>]" | wc -l)
		[ "$count" -le "$most" ] ||
			found+="<$name> is included by $count files"$'\n'
	done
	nothing "$found"
}

@test "no other library has crept in" {
	nothing "$(code_of base io formats planner transforms cmd |
		xargs grep -n '^#include <' |
		grep -vE '<(sys|linux|arpa|netinet|openssl|isa-l|json-c|libxml|curl)/' |
		grep -vE '<(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|getopt|inttypes|limits|locale|malloc|math|netdb|poll|popt|pthread|sched|signal|spawn|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|sysexits|termios|time|unistd|wait|lzma|zlib|zstd|zstd_errors|bzlib|lz4frame|libdeflate|archive|archive_entry|libnbd|cpuid|immintrin|emmintrin|smmintrin|arm_neon)\.h>')"
}

# The code without comments and strings, for the tests that look for calls.
bare_code() {
	code_of "$@" | xargs python3 -c '
import re, sys
for name in sys.argv[1:]:
    text = open(name).read()
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", blank, text,
                  flags=re.S)
    for number, line in enumerate(text.split("\n"), 1):
        print(f"{name}:{number}:{line}")
'
}

@test "nothing below cmd prints, exits or reads the environment" {
	nothing "$(bare_code base io formats planner transforms |
		grep -E '[^a-z_](v?printf|v?fprintf|v?dprintf|puts|putchar|fputs|putc|fputc|perror|exit|_exit|quick_exit|getenv|secure_getenv|setenv|putenv|setlocale|sigaction|chdir|umask) ?\(|[^a-z_](stdout|stderr)[^a-z_]' |
		grep -v 'format(printf, ')"
}

# One place may give up: memory of our own sizes.
@test "nothing below cmd aborts but for its own small memory" {
	nothing "$(bare_code base io formats planner transforms |
		grep -E '[^a-z_]abort ?\(' | grep -v '^base/mem\.c:')"
}

@test "no variables that outlive a call below cmd" {
	# Static and file-wide data is const; the list of symbols says so
	# better than any pattern in the source.
	local objects
	objects=$(find "$(dirname "$IMGCONV")" -maxdepth 1 -name 'libroom_*.a')
	[ -n "$objects" ] || lack "libraries beside $IMGCONV"
	# b, d: (un)initialised data. Sanitizers and relocated const tables
	# add sections of their own, which nm shows as d too: look at sections.
	case ${IMGCONV_VARIANT:-release} in
	asan | tsan) return 0 ;;
	esac
	# shellcheck disable=SC2086
	nothing "$(for one in $objects; do
		objdump -t "$one"
	done | awk '$(NF-2) ~ /^\.(bss|data)($|\.[^r])/ && $(NF-1) != "0000000000000000" \
		&& $NF !~ /^\./ {print $NF " in " $(NF-2)}')"
}

@test "each file says its licence first" {
	local file found="" head
	while read -r file; do
		head=$(head -n 2 "$file")
		case $head in
		*SPDX-License-Identifier:\ MIT*) ;;
		*) found+="$file"$'\n' ;;
		esac
	done < <(code_of base io formats planner transforms cmd tests &&
		find scripts bench .ci tests -type f ! -name '*.[ch]' \
			! -name '*.md' ! -name '*.pyc')
	nothing "$found"
}

@test "each .c starts with a paragraph on what it is for" {
	local file found=""
	while read -r file; do
		# The licence, then a comment, both before any code.
		head -n 2 "$file" | tail -n 1 | grep -q '^/\*' ||
			found+="$file"$'\n'
	done < <(find base io formats planner transforms cmd -name '*.c')
	nothing "$found"
}

@test "only its own file and the catalogue name a transition" {
	local name home found=""
	# Each transition is an object transition_NAME defined in one file.
	while IFS=: read -r home name; do
		found+=$(grep -rlw "$name" --include='*.[ch]' \
			base io formats planner transforms cmd |
			grep -vx -e "$home" -e transforms/catalogue.c || true)
	done < <(grep -HoE '^const struct transition transition_[a-z0-9_]+ =' \
		transforms/*.c | sed -E 's/:const struct transition ([a-z0-9_]+) =/:\1/')
	nothing "$found"
}

@test "each transition in a file has its row in the catalogue" {
	local name found=""
	for name in $(grep -hoE '^const struct transition transition_[a-z0-9_]+ =' \
		transforms/*.c | awk '{print $4}'); do
		grep -q "^	&$name,\$" transforms/catalogue.c ||
			found+="$name"$'\n'
	done
	nothing "$found"
	grep -q '^	&transition_' transforms/catalogue.c
}

# A driver's file or folder may name itself, the registry all.
@test "each driver is named by the registry only" {
	nothing "$(grep -rnoE '\bdriver_[a-z0-9]+\b' --include='*.[ch]' \
		base io formats planner transforms cmd |
		grep -vE '^formats/images/(registry\.c|driver\.h):' |
		while IFS=: read -r file line name; do
			name=${name#driver_}
			[ -e "formats/images/$name.c" ] ||
				[ -d "formats/images/$name" ] || continue
			case $file in
			formats/images/$name.c | formats/images/$name/*) ;;
			*) echo "$file:$line: $name" ;;
			esac
		done)"
}

@test "no file over 600 lines" {
	nothing "$(code_of base io formats planner transforms cmd |
		xargs wc -l | awk '$2 != "total" && $1 > 600')"
}

@test "no function over 150 lines" {
	need ctags
	ctags --version | grep -q Universal || lack "ctags that is universal"
	nothing "$(code_of base io formats planner transforms cmd |
		xargs ctags -x --kinds-C=f --fields=+ne \
			--_xformat='%{input}:%n %N %e' |
		awk '{split($1, place, ":"); lines = $3 - place[2] + 1}
			lines > 150 {print $1, $2, lines " lines"}')"
}

@test "the manual pages have no errors" {
	need mandoc
	[ -e man/imgconv.1 ]
	[ -e man/imgconv-plan.7 ]
	run -0 mandoc -T lint -W warning man/*.[1-9]
	[ -z "$output" ]
}

@test "scripts parse, and shellcheck finds nothing where it is installed" {
	local script
	for script in scripts/setup scripts/demo scripts/test scripts/lint \
		scripts/coverage \
		scripts/lib.sh; do
		sh -n "$script"
	done
	bash -n bench/run
	bash -n bench/calibrate
	if command -v python3 >/dev/null; then
		python3 -c 'compile(open("bench/regret").read(), "regret", "exec")'
	fi
	bash -n .ci/run
	if command -v shellcheck >/dev/null; then
		shellcheck -x scripts/setup scripts/demo scripts/test \
			scripts/lint scripts/coverage scripts/lib.sh bench/run \
			bench/calibrate .ci/run
	fi
}

# One check by its full name, a colon, words; what a BEGIN began needs no more.
@test "what is not looked for has its reason" {
	local file name
	nothing "$(code_of base io formats planner transforms cmd tests |
		xargs grep -nE 'NOLINT|cppcheck-suppress' |
		grep -vE 'NOLINT(NEXTLINE|BEGIN)?\([a-z]+-[A-Za-z0-9.-]+\): [a-z0-9]' |
		grep -vE 'NOLINTEND\([a-z]+-[A-Za-z0-9.-]+\) \*/$' |
		grep -vE 'cppcheck-suppress [A-Za-z_]+ ; [a-z0-9]')"
	for file in .clang-tidy cmd/.clang-tidy tests/.clang-tidy; do
		grep -oE '(^| )-[a-z]+-[A-Za-z0-9.-]+' "$file" | tr -d ' ' \
			>"$BATS_TEST_TMPDIR/off"
		[ -s "$BATS_TEST_TMPDIR/off" ]
		while read -r name; do
			grep -qE "^# ${name#-}: [a-zA-Z]" "$file" ||
				fail "$file: no reason for $name"
		done <"$BATS_TEST_TMPDIR/off"
	done
	[ -s scripts/cppcheck-suppressions ]
	# Each paragraph begins with its reason, and ends with what it is for.
	nothing "$(awk -v RS= '!/^# / || (NR > 1 && !/\n[a-zA-Z_]+(:[^\n]*)?$/)' \
		scripts/cppcheck-suppressions)"
}

@test "no opaque binaries are kept in the tree" {
	command -v git >/dev/null && git rev-parse --git-dir >/dev/null 2>&1 ||
		return 0
	nothing "$(git ls-files | while read -r file; do
		[ ! -s "$file" ] || grep -qI . "$file" || echo "$file"
	done)"
}

@test "the tests that SECURITY.md names are there" {
	local name
	# Names end in an ellipsis where they are long.
	grep '^| [0-9]' SECURITY.md | cut -d'|' -f4 >"$BATS_TEST_TMPDIR/proofs"
	cd "$BATS_TEST_TMPDIR" || return 1
	[ "$(wc -l <proofs)" -eq 38 ]
	grep -o '"[^"]*"' proofs | tr -d '"' >names
	[ "$(wc -l <names)" -gt 40 ]
	while read -r name; do
		case $name in
		…*) name=${name#…} name=${name%…} ;;
		*) name="@test \"${name%…}" ;;
		esac
		grep -qF -- "$name" "$IMGCONV_SOURCE"/tests/bats/*.bats || fail "no test: $name"
	done <names
	grep -o 'test_[a-z_]*' proofs | while read -r name; do
		[ -e "$IMGCONV_SOURCE/tests/unit/$name.c" ] || fail "no unit: $name"
	done
}
