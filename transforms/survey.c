/* SPDX-License-Identifier: MIT */
/* Transition: read everything once to know what holds data, for a writer that
 * must know before its first byte (qcow2 to a pipe). */
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool survey_cost(const struct pricing *pricing, struct cost *out)
{
	/* Reading is what it takes. */
	costs_flow(pricing, out);
	out->memory = 2 * MIB;
	out->barrier = true;
	return true;
}

static int survey_fit(struct build *build, const struct plan_step *step,
		      struct err *err)
{
	(void)step;
	(void)err;
	build->survey = true;
	return 0;
}

const struct transition transition_survey = {
	.name = "survey",
	.title = "read everything once to know which clusters hold data",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_SURVEY, NEED_IS, "needed" },
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_NATIVE, NEED_FILLED, "" },
		/* The length of compressed clusters is known only after. */
		{ TAG_INNER, NEED_GOAL_IS, "" },
	},
	.sets = { { TAG_SURVEY, SET_TO, "done" } },
	.cost = survey_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = survey_fit },
};
