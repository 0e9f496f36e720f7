/* SPDX-License-Identifier: MIT */
/* Tags and wants in writing, for the files of the planner. */
#ifndef PLANNER_TEXT_H
#define PLANNER_TEXT_H

#include <stddef.h>

#include "planner/transition.h"

/* Text put together piece by piece in a buffer of the caller's; what does
 * not fit is cut. Start with used = 0 and an empty buffer. */
struct text {
	char *buf;
	size_t len, used;
};

void text_add(struct text *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A blank if there is something already. */
void text_gap(struct text *words);
/* "a|b" as "a or b", "" as "none". */
void text_list(struct text *words, const char *list);
/* "6G" for digits, "+6G" for "+" and digits, anything else as it is. */
void text_size(struct text *words, const char *tag);
/* What a want asks: "+format=qcow2", "-xz", "+template", always with
 * something to show. `start`, the tag it begins from, may be NULL. */
void text_want(struct text *words, const struct group *group,
	       const struct want *want, const char *start);

#endif
