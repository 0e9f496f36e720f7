#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every error a command line can have, with its message; and the spellings
# that qemu-img users bring along. The error comes before any file is opened:
# the names given here do not exist.
load helper

refused_option() { refuses 64 "$@" nothing.raw nothing.qcow2; }

# Where the command line is right, the next thing is that the input is missing.
accepted() {
	run -66 --separate-stderr "$IMGCONV" "$@"
	[[ $stderr == *nothing.raw* ]] || fail "$stderr"
}

@test "no arguments: the usage on stderr" {
	run -64 --separate-stderr "$IMGCONV"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "usage: imgconv "* ]]
}

@test "unknown options" {
	refused_option "unknown option --sizo (see imgconv --help)" --sizo 3
	refused_option "unknown option -?* (see imgconv --help)" -z
	refused_option "unknown option -?* (see imgconv --help)" -zc
}

@test "missing and unwanted arguments of options" {
	refuses 64 "-s needs an argument" a b -s
	refuses 64 "--tmpdir needs an argument" a b --tmpdir
	refused_option "--force=yes takes no argument" --force=yes
}

@test "-n has another meaning in qemu-img" {
	refused_option "-n means something else in qemu-img (skip creation); \
here it is --dry-run" -n
	refused_option "-n means something else *" -cn
}

@test "sizes" {
	local bad
	for bad in 5Q x "" -5 1.5 5GG +; do
		refused_option "--size: \"*\" is not a size (*)" "--size=$bad"
	done
	refused_option "--size: \"8E\" is not a size (*)" -s 8E
	refused_option "--size: 2E is more than the largest disk, 1E" -s 2E
	accepted nothing.raw x.raw -s 1.5K
	accepted nothing.raw x.raw -s +4GiB
	refuses 64 "SIZE: \"1Z\" is not a size (*)" resize nothing.raw 1Z
	refuses 64 "SIZE: \"1Z\" is not a size (*)" create raw x.raw 1Z
	refuses 64 "SIZE: \"+1G\" has nothing to be added to" \
		create raw x.raw +1G
}

@test "numbers of threads" {
	local bad
	for bad in 0 1025 -1 x 3x "" 99999999999999999999; do
		refused_option "--threads: \"*\" is not a number from 1 to 1024" \
			"--threads=$bad"
	done
	accepted -m 1024 nothing.raw x.raw
}

@test "servers" {
	refused_option "--connections: \"0\" is not a number from 1 to 64" \
		--connections 0
	refused_option "--timeout: \"0\" is not a number from 1 to 86400" \
		--timeout 0
	refused_option "--retries: \"-1\" is not a number from 0 to 1000" \
		--retries=-1
	local file
	for file in cacert cert key netrc-file; do
		refused_option "--$file: \"nowhere\" cannot be read" \
			--$file nowhere
	done
	refuses 64 "--netrc is not an option of create" create raw x 1M --netrc
	accepted --retries 0 --connections 64 --netrc nothing.raw x.raw
}

@test "memory" {
	refused_option "--memory: \"lots\" is not a size (*)" --memory lots
	refused_option "--memory: 1M is less than 16M" --memory 1M
}

@test "levels" {
	refused_option "--wrap-level: \"23\" is not a number from 1 to 22" \
		--wrap-level 23
	refused_option "--wrap-level: \"fast\" is not a number *" \
		--wrap-level fast
	refused_option "--compress: level of zstd: \"20\" is not a number \
from 1 to 19" --compress=zstd:20
	refused_option "--compress: level of zlib: \"13\" is not a number \
from 1 to 12" --compress=zlib:13
	refused_option "--compress: level of zlib: \"\" is not a number *" \
		--compress=zlib:
	refused_option "--compress: unknown compression \"lzo\" (zlib or \
zstd, then :LEVEL if wanted)" --compress lzo
}

@test "unknown formats are answered with the known ones" {
	refused_option "--from: unknown format \"qcow9\" (known: raw, qcow2, \
*vmdk*tar*)" -f qcow9
	refused_option "--to: unknown format \"ext4\" (known: raw, qcow2, \
*vmdk*)" -O ext4
	refused_option "--to: unknown format \"tar\" *" -O tar
	accepted -f qcow2 nothing.raw x.raw
	accepted -f vpc nothing.raw x.raw
}

@test "-o wants key=value" {
	refused_option "--option: \"x\" is not KEY=VALUE (*)" -o x
	refused_option "--option: \"=3\" is not KEY=VALUE (*)" -o =3
	refused_option "--option: \"y\" is not KEY=VALUE (*)" -o x=1,y
	refused_option "--option: \"*\" is too long" \
		-o "x=$(head -c 600 /dev/zero | tr '\0' x)"
	refused_option "--option: more than 16 keys" \
		-o a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=,l=,m=,n=,o=,p=,q=
}

