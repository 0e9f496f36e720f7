/* SPDX-License-Identifier: MIT */
/* Transition: the file as it is, into the output: shared extents where the
 * file system can, bytes where not. */
#include <string.h>

#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool copy_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	if (!strcmp(pricing->before->tag[TAG_CLONE], "yes") &&
	    !strcmp(pricing->before->tag[TAG_PLACE], "input")) {
		out->fixed += list->coefficients->clone_us;
		return costs_verify(pricing, out);
	}
	costs_flow(pricing, out);
	/* Where something changes it in place after, that step settles it. */
	return costs_verify(pricing, out);
}

const struct transition transition_copy = {
	.name = "copy",
	.title = "the file as it is, sharing extents where the file system "
		 "can",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
	},
	.sets = {
		{ TAG_PLACE, SET_TO, "flow" },
		/* What is on its way into the output is not read again: no
		 * other step may take the copy for a stream. */
		{ TAG_ACCESS, SET_TO, "" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_TO, "" },
	},
	.cost = copy_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE },
};
