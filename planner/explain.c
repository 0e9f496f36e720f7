/* SPDX-License-Identifier: MIT */
/*
 * Owns the reason why there is no plan, in one line. Looks, in this order,
 * for a tag of the goal that nothing can bring; for plans above a limit; for
 * a step that is refused when it is priced; and otherwise says how near to
 * the goal one can come. Does not decide anything.
 */
#include "planner/explain.h"

#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "planner/reach.h"
#include "planner/search.h"
#include "planner/text.h"
#include "planner/words.h"

/* How far back the reason for a reason is followed, and how many equally
 * near transitions are named: one line is to stay readable. */
#define EXPLAIN_DEPTH 3
#define EXPLAIN_BESIDE 2

/* Every plan, limits aside. */
static struct problem without_limits(const struct problem *problem)
{
	struct problem free_one = *problem;

	free_one.temp_limit = free_one.memory_limit = UINT64_MAX;
	return free_one;
}

/* What tags there are instead: "it is none". */
static void add_found(struct text *words, const struct reach *reach,
		      unsigned group)
{
	unsigned count = reach->group[group].count;

	text_add(words, count > 1 ? ", it can only be " : ", it is ");
	for (unsigned i = 0; i < count; i++) {
		if (i)
			text_add(words, i + 1 < count ? ", " : " or ");
		text_list(words, reach->group[group].tag[i]);
	}
}

/* "needs encryption to be none, it is yes" */
static void add_need(struct text *words, const struct reach *reach,
		     const struct need *need)
{
	const struct problem *problem = reach->problem;
	const char *name = problem->vocabulary->groups[need->group].name;
	const char *asked = goal_value(&problem->goal, need->group);

	text_add(words, " needs ");
	switch (need->op) {
	case NEED_IS:
	case NEED_TOP:
		text_add(words,
			 need->op == NEED_IS ? "%s to be "
					     : "%s to begin with ",
			 name);
		text_list(words, need->value);
		break;
	case NEED_NOT:
		text_add(words, "%s not to be ", name);
		text_list(words, need->value);
		break;
	case NEED_FILLED:
		text_add(words, "%s not to be none", name);
		break;
	case NEED_PUSHABLE:
		text_add(words, "%s to be an inner part of the goal's (", name);
		text_list(words, asked ? asked : "");
		text_add(words, ")");
		break;
	case NEED_GOAL_SAME:
		text_add(words, "%s to be as the goal wants it", name);
		break;
	case NEED_GOAL_OTHER:
	case NEED_GOAL_NAMES:
		text_add(words, "the goal to name %s %s",
			 need->op == NEED_GOAL_OTHER ? "another" : "a", name);
		return;
	case NEED_GOAL_IS:
		text_add(words, "the goal to name %s ", name);
		text_list(words, need->value);
		if (!asked)
			return;
		text_add(words, ", it names ");
		text_list(words, asked);
		return;
	}
	add_found(words, reach, need->group);
}

static bool is_of_goal(const struct need *need)
{
	return need->op == NEED_GOAL_OTHER || need->op == NEED_GOAL_IS ||
	       need->op == NEED_GOAL_NAMES;
}

/* Is the transition named anyway, beside the nearest to what is asked? */
static bool is_beside(const struct reach *reach, struct asked asked,
		      const struct transition *transition)
{
	for (unsigned i = 0; i <= EXPLAIN_BESIDE; i++)
		if (reach_nearest(reach, asked, i) == transition)
			return true;
	return false;
}

/* Why the transition, one of the nearest to what is asked, cannot be taken,
 * and why that cannot be helped. */
static void add_reason(struct text *words, const struct reach *reach,
		       struct asked asked, const struct transition *transition)
{
	unsigned unmet;
	const struct need *need = reach_unmet(reach, transition, &unmet);

	text_add(words, "%s%s", transition->name,
		 need ? "" : " is not possible there");
	for (unsigned depth = 0; need; depth++) {
		struct asked also = { need->group, transition };
		const struct transition *other;

		add_need(words, reach, need);
		other = is_of_goal(need) ? NULL : reach_nearest(reach, also, 0);
		if (!other || other == transition || depth == EXPLAIN_DEPTH ||
		    is_beside(reach, asked, other))
			return;
		need = reach_unmet(reach, other, &unmet);
		if (need)
			text_add(words, "; %s would change that but",
				 other->name);
		transition = other;
	}
}

static const struct group *group_of(const struct problem *problem,
				    unsigned group)
{
	return &problem->vocabulary->groups[group];
}

static void explain_want(const struct reach *reach, const struct want *want,
			 char *buf, size_t len)
{
	const struct problem *problem = reach->problem;
	const struct transition *nearest, *first;
	struct asked asked = { want->group, NULL };
	struct text words = { buf, len, 0 };

	text_want(&words, group_of(problem, want->group), want,
		  problem->start.tag[want->group]);
	text_add(&words, " is out of reach: ");
	nearest = reach_nearest(reach, asked, 0);
	first = nearest;
	if (!nearest)
		text_add(&words, "no step gives %s this value",
			 group_of(problem, want->group)->name);
	for (unsigned i = 0; nearest && i <= EXPLAIN_BESIDE; i++) {
		/* Variants of one step have one name: the first will do. */
		if (!i || strcmp(nearest->name, first->name)) {
			text_add(&words, "%s", i ? "; or " : "");
			add_reason(&words, reach, asked, nearest);
		}
		nearest = reach_nearest(reach, asked, i + 1);
	}
}

