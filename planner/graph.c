/* SPDX-License-Identifier: MIT */
/*
 * Owns the states met in one planning and the edges between them. Does not
 * choose among them.
 */
#include "planner/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

/* Over the groups in use only: the others are zero in every state; and over
 * a tag's words up to the one with its NUL, as zeros follow. Modulo 2^64. */
WRAPS static uint64_t hash_state(const struct graph *graph,
				 const struct state *state)
{
	unsigned count = graph->problem->vocabulary->count;
	uint64_t hash = 0x9e3779b97f4a7c15u;

	_Static_assert(TAG_LEN % 8 == 0, "tags are hashed by words");
	for (unsigned group = 0; group < count; group++)
		for (unsigned i = 0; i < TAG_LEN; i += 8) {
			const char *bytes = state->tag[group] + i;
			uint64_t word;

			memcpy(&word, bytes, sizeof word);
			hash = (hash ^ word) * 0xff51afd7ed558ccdu;
			hash ^= hash >> 32;
			if (!bytes[7])
				break;
		}
	return hash;
}

/* The node of a state, made if need be; NULL when there are too many. */
static struct node *intern(struct graph *graph, const struct state *state)
{
	uint64_t hash = hash_state(graph, state);
	size_t slot = hash % GRAPH_SLOTS;
	struct node *node;

	/* Ends: half of the slots stay empty. */
	for (; (node = graph->slot[slot]); slot = (slot + 1) % GRAPH_SLOTS)
		if (node->hash == hash && state_equal(&node->state, state))
			return node;
	if (graph->count == GRAPH_NODES) {
		graph->full = true;
		return NULL;
	}
	node = mem_zalloc(sizeof *node);
	node->state = *state;
	node->hash = hash;
	node->goal = goal_reached(&graph->problem->goal, state);
	graph->slot[slot] = node;
	graph->node[graph->count++] = node;
	return node;
}

struct graph *graph_open(const struct problem *problem, bool forgiving)
{
	struct graph *graph = mem_zalloc(sizeof *graph);

	graph->problem = problem;
	graph->forgiving = forgiving;
	intern(graph, &problem->start);
	return graph;
}

struct graph *graph_close(struct graph *graph)
{
	if (!graph)
		return NULL;
	for (unsigned i = 0; i < graph->count; i++) {
		free(graph->node[i]->edges);
		free(graph->node[i]);
	}
	free(graph);
	return NULL;
}

/* The edge of one transition out of `node`; false when there is none. */
static bool make_edge(struct graph *graph, const struct node *node,
		      const struct transition *transition, struct edge *out)
{
	const struct problem *problem = graph->problem;
	struct state after;
	struct pricing pricing = { problem->context, &problem->goal,
				   &node->state, &after };

	if (!transition_applies(transition, &node->state, &problem->goal,
				NULL) ||
	    !transition_apply(transition, &node->state, &problem->goal,
			      &after) ||
	    state_equal(&after, &node->state))
		return false;
	memset(&out->cost, 0, sizeof out->cost);
	if (transition->cost && !transition->cost(&pricing, &out->cost)) {
		if (!graph->forgiving)
			return false;
		memset(&out->cost, 0, sizeof out->cost);
	}
	out->target = intern(graph, &after);
	return out->target;
}

void graph_expand(struct graph *graph, struct node *node)
{
	const struct transition *const *catalogue = graph->problem->catalogue;
	struct edge edge = { 0 };

	if (node->expanded)
		return;
	node->expanded = true;
	for (unsigned i = 0; catalogue[i]; i++) {
		if (!make_edge(graph, node, catalogue[i], &edge))
			continue;
		edge.transition = i;
		if (node->edge_count % 8 == 0)
			node->edges = mem_resize(
				node->edges, node->edge_count + 8, sizeof edge);
		node->edges[node->edge_count++] = edge;
	}
}

const struct edge *graph_edge(const struct node *node, unsigned transition)
{
	for (unsigned i = 0; i < node->edge_count; i++)
		if (node->edges[i].transition == transition)
			return &node->edges[i];
	return NULL;
}

/* One step nearer for whoever has a nearer neighbour; true if any moved. */
static bool relax(struct graph *graph)
{
	bool moved = false;

	for (unsigned i = graph->count; i; i--) {
		struct node *node = graph->node[i - 1];

		for (unsigned k = 0; k < node->edge_count; k++) {
			unsigned next = node->edges[k].target->distance + 1;

			if (next < node->distance) {
				node->distance = next;
				moved = true;
			}
		}
	}
	return moved;
}

void graph_survey(struct graph *graph)
{
	unsigned from = 0;

	/* Nodes are numbered in the order of being found, so each round
	 * expands those one step further out. */
	for (unsigned depth = 0; depth < PLAN_STEPS; depth++) {
		unsigned to = graph->count;

		for (; from < to; from++)
			graph_expand(graph, graph->node[from]);
	}
	for (unsigned i = 0; i < graph->count; i++)
		graph->node[i]->distance = graph->node[i]->goal ? 0 : GRAPH_FAR;
	/* Ends: distances only fall, and not below 0. */
	while (relax(graph))
		;
}
