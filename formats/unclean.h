/* SPDX-License-Identifier: MIT */
/*
 * An image that was opened for writing and not closed: its tables may not
 * belong together. It is read when a check of them finds nothing but leaks.
 */
#ifndef FORMATS_UNCLEAN_H
#define FORMATS_UNCLEAN_H

#include "base/err.h"
#include "base/log.h"
#include "formats/images/driver.h"

struct unclean {
	const char *format; /* for the note: "qed" */
	const char *tables; /* what is checked: "BAT" */
	/* Reports on the tables of `image` in `source`; -1 for what stops it.
	 */
	int (*check)(struct source *source, const void *image,
		     struct check_report *report, struct err *err);
	const void *image;
};

/* 0, with a note, or ERR_DAMAGED that names the first thing found. */
int unclean_check(const struct unclean *unclean, struct source *source,
		  struct log *log, struct err *err);

#endif
