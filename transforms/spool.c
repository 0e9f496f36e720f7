/* SPDX-License-Identifier: MIT */
/* Transition: put a stream into a temporary file, so that it can be read at
 * random. The run's bytes simply go there; the next step starts from it. */
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool spool_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	double stored = costs_stored(list, pricing->before);

	costs_flow(pricing, out);
	/* Zeros that come are left out. */
	costs_pool(out, costs_length(list, pricing->before) - stored,
		   list->coefficients->scan);
	costs_keep(list, stored, out);
	costs_barrier(list, out);
	return costs_verify(pricing, out);
}

const struct transition transition_spool = {
	.name = "spool",
	.title = "put a stream into a temporary file to read it at random",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_ACCESS, NEED_IS, "stream|blocks" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|flow" },
	},
	.sets = {
		{ TAG_PLACE, SET_TO, "temp" },
		{ TAG_ACCESS, SET_TO, "random" },
		{ TAG_LENGTH, SET_TO, "known" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_TO, "" },
	},
	.cost = spool_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .ends = true },
};
