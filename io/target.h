/* SPDX-License-Identifier: MIT */
/* Where an output's name leads: symbolic links followed by hand, so that the
 * file at their end can be replaced while the links stay. */
#ifndef IO_TARGET_H
#define IO_TARGET_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

struct target {
	char *path; /* as given, or where its links lead */
	char *dir;  /* of path; "." at least */
	char *name; /* the rest: no slash; empty for "dir/" */
	bool exists;
	struct stat st; /* valid if it exists */
};

/* Fails with ERR_CREATE or ERR_REFUSED. Release with target_clear, also after
 * a failure. */
int target_resolve(const char *path, struct target *out, struct err *err);
void target_clear(struct target *target);

#endif
