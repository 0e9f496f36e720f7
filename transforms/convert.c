/* SPDX-License-Identifier: MIT */
/*
 * Transition: read the guest through one driver, write it through another.
 * Rows differ in how the input can be read (at random; in order; in the order
 * of the file, which only a writer that takes any order can follow) and where
 * it goes: aside, into a file of ours, when the output itself cannot be
 * written at random and the writer must.
 */
#include <math.h>
#include <string.h>

#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* The bytes of the image as it came, without what was around it. */
static double unpacked(const struct price_list *list)
{
	struct state state = { .tag = { "" } };

	state_set(&state, TAG_LAYOUT, "original");
	return costs_length(list, &state);
}

static bool convert_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	const struct coefficients *c = list->coefficients;
	double bytes = costs_allocated(list);
	double guest = costs_guest(list, pricing->before);
	const char *inner = pricing->after->tag[TAG_INNER];
	bool stream = !strcmp(pricing->before->tag[TAG_ACCESS], "stream");

	costs_flow(pricing, out);
	/* Data show at once what they are; holes of a stream are zeros, but
	 * not what a resize has put behind its end. */
	if (stream)
		costs_pool(out, fmax(unpacked(list) - bytes, 0), c->scan);
	if (*list->image.inner)
		costs_pool(out, bytes, c->cluster_decode);
	if (!strcmp(inner, "zlib"))
		costs_pool(out, bytes, c->cluster_deflate);
	else if (!strcmp(inner, "zstd"))
		costs_pool(out, bytes, c->cluster_zstd);
	if (!strcmp(pricing->after->tag[TAG_DIGEST], "yes") &&
	    goal_value(pricing->goal, TAG_DIGEST))
		costs_serial(out, guest, c->digest);
	out->fixed += c->metadata_us / 4;
	out->memory = (uint64_t)list->threads * 2 * (2 * UNIT_LEN) + 8 * MIB;
	return costs_verify(pricing, out);
}

/* With a file system that shares extents, plain runs move no data. */
static bool convert_random_cost(const struct pricing *pricing,
				struct cost *out)
{
	const struct price_list *list = pricing->context;

	if (costs_shares(pricing, pricing->before) &&
	    goal_reached(pricing->goal, pricing->after)) {
		if (!costs_verify(pricing, out))
			return false;
		/* Run by run instead of one call. */
		out->fixed += list->coefficients->clone_us +
			      list->coefficients->metadata_us / 4;
		costs_serial(out, costs_allocated(list),
			     list->coefficients->clone_runs);
		return true;
	}
	costs_jumps(pricing, 1, out);
	return convert_cost(pricing, out);
}

/* A walk keeps aside what arrives before its table: how much cannot be known;
 * files made in one go keep almost nothing, so a tenth is priced. */
static bool convert_scattered_cost(const struct pricing *pricing,
				   struct cost *out)
{
	const struct price_list *list = pricing->context;
	double aside = costs_allocated(list) / 10;

	costs_keep(list, aside, out);
	costs_pool(out, aside, list->coefficients->read);
	return convert_cost(pricing, out);
}

static bool convert_aside_cost(const struct pricing *pricing,
			       struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_keep(list, costs_stored(list, pricing->after), out);
	costs_barrier(list, out);
	return convert_cost(pricing, out);
}

static int convert_fit(struct build *build, const struct plan_step *step,
		       struct err *err)
{
	const char *name = step->after.tag[TAG_FORMAT];

	if (build_enter_guest(build, err) < 0)
		return -1;
	build->target = driver_by_name(name);
	if (!build->target || !build->target->create)
		return err_set(err, ERR_BUG, "no writer for %s", name);
	return 0;
}

static const struct how how = { .where = HOW_PIPELINE, .fit = convert_fit };
static const struct how how_aside = { .where = HOW_PIPELINE,
				      .ends = true,
				      .fit = convert_fit };

/* What every row needs and sets. */
#define CONVERT_NEEDS                                                       \
	{ TAG_WRAPS, NEED_IS, "" },     \
	{ TAG_ENCRYPTION, NEED_IS, "" }, { TAG_WRITER, NEED_IS, "native" }, \
	{ TAG_FORMAT, NEED_GOAL_NAMES, "" }, { TAG_SIZE, NEED_GOAL_SAME, "" }

