/* SPDX-License-Identifier: MIT */
/*
 * Partial plans in the order of weight, then steps, then catalogue order.
 *
 *	frontier_open -> frontier_next -> frontier_expand -> frontier_close
 *			      ^                 |
 *			      +-----------------+
 */
#ifndef PLANNER_FRONTIER_H
#define PLANNER_FRONTIER_H

#include "planner/graph.h"
#include "planner/load.h"

/* A partial plan. */
struct label {
	struct node *node;
	const struct label *parent; /* NULL: the start */
	unsigned steps;
	uint16_t path[PLAN_STEPS]; /* catalogue indices */
	struct load load;
	double weight;
	bool dead;	      /* covered by a better one */
	struct label *beside; /* the next of the same node */
};

struct frontier {
	struct graph *graph;
	/* Is the new label worth keeping? It may kill others. */
	bool (*keep)(struct frontier *frontier, struct label *label);
	unsigned most;	/* ceiling on labels */
	bool full;	/* labels were left out */
	unsigned count; /* labels made */
	struct label **heap;
	unsigned heap_count, heap_room;
	void *chunks; /* where the labels live */
};

/* Starts with the empty plan. */
void frontier_open(struct frontier *frontier, struct graph *graph,
		   bool (*keep)(struct frontier *, struct label *),
		   unsigned most);
void frontier_close(struct frontier *frontier);
/* Take the first of the living, or NULL. */
struct label *frontier_next(struct frontier *frontier);
/* Put in what follows it by one step. */
void frontier_expand(struct frontier *frontier, const struct label *label);
/* Does `a` come before `b`? */
bool frontier_before(const struct label *a, const struct label *b);
/* Above a limit on temp or memory? */
bool frontier_exceeds(const struct problem *problem, const struct load *load);
/* Write the label out as a plan, steps, weight and peaks. */
void frontier_plan(const struct frontier *frontier, const struct label *label,
		   struct plan *out);

#endif
