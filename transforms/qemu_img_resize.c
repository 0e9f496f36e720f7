/* SPDX-License-Identifier: MIT */
/* Transition: another size for a file of ours where it lies, by qemu-img:
 * it changes a few tables and moves no data. */
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool qemu_resize_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_settle(pricing, out);
	out->fixed += list->coefficients->process_us;
	return true;
}

static void qemu_resize(struct tool *tool, const struct plan_step *step)
{
	tool_add(tool, "qemu-img");
	tool_add(tool, "resize");
	tool_add(tool, "-q");
	tool_add(tool, "-f");
	tool_add(tool, "%s", step->before.tag[TAG_FORMAT]);
	/* Only where the user allowed it does planning get here with less. */
	tool_add(tool, "--shrink");
	tool_add(tool, "%s", tool->output);
	tool_add(tool, "%s", goal_value(tool->goal, TAG_SIZE));
}

const struct transition transition_qemu_resize = {
	.name = "qemu-img-resize",
	.title = "another size for a qcow2 file of ours, in place",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_SIZE, NEED_GOAL_OTHER, "" },
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_FORMAT, NEED_IS, "qcow2" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
		{ TAG_QEMU_IMG, NEED_IS, "yes" },
		/* Nothing would stop it from cutting into what is inside. */
		{ TAG_GPT, NEED_NOT, "unknown" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_BACKING, NEED_IS, "" },
		{ TAG_ENCRYPTION, NEED_IS, "" },
		/* It walks tables without mistrust: only those we know. */
		{ TAG_CHECKED, NEED_IS, "yes" },
		{ TAG_PLACE, NEED_IS, "flow|output" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_SIZE, SET_GOAL, "" },
		{ TAG_DIGEST, SET_TO, "" }, /* of another size */
		{ TAG_PLACE, SET_TO, "output" },
		{ TAG_ACCESS, SET_TO, "random" },
	},
	.cost = qemu_resize_cost,
	.how = &(const struct how){ .where = HOW_TOOL,
				    .command = qemu_resize },
};
