/* SPDX-License-Identifier: MIT */
#ifndef CMD_PLAN_DOT_H
#define CMD_PLAN_DOT_H

#include "planner/plan.h"

/* Plans as one directed graph for graphviz, on standard output: states are
 * nodes with their tags, steps are edges with what each costs alone. */
void plan_dot_print(const struct problem *problem, const struct plan *list,
		    unsigned count);

#endif
