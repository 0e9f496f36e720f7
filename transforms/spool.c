/* SPDX-License-Identifier: MIT */
/* Transition: put a stream into a temporary file, so that it can be read at
 * random. The run's bytes simply go there; the next step starts from it. */
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool spool_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	double bytes = costs_stored(list, pricing->before);

	costs_flow(pricing, out);
	costs_pool(out, bytes, list->coefficients->scan);
	out->write[list->device[DEVICE_TEMP]] +=
		bytes * list->coefficients->write / 1000;
	out->temp = (uint64_t)bytes;
	out->barrier = true;
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
