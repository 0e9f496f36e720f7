/* SPDX-License-Identifier: MIT */
/* What needs, sets and wants mean for a single tag. */
#ifndef PLANNER_WORDS_H
#define PLANNER_WORDS_H

#include <stddef.h>

#include "planner/transition.h"

/* Is `word` one of the alternatives "a|b|c"? "" has one alternative: "". */
bool words_hold(const char *list, const char *word);

/* Does one state's tag meet what a want asks of its group? */
bool words_meet(const struct want *want, const char *tag);

/* Does the tag meet all that the goal asks of the group? */
bool words_content(const struct goal *goal, unsigned group, const char *tag);

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

#endif
