/* SPDX-License-Identifier: MIT */
/* Transitions: walk the tables of an image that is copied byte for byte, so
 * that a damaged one fails as it would in a conversion: before, where the
 * input can be read at random, or after, in the output not yet committed. */
#include <inttypes.h>
#include <stdio.h>

#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* Only the first finding is needed: it becomes the error. */
struct first_finding {
	struct check_report report;
	char line[256];
};

static void keep_first(struct check_report *report, const char *line)
{
	struct first_finding *first = (struct first_finding *)report;

	/* Leaks waste room, they do not damage. */
	if (!first->line[0] && report->corruptions)
		snprintf(first->line, sizeof first->line, "%s", line);
}

static int check_tables(struct build *build, struct err *err)
{
	const struct driver *driver = driver_by_name(build->format);
	struct open_options options = { .references = build->references,
					.log = build->log,
					.metadata_only = true };
	struct first_finding first = { .report.emit = keep_first };

	if (!driver || !driver->check)
		return 0;
	if (driver->check(build_source(build), &options, &first.report, err) <
	    0)
		return err_in(err, "%s", driver->name);
	if (first.report.corruptions)
		return err_set(err, ERR_DAMAGED, "%s: %s (%" PRIu64
			       " such findings; see imgconv check)",
			       driver->name, first.line,
			       first.report.corruptions);
	return 0;
}

static int check_fit(struct build *build, const struct plan_step *step,
		     struct err *err)
{
	(void)step;
	return check_tables(build, err);
}

static bool check_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	out->fixed += list->coefficients->metadata_us;
	return true;
}

static bool check_output_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_settle(pricing, out);
	out->fixed += list->coefficients->worker_us;
	return check_cost(pricing, out);
}

#define CHECK_NEEDS                                                         \
	{ TAG_CHECKED, NEED_IS, "" }, { TAG_WRAPS, NEED_IS, "" },     \
	{ TAG_LEVEL, NEED_IS, "file" },       \
	{ TAG_BACKING, NEED_IS, "" }, { TAG_ENCRYPTION, NEED_IS, "" },      \
	{ TAG_NATIVE, NEED_FILLED, "" }, { TAG_LAYOUT, NEED_IS, "original" }

const struct transition transition_check = {
	.name = "check",
	.title = "walk the input's tables before they are copied",
	.detail = GROUPS_MAX,
	.needs = {
		CHECK_NEEDS,
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
	},
	.sets = { { TAG_CHECKED, SET_TO, "yes" } },
	.cost = check_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = check_fit },
};

const struct transition transition_check_output = {
	.name = "check-output",
	.title = "walk the tables of what was written, before it is committed",
	.detail = GROUPS_MAX,
	.needs = {
		CHECK_NEEDS,
		{ TAG_PLACE, NEED_IS, "flow|output" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_CHECKED, SET_TO, "yes" },
		{ TAG_PLACE, SET_TO, "output" },
		{ TAG_ACCESS, SET_TO, "random" },
	},
	.cost = check_output_cost,
	.how = &(const struct how){ .where = HOW_REST,
				    .only_reads = true,
				    .rest = check_fit },
};
