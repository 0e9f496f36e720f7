/* SPDX-License-Identifier: MIT */
/*
 * Transitions: let qemu-img read a format that no driver of ours reads, or
 * write one that none writes. Never for speed. It is given the format and one
 * file, in which nothing names another (TAG_QEMU_READS), and is confined to
 * the files on its command line by the conductor.
 */
#include <string.h>

#include "formats/foreign.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool qemu_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	double bytes = costs_allocated(list);
	bool temp = !strcmp(pricing->after->tag[TAG_PLACE], "temp");

	costs_flow(pricing, out);
	if (temp || !goal_reached(pricing->goal, pricing->after))
		out->write[list->device[temp ? DEVICE_TEMP : DEVICE_OUTPUT]] +=
			bytes * list->coefficients->write / 1000;
	costs_serial(out, bytes, list->coefficients->qemu);
	out->fixed = list->coefficients->process_us;
	out->temp = temp ? (uint64_t)bytes : 0;
	out->barrier = true;
	return true;
}

/* Some formats have another name there than the probe's. */
static void add_format(struct tool *tool, const char *option,
		       const char *format)
{
	const struct foreign *foreign = foreign_by_name(format);

	tool_add(tool, "%s", option);
	tool_add(tool, "%s", foreign ? foreign->qemu : format);
}

static void qemu_convert(struct tool *tool, const struct plan_step *step)
{
	const struct foreign *made =
		foreign_by_name(step->after.tag[TAG_FORMAT]);

	tool_add(tool, "qemu-img");
	tool_add(tool, "convert");
	add_format(tool, "-f", step->before.tag[TAG_FORMAT]);
	add_format(tool, "-O", step->after.tag[TAG_FORMAT]);
	if (made && made->options) {
		tool_add(tool, "-o");
		tool_add(tool, "%s", made->options);
	}
	tool_add(tool, "%s", tool->input);
	tool_add(tool, "%s", tool->output);
}

static const struct how how_read = {
	.where = HOW_TOOL,
	.command = qemu_convert,
	.caveat = "a truncated or damaged input may be read as zeros without "
		  "a word, and the tool may round the size",
};
static const struct how how_write = {
	.where = HOW_TOOL,
	.command = qemu_convert,
	.caveat = "what is written follows the tool's version, and the tool "
		  "may round the size",
};

#define QEMU_READ_NEEDS                                                     \
	{ TAG_COMPRESSION, NEED_IS, "" }, { TAG_ARCHIVE, NEED_IS, "" },     \
	{ TAG_NATIVE, NEED_IS, "" }, { TAG_LAYOUT, NEED_IS, "original" },   \
	{ TAG_ENCRYPTION, NEED_IS, "" }, { TAG_SNAPSHOTS, NEED_NOT, "chosen" }, \
	{ TAG_QEMU_IMG, NEED_IS, "yes" }, { TAG_QEMU_READS, NEED_IS, "yes" }, \
	{ TAG_ACCESS, NEED_IS, "random" }, { TAG_PLACE, NEED_IS, "input|temp" }

#define QEMU_READ_SETS                                                      \
	{ TAG_FORMAT, SET_TO, "raw" }, { TAG_NATIVE, SET_TO, "ordered" },   \
	{ TAG_LAYOUT, SET_TO, "fresh" }, { TAG_CHECKED, SET_TO, "yes" },    \
	{ TAG_TEMPLATE, SET_TO, "" }, { TAG_LENGTH, SET_TO, "known" },      \
	{ TAG_SNAPSHOTS, SET_TO, "" }

const struct transition transition_qemu_read = {
	.name = "qemu-img-convert",
	.title = "let qemu-img make a raw temporary file of a format not read "
		 "natively",
	.detail = TAG_FORMAT,
	.needs = { QEMU_READ_NEEDS },
	.sets = { QEMU_READ_SETS, { TAG_PLACE, SET_TO, "temp" } },
	.cost = qemu_cost,
	.how = &how_read,
};

const struct transition transition_qemu_read_output = {
	.name = "qemu-img-convert",
	.title = "the same straight into a raw output",
	.detail = TAG_FORMAT,
	.needs = {
		QEMU_READ_NEEDS,
		{ TAG_FORMAT, NEED_GOAL_IS, "raw" },
		{ TAG_COMPRESSION, NEED_GOAL_SAME, "" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = { QEMU_READ_SETS, { TAG_PLACE, SET_TO, "output" } },
	.cost = qemu_cost,
	.how = &how_read,
};

const struct transition transition_qemu_write = {
	.name = "qemu-img-convert",
	.title = "let qemu-img write a format not written natively, from raw",
	.detail = TAG_FORMAT,
	.needs = {
		{ TAG_COMPRESSION, NEED_IS, "" },
		{ TAG_COMPRESSION, NEED_GOAL_SAME, "" },
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
	.how = &how_write,
};
