/* SPDX-License-Identifier: MIT */
/* What an input's name promises, against what its bytes are. */
#ifndef CMD_NAMED_H
#define CMD_NAMED_H

#include "transforms/protocol.h"

/* Fails (ERR_DAMAGED) where `path` ends like a compression or a container
 * that we read, and nothing at all is known in the bytes: a container that
 * lost its first bytes is not a disk. "-" promises nothing. */
int named_check(const char *path, const struct image *image, struct err *err);

/* The same for a file of somebody who need not mean well: whatever container a
 * name promises, it must be. */
int named_judge(const char *path, const struct image *image, struct err *err);

#endif
