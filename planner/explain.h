/* SPDX-License-Identifier: MIT */
/* The reason why there is no plan. */
#ifndef PLANNER_EXPLAIN_H
#define PLANNER_EXPLAIN_H

#include "planner/plan.h"

/* Fill `err` with the reason there is no plan; returns -1. */
int explain_none(const struct problem *problem, struct err *err);

#endif
