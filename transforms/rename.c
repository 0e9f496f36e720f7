/* SPDX-License-Identifier: MIT */
/* Transition: with --consume, the input itself becomes the output: a rename,
 * on commit. Nothing may change it afterwards. */
#include "transforms/how.h"
#include "transforms/tags.h"

static bool rename_cost(const struct pricing *pricing, struct cost *out)
{
	(void)pricing;
	out->fixed = 20;
	return true;
}

const struct transition transition_rename = {
	.name = "rename",
	.title = "the input itself becomes the output",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_CONSUME, NEED_IS, "yes" },
		{ TAG_SAME_FS, NEED_IS, "yes" },
		{ TAG_PLACE, NEED_IS, "input" },
		{ TAG_SINK, NEED_IS, "file" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_SNAPSHOTS, NEED_NOT, "chosen" },
	},
	.sets = {
		{ TAG_PLACE, SET_TO, "moved" },
		{ TAG_TEMPLATE, SET_TO, "" },
	},
	.cost = rename_cost,
	.how = &(const struct how){ .where = HOW_MOVE },
};
