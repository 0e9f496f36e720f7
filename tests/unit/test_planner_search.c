/* SPDX-License-Identifier: MIT */
/*
 * The search on a small catalogue whose costs are set by hand: weights worked
 * out on paper, ties, limits, alternatives, and the reasons for no plan.
 */
#include "check.h"

#include "planner/plan.h"

enum { STACK, FORMAT, OURS, ACCESS, LOCK, TOOL, DEPTH, GROUPS };

static const struct group groups[GROUPS] = {
	[STACK] = { "wrap", STYLE_STACK },
	[FORMAT] = { "format", STYLE_VALUE },
	[OURS] = { "template", STYLE_SWITCH },
	[ACCESS] = { "access", STYLE_HIDDEN },
	[LOCK] = { "encryption", STYLE_VALUE },
	[TOOL] = { "tool", STYLE_HIDDEN },
	[DEPTH] = { "depth", STYLE_SIZE },
};
static const struct vocabulary vocabulary = { groups, GROUPS };

/* The costs, for each test to set. */
struct prices {
	struct cost unwrap, wrap, convert, spool, tool;
	const char *convert_refuses; /* this access */
};

static bool cost_unwrap(const struct pricing *pricing, struct cost *out)
{
	*out = ((const struct prices *)pricing->context)->unwrap;
	return true;
}

static bool cost_wrap(const struct pricing *pricing, struct cost *out)
{
	*out = ((const struct prices *)pricing->context)->wrap;
	return true;
}

static bool cost_convert(const struct pricing *pricing, struct cost *out)
{
	const struct prices *prices = pricing->context;

	*out = prices->convert;
	return !prices->convert_refuses ||
	       strcmp(prices->convert_refuses, pricing->before->tag[ACCESS]);
}

static bool cost_spool(const struct pricing *pricing, struct cost *out)
{
	*out = ((const struct prices *)pricing->context)->spool;
	return true;
}

static bool cost_tool(const struct pricing *pricing, struct cost *out)
{
	*out = ((const struct prices *)pricing->context)->tool;
	return true;
}

static const struct transition unwrap = {
	.name = "unwrap",
	.detail = STACK,
	.needs = { { STACK, NEED_TOP, "xz|gz" } },
	.sets = { { STACK, SET_POP, "" },
		  { OURS, SET_TO, "" },
		  { ACCESS, SET_TO, "stream" } },
	.cost = cost_unwrap,
};
static const struct transition spool = {
	.name = "spool",
	.detail = GROUPS_MAX,
	.needs = { { ACCESS, NEED_IS, "stream" }, { STACK, NEED_IS, "" } },
	.sets = { { ACCESS, SET_TO, "random" } },
	.cost = cost_spool,
};
static const struct transition convert = {
	.name = "convert",
	.detail = FORMAT,
	.needs = { { STACK, NEED_IS, "" },
		   { LOCK, NEED_IS, "" },
		   { FORMAT, NEED_GOAL_OTHER, NULL } },
	.sets = { { FORMAT, SET_GOAL, "" }, { OURS, SET_TO, "" } },
	.cost = cost_convert,
};
static const struct transition tool = {
	.name = "tool-convert",
	.detail = FORMAT,
	.needs = { { TOOL, NEED_IS, "yes" },
		   { ACCESS, NEED_IS, "random" },
		   { STACK, NEED_IS, "" },
		   { FORMAT, NEED_GOAL_OTHER, NULL } },
	.sets = { { FORMAT, SET_GOAL, "" },
		  { LOCK, SET_TO, "" },
		  { OURS, SET_TO, "" } },
	.cost = cost_tool,
};
static const struct transition wrap = {
	.name = "wrap",
	.detail = STACK,
	.needs = { { STACK, NEED_PUSHABLE, NULL },
		   { FORMAT, NEED_GOAL_SAME, NULL } },
	.sets = { { STACK, SET_PUSH, "" } },
	.cost = cost_wrap,
};
static const struct transition deeper = {
	.name = "deeper",
	.detail = DEPTH,
	.sets = { { DEPTH, SET_GOAL, "" } },
};
static const struct transition *const catalogue[] = { &unwrap, &spool, &convert,
						      &tool,   &wrap,  &deeper,
						      NULL };

