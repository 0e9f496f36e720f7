/* SPDX-License-Identifier: MIT */
/*
 * Transitions: put the image into the goal's archive. A header with the
 * image's length stands in front of it. Rows differ in how that is known:
 * where the output can be changed later, at the end; of a raw image, from the
 * disk's size; of any other file, once it is there.
 */
#include "formats/archives/archive.h"
#include "planner/words.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool pack_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	char tag[TAG_LEN] = "";

	state_top(pricing->after, TAG_WRAPS, tag);
	if (!words_hold(ARCHIVE_WRITTEN, tag))
		return false;
	costs_flow(pricing, out);
	if (words_hold("zip", tag))
		costs_encode(list, pricing->before, CODEC_GZIP, 4, true, out);
	else
		costs_pool(out, costs_length(list, pricing->before),
			   list->coefficients->copy);
	return costs_verify(pricing, out);
}

static int pack_fit(struct build *build, const struct plan_step *step,
		    struct err *err)
{
	char tag[TAG_LEN] = "";

	state_top(&step->after, TAG_WRAPS, tag);
	return build_wrap(build, tag, err);
}

static const struct how how = { .where = HOW_PIPELINE, .fit = pack_fit };

#define PACK_NEEDS                                                            \
	{ TAG_WRAPS, NEED_PUSHABLE, "" }, { TAG_FORMAT, NEED_GOAL_SAME, "" }, \
	{ TAG_LEVEL, NEED_IS, "file" },                                       \
	/* What is inside can no longer be looked at afterwards. */           \
	{ TAG_CHECKED, NEED_IS, "yes" },                                      \
	{ TAG_PLACE, NEED_IS, "input|flow|temp" },                            \
	/* What is asked of the writer is had before, or not at all. */       \
	{ TAG_LAYOUT, NEED_GOAL_SAME, "" }

#define PACK_SETS                                                          \
	{ TAG_WRAPS, SET_PUSH, "" }, { TAG_ACCESS, SET_TO, "stream" },     \
	{ TAG_PLACE, SET_TO, "flow" }, { TAG_LAYOUT, SET_TO, "fresh" },    \
	{ TAG_WHOLE, SET_TO, "yes" }, { TAG_TEMPLATE, SET_TO, "" },        \
	{ TAG_CLONE, SET_TO, "" }, { TAG_PACK, SET_TO, "done" },         \
	{ TAG_CHECKSUM, SET_TO, "" }

const struct transition transition_pack = {
	.name = "pack",
	.title = "put the image into the archive",
	.detail = TAG_WRAPS,
	.needs = {
		PACK_NEEDS,
		{ TAG_PACK, NEED_IS, "freely" },
	},
	.sets = { PACK_SETS },
	.cost = pack_cost,
	.how = &how,
};

const struct transition transition_pack_raw = {
	.name = "pack",
	.title = "the same where only what is known before can be written",
	.detail = TAG_WRAPS,
	.needs = {
		PACK_NEEDS,
		{ TAG_PACK, NEED_IS, "sized" },
		{ TAG_FORMAT, NEED_IS, "raw" },
		{ TAG_LENGTH, NEED_IS, "known" },
	},
	.sets = { PACK_SETS },
	.cost = pack_cost,
	.how = &how,
};

const struct transition transition_pack_file = {
	.name = "pack",
	.title = "the same of a file that is there",
	.detail = TAG_WRAPS,
	.needs = {
		PACK_NEEDS,
		{ TAG_PACK, NEED_IS, "sized" },
		{ TAG_ACCESS, NEED_IS, "random" },
	},
	.sets = { PACK_SETS },
	.cost = pack_cost,
	.how = &how,
};
