/* SPDX-License-Identifier: MIT */
/* Transition: put the goal's next compression around the file. */
#include <math.h>

#include "formats/codecs/wrap.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* How much longer a level takes than the default: as much again with each
 * step as it is on average from the lowest to the default. */
static double slowness(const struct coefficients *c, enum codec_id id,
		       int level)
{
	const struct codec *codec = codec_get(id);
	int steps = codec->level_default - codec->level_min;

	if (!level || steps <= 0)
		return 1;
	return pow(c->encode[id] / c->encode_fast[id],
		   (double)(level - codec->level_default) / steps);
}

static bool compress_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	char tag[TAG_LEN] = "";

	state_top(pricing->after, TAG_WRAPS, tag);
	int id = codec_by_name(tag);
	if (id < 0)
		return false;
	unsigned threads = wrap_encode_threads(
		(enum codec_id)id, list->wrap_level, list->threads,
		costs_encoders_memory(list->memory, list->image.layers > 0));
	costs_flow(pricing, out);
	/* Fewer threads than the pool has: as if there was more work. */
	costs_encode(list, pricing->before, (enum codec_id)id,
		     (double)list->threads / threads *
			     slowness(list->coefficients, (enum codec_id)id,
				      list->wrap_level),
		     false, out);
	out->memory = wrap_encode_memory((enum codec_id)id, list->wrap_level,
					 threads);
	return costs_verify(pricing, out);
}

static int compress_fit(struct build *build, const struct plan_step *step,
			struct err *err)
{
	char tag[TAG_LEN] = "";

	state_top(&step->after, TAG_WRAPS, tag);
	return build_wrap(build, tag, err);
}

const struct transition transition_compress = {
	.name = "compress",
	.title = "put the next compression around the file",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_PUSHABLE, "" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
		{ TAG_LEVEL, NEED_IS, "file" },
		/* What is inside can no longer be looked at afterwards. */
		{ TAG_CHECKED, NEED_IS, "yes" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		/* What is asked of the writer is had before, or not at all. */
		{ TAG_LAYOUT, NEED_GOAL_SAME, "" },
	},
	.sets = {
		{ TAG_WRAPS, SET_PUSH, "" },
		{ TAG_ACCESS, SET_TO, "stream" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_LAYOUT, SET_TO, "fresh" },
		{ TAG_WHOLE, SET_TO, "yes" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_TO, "" },
	},
	.cost = compress_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = compress_fit },
};
