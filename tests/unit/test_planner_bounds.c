/* SPDX-License-Identifier: MIT */
/* The search where it is hard: a limit on memory against the rule that a
 * state occurs once, and a problem as wide as the real ones. */
#include "check.h"

#include <time.h>

#include "planner/plan.h"

static struct plan plan;

static const char *search(const struct problem *problem)
{
	static char text[PLAN_ID_LEN];
	struct err err = { 0 };

	if (plan_search(problem, &plan, &err))
		return "no plan";
	return plan_id(&plan, text, sizeof text);
}

static struct problem make(const struct vocabulary *vocabulary,
			   const struct transition *const *catalogue,
			   unsigned threads)
{
	return (struct problem){ .vocabulary = vocabulary,
				 .catalogue = catalogue,
				 .threads = threads,
				 .temp_limit = UINT64_MAX,
				 .memory_limit = UINT64_MAX };
}

static void want(struct problem *problem, unsigned group, const char *value)
{
	struct want *one = &problem->goal.want[problem->goal.count++];

	one->group = group;
	strcpy(one->value, value);
}

/* A step from one place to another, its name both: "os". */
struct road {
	const char *name;
	double cpu;
	uint64_t memory;
	bool barrier;
};

static const struct road roads[] = {
	{ "os", 1, 2, false },	{ "sx", 1, 1, false }, { "oy", 40, 2, false },
	{ "yx", 40, 2, false }, { "xs", 4, 0, true },  { "sg", 4, 4, false },
};
#define ROADS (sizeof roads / sizeof *roads)

static bool cost_road(const struct pricing *pricing, struct cost *out)
{
	for (size_t i = 0; i < ROADS; i++) {
		if (roads[i].name[0] != pricing->before->tag[0][0] ||
		    roads[i].name[1] != pricing->after->tag[0][0])
			continue;
		out->cpu = roads[i].cpu;
		out->memory = roads[i].memory;
		out->barrier = roads[i].barrier;
		return true;
	}
	return false;
}

/* o -> s -> x is cheaper than o -> y -> x in time and memory, but the way on
 * leads through s again: x -> s -> g. Without the loop o -> s -> g lacks the
 * barrier in it and takes too much memory. */
static void test_histories(void)
{
	static const struct group group = { "place", STYLE_VALUE };
	static const struct vocabulary place = { &group, 1 };
	static char places[ROADS][2][2];
	static struct transition steps[ROADS];
	static const struct transition *map[ROADS + 1];
	struct problem problem = make(&place, map, 1);

	state_set(&problem.start, 0, "o");
	want(&problem, 0, "g");
	for (size_t i = 0; i < ROADS; i++) {
		places[i][0][0] = roads[i].name[0];
		places[i][1][0] = roads[i].name[1];
		steps[i].name = roads[i].name;
		steps[i].detail = GROUPS_MAX;
		steps[i].cost = cost_road;
		steps[i].needs[0] = (struct need){ 0, NEED_IS, places[i][0] };
		steps[i].sets[0] = (struct set){ 0, SET_TO, places[i][1] };
		map[i] = &steps[i];
	}
	CHECK_STR(search(&problem), "os,sg");
	CHECK(plan.weight == 5);
	problem.memory_limit = 5;
	CHECK_STR(search(&problem), "oy,yx,xs,sg");
	CHECK(plan.weight == 88);
}

static bool cost_same(const struct pricing *pricing, struct cost *out)
{
	(void)pricing;
	out->cpu = 7;
	out->serial = 1;
	return true;
}

/* As large as it gets: 25 groups in use, 15 transitions that apply in any
 * order. Printed only: what a machine takes is no failure. */
static void time_planning(void)
{
	enum { WIDE = 25, MANY = 15, TIMES = 200 };
	static struct group wide[WIDE];
	static const struct vocabulary wide_vocabulary = { wide, WIDE };
	static struct transition steps[MANY];
	static const struct transition *wide_catalogue[MANY + 1];
	static const char *const values[] = { "a", "b", "c" };
	struct problem problem = make(&wide_vocabulary, wide_catalogue, 4);
	clock_t began;

	for (unsigned i = 0; i < WIDE; i++)
		wide[i] = (struct group){ "g", STYLE_VALUE };
	for (unsigned i = 0; i < MANY; i++) {
		steps[i].name = "step";
		steps[i].detail = GROUPS_MAX;
		steps[i].cost = cost_same;
		steps[i].needs[0] =
			(struct need){ i / 3, i < 3 ? NEED_NOT : NEED_FILLED,
				       "z" };
		steps[i].sets[0] =
			(struct set){ i / 3 + 1, SET_TO, values[i % 3] };
		wide_catalogue[i] = &steps[i];
	}
	want(&problem, 5, "b");
	began = clock();
	for (unsigned i = 0; i < TIMES; i++)
		CHECK(*search(&problem));
	printf("a planning of %u steps takes %.0f us\n", plan.count,
	       (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / TIMES);
	CHECK_EQ(plan.count, 5);
}

int main(void)
{
	test_histories();
	time_planning();
	return check_result();
}