static void want(struct problem *problem, unsigned group, const char *value)
{
	struct want *one = &problem->goal.want[problem->goal.count++];

	one->group = group;
	one->negated = false;
	strcpy(one->value, value);
}

/* From "+WRAP +format=FORMAT +template" in a file to format `to`, unwrapped. */
static struct problem make(const struct prices *prices, const char *stack,
			   const char *from, const char *to)
{
	struct problem problem = { .vocabulary = &vocabulary,
				   .catalogue = catalogue,
				   .context = prices,
				   .threads = 4,
				   .temp_limit = UINT64_MAX,
				   .memory_limit = UINT64_MAX };

	state_set(&problem.start, STACK, stack);
	state_set(&problem.start, FORMAT, from);
	state_set(&problem.start, OURS, "yes");
	state_set(&problem.start, ACCESS, "random");
	want(&problem, FORMAT, to);
	return problem;
}

static struct plan plan;

/* The id of the cheapest plan, or the reason there is none. */
static const char *search(const struct problem *problem)
{
	static char text[ERR_MESSAGE_LEN];
	struct err err = { 0 };

	if (!plan_search(problem, &plan, &err))
		return plan_id(&plan, text, sizeof text);
	CHECK_EQ(err.kind, ERR_NO_PLAN);
	memcpy(text, err.message, sizeof text);
	return text;
}

/* unwrap: serial 100, cpu 100, read 10 on 0. convert: cpu 300 of 4 threads,
 * write 60 on 0 and 90 on 1. Fused: serial 100; cpu 400/4 = 100; device 0
 * 10 + 60 = 70; device 1 90; fixed 5 + 2 on top: 107. */
static const struct prices by_hand = {
	.unwrap = { .serial = 100,
		    .cpu = 100,
		    .read = { 10 },
		    .fixed = 5,
		    .memory = 1000,
		    .temp = 1 },
	.convert = { .cpu = 300,
		     .write = { 60, 90 },
		     .fixed = 2,
		     .memory = 500,
		     .temp = 20 },
};

static void test_fused(void)
{
	struct prices prices = by_hand;
	struct problem problem = make(&prices, "xz", "raw", "qcow2");
	char text[64];

	want(&problem, STACK, "");
	CHECK_STR(search(&problem), "unwrap,convert");
	CHECK(plan.weight == 107);
	CHECK_EQ(plan.memory, 1500);
	CHECK_EQ(plan.temp, 21);
	CHECK_STR(plan_step_text(&plan.step[0], text, sizeof text),
		  "unwrap xz");
	CHECK_STR(plan_step_text(&plan.step[1], text, sizeof text),
		  "convert qcow2");
	CHECK_STR(plan.step[1].before.tag[STACK], "");
	CHECK_STR(plan.step[1].after.tag[FORMAT], "qcow2");
	/* Two threads: cpu 400/2 is now the longest. */
	problem.threads = 2;
	search(&problem);
	CHECK(plan.weight == 207);
	/* Writing where the input is read: 10 + 60 + 90. */
	problem.threads = 4;
	prices.convert.write[0] = 150;
	search(&problem);
	CHECK(plan.weight == 167);
	plan.weight = 0;
	plan_price(&problem, &plan);
	CHECK(plan.weight == 167);
}

/* With a barrier after unwrap nothing overlaps: max(100, 25, 10) + 5, then
 * max(75, 60, 90) + 2: 197. Memory is that of the larger, temp adds up. */
static void test_barrier(void)
{
	struct prices prices = by_hand;
	struct problem problem = make(&prices, "xz", "raw", "qcow2");

	prices.unwrap.barrier = true;
	CHECK_STR(search(&problem), "unwrap,convert");
	CHECK(plan.weight == 197);
	CHECK_EQ(plan.memory, 1000);
	CHECK_EQ(plan.temp, 21);
	/* At the very end it changes nothing. */
	prices.convert.barrier = true;
	search(&problem);
	CHECK(plan.weight == 197);
}

