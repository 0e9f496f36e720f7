/* SPDX-License-Identifier: MIT */
/* States, needs, sets, goals and their texts, on a vocabulary of its own. */
#include "check.h"

#include "planner/plan.h"

enum { STACK, FORMAT, SIZE, OURS, PLACE, GROUPS };

static const struct group groups[GROUPS] = {
	[STACK] = { "wrap", STYLE_STACK },
	[FORMAT] = { "format", STYLE_VALUE },
	[SIZE] = { "size", STYLE_SIZE },
	[OURS] = { "template", STYLE_SWITCH },
	[PLACE] = { "place", STYLE_HIDDEN },
};
static const struct vocabulary vocabulary = { groups, GROUPS };

static struct state make(const char *stack, const char *format,
			 const char *size, const char *ours)
{
	struct state state = { 0 };

	state_set(&state, STACK, stack);
	state_set(&state, FORMAT, format);
	state_set(&state, SIZE, size);
	state_set(&state, OURS, ours);
	state_set(&state, PLACE, "input");
	return state;
}

static void test_set(void)
{
	struct state a = { 0 }, b = { 0 };

	state_set(&a, FORMAT, "a long tag that leaves traces");
	CHECK(!state_equal(&a, &b));
	state_set(&a, FORMAT, "raw");
	state_set(&b, FORMAT, "raw");
	CHECK(state_equal(&a, &b));
	CHECK_EQ(a.tag[FORMAT][TAG_LEN - 1], 0);
	state_set(&a, FORMAT, a.tag[FORMAT] + 1);
	CHECK_STR(a.tag[FORMAT], "aw");
	state_set(&a, FORMAT, "");
	state_set(&b, FORMAT, "");
	CHECK(state_equal(&a, &b));
	CHECK_STR(a.tag[FORMAT], "");
}

static void test_stack(void)
{
	struct state state = { 0 };
	char top[TAG_LEN];

	CHECK_EQ(state_depth(&state, STACK), 0);
	CHECK(!state_top(&state, STACK, top));
	CHECK_STR(top, "");
	state_pop(&state, STACK);
	CHECK_STR(state.tag[STACK], "");
	CHECK(state_push(&state, STACK, "gz"));
	CHECK_STR(state.tag[STACK], "gz");
	CHECK(state_push(&state, STACK, "xz"));
	CHECK(state_push(&state, STACK, "zst"));
	CHECK_STR(state.tag[STACK], "zst.xz.gz");
	CHECK_EQ(state_depth(&state, STACK), 3);
	CHECK(state_top(&state, STACK, top));
	CHECK_STR(top, "zst");
	state_pop(&state, STACK);
	CHECK_STR(state.tag[STACK], "xz.gz");
	CHECK_EQ(state_depth(&state, STACK), 2);
	state_pop(&state, STACK);
	CHECK_STR(state.tag[STACK], "gz");
	state_pop(&state, STACK);
	CHECK_STR(state.tag[STACK], "");
}

/* TAG_LEN holds 39 characters: 19 times "x" with dots between, and one more
 * makes 39; the next does not fit. */
static void test_stack_full(void)
{
	struct state state = { 0 }, before;

	for (int i = 0; i < 20; i++)
		CHECK(state_push(&state, STACK, "x"));
	CHECK_EQ(strlen(state.tag[STACK]), TAG_LEN - 1);
	before = state;
	CHECK(!state_push(&state, STACK, "x"));
	CHECK(state_equal(&state, &before));
}

static void test_state_text(void)
{
	static const struct {
		const char *stack, *format, *size, *ours;
		bool all;
		const char *text;
	} rows[] = {
		{ "xz", "raw", "6442450944", "yes", false,
		  "+xz +format=raw +size=6G +template" },
		{ "xz.gz", "", "1000", "", false, "+xz +gz +size=1000" },
		{ "", "raw", "unknown", "", false,
		  "+format=raw +size=unknown" },
		{ "", "raw", "+1073741824", "", false,
		  "+format=raw +size=+1G" },
		{ "", "raw", "", "maybe", true,
		  "+format=raw +template=maybe +place=input" },
		{ "", "", "", "", false, "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct state state = make(rows[i].stack, rows[i].format,
					  rows[i].size, rows[i].ours);
		char buf[256] = "?";

		CHECK_STR(state_text(&state, &vocabulary, rows[i].all, buf,
				     sizeof buf),
			  rows[i].text);
	}
}

