/* SPDX-License-Identifier: MIT */
/* Owns the comparison of names of files. Opens none. */
#include "cmd/same_file.h"

#include <string.h>
#include <sys/stat.h>

bool same_file(const char *a, const char *b)
{
	struct stat first, second;

	return !strcmp(a, b) ||
	       (!stat(a, &first) && !stat(b, &second) &&
		first.st_dev == second.st_dev &&
		first.st_ino == second.st_ino);
}