static void add_limit(struct text *words, uint64_t found, uint64_t limit,
		      const char *what)
{
	char is[32], may[32];

	if (found <= limit)
		return;
	text_add(words, "%s%s of %s (allowed: %s)", words->used ? " and " : "",
		 units_about(found, is, sizeof is), what,
		 units_about(limit, may, sizeof may));
}

/* Is there a plan above the limits? */
static bool explain_limits(const struct problem *problem, struct err *err)
{
	struct problem free_one = without_limits(problem);
	struct graph *graph = graph_open(&free_one, false);
	struct frontier frontier;
	struct label *label = search_run(&frontier, graph);
	AUTO_FREE struct plan *plan = mem_zalloc(sizeof *plan);
	char id[PLAN_ID_LEN], text[256] = "";
	struct text words = { text, sizeof text, 0 };

	if (label) {
		frontier_plan(&frontier, label, plan);
		add_limit(&words, plan->temp, problem->temp_limit,
			  "temporary files");
		add_limit(&words, plan->memory, problem->memory_limit,
			  "memory");
		err_set(err, ERR_NO_PLAN,
			"no plan within the limits: the cheapest, %s, needs "
			"%s",
			plan_id(plan, id, sizeof id), text);
	}
	frontier_close(&frontier);
	graph_close(graph);
	return label;
}

/* The first step of the plan that is refused, or NULL. */
static const struct plan_step *refused(const struct problem *problem,
				       const struct plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		struct pricing pricing = { problem->context, &problem->goal,
					   &step->before, &step->after };
		struct cost cost = { 0 };

		if (step->transition->cost &&
		    !step->transition->cost(&pricing, &cost))
			return step;
	}
	return NULL;
}

/* Is there a plan with steps that are refused? */
static bool explain_refusal(const struct problem *problem, struct err *err)
{
	struct problem free_one = without_limits(problem);
	struct graph *graph = graph_open(&free_one, true);
	struct frontier frontier;
	struct label *label = search_run(&frontier, graph);
	AUTO_FREE struct plan *plan = mem_zalloc(sizeof *plan);
	const struct plan_step *step = NULL;
	char name[TAG_LEN * 2], state[512];

	if (label) {
		frontier_plan(&frontier, label, plan);
		step = refused(problem, plan);
	}
	if (step)
		err_set(err, ERR_NO_PLAN,
			"no plan: %s would lead to the goal but is not "
			"possible with %s",
			plan_step_text(step, name, sizeof name),
			state_text(&step->before, problem->vocabulary, false,
				   state, sizeof state));
	frontier_close(&frontier);
	graph_close(graph);
	return step;
}

/* The state with the most wants met, the first found among equals. */
static const struct state *nearest_state(const struct graph *graph)
{
	const struct goal *goal = &graph->problem->goal;
	const struct state *best = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < graph->count; i++) {
		const struct state *state = &graph->node[i]->state;
		unsigned met = 0;

		for (unsigned k = 0; k < goal->count; k++)
			met += words_meet(&goal->want[k],
					  state->tag[goal->want[k].group]);
		if (best && met <= most)
			continue;
		best = state;
		most = met;
	}
	return best;
}

/* Each tag can be had, but not all of them together. */
static int explain_together(const struct problem *problem, struct err *err)
{
	struct graph *graph = graph_open(problem, false);
	const struct state *state;
	AUTO_FREE struct reach *reach = NULL;
	const struct want *want;
	char text[512], reason[ERR_MESSAGE_LEN];

	graph_survey(graph);
	state = nearest_state(graph);
	reach = reach_open(problem, state);
	want = reach_missing(reach);
	state_text(state, problem->vocabulary, false, text, sizeof text);
	graph_close(graph);
	if (!want)
		return err_set(err, ERR_NO_PLAN,
			       "no plan of at most %u steps leads to the goal",
			       PLAN_STEPS);
	explain_want(reach, want, reason, sizeof reason);
	return err_set(err, ERR_NO_PLAN,
		       "no plan: the goal can be reached tag by tag but not "
		       "as a whole; at %s, %s",
		       text, reason);
}

int explain_none(const struct problem *problem, struct err *err)
{
	AUTO_FREE struct reach *reach = reach_open(problem, &problem->start);
	const struct want *missing;
	char reason[ERR_MESSAGE_LEN];

	reach_fill(reach);
	missing = reach_missing(reach);
	if (missing) {
		explain_want(reach, missing, reason, sizeof reason);
		return err_set(err, ERR_NO_PLAN, "no plan: %s", reason);
	}
	if (explain_limits(problem, err) || explain_refusal(problem, err))
		return -1;
	return explain_together(problem, err);
}
