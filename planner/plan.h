/* SPDX-License-Identifier: MIT */
/*
 * The search for the cheapest plan, and what can be said of plans.
 *
 * Labels are (state, times): breadth-first in the order of weight. A label is
 * dropped only for one of the same state that is in no component worse.
 * Ties: fewer steps, then catalogue order. Ends because a state may occur
 * once in a plan and a plan has at most PLAN_STEPS steps.
 */
#ifndef PLANNER_PLAN_H
#define PLANNER_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "planner/transition.h"

#define PLAN_STEPS 12
#define PLAN_ID_LEN 256

struct problem {
	const struct vocabulary *vocabulary;
	const struct transition *const *catalogue; /* NULL-terminated */
	struct state start;
	struct goal goal;
	const void *context; /* for pricing */
	unsigned threads;    /* the CPU pool */
	double fixed; /* microseconds that every plan takes */
	uint64_t temp_limit, memory_limit; /* bytes; UINT64_MAX: none */
};

struct plan_step {
	const struct transition *transition;
	struct state before, after;
	struct cost cost;
	char detail[TAG_LEN]; /* "xz"; "" when there is none */
};

struct plan {
	unsigned count; /* 0: nothing is to be done */
	struct plan_step step[PLAN_STEPS];
	double weight; /* predicted microseconds */
	uint64_t temp, memory; /* peaks, bytes */
};

/* The cheapest plan: 0. Or -1, ERR_NO_PLAN, with the reason: which tag of the
 * goal stays out of reach, and the nearest transition that would have reached
 * it with the need that failed. */
int plan_search(const struct problem *problem, struct plan *out,
		struct err *err);

/* Every plan from which no step can be removed, alone or with others, by
 * weight; the cheapest plan is always the first, even if it has a step that
 * could go but pays. *out is malloc'ed (free it). At most `most`, and at most
 * what a bounded search finds (all.c). Finding none is as plan_search. */
int plan_all(const struct problem *problem, unsigned most, struct plan **out,
	     unsigned *count, struct err *err);

/* The weight of the steps' costs (as plan_search computes it), with peak temp
 * and memory. Only `count` and the costs are looked at. */
void plan_price(const struct problem *problem, struct plan *plan);

/* "decompress,convert": the names, joined. Returns buf. */
char *plan_id(const struct plan *plan, char *buf, size_t len);

/* Fill `detail` from the states before and after. */
void plan_step_detail(const struct vocabulary *vocabulary,
		      struct plan_step *step);

/* "decompress xz" into buf; returns it. */
char *plan_step_text(const struct plan_step *step, char *buf, size_t len);

/* "-xz -template +format=qcow2 +size=10G": what the goal asks, against the
 * start. Hidden groups are left out. Returns buf. */
char *plan_goal_text(const struct problem *problem, char *buf, size_t len);

#endif
