/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of alternatives: plans from which no step can be removed,
 * neither one nor several at once. What is left would have to be a plan
 * itself: applicable, within the limits, reaching the goal.
 *
 * Bounds: partial plans are taken in the order of weight, so the search ends
 * with the last alternative asked for. One is given up when a part of its
 * steps leads to the same state (whatever follows could go without the
 * rest), or when the goal is too many steps away. At most ALL_LABELS are
 * made (4 MiB); a catalogue that asks for more gets the alternatives found
 * till then, which are the cheapest ones.
 */
#include <string.h>

#include "base/mem.h"
#include "planner/frontier.h"

#define ALL_LABELS 16384

/* Where a part of a label's steps has led to so far. */
struct part {
	const struct node *node;
	struct load load;
	unsigned at;  /* the next step to be taken or left out */
	bool shorter; /* some were left out */
};

/* Is the part, now complete, as good as the label? Before the goal it must
 * leave no less temp and memory to what follows: fewer steps may cost more,
 * since the others then start from other states. */
static bool part_serves(const struct problem *problem,
			const struct label *label, const struct part *part)
{
	if (!part->shorter)
		return false;
	if (label->node->goal)
		return part->node->goal;
	return part->node == label->node &&
	       (problem->temp_limit == UINT64_MAX ||
		part->load.temp <= label->load.temp) &&
	       (problem->memory_limit == UINT64_MAX ||
		part->load.memory <= label->load.memory);
}

/* Ends: `at` grows with each call, up to PLAN_STEPS. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as that */
static bool part_found(const struct problem *problem, const struct label *label,
		       const struct part *part)
{
	struct part next = *part;
	const struct edge *edge;

	if (part->at == label->steps)
		return part_serves(problem, label, part);
	next.at++;
	next.shorter = true;
	if (part_found(problem, label, &next))
		return true;
	edge = graph_edge(part->node, label->path[part->at]);
	if (!edge)
		return false;
	next.shorter = part->shorter;
	next.node = edge->target;
	load_add(&next.load, &edge->cost, problem->threads);
	return !frontier_exceeds(problem, &next.load) &&
	       part_found(problem, label, &next);
}

static bool keep_irreducible(struct frontier *frontier, struct label *label)
{
	const struct graph *graph = frontier->graph;
	struct part nothing = { .node = graph->node[0],
				.load.done = graph->problem->fixed };

	if (label->steps + label->node->distance > PLAN_STEPS)
		return false;
	return !part_found(graph->problem, label, &nothing);
}

static bool same_steps(const struct plan *a, const struct plan *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->step[i].transition != b->step[i].transition)
			return false;
	return true;
}

int plan_all(const struct problem *problem, unsigned most, struct plan **out,
	     unsigned *count, struct err *err)
{
	AUTO_FREE struct plan *cheapest = mem_zalloc(sizeof *cheapest);
	struct plan *list = NULL;
	struct graph *graph;
	struct frontier frontier;
	struct label *label;
	unsigned found = 0;

	*out = NULL;
	*count = 0;
	if (plan_search(problem, cheapest, err))
		return -1;
	graph = graph_open(problem, false);
	graph_survey(graph);
	frontier_open(&frontier, graph, keep_irreducible, ALL_LABELS);
	while (found < most && (label = frontier_next(&frontier))) {
		if (!label->node->goal) {
			frontier_expand(&frontier, label);
			continue;
		}
		list = mem_resize(list, found + 1, sizeof *list);
		frontier_plan(&frontier, label, &list[found++]);
	}
	frontier_close(&frontier);
	graph_close(graph);
	/* A step that could be left out may yet pay. */
	if (most && (!found || !same_steps(&list[0], cheapest))) {
		list = mem_resize(list, found + 1, sizeof *list);
		memmove(list + 1, list, found * sizeof *list);
		list[0] = *cheapest;
		found += found < most;
	}
	*out = list;
	*count = found;
	return 0;
}
