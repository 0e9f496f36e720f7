/* SPDX-License-Identifier: MIT */
/* Owns plans as a graph. Does not choose them. */
#include "cmd/plan_dot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LABEL_LEN 1024

/* States are shared between plans: the node of one is its index here. */
struct nodes {
	const struct state **state;
	unsigned count;
};

/* With `lines`, each word on a line of its own. */
static void print_label(const char *text, bool lines)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if (*text == ' ' && lines)
			fputs("\\n", stdout);
		else
			putchar(*text);
	}
}

/* The node's index; a new one is printed. */
static unsigned node(struct nodes *nodes, const struct state *state,
		     const struct problem *problem)
{
	char text[LABEL_LEN];
	unsigned index;

	for (index = 0; index < nodes->count; index++)
		if (state_equal(nodes->state[index], state))
			return index;
	nodes->state =
		mem_resize(nodes->state, index + 1, sizeof *nodes->state);
	nodes->state[index] = state;
	nodes->count++;
	state_text(state, problem->vocabulary, false, text, sizeof text);
	printf("\ts%u [label=\"", index);
	print_label(text, true);
	printf("\"%s];\n",
	       goal_reached(&problem->goal, state) ? ", peripheries=2" : "");
	return index;
}

/* What a step costs if nothing runs beside it, seconds. */
static double alone(const struct problem *problem, const struct plan_step *step)
{
	AUTO_FREE struct plan *plan = mem_zalloc(sizeof *plan);

	plan->count = 1;
	plan->step[0] = *step;
	plan_price(problem, plan);
	return plan->weight / 1e6;
}

/* Steps that an earlier plan took between the same states are there. */
static bool seen(const struct plan *list, unsigned plan, unsigned step)
{
	const struct plan_step *want = &list[plan].step[step];

	for (unsigned i = 0; i < plan; i++)
		for (unsigned k = 0; k < list[i].count; k++)
			if (list[i].step[k].transition == want->transition &&
			    state_equal(&list[i].step[k].before,
					&want->before) &&
			    state_equal(&list[i].step[k].after, &want->after))
				return true;
	return false;
}

static void print_edge(struct nodes *nodes, const struct plan_step *step,
		       const struct problem *problem)
{
	unsigned from = node(nodes, &step->before, problem);
	unsigned to = node(nodes, &step->after, problem);
	char text[128];

	plan_step_text(step, text, sizeof text);
	printf("\ts%u -> s%u [label=\"", from, to);
	print_label(text, false);
	printf("\\n%.6f s\"];\n", alone(problem, step));
}

void plan_dot_print(const struct problem *problem, const struct plan *list,
		    unsigned count)
{
	struct nodes nodes = { NULL, 0 };

	printf("digraph plan {\n\trankdir=LR;\n\tnode [shape=box];\n");
	node(&nodes, &problem->start, problem);
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < list[i].count; k++)
			if (!seen(list, i, k))
				print_edge(&nodes, &list[i].step[k], problem);
	printf("}\n");
	free(nodes.state);
}