static void test_nothing_to_do(void)
{
	struct prices prices = by_hand;
	struct problem problem = make(&prices, "", "raw", "raw");

	CHECK_STR(search(&problem), "");
	CHECK_EQ(plan.count, 0);
	CHECK(plan.weight == 0);
}

static void test_stacks(void)
{
	struct prices prices = by_hand;
	struct problem problem = make(&prices, "xz.gz", "raw", "qcow2");
	char text[64];

	want(&problem, STACK, "zst.bz2");
	CHECK_STR(search(&problem), "unwrap,unwrap,convert,wrap,wrap");
	CHECK_STR(plan_step_text(&plan.step[0], text, sizeof text),
		  "unwrap xz");
	CHECK_STR(plan_step_text(&plan.step[1], text, sizeof text),
		  "unwrap gz");
	CHECK_STR(plan_step_text(&plan.step[3], text, sizeof text), "wrap bz2");
	CHECK_STR(plan_step_text(&plan.step[4], text, sizeof text), "wrap zst");
	/* Only what differs is done. */
	problem = make(&prices, "xz.gz", "raw", "raw");
	want(&problem, STACK, "gz");
	CHECK_STR(search(&problem), "unwrap");
	problem = make(&prices, "", "raw", "raw");
	want(&problem, DEPTH, "2048");
	CHECK_STR(search(&problem), "deeper");
	CHECK_STR(plan_step_text(&plan.step[0], text, sizeof text),
		  "deeper 2K");
}

/* Equal weights: fewer steps; equal steps: the catalogue's order. */
static void test_ties(void)
{
	struct prices prices = { 0 };
	struct problem problem = make(&prices, "", "raw", "qcow2");

	state_set(&problem.start, TOOL, "yes");
	CHECK_STR(search(&problem), "convert");
	prices.convert.cpu = 1;
	CHECK_STR(search(&problem), "tool-convert");
	prices.tool.serial = 0.25;
	CHECK_STR(search(&problem), "convert");
	/* spool + tool would weigh the same as convert alone. */
	state_set(&problem.start, ACCESS, "stream");
	prices.tool.serial = 0;
	prices.convert.cpu = 0;
	CHECK_STR(search(&problem), "convert");
	prices.convert.cpu = 1;
	CHECK_STR(search(&problem), "spool,tool-convert");
}

/* A limit turns the cheapest plan away. */
static void test_limits(void)
{
	struct prices prices = { .convert = { .cpu = 400, .memory = 10 },
				 .tool = { .cpu = 40, .memory = 20 },
				 .spool = {
					 .cpu = 4, .temp = 30, .memory = 5 } };
	struct problem problem = make(&prices, "", "raw", "qcow2");

	state_set(&problem.start, TOOL, "yes");
	state_set(&problem.start, ACCESS, "stream");
	CHECK_STR(search(&problem), "spool,tool-convert");
	CHECK(plan.weight == 11);
	CHECK_EQ(plan.memory, 25);
	problem.memory_limit = 25;
	problem.temp_limit = 30;
	CHECK_STR(search(&problem), "spool,tool-convert");
	problem.memory_limit = 24;
	CHECK_STR(search(&problem), "convert");
	prices.spool.barrier = true;
	CHECK_STR(search(&problem), "spool,tool-convert");
	problem.temp_limit = 29;
	CHECK_STR(search(&problem), "convert");
	problem.memory_limit = 9;
	CHECK_STR(search(&problem),
		  "no plan within the limits: the cheapest, "
		  "spool,tool-convert, needs 30 B of temporary files "
		  "(allowed: 29 B) and 20 B of memory (allowed: 9 B)");
}