#define CONVERT_SETS                                                      \
	{ TAG_FORMAT, SET_GOAL, "" }, { TAG_INNER, SET_GOAL, "" },        \
	{ TAG_LAYOUT, SET_TO, "fresh" }, { TAG_LEVEL, SET_TO, "file" },   \
	{ TAG_TEMPLATE, SET_TO, "" }, { TAG_CHECKED, SET_TO, "yes" },     \
	{ TAG_SNAPSHOTS, SET_TO, "" }, { TAG_BACKING, SET_TO, "" },       \
	{ TAG_NATIVE, SET_TO, "" }, { TAG_CHECKSUM, SET_TO, "" }

#define CONVERT_FLOWS                                                \
	{ TAG_PLACE, SET_TO, "flow" }, { TAG_ACCESS, SET_TO, "stream" }

#define CONVERT_ASIDE                                                \
	{ TAG_PLACE, SET_TO, "temp" }, { TAG_ACCESS, SET_TO, "random" }, \
	{ TAG_SURVEY, SET_TO, "" }

#define IN_ORDER { TAG_DIGEST, SET_TO, "yes" }

const struct transition transition_convert = {
	.name = "convert",
	.title = "read the guest at random and write it in the goal's format",
	.detail = TAG_FORMAT,
	.needs = {
		CONVERT_NEEDS,
		{ TAG_NATIVE, NEED_FILLED, "" },
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_SURVEY, NEED_NOT, "needed|never" },
	},
	.sets = { CONVERT_SETS, CONVERT_FLOWS, IN_ORDER },
	.cost = convert_random_cost,
	.how = &how,
};

const struct transition transition_convert_stream = {
	.name = "convert",
	.title = "the same in one pass over a stream that comes in order",
	.detail = TAG_FORMAT,
	.needs = {
		CONVERT_NEEDS,
		{ TAG_NATIVE, NEED_IS, "ordered" },
		{ TAG_ACCESS, NEED_IS, "stream" },
		{ TAG_PLACE, NEED_IS, "input|flow" },
		{ TAG_SURVEY, NEED_NOT, "needed|never" },
	},
	.sets = { CONVERT_SETS, CONVERT_FLOWS, IN_ORDER },
	.cost = convert_cost,
	.how = &how,
};

const struct transition transition_convert_scattered = {
	.name = "convert-scattered",
	.title = "the same in one pass over a stream in the order of the file; "
		 "what comes before its table is kept aside",
	.detail = TAG_FORMAT,
	.needs = {
		CONVERT_NEEDS,
		{ TAG_NATIVE, NEED_IS, "scattered" },
		{ TAG_ACCESS, NEED_IS, "stream" },
		{ TAG_PLACE, NEED_IS, "input|flow" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_FORMAT, NEED_GOAL_IS, "raw" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_SINK, NEED_IS, "file|device" },
		{ TAG_SNAPSHOTS, NEED_NOT, "chosen" },
		{ TAG_BACKING, NEED_IS, "" },
	},
	.sets = { CONVERT_SETS, CONVERT_FLOWS },
	.cost = convert_scattered_cost,
	.how = &how,
};

const struct transition transition_convert_aside = {
	.name = "convert-aside",
	.title = "convert into a temporary file, because the output cannot be "
		 "written at random",
	.detail = TAG_FORMAT,
	.needs = {
		CONVERT_NEEDS,
		{ TAG_NATIVE, NEED_FILLED, "" },
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_SURVEY, NEED_IS, "needed|never" },
	},
	.sets = { CONVERT_SETS, CONVERT_ASIDE, IN_ORDER },
	.cost = convert_aside_cost,
	.how = &how_aside,
};

const struct transition transition_convert_stream_aside = {
	.name = "convert-aside",
	.title = "the same in one pass over a stream that comes in order",
	.detail = TAG_FORMAT,
	.needs = {
		CONVERT_NEEDS,
		{ TAG_NATIVE, NEED_IS, "ordered" },
		{ TAG_ACCESS, NEED_IS, "stream" },
		{ TAG_PLACE, NEED_IS, "input|flow" },
		{ TAG_SURVEY, NEED_IS, "needed|never" },
	},
	.sets = { CONVERT_SETS, CONVERT_ASIDE, IN_ORDER },
	.cost = convert_aside_cost,
	.how = &how_aside,
};
