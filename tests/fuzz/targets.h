/* SPDX-License-Identifier: MIT */
/*
 * What is fuzzed: each target takes any bytes and must come back, with an
 * error or without, having used bounded time and memory. Sanitizers say the
 * rest. Names: "image-qcow2" for each driver, "codec-gz" for each stream
 * codec, "block-zstd" for each block codec, "detect", "nest", "plan".
 */
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

typedef void fuzz_run(int which, const unsigned char *bytes, size_t len);

struct fuzz_target {
	char name[32];
	fuzz_run *run;
	int which;
};

/* False when there is no such target. */
bool fuzz_find(const char *name, struct fuzz_target *out);
/* From 0 until false. */
bool fuzz_list(unsigned index, struct fuzz_target *out);

#endif
