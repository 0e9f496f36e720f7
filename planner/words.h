/* SPDX-License-Identifier: MIT */
/* Small readings of tags that several files of the planner share. */
#ifndef PLANNER_WORDS_H
#define PLANNER_WORDS_H

#include <stddef.h>

#include "planner/transition.h"

/* Is `word` one of the alternatives "a|b|c"? "" has one alternative: "". */
bool words_hold(const char *list, const char *word);

/* Does one state's tag meet what a want asks of its group? */
bool words_meet(const struct want *want, const char *tag);

/* The first want that names a value for the group, or NULL. */
const struct want *words_naming(const struct goal *goal, unsigned group);

/* Does `tag` meet the need? */
bool words_need(const struct need *need, const char *tag,
		const struct goal *goal);

/* The goal's next outer element around `tag`: its start in the goal's text,
 * its length into *len; NULL when the tag is no proper tail of the goal's. */
const char *words_next(const struct goal *goal, unsigned group, const char *tag,
		       size_t *len);

/* Carry out one set; false when a push does not fit. */
bool words_set(const struct set *set, struct state *state,
	       const struct goal *goal);

/* The lists of a transition, which end early when not full. */
unsigned words_needs(const struct transition *transition);
unsigned words_sets(const struct transition *transition);

/* Text put together piece by piece in a buffer of the caller's; what does
 * not fit is cut. Start with used = 0 and an empty buffer. */
struct words {
	char *buf;
	size_t len, used;
};

void words_add(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A blank if there is something already. */
void words_gap(struct words *words);
/* "a|b" as "a or b", "" as "none". */
void words_list(struct words *words, const char *list);
/* "6G" for digits, "+6G" for "+" and digits, anything else as it is. */
void words_size(struct words *words, const char *tag);
/* What a want asks: "+format=qcow2", "-xz", "+template", always with
 * something to show. `start`, the tag it begins from, may be NULL. */
void words_want(struct words *words, const struct group *group,
		const struct want *want, const char *start);

#endif
