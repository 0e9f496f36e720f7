/* SPDX-License-Identifier: MIT */
/*
 * Thousands of small random problems. Each is held twice: as numbers, which
 * planner_toy.h walks through exhaustively and prices by itself, and as tags,
 * which the planner gets. Both must come to the same plans.
 *
 * All costs are small whole numbers and the threads a power of two, so that
 * sums are exact and ties are real ties.
 */
#include "check.h"

#include <time.h>

#include "planner/plan.h"
#include "planner_toy.h"

#define PROBLEMS 20000

/* The same problem as tags. */
static const char *const tags[] = { "", "a", "bb", "c" };

static int number_of(const char *tag)
{
	int i = 0;

	while (strcmp(tags[i], tag))
		i++;
	return i;
}

static bool cost_of(const struct pricing *pricing, unsigned step,
		    struct cost *out)
{
	const struct toy *toy = pricing->context;
	int state[TOY_GROUPS] = { 0 };
	unsigned kind;

	for (unsigned i = 0; i < toy->groups; i++)
		state[i] = number_of(pricing->before->tag[i]);
	kind = toy_kind(toy, state);
	*out = toy->step[step].cost[kind];
	return !toy->step[step].refused[kind];
}

#define COST(n)                                                                \
	static bool cost_##n(const struct pricing *pricing, struct cost *out)  \
	{                                                                      \
		return cost_of(pricing, n, out);                               \
	}
COST(0)
COST(1)
COST(2)
COST(3)
COST(4)
COST(5)
COST(6)

static bool (*const costs[TOY_STEPS])(const struct pricing *, struct cost *) = {
	cost_0, cost_1, cost_2, cost_3, cost_4, cost_5, cost_6
};
static const char *const names[TOY_STEPS] = { "s0", "s1", "s2", "s3",
					      "s4", "s5", "s6" };
static const struct group groups[TOY_GROUPS] = { { "g0", STYLE_VALUE },
						 { "g1", STYLE_VALUE },
						 { "g2", STYLE_HIDDEN },
						 { "g3", STYLE_VALUE } };

struct tagged {
	struct problem problem;
	struct vocabulary vocabulary;
	struct transition step[TOY_STEPS];
	const struct transition *catalogue[TOY_STEPS + 1];
	char text[TOY_STEPS][TOY_GROUPS][16];
};

/* Bits as "a|c"; with `inverted`, the other values. */
static void list_text(char text[16], unsigned bits, unsigned values,
		      bool inverted)
{
	bool first = true;

	*text = '\0';
	for (unsigned i = 0; i < values; i++) {
		if (!(bits & 1u << i) != inverted)
			continue;
		if (!first)
			strcat(text, "|");
		strcat(text, tags[i]);
		first = false;
	}
}

static void tag_step(struct tagged *tagged, const struct toy *toy, unsigned n)
{
	struct transition *step = &tagged->step[n];
	unsigned needs = 0, sets = 0;

	step->name = step->title = names[n];
	step->detail = GROUPS_MAX;
	step->cost = costs[n];
	for (unsigned i = 0; i < toy->groups; i++) {
		unsigned bits = toy->step[n].needs[i];
		unsigned all = (1u << toy->values[i]) - 1;
		bool inverted = n % 2 && bits != all;

		if (bits) {
			char *text = tagged->text[n][i];

			list_text(text, bits, toy->values[i], inverted);
			step->needs[needs++] =
				(struct need){ i, inverted ? NEED_NOT : NEED_IS,
					       text };
		}
		if (toy->step[n].sets[i] >= 0)
			step->sets[sets++] =
				(struct set){ i, SET_TO,
					      tags[toy->step[n].sets[i]] };
	}
	tagged->catalogue[n] = step;
}

static void tag_toy(struct tagged *tagged, const struct toy *toy)
{
	struct problem *problem = &tagged->problem;

	memset(tagged, 0, sizeof *tagged);
	tagged->vocabulary = (struct vocabulary){ groups, toy->groups };
	problem->vocabulary = &tagged->vocabulary;
	problem->catalogue = tagged->catalogue;
	problem->context = toy;
	problem->threads = toy->threads;
	problem->temp_limit = toy->temp_limit;
	problem->memory_limit = toy->memory_limit;
	for (unsigned i = 0; i < toy->groups; i++) {
		struct want *want = &problem->goal.want[problem->goal.count];

		state_set(&problem->start, i, tags[toy->start[i]]);
		if (!toy->goal[i])
			continue;
		want->group = i;
		list_text(want->value, toy->goal[i], toy->values[i], false);
		problem->goal.count++;
	}
	for (unsigned i = 0; i < toy->steps; i++)
		tag_step(tagged, toy, i);
}