@test "a doubled comma in -o is a comma" {
	refuses 64 "raw has no option a (it has preallocation)" \
		create raw x.raw 1M -o a=1,,2
	imgconv create qcow2 b.qcow2 1M
	imgconv create qcow2 x.qcow2 1M \
		-o backing_fmt=qcow2,backing_file=./b,,c.qcow2 2>err || true
	grep -q "b,c.qcow2" err
}

@test "progress styles" {
	refused_option "--progress: \"dots\" is not none, bar or json" \
		--progress=dots
	accepted --progress=none nothing.raw x.raw
	accepted -p nothing.raw x.raw
}

@test "ways through the page cache" {
	refused_option "--cache: \"writeback\" is not auto, direct or none" \
		--cache=writeback
	accepted --cache=none nothing.raw x.raw
}

@test "directories that are none" {
	refused_option "--tmpdir: \"/nonexistent\" is not a directory" \
		--tmpdir /nonexistent
	refused_option "--allow-references: \"/nonexistent\" is not a \
directory" --allow-references=/nonexistent
}

@test "--allow-references never takes the next word" {
	accepted --allow-references nothing.raw x.raw
	accepted nothing.raw x.raw --allow-references
	accepted "--allow-references=$PWD" nothing.raw x.raw
}

@test "options that contradict each other" {
	refused_option "--quiet and --verbose contradict each other" -q -v
	refused_option "--unique and --reproducible contradict each other" \
		--unique --reproducible
	refuses 64 "--json and --dot contradict each other" \
		plan --json --dot a b
	refuses 64 "--all and --plan contradict each other" \
		plan --all --plan 2 a b
}

@test "identifiers, sectors, members" {
	local bad
	for bad in "" xyz 0123 \
		00112233-4455-6677-8899-aabbccddeeff0 ; do
		refused_option "--uuid: \"$bad\" is not a UUID (*)" \
			"--uuid=$bad"
	done
	refused_option "--unique and --uuid contradict each other" --unique \
		--uuid=00112233-4455-6677-8899-aabbccddeeff
	refused_option "--sector-size: \"1024\" is not 512 or 4096" \
		--sector-size=1024
	refused_option "--member: a name or a number must have *" --member=
	: >some.raw
	refuses 64 "some.raw: raw holds one disk: --member makes no sense" \
		--member 0 some.raw x.qcow2
	refuses 64 "qcow2 has no UUID" some.raw x.qcow2 \
		--uuid={00112233-4455-6677-8899-AABBCCDDEEFF}
	accepted --sector-size 512 nothing.raw x.qcow2
}

@test "SOURCE_DATE_EPOCH gives way to --unique" {
	SOURCE_DATE_EPOCH=1 accepted --unique nothing.raw x.raw
}

@test "options that need something" {
	refused_option "--shrink needs --size" --shrink
	refused_option "--shrink needs --size with the new size, *" \
		--shrink -s +1G
	refuses 64 "--verify reads the output again, *" \
		--verify a.raw -O raw -
	refuses 64 "--consume needs a file, not standard input" \
		--consume - b.raw
	refused_option "--snapshot: the name must have 1 to 255 bytes" -l ""
	refused_option "--plan: a number or an id *" --plan=
}

@test "options of other commands" {
	refuses 64 "--snapshot is not an option of create" \
		create --snapshot x raw x.raw 1M
	refuses 64 "-c is not an option of info" info -c x
	refuses 64 "--all is not an option of convert" --all a b
	refuses 64 "--backing is not an option of convert" -b x a b
	refuses 64 "--json is not an option of resize" resize --json x 1M
	refuses 64 "--size is not an option of map" map -s 1M x
	refuses 64 "--force is not an option of formats" formats --force
}

@test "too few and too many arguments" {
	refuses 64 "too few arguments: convert needs INPUT OUTPUT, and \
\"konvert\" is not a command" konvert
	refuses 64 "too few arguments: convert needs INPUT OUTPUT" -c
	refuses 64 "too few arguments: info needs IMAGE" info
	refuses 64 "too few arguments: resize needs IMAGE SIZE" resize x
	refuses 64 "too few arguments: IMAGE is missing" create raw
	refuses 64 "\"c\" is too much: convert takes INPUT OUTPUT; only an appliance*" a b c
	refuses 64 "\"b\" is too much: check takes IMAGE" check a b
	refuses 64 "\"x\" is too much: formats takes no arguments" formats x
	refuses 64 "an argument is empty (convert takes INPUT OUTPUT)" "" b
	refuses 64 "unknown command \"nothing\"" help nothing
}

@test "the output's name must tell the format" {
	pattern in.raw 64K 0 100 x
	refuses 64 "*-O*" in.raw out.unknown
	refuses 64 "*-O*" in.raw -
}