static void test_text_cut(void)
{
	struct state state = make("xz", "raw", "6442450944", "yes");
	char buf[9];

	memset(buf, '?', sizeof buf);
	CHECK_STR(state_text(&state, &vocabulary, false, buf, 8), "+xz +fo");
	CHECK_EQ(buf[8], '?');
	CHECK_STR(state_text(&state, &vocabulary, false, buf, 1), "");
}

static void test_needs(void)
{
	static const struct {
		unsigned group;
		enum need_op op;
		const char *value;
		const char *goal; /* of that group; NULL: silent */
		const char *tag;
		bool holds;
	} rows[] = {
		{ FORMAT, NEED_IS, "raw", NULL, "raw", true },
		{ FORMAT, NEED_IS, "raw", NULL, "ra", false },
		{ FORMAT, NEED_IS, "raw", NULL, "rawer", false },
		{ FORMAT, NEED_IS, "vhd|raw", NULL, "raw", true },
		{ FORMAT, NEED_IS, "vhd|raw", NULL, "vhd", true },
		{ FORMAT, NEED_IS, "vhd|raw", NULL, "", false },
		{ FORMAT, NEED_IS, "", NULL, "", true },
		{ FORMAT, NEED_IS, "", NULL, "raw", false },
		{ FORMAT, NEED_IS, "|raw", NULL, "", true },
		{ FORMAT, NEED_IS, "raw|", NULL, "", true },
		{ FORMAT, NEED_NOT, "raw|vhd", NULL, "vhd", false },
		{ FORMAT, NEED_NOT, "raw|vhd", NULL, "qcow2", true },
		{ FORMAT, NEED_NOT, "", NULL, "", false },
		{ FORMAT, NEED_FILLED, NULL, NULL, "raw", true },
		{ FORMAT, NEED_FILLED, NULL, NULL, "", false },
		{ FORMAT, NEED_GOAL_OTHER, NULL, "raw", "vhd", true },
		{ FORMAT, NEED_GOAL_OTHER, NULL, "raw", "raw", false },
		{ FORMAT, NEED_GOAL_OTHER, NULL, "vhd|raw", "raw", false },
		{ FORMAT, NEED_GOAL_OTHER, NULL, NULL, "raw", false },
		{ FORMAT, NEED_GOAL_SAME, NULL, "raw", "raw", true },
		{ FORMAT, NEED_GOAL_SAME, NULL, "raw", "vhd", false },
		{ FORMAT, NEED_GOAL_SAME, NULL, "vhd|raw", "raw", true },
		{ FORMAT, NEED_GOAL_SAME, NULL, NULL, "raw", true },
		{ FORMAT, NEED_GOAL_IS, "vhd|raw", "raw", "", true },
		{ FORMAT, NEED_GOAL_IS, "vhd", "raw", "vhd", false },
		{ FORMAT, NEED_GOAL_IS, "vhd", "vhd|raw", "", true },
		{ FORMAT, NEED_GOAL_IS, "raw", "vhd|raw", "", false },
		{ FORMAT, NEED_GOAL_IS, "vhd", NULL, "vhd", false },
		{ FORMAT, NEED_GOAL_NAMES, NULL, "raw", "raw", true },
		{ FORMAT, NEED_GOAL_NAMES, NULL, "", "raw", true },
		{ FORMAT, NEED_GOAL_NAMES, NULL, NULL, "raw", false },
		{ STACK, NEED_TOP, "xz|gz", NULL, "gz.xz", true },
		{ STACK, NEED_TOP, "xz", NULL, "gz.xz", false },
		{ STACK, NEED_TOP, "xz", NULL, "", false },
		{ STACK, NEED_TOP, "", NULL, "", false },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "gz", true },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "", true },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "xz.gz", false },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "z", false },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "xz", false },
		{ STACK, NEED_PUSHABLE, NULL, "xz.gz", "bz2.xz.gz", false },
		{ STACK, NEED_PUSHABLE, NULL, "", "", false },
		{ STACK, NEED_PUSHABLE, NULL, NULL, "", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct transition transition = {
			"t", "t", GROUPS_MAX, { { 0 } }, { { 0 } }, NULL, NULL
		};
		struct goal goal = { 0 };
		struct state state = { 0 };
		const struct need *unmet = NULL;

		transition.needs[0].group = rows[i].group;
		transition.needs[0].op = rows[i].op;
		transition.needs[0].value = rows[i].value;
		if (rows[i].goal) {
			goal.count = 1;
			goal.want[0].group = rows[i].group;
			strcpy(goal.want[0].value, rows[i].goal);
		}
		state_set(&state, rows[i].group, rows[i].tag);
		if (transition_applies(&transition, &state, &goal, &unmet) !=
		    rows[i].holds)
			fprintf(stderr, "row %zu:\n", i);
		CHECK(transition_applies(&transition, &state, &goal, NULL) ==
		      rows[i].holds);
		CHECK((unmet == &transition.needs[0]) == !rows[i].holds);
	}
}

