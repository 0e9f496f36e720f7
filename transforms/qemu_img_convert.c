/* SPDX-License-Identifier: MIT */
/*
 * Transition: let qemu-img write a format that no driver of ours writes, from
 * a raw disk. Never for speed. It is given both formats, and is confined to
 * the two files on its command line by the conductor.
 */
#include <string.h>

#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool qemu_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	double bytes = costs_allocated(list);
	bool temp = !strcmp(pricing->after->tag[TAG_PLACE], "temp");

	costs_flow(pricing, out);
	if (temp)
		costs_keep(list, bytes, out);
	else if (!goal_reached(pricing->goal, pricing->after))
		costs_pool(out, bytes, list->coefficients->write);
	costs_serial(out, bytes, list->coefficients->qemu);
	out->fixed += list->coefficients->process_us;
	out->barrier = true;
	return true;
}

static void qemu_convert(struct tool *tool, const struct plan_step *step)
{
	tool_add(tool, "qemu-img");
	tool_add(tool, "convert");
	tool_add(tool, "-f");
	tool_add(tool, "%s", step->before.tag[TAG_FORMAT]);
	tool_add(tool, "-O");
	tool_add(tool, "%s", step->after.tag[TAG_FORMAT]);
	tool_add(tool, "%s", tool->input);
	tool_add(tool, "%s", tool->output);
}

static const struct how how = {
	.where = HOW_TOOL,
	.command = qemu_convert,
	.caveat = "what is written follows the tool's version, and the tool "
		  "may round the size",
};

const struct transition transition_qemu_write = {
	.name = "qemu-img-convert",
	.title = "let qemu-img write a format not written natively, from raw",
	.detail = TAG_FORMAT,
	.needs = {
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_FORMAT, NEED_IS, "raw" },
		{ TAG_FORMAT, NEED_GOAL_NAMES, "" },
		{ TAG_WRITER, NEED_IS, "qemu" },
		{ TAG_QEMU_IMG, NEED_IS, "yes" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_ACCESS, NEED_IS, "random" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_FORMAT, SET_GOAL, "" },
		{ TAG_NATIVE, SET_TO, "" },
		{ TAG_LAYOUT, SET_TO, "fresh" },
		{ TAG_CHECKED, SET_TO, "yes" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_PLACE, SET_TO, "output" },
	},
	.cost = qemu_cost,
	.how = &how,
};
