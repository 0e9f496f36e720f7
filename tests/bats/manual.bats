#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The manual against the program: options and commands both ways, exit
# statuses against the table they are made from, and every example is run.
load helper

prepare() { manual=$IMGCONV_SOURCE/man/imgconv.1; }

# section NAME: its lines.
section() {
	awk -v name="$1" '/^\.SH /{on = substr($0, 5) == name; next} on' \
		"$manual"
}

# Text as it is seen: without fonts and escapes.
plain() { sed -e 's/\\f[BIR]//g' -e 's/\\-/-/g' -e 's/\\e/\\/g'; }

# The entries of a section: "HEAD|first line of the text".
entries() {
	section "$1" | awk '/^\.TP/{getline head; getline text
		print head "|" text}' | plain | sort
}

# The same of one part of --help.
help_entries() {
	"$IMGCONV" --help | awk -v part="$1:" '
		/^[a-z]*:$/{on = $0 == part; next}
		on && match($0, /[^ ]  +[^ ]/) {
			print substr($0, 3, RSTART - 2) "|" \
				substr($0, RSTART + RLENGTH - 1)}' | sort
}

@test "every option of --help is in the manual, and no other" {
	help_entries options >wanted
	entries OPTIONS >found
	[ "$(wc -l <wanted)" -gt 30 ]
	grep -q '^-s, --size=\[+\]SIZE|make the disk' wanted
	diff wanted found
}

@test "every command of --help is in the manual, and no other" {
	help_entries commands >wanted
	entries COMMANDS >found
	[ "$(wc -l <wanted)" -ge 10 ]
	diff wanted found
}

@test "the help of each command shows rows of --help" {
	local command
	"$IMGCONV" --help >all
	for command in convert plan info inspect map compare check measure create \
		resize formats; do
		"$IMGCONV" "$command" --help | sed '1,/^options:/d' >some
		[ -s some ]
		if grep -vxFf all some; then
			fail "only in the help of $command"
		fi
	done
}

@test "exit statuses are those of the table" {
	sed -n 's/^ERR([A-Z_]*, \([0-9]*\), "\(.*\)")$/\1|\2/p' \
		"$IMGCONV_SOURCE/base/err.def" | sort >wanted
	[ "$(wc -l <wanted)" -eq "$(grep -c '^ERR(' \
		"$IMGCONV_SOURCE/base/err.def")" ]
	entries "EXIT STATUS" | awk -F'|' '$1 > 3' | sort >found
	diff wanted found
}

@test "reasons of verdicts are those of the table" {
	sed -n 's/^REASON([A-Z_]*, "\(.*\)", "\(.*\)")$/\1|\2/p' \
		"$IMGCONV_SOURCE/transforms/reason.def" | sort >wanted
	[ "$(wc -l <wanted)" -eq "$(grep -c '^REASON(' \
		"$IMGCONV_SOURCE/transforms/reason.def")" ]
	entries VERDICTS >found
	diff wanted found
}

# formats_page NAME: the lines of a format's section.
formats_page() {
	awk -v name="$1" '/^\.(Ss|Sh) /{on = $2 == name; next} on' \
		"$IMGCONV_SOURCE/man/imgconv-formats.5"
}

@test "every format and option is in imgconv-formats(5), and no other" {
	local name values
	need_json
	"$IMGCONV" formats --json >all
	while read -r name; do
		[ -n "$(formats_page "$name")" ] || fail "no section $name"
		formats_page "$name" |
			sed -n 's/^\.It Cm \([a-z_0-9]*\) Ns = .* \([^ ]*\)$/\1 \2/p' |
			sort >found
		jq -r --arg name "$name" '.images[] | select(.name == $name) |
			.options[] | "\(.name) \(.values)"' all | sort >wanted
		diff wanted found || fail "options of $name"
	done < <(jq -r '.images[].name' all)
	# Sections of what there is none of.
	awk '/^\.Sh FORMATS/{on = 1; next} /^\.Sh/{on = 0} on && /^\.Ss/{print $2}' \
		"$IMGCONV_SOURCE/man/imgconv-formats.5" | sort >sections
	jq -r '.images[].name' all | sort | comm -13 - sections >extra
	[ ! -s extra ] || fail "no such format: $(cat extra)"
}

@test "the version is the program's" {
	local version
	version=$("$IMGCONV" --version | head -n 1)
	grep -q "^\.TH IMGCONV 1 [^ ]* \"$version\"" "$manual"
}

@test "the examples run" {
	need xz
	local line
	pattern disk.raw 3M 0 500000 "the first text" \
		2000000 300000 "and the second one"
	xz -k disk.raw
	mkdir bin
	ln -s "$IMGCONV" bin/imgconv
	section EXAMPLES | awk '/^\.EX/{on = 1; next} /^\.EE/{on = 0} on' |
		plain >examples
	[ "$(wc -l <examples)" -ge 8 ]
	while read -r line; do
		PATH=$PWD/bin:$PATH bash -e -o pipefail -c "$line" \
			</dev/null >answer 2>&1 ||
			fail "$line: $(cat answer)"
	done <examples
	[ -s disk.qcow2 ] && [ -s piped.qcow2 ] && [ -s flat.raw ]
	cmp -n 3145728 disk.raw flat.raw
}