static void test_first_unmet(void)
{
	static const struct transition transition = {
		.name = "t",
		.needs = { { FORMAT, NEED_IS, "raw" },
			   { STACK, NEED_FILLED, NULL },
			   { SIZE, NEED_NOT, "unknown" } },
	};
	struct state state = make("", "raw", "unknown", "");
	struct goal goal = { 0 };
	const struct need *unmet = NULL;

	CHECK(!transition_applies(&transition, &state, &goal, &unmet));
	CHECK(unmet == &transition.needs[1]);
	state_set(&state, STACK, "xz");
	CHECK(!transition_applies(&transition, &state, &goal, &unmet));
	CHECK(unmet == &transition.needs[2]);
	state_set(&state, SIZE, "5");
	CHECK(transition_applies(&transition, &state, &goal, &unmet));
}

static void test_sets(void)
{
	static const struct {
		unsigned group;
		enum set_op op;
		const char *value, *goal, *before, *after; /* NULL: fails */
	} rows[] = {
		{ FORMAT, SET_TO, "raw", NULL, "vhd", "raw" },
		{ FORMAT, SET_TO, "", NULL, "vhd", "" },
		{ FORMAT, SET_GOAL, "?", "qcow2", "vhd", "qcow2" },
		{ FORMAT, SET_GOAL, "?", "qcow2|raw", "raw", "qcow2" },
		{ FORMAT, SET_GOAL, "?", "", "raw", "" },
		{ FORMAT, SET_GOAL, "?", NULL, "raw", "raw" },
		{ STACK, SET_POP, "?", NULL, "xz.gz", "gz" },
		{ STACK, SET_POP, "?", NULL, "gz", "" },
		{ STACK, SET_PUSH, "?", "xz.gz", "gz", "xz.gz" },
		{ STACK, SET_PUSH, "?", "xz.gz", "", "gz" },
		{ STACK, SET_PUSH, "?", "xz.gz", "xz", NULL },
		{ STACK, SET_PUSH, "?", NULL, "xz", NULL },
		/* The goal is wider than a tag. */
		{ STACK, SET_PUSH, "?",
		  "a.b2345678901234567890123456789012345678",
		  "b2345678901234567890123456789012345678", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct transition transition = { .name = "t" };
		struct goal goal = { 0 };
		struct state before = make("", "", "7", "yes"), after;
		bool fits;

		transition.sets[0].group = rows[i].group;
		transition.sets[0].op = rows[i].op;
		transition.sets[0].value = rows[i].value;
		if (rows[i].goal) {
			goal.count = 1;
			goal.want[0].group = rows[i].group;
			strcpy(goal.want[0].value, rows[i].goal);
		}
		state_set(&before, rows[i].group, rows[i].before);
		fits = transition_apply(&transition, &before, &goal, &after);
		CHECK(fits == (rows[i].after != NULL));
		if (!fits || !rows[i].after)
			continue;
		CHECK_STR(after.tag[rows[i].group], rows[i].after);
		CHECK_STR(after.tag[SIZE], "7");
		state_set(&before, rows[i].group, rows[i].after);
		CHECK(state_equal(&before, &after));
	}
}

static struct goal make_goal(void)
{
	static const struct goal goal = {
		.want = { { FORMAT, true, "vhd|vdi" },
			  { FORMAT, false, "qcow2|raw" },
			  { STACK, false, "" },
			  { SIZE, false, "10737418240" },
			  { OURS, true, "yes" },
			  { PLACE, false, "output" } },
		.count = 6
	};

	return goal;
}

static void test_goal(void)
{
	struct goal goal = make_goal();
	struct state state = make("", "raw", "10737418240", "");

	CHECK(!goal_reached(&goal, &state));
	state_set(&state, PLACE, "output");
	CHECK(goal_reached(&goal, &state));
	state_set(&state, OURS, "yes");
	CHECK(!goal_reached(&goal, &state));
	state_set(&state, OURS, "");
	state_set(&state, FORMAT, "vdi");
	CHECK(!goal_reached(&goal, &state));
	CHECK_STR(goal_value(&goal, SIZE), "10737418240");
	CHECK_STR(goal_value(&goal, STACK), "");
	CHECK_STR(goal_value(&goal, FORMAT), "qcow2|raw");
	CHECK(goal_value(&goal, OURS) == NULL);
	goal.count = 0;
	CHECK(goal_reached(&goal, &state));
}

static void test_goal_text(void)
{
	struct problem problem = { .vocabulary = &vocabulary };
	char buf[256];

	problem.start = make("xz", "raw", "6442450944", "yes");
	problem.goal = make_goal();
	problem.goal.want[0].negated = false; /* now never reached: shown */
	problem.goal.want[0].value[3] = '\0';
	problem.goal.want[1] = (struct want){ FORMAT, true, "raw" };
	CHECK_STR(plan_goal_text(&problem, buf, sizeof buf),
		  "-xz +format=vhd -format=raw +size=10G -template");
	/* What is absent and stays so is not worth a word. */
	problem.goal = make_goal();
	problem.start = make("", "raw", "6442450944", "");
	CHECK_STR(plan_goal_text(&problem, buf, sizeof buf),
		  "+format=qcow2|raw +size=10G");
	CHECK_STR(plan_goal_text(&problem, buf, 5), "+for");
}

static void test_goal_stacks(void)
{
	static const struct {
		const char *start, *goal, *text;
	} rows[] = {
		{ "xz", "", "-xz" },
		{ "xz.gz", "", "-xz -gz" },
		{ "xz.gz", "gz", "-xz +gz" },
		{ "xz", "zst", "-xz +zst" },
		{ "", "zst.gz", "+zst +gz" },
		{ "xz", "xz", "+xz" },
		{ "xz.gz", "zst.gz", "-xz +zst +gz" },
		{ "z", "xz", "-z +xz" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = { .vocabulary = &vocabulary };
		char buf[64];

		state_set(&problem.start, STACK, rows[i].start);
		problem.goal.count = 1;
		problem.goal.want[0].group = STACK;
		strcpy(problem.goal.want[0].value, rows[i].goal);
		CHECK_STR(plan_goal_text(&problem, buf, sizeof buf),
			  rows[i].text);
	}
}

int main(void)
{
	test_set();
	test_stack();
	test_stack_full();
	test_state_text();
	test_text_cut();
	test_needs();
	test_first_unmet();
	test_sets();
	test_goal();
	test_goal_text();
	test_goal_stacks();
	return check_result();
}
