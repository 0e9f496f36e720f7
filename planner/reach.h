/* SPDX-License-Identifier: MIT */
/*
 * Reachability made easy: tags are only ever added, never replaced, and
 * costs are forgotten. What is out of reach here is truly out of reach.
 */
#ifndef PLANNER_REACH_H
#define PLANNER_REACH_H

#include "planner/plan.h"

/* Distinct tags of one group; stacks have one a layer. Beyond: forgotten. */
#define REACH_TAGS 32

struct reach {
	const struct problem *problem;
	struct {
		unsigned count;
		char tag[REACH_TAGS][TAG_LEN];
	} group[GROUPS_MAX];
};

/* Just the tags of one state. Free with free(). */
struct reach *reach_open(const struct problem *problem,
			 const struct state *state);
/* Add all that the transitions can add. */
void reach_fill(struct reach *reach);

/* The first need of the transition that no tag in reach meets, or NULL; how
 * many groups have such needs into *count. */
const struct need *reach_unmet(const struct reach *reach,
			       const struct transition *transition,
			       unsigned *count);
/* The first want out of reach, those that are shown before hidden ones. */
const struct want *reach_missing(const struct reach *reach);

/* What is asked of one group: by wants (transition NULL) or by needs. */
struct asked {
	unsigned group;
	const struct transition *transition;
};

/* The transition that would give the group a tag that meets what is asked,
 * or failing that at least a new tag, the one with the fewest unmet needs,
 * catalogue order among equals, but for the first `skip` ones. NULL: none. */
const struct transition *reach_nearest(const struct reach *reach,
				       struct asked asked, unsigned skip);

#endif
