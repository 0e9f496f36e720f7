/* SPDX-License-Identifier: MIT */
/* Owns the decision on images that were not closed. Does not know any
 * format. */
#include "formats/unclean.h"

#include <stdio.h>

/* Keeps the first finding that matters. */
struct findings {
	struct check_report report;
	char first[256];
};

static void keep_first(struct check_report *report, const char *line)
{
	struct findings *findings = (struct findings *)report;

	/* Leaks are not counted as corruptions, and lose nothing. */
	if (report->corruptions && !*findings->first)
		snprintf(findings->first, sizeof findings->first, "%s", line);
}

int unclean_check(const struct unclean *unclean, struct source *source,
		  struct log *log, struct err *err)
{
	struct findings findings = { .report.emit = keep_first };

	if (unclean->check(source, unclean->image, &findings.report, err))
		return -1;
	if (findings.report.corruptions)
		return err_set(err, ERR_DAMAGED,
			       "the image was not closed properly, and its %s "
			       "is damaged (%s): repair it with `qemu-img "
			       "check -r all`",
			       unclean->tables, findings.first);
	log_note(log,
		 "%s: the image was not closed properly; its %s was "
		 "checked and is sound",
		 unclean->format, unclean->tables);
	return 0;
}
