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

static const struct how how = { .where = HOW_PIPELINE, .ends = true };

#define SPOOL_NEEDS                                  \
	{ TAG_ACCESS, NEED_IS, "stream|blocks" },    \
	{ TAG_LEVEL, NEED_IS, "file" },              \
	{ TAG_PLACE, NEED_IS, "input|flow" }
#define SPOOL_SETS                                                       \
	{ TAG_PLACE, SET_TO, "temp" }, { TAG_ACCESS, SET_TO, "random" }, \
	{ TAG_TEMPLATE, SET_TO, "" }, { TAG_CHECKSUM, SET_TO, "" }

const struct transition transition_spool = {
	.name = "spool",
	.title = "put a stream into a temporary file to read it at random",
	.detail = GROUPS_MAX,
	.needs = { SPOOL_NEEDS, { TAG_WRAPS, NEED_IS, "" } },
	.sets = { SPOOL_SETS, { TAG_LENGTH, SET_TO, "known" } },
	.cost = spool_cost,
	.how = &how,
};

/* The length of what is around the image says nothing of the image's. */
const struct transition transition_spool_wrapped = {
	.name = "spool",
	.title = "the same with what is still compressed or in an archive",
	.detail = GROUPS_MAX,
	.needs = { SPOOL_NEEDS, { TAG_WRAPS, NEED_FILLED, "" } },
	.sets = { SPOOL_SETS },
	.cost = spool_cost,
	.how = &how,
};
