/* SPDX-License-Identifier: MIT */
/*
 * Owns the search for the cheapest plan. Does not list alternatives (all.c)
 * or say why there is none (explain.c).
 *
 * Why the first label at the goal is the cheapest plan: labels come in the
 * order of weight, which no step lowers; and a label is dropped only for one
 * whose every continuation is as good. The second has a catch: a state may
 * occur once in a plan, so a continuation of the dropped one may run into
 * the history of the other. Leaving the loop out then costs no more time and
 * no more temp; but a barrier may go with it, and then the memory of two
 * pipelines adds up. So under a limit on memory a label is dropped only for
 * one whose history it shares, which drops few; and so a limit is left out
 * until it is found to bind: the cheapest plan without it, if it keeps it, is
 * the cheapest with it.
 */
#include "planner/search.h"

#include "planner/explain.h"

/* 15 MiB of labels. Real catalogues make a few hundred. */
#define SEARCH_LABELS 65536

static bool history_within(const struct label *a, const struct label *b)
{
	for (; a; a = a->parent) {
		const struct label *other = b;

		while (other && other->node != a->node)
			other = other->parent;
		if (!other)
			return false;
	}
	return true;
}

/* Is every continuation of `a` as good as that of `b`, ties included? Both
 * are at the same node. */
static bool covers(const struct problem *problem, const struct label *a,
		   const struct label *b)
{
	if (a->steps > b->steps || !load_covers(&a->load, &b->load) ||
	    (problem->temp_limit != UINT64_MAX &&
	     a->load.temp > b->load.temp) ||
	    (problem->memory_limit != UINT64_MAX &&
	     a->load.memory > b->load.memory))
		return false;
	/* Of plans that take equally long and equally many steps the first
	 * in catalogue order is wanted: less work in an open pipeline does
	 * not decide that, as it may be hidden behind something longer. */
	if (a->steps == b->steps && a->load.done == b->load.done)
		for (unsigned i = 0; i < a->steps; i++) {
			if (a->path[i] < b->path[i])
				break;
			if (a->path[i] > b->path[i])
				return false;
		}
	return problem->memory_limit == UINT64_MAX || history_within(a, b);
}

static bool keep_uncovered(struct frontier *frontier, struct label *label)
{
	const struct problem *problem = frontier->graph->problem;
	struct label *other;

	/* Distances are there once the limit on memory is. */
	if (problem->memory_limit != UINT64_MAX &&
	    label->steps + label->node->distance > PLAN_STEPS)
		return false;
	for (other = label->node->labels; other; other = other->beside)
		if (covers(problem, other, label))
			return false;
	for (other = label->node->labels; other; other = other->beside)
		if (!other->dead && covers(problem, label, other))
			other->dead = true;
	return true;
}

struct label *search_run(struct frontier *frontier, struct graph *graph)
{
	struct label *label;

	frontier_open(frontier, graph, keep_uncovered, SEARCH_LABELS);
	/* Ends: a plan has at most PLAN_STEPS steps. */
	while ((label = frontier_next(frontier))) {
		if (label->node->goal)
			return label;
		frontier_expand(frontier, label);
	}
	return NULL;
}

/* Bring in the limits that the label exceeds; false when it keeps all. */
static bool tighten(struct problem *relaxed, const struct problem *problem,
		    struct graph *graph, const struct label *label)
{
	bool exceeds = false;

	if (label->load.temp > problem->temp_limit) {
		relaxed->temp_limit = problem->temp_limit;
		exceeds = true;
	}
	if (label->load.memory_peak > problem->memory_limit) {
		relaxed->memory_limit = problem->memory_limit;
		graph_survey(graph);
		exceeds = true;
	}
	return exceeds;
}

int plan_search(const struct problem *problem, struct plan *out,
		struct err *err)
{
	struct problem relaxed = *problem;
	struct graph *graph = graph_open(&relaxed, false);
	struct frontier frontier;
	struct label *label;
	bool full;

	relaxed.temp_limit = relaxed.memory_limit = UINT64_MAX;
	label = search_run(&frontier, graph);
	/* Ends: each round brings in a limit, which then holds. */
	while (label && !frontier.full &&
	       tighten(&relaxed, problem, graph, label)) {
		frontier_close(&frontier);
		label = search_run(&frontier, graph);
	}
	full = graph->full || frontier.full;
	/* When something was left out, what was found may not be best. */
	if (label && !full)
		frontier_plan(&frontier, label, out);
	frontier_close(&frontier);
	graph_close(graph);
	if (full)
		return err_set(err, ERR_LIMIT,
			       "planning comes to more than %u states or %u "
			       "partial plans; raise the limits on memory and "
			       "temporary files, or ask for less at once",
			       GRAPH_NODES, SEARCH_LABELS);
	return label ? 0 : explain_none(problem, err);
}
