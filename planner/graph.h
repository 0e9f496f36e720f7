/* SPDX-License-Identifier: MIT */
/*
 * The states a problem can come to, each kept once, with the transitions
 * that lead on and their costs: worked out when first asked for.
 */
#ifndef PLANNER_GRAPH_H
#define PLANNER_GRAPH_H

#include "planner/plan.h"

/* More states than any catalogue of sense comes to: 5 MiB of them. */
#define GRAPH_NODES 4096
#define GRAPH_SLOTS ((size_t)2 * GRAPH_NODES)

struct node;

struct edge {
	unsigned transition; /* index into the catalogue */
	struct node *target; /* never the node it starts from */
	struct cost cost;
};

struct label;

struct node {
	struct state state;
	uint64_t hash;
	bool goal, expanded;
	unsigned edge_count;
	struct edge *edges;   /* in catalogue order */
	unsigned distance;    /* steps to the goal, after graph_survey */
	struct label *labels; /* the search's */
};

#define GRAPH_FAR (PLAN_STEPS + 1)

struct graph {
	const struct problem *problem;
	bool forgiving; /* refused costs count as nothing */
	bool full;	/* states were left out */
	unsigned count;
	struct node *node[GRAPH_NODES];
	struct node *slot[GRAPH_SLOTS];
};

struct graph *graph_open(const struct problem *problem, bool forgiving);
/* Accepts NULL; returns NULL. */
struct graph *graph_close(struct graph *graph);
/* The start is node[0]. Fills the node's edges, once. */
void graph_expand(struct graph *graph, struct node *node);
const struct edge *graph_edge(const struct node *node, unsigned transition);
/* Expand all that PLAN_STEPS steps can reach, and fill the distances
 * (GRAPH_FAR: the goal is out of reach from there). */
void graph_survey(struct graph *graph);

#endif
