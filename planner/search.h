/* SPDX-License-Identifier: MIT */
/* The search, for the search for reasons. */
#ifndef PLANNER_SEARCH_H
#define PLANNER_SEARCH_H

#include "planner/frontier.h"

/* The cheapest label that reaches the goal, or NULL: the search itself.
 * Leaves the frontier open for its caller to close. */
struct label *search_run(struct frontier *frontier, struct graph *graph);

#endif
