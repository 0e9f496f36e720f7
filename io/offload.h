/* SPDX-License-Identifier: MIT */
/* Copying inside the kernel: shared extents, where the file system can. */
#ifndef IO_OFFLOAD_H
#define IO_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum offload_result { OFFLOAD_DONE, OFFLOAD_UNABLE };

/* Share [from, from + length) of `in` at `to` of `out` (FICLONERANGE). A
 * length of 0 means: to the end. OFFLOAD_UNABLE (no error): other file
 * system, not aligned, not supported. -1: a real failure (ERR_IO). */
int offload_clone(int in, uint64_t from, int out, uint64_t to,
		  uint64_t length, struct err *err);

/* Can files be shared between the file system of `in` and directory `dir`?
 * Tries with an unnamed file of one block in `dir`; leaves nothing. */
bool offload_can_clone(int in, const char *dir);

#endif
