/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing around the page cache (O_DIRECT): whole pages of longer
 * ranges go there; their ends, and what is short - tables, headers - through
 * the cache, where it is read and joined. The kernel keeps both views the
 * same.
 */
#ifndef IO_DIRECT_H
#define IO_DIRECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A second descriptor of the file at `fd`, for O_DIRECT; `flags` is O_RDONLY
 * or O_RDWR. -1: cannot, with `kind`; the message says why. */
int direct_open(int fd, int flags, enum err_kind kind, struct err *err);

/* As pread and pwrite, of at least a byte; mostly less than `len`. `direct` is
 * of direct_open, or -1: all goes through `fd`. Any alignment. */
ssize_t direct_pread(int direct, int fd, void *buf, size_t len,
		     uint64_t offset);
ssize_t direct_pwrite(int direct, int fd, const void *buf, size_t len,
		      uint64_t offset);

#endif