@test "-cp IN OUT, -c IN OUT and IN OUT -c are the same" {
	need qemu-img cmp
	pattern in.raw 1M 0 300000 "some text that packs well"
	imgconv -cp in.raw 1.qcow2 2>/dev/null
	imgconv -c in.raw 2.qcow2
	imgconv in.raw 3.qcow2 -c
	imgconv convert in.raw -c 4.qcow2
	qemu-img compare -q in.raw 1.qcow2
	[ "$(stat -c %s 1.qcow2)" -lt 400000 ]
	cmp 1.qcow2 2.qcow2
	cmp 1.qcow2 3.qcow2
	cmp 1.qcow2 4.qcow2
}

@test "-- ends the options" {
	need cmp
	pattern ./-in.raw 64K 0 100 x
	imgconv -- -in.raw -out.raw
	cmp ./-in.raw ./-out.raw
}

@test "a file called like a sub-command" {
	need cmp
	pattern info 64K 0 100 x
	imgconv convert -O raw info plan
	cmp info plan
	imgconv -O raw ./info ./map
	cmp info map
}

@test "help and version" {
	runs 0 --help
	[[ $output == "usage: imgconv [convert] [OPTIONS] INPUT OUTPUT"* ]]
	equal "$output" "$("$IMGCONV" help)"
	runs 0 plan --help
	[[ $output == "usage: imgconv plan [OPTIONS] INPUT OUTPUT"* ]]
	[[ $output == *--dot* && $output != *--backing* ]]
	equal "$output" "$("$IMGCONV" help plan)"
	runs 0 --version
	[[ ${lines[0]} == "imgconv "[0-9]* ]]
	[[ $output == *"xz: liblzma"* ]]
}

@test "closed standard descriptors are not taken for files" {
	pattern in.raw 64K 0 100 x
	"$IMGCONV" info in.raw <&- >/dev/null
	run "$IMGCONV" info in.raw >&-
	"$IMGCONV" in.raw out.raw 2>&-
	cmp in.raw out.raw
}

@test "answers that cannot be written are an error" {
	[ -w /dev/full ] || lack /dev/full
	run -74 --separate-stderr sh -c '"$IMGCONV" formats >/dev/full'
	[[ $stderr == "imgconv: standard output: "* ]]
	run -74 --separate-stderr sh -c '"$IMGCONV" --help >/dev/full'
}

@test "JSON, or that it was not built in" {
	case $("$IMGCONV" --version) in
	*'json: not built in'*)
		refuses 69 "--json: this imgconv was built without json-c" \
			formats --json
		refuses 69 "--progress=json: this imgconv was built without \
json-c" --progress=json a b
		;;
	*) runs 0 formats --json ;;
	esac
}

@test "--wrap-level: a range for each codec, and something to compress" {
	truncate -s 1M in.raw
	refuses 64 "--wrap-level: xz: level 10 is out of range (1..9)" \
		--wrap-level 10 in.raw out.raw.xz
	refuses 64 "--wrap-level needs an OUTPUT that ends in a compression*" \
		--wrap-level 3 in.raw out.qcow2
	equal "in.raw " "$(files)"
}

@test "--memory: what does not fit is refused, what fits is the same bytes" {
	pattern in.raw 24M 0 100000 head 20M 1M later
	refuses 65 "xz at this level needs *; allow more with --memory*" \
		--wrap-level 9 in.raw out.raw.xz
	refuses 65 "xz at this level needs * of memory, allowed are 48.0 MiB*" \
		--memory 64M in.raw out.raw.xz
	runs 0 --memory 160M -m 4 in.raw a.raw.xz
	runs 0 --memory 1G -m 4 in.raw b.raw.xz
	cmp a.raw.xz b.raw.xz
}

@test "the planned memory is within the limit that nobody gave" {
	need_json
	pattern in.raw 24M 0 100000 head 20M 1M later
	runs 0 plan --json in.raw out.raw.xz
	local memory
	memory=$(sed -n 's/.*"memory": *\([0-9]*\).*/\1/p' <<<"$output" | head -n 1)
	[ "$memory" -gt 1000000 ]
	[ "$memory" -le $((256 << 20)) ] || fail "planned memory: $memory"
}

@test "a URL's secrets are not in any message" {
	run --separate-stderr "$IMGCONV" info \
		'HTTP://me:secret@[::1]:1/x.img?signature=abc#part'
	[ "$status" != 0 ]
	[[ $stderr == *"HTTP://me@[::1]:1/x.img: "* ]]
	[[ $stderr$output != *secret* && $stderr$output != *signature* ]]
}

@test "a URL is no output" {
	refuses 69 "http://h/x.raw: nothing is written*" nothing.raw \
		'http://h/x.raw?signature=abc'
	refuses 69 "ssh://me@h/x.raw: nothing is written*" nothing.raw \
		ssh://me:secret@h/x.raw
}

@test "--consume takes files only" {
	refuses 64 "--consume needs a file, not a URL" \
		--consume nbd://localhost/x out.raw
}
