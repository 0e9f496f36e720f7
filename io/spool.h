/* SPDX-License-Identifier: MIT */
/* Temporary files: unlinked at birth, never visible, gone with the process. */
#ifndef IO_SPOOL_H
#define IO_SPOOL_H

#include <stdint.h>

#include "base/err.h"

/* A new read-write file without a name in `dir` (O_TMPFILE, else mkstemp and
 * unlink at once); the descriptor, or -1 (ERR_CREATE). */
int spool_open_fd(const char *dir, struct err *err);

/* Fails (ERR_CREATE) when the file system of `fd` has less than `needed`
 * bytes free for us; says how much there is. */
int spool_check_room(int fd, uint64_t needed, struct err *err);

#endif