static bool same(const struct plan *plan, const struct way *way)
{
	if (plan->count != way->count || plan->weight != way->weight ||
	    plan->temp != way->temp || plan->memory != way->memory)
		return false;
	for (unsigned i = 0; i < way->count; i++)
		if (plan->step[i].transition->name != names[way->step[i]])
			return false;
	return true;
}

static void check_price(const struct problem *problem, const struct plan *plan,
			const struct way *way)
{
	static struct plan copy;

	copy = *plan;
	copy.weight = -1;
	copy.temp = copy.memory = 77;
	plan_price(problem, &copy);
	CHECK(same(&copy, way));
}

/* What is said must be true: more plans without limits, or with the steps
 * that are refused. */
static void check_reason(const struct toy *toy, const struct err *err,
			 struct walk *walk)
{
	struct toy free_toy = *toy;
	bool limits, refused;

	CHECK_EQ(err->kind, ERR_NO_PLAN);
	CHECK(!strncmp(err->message, "no plan", 7));
	free_toy.temp_limit = free_toy.memory_limit = UINT64_MAX;
	walk_all(walk, &free_toy, false);
	limits = walk->plans;
	walk_all(walk, &free_toy, true);
	refused = walk->plans && !limits;
	if (walk->visits > VISITS)
		return;
	CHECK(limits == !!strstr(err->message, "within the limits"));
	CHECK(refused == !!strstr(err->message, "is not possible with"));
}

/* The list that plan_all should give, in place of the walk's own. */
static unsigned irreducible(struct walk *walk)
{
	unsigned count = 0;

	for (unsigned i = 0; i < walk->plans; i++)
		if (!reducible(walk->toy, &walk->list[i]))
			walk->list[count++] = walk->list[i];
	qsort(walk->list, count, sizeof *walk->list, way_order);
	if (count && !way_order(&walk->list[0], &walk->best))
		return count;
	count += count < PLANS_MAX;
	memmove(walk->list + 1, walk->list, (count - 1) * sizeof *walk->list);
	walk->list[0] = walk->best;
	return count;
}

static void check_all(const struct problem *problem, struct walk *walk,
		      unsigned most)
{
	struct err err = { 0 };
	struct plan *plans;
	unsigned wanted = irreducible(walk), count;

	if (wanted > most)
		wanted = most;
	CHECK(!plan_all(problem, most, &plans, &count, &err));
	CHECK_EQ(count, wanted);
	for (unsigned i = 0; i < count && i < wanted; i++)
		CHECK(same(&plans[i], &walk->list[i]));
	free(plans);
}

int main(void)
{
	static struct walk walk;
	static struct tagged tagged;
	static struct plan plan;
	static struct toy toy;
	unsigned tried = 0, solved = 0, listed = 0, limited = 0;
	clock_t spent = 0, began;
	double per_plan;

	while (tried < PROBLEMS) {
		struct err err = { 0 };
		int result;

		random_toy(&toy);
		walk_all(&walk, &toy, false);
		if (walk.visits > VISITS)
			continue;
		tried++;
		tag_toy(&tagged, &toy);
		began = clock();
		result = plan_search(&tagged.problem, &plan, &err);
		spent += clock() - began;
		CHECK((result == 0) == (walk.plans > 0));
		limited += toy.memory_limit != UINT64_MAX && !result;
		if (result) {
			check_reason(&toy, &err, &walk);
			continue;
		}
		solved++;
		CHECK(same(&plan, &walk.best));
		check_price(&tagged.problem, &plan, &walk.best);
		if (walk.plans > PLANS_MAX)
			continue;
		listed++;
		check_all(&tagged.problem, &walk, roll(2) ? PLANS_MAX : 2);
	}
	per_plan = (double)spent * 1e6 / CLOCKS_PER_SEC / tried;
	printf("%u problems, %u solved, %u of them under a memory limit, %u "
	       "lists of alternatives; %.0f us a planning\n",
	       tried, solved, limited, listed, per_plan);
	CHECK(solved > PROBLEMS / 8 && listed > PROBLEMS / 10 &&
	      limited > PROBLEMS / 20);
	return check_result();
}