static void test_reasons(void)
{
	struct prices prices = { 0 };
	struct problem problem = make(&prices, "", "raw", "qcow2");

	/* A need that nothing can help. */
	state_set(&problem.start, LOCK, "yes");
	state_set(&problem.start, TOOL, "");
	CHECK_STR(search(&problem),
		  "no plan: +format=qcow2 is out of reach: convert needs "
		  "encryption to be none, it is yes; or tool-convert needs "
		  "tool to be yes, it is none");
	/* What would help is out of reach itself. */
	want(&problem, ACCESS, "random");
	state_set(&problem.start, ACCESS, "stream");
	state_set(&problem.start, STACK, "lzo");
	problem.goal.want[0] = problem.goal.want[--problem.goal.count];
	CHECK_STR(search(&problem),
		  "no plan: +access=random is out of reach: spool needs wrap "
		  "to be none, it is lzo; unwrap would change that but needs "
		  "wrap to begin with xz or gz, it is lzo");
	/* A layer nobody takes off. */
	problem = make(&prices, "lzo", "raw", "raw");
	want(&problem, STACK, "");
	CHECK_STR(search(&problem),
		  "no plan: -lzo is out of reach: unwrap needs wrap to begin "
		  "with xz or gz, it is lzo");
	/* A tag that no step gives. */
	problem = make(&prices, "", "raw", "raw");
	want(&problem, LOCK, "yes");
	CHECK_STR(search(&problem),
		  "no plan: +encryption=yes is out of reach: no step gives "
		  "encryption this value");
	/* A price that is refused. */
	prices.convert_refuses = "random";
	problem = make(&prices, "", "raw", "qcow2");
	CHECK_STR(search(&problem),
		  "no plan: convert qcow2 would lead to the goal but is not "
		  "possible with +format=raw +template");
}

/* Each by itself, but not both: unwrapping makes a stream of it, which only
 * spool cures, and convert takes the template away. */
static void test_not_together(void)
{
	struct prices prices = { 0 };
	struct problem problem = make(&prices, "", "raw", "qcow2");

	want(&problem, OURS, "yes");
	CHECK_STR(search(&problem),
		  "no plan: the goal can be reached tag by tag but not as a "
		  "whole; at +format=raw +template, +format=qcow2 is out of "
		  "reach: convert is not possible there");
}

static void test_all(void)
{
	struct prices prices = { .convert = { .cpu = 400 },
				 .tool = { .cpu = 40 },
				 .unwrap = { .serial = 3 },
				 .spool = { .cpu = 4 } };
	struct problem problem = make(&prices, "xz", "raw", "qcow2");
	static const char *const ids[] = { "unwrap,spool,tool-convert",
					   "unwrap,convert" };
	struct err err = { 0 };
	struct plan *plans;
	unsigned count;
	char text[64];

	state_set(&problem.start, TOOL, "yes");
	want(&problem, STACK, "");
	CHECK(!plan_all(&problem, 10, &plans, &count, &err));
	CHECK_EQ(count, 2);
	for (unsigned i = 0; i < count && i < 2; i++)
		CHECK_STR(plan_id(&plans[i], text, sizeof text), ids[i]);
	CHECK(plans[0].weight == 11 && plans[1].weight == 100);
	free(plans);
	CHECK(!plan_all(&problem, 1, &plans, &count, &err));
	CHECK_EQ(count, 1);
	CHECK_STR(plan_id(&plans[0], text, sizeof text), ids[0]);
	free(plans);
	CHECK(!plan_all(&problem, 0, &plans, &count, &err));
	CHECK_EQ(count, 0);
	free(plans);
	state_set(&problem.start, STACK, "lzo");
	CHECK(plan_all(&problem, 10, &plans, &count, &err) == -1);
	CHECK_EQ(err.kind, ERR_NO_PLAN);
	CHECK(!plans && !count);
}

static void test_id_cut(void)
{
	struct prices prices = by_hand;
	struct problem problem = make(&prices, "xz", "raw", "qcow2");
	char text[10];

	search(&problem);
	CHECK_STR(plan_id(&plan, text, sizeof text), "unwrap,co");
	CHECK_STR(plan_step_text(&plan.step[0], text, 4), "unw");
}

int main(void)
{
	test_fused();
	test_barrier();
	test_nothing_to_do();
	test_stacks();
	test_ties();
	test_limits();
	test_reasons();
	test_not_together();
	test_all();
	test_id_cut();
	return check_result();
}
