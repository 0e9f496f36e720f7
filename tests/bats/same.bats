#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The same whatever it comes through: every kind of image from a file and from
# a pipe, by any number of threads and any read size, and as others read it.

load helper
load images
load every

# shellcheck disable=SC2154 # bats sets output and stderr

setup_file() { every_once; }

prepare() { every_here; }

# through WHAT KIND STATUS: what came of it is disk.raw, or it was refused for
# what cannot be known in one pass.
through() {
	case $2:$3 in
	*:0)
		same_bytes disk.raw out.raw || fail "$2: $1" || return 1
		;;
	vhd-fixed:69 | dmg*:69 | 7z:69) nothing_at out.raw ;;
	*) fail "$2: $1: status $3, $stderr" ;;
	esac
	rm -f out.raw
}

@test "every kind from a file and a pipe, by threads and read sizes" {
	local file kind threads step
	for file in all/*; do
		kind=${file#all/}
		for threads in 1 3; do
			runs 0 -q -m $threads -O raw "$file" out.raw
			through "$threads threads" "$kind" 0
			run --separate-stderr "$IMGCONV" -q -m $threads -O raw \
				- out.raw < <(cat "$file")
			through "a pipe, $threads threads" "$kind" "$status"
		done
		for step in 4095 511; do
			# Millions of bytes in small reads take long.
			[ $step -ge 4095 ] ||
				[ "$(size_of "$file")" -lt 300000 ] || continue
			run --separate-stderr drip $step "$file" "$IMGCONV" -q \
				-O raw - out.raw
			through "reads of $step" "$kind" "$status"
		done
	done
}

@test "detection: one report for file, pipe and single bytes" {
	local file kind
	need_json
	# What it is, and not what of it can be known of a pipe.
	said() { jq -c '[.layers[]? | .format // .kind // .name], .format'; }
	for file in all/*; do
		kind=${file#all/}
		case $kind in vhd-fixed | dmg* | 7z) continue ;; esac
		"$IMGCONV" info --json "$file" | said >one
		"$IMGCONV" info --json - < <(cat "$file") | said >two
		drip 1,4096 "$file" "$IMGCONV" info --json - | said >three
		[ -s one ] && same_bytes one two && same_bytes one three ||
			fail "$kind: $(cat one two three)"
	done
}

@test "every kind of output from a file and in odd reads, the same bytes" {
	local options
	while read -r options; do
		rm -rf one two
		mkdir one two
		# shellcheck disable=SC2086
		runs 0 -q -m 1 $options disk.raw one/out.img
		# shellcheck disable=SC2086
		(cd two && drip 4093 ../disk.raw "$IMGCONV" -q -m 3 $options \
			- out.img)
		diff -r one two || fail "$options in small reads"
	done < <(every_output)
}

@test "other programs see the same disk in every kind that they read" {
	local file kind count=0
	for file in all/*; do
		kind=${file#all/}
		case $kind in
		qcow2.gz) continue ;;
		# Modules of their own, and what it does not know.
		dmg-adc | dmg-bzip2 | dmg-xz | vmdk-packed*) continue ;;
		qcow2* | vmdk* | vhdx* | vdi* | qed | parallels | qcow* | bochs* | \
			cloop | dmg*) ;;
		vhd*) kind=vpc ;;
		*) continue ;;
		esac
		same_disk raw disk.raw "${kind%%[-.]*}" "$file"
		count=$((count + 1))
	done
	[ "$count" -ge 20 ]
}
