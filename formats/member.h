/* SPDX-License-Identifier: MIT */
/* Which disk of several in one file: by name, or by number from 0. */
#ifndef FORMATS_MEMBER_H
#define FORMATS_MEMBER_H

#include <stdbool.h>

#include "base/err.h"

struct member_list {
	const void *opaque;
	unsigned count;
	/* The name of number `i`. */
	const char *(*name)(const void *opaque, unsigned i);
};

/* The number of `member`, or of the only one when it is NULL. -1: ERR_USAGE
 * with the names there are, ERR_UNSUPPORTED when there is none at all. A name
 * goes before a number. */
int member_choose(const struct member_list *list, const char *member,
		  struct err *err);

#endif
