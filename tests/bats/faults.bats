#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every call that can fail fails in turn, and imgconv is killed at any moment:
# the right status, one line, no output, nothing beside it.

load helper

# How many calls of a site (few have more, but of allocations there are
# thousands), and how many kills: more of both in scripts/test --full.
# FAULTS_SEED is what a run that failed has printed.
most=${FAULTS_CALLS:-8} kills=${FAULTS_KILLS:-40} seed=${FAULTS_SEED:-}

prepare() {
	need python3
	case ${IMGCONV_VARIANT:-} in
	asan | tsan) skip "a sanitizer has its own names for these calls" ;;
	esac
	library=$(dirname "$IMGCONV")/tests/inject.so
	[ -e "$library" ] || lack "$library, which needs glibc"
}

fault() {
	PYTHONDONTWRITEBYTECODE=1 python3 \
		"$IMGCONV_SOURCE/tests/faults/faults.py" \
		"$IMGCONV" "$library" "$PWD" "$most" "$@"
}

@test "killed at any moment" {
	PYTHONDONTWRITEBYTECODE=1 python3 \
		"$IMGCONV_SOURCE/tests/faults/kill.py" \
		"$IMGCONV" "$library" "$PWD" "$kills" $seed
}

@test "memory that is not to be had" {
	# What writes down the coverage does not look at what it is given.
	[ "${IMGCONV_VARIANT-}" != coverage ] || skip "not its own memory only"
	fault alloc
}

@test "an address space that is too small" {
	fault mmap
}

@test "reads that fail, are short, are interrupted" {
	fault read pread
}

@test "writes that fail, are short, are interrupted" {
	fault write pwrite pwritev ftruncate fallocate sync_file_range
}

@test "sync, names and closing that fail" {
	fault fsync linkat renameat close close_written
}

@test "descriptors, threads and processes that are not to be had" {
	fault open openat dup fstat pthread_create fork socketpair
}

@test "a conversation that fails, is short, is interrupted" {
	fault sendmsg recvmsg recv
}
