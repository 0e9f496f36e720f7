/* SPDX-License-Identifier: MIT */
/* Transition: take the outermost compression off, as a stream or, where the
 * format has an index, by whole blocks at random. */
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "formats/codecs/wrap.h"
#include "transforms/costs.h"
#include "transforms/expect.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* Which codec of the input is outermost in `state`, and how much is inside. */
static enum codec_id outermost(const struct state *state)
{
	char tag[TAG_LEN] = "";

	state_top(state, TAG_WRAPS, tag);
	int id = codec_by_name(tag);
	return id < 0 ? CODEC_GZIP : (enum codec_id)id;
}

/* Shared with encoders then. */
static bool encodes(const struct goal *goal)
{
	const char *wraps = goal_value(goal, TAG_WRAPS);

	return wraps && *wraps;
}

static bool decompress_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	enum codec_id id = outermost(pricing->before);
	char inside_it[TAG_LEN];
	bool blocks = state_top(pricing->before, TAG_INSIDE, inside_it) &&
		      !strcmp(inside_it, "blocks");

	costs_flow(pricing, out);
	/* An index means blocks, which the decoder's own threads share; not
	 * so in a stream of one block. */
	costs_decode(list, pricing->after, id,
		     !blocks || !codec_get(id)->decoder_threads, out);
	out->memory = costs_decoders_memory(list->memory,
					    encodes(pricing->goal));
	return costs_verify(pricing, out);
}

static int decompress_fit(struct build *build, const struct plan_step *step,
			  struct err *err)
{
	struct source *source =
		wrap_decode(outermost(&step->before), build_source(build),
			    build->job->threads,
			    costs_decoders_memory(build->job->memory,
						  encodes(&build->job->goal)),
			    err);

	if (!source)
		return -1;
	build_push(build, source);
	return 0;
}

const struct transition transition_decompress = {
	.name = "decompress",
	.title = "take the outermost compression off, as a stream",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_TOP, CODEC_TAGS },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_LAYOUT, NEED_IS, "original" },
	},
	.sets = {
		{ TAG_WRAPS, SET_POP, "" },
		{ TAG_ACCESS, SET_TO, "stream" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_INSIDE, SET_POP, "" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_POP, "" },
		/* There are no extents of it to share. */
		{ TAG_CLONE, SET_TO, "" },
	},
	.cost = decompress_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = decompress_fit },
};

/* What most programs make, where the index was not looked into. */
#define TYPICAL_BLOCK ((double)(24 * MIB))

/* So much of their time threads decode where blocks are longer than what each
 * of them reads at a time: the rest they wait, at the ends of blocks. */
#define LONG_BLOCKS_SHARE 0.8

/* How many threads decode at a time: in order they go on with the blocks
 * behind the one that is waited for, as many as are kept. */
static double at_once(const struct price_list *list)
{
	double block = list->image.block ? (double)list->image.block
					 : TYPICAL_BLOCK;
	double share = block > 2 * (double)UNIT_LEN ? LONG_BLOCKS_SHARE : 1;

	return fmin(share * list->threads,
		    fmax(floor((double)WRAP_RANDOM_CACHE / block), 1));
}

static bool blocks_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	enum codec_id id = outermost(pricing->before);
	struct cost once = { 0 };

	costs_flow(pricing, out);
	costs_jumps(pricing, list->image.redecode, out);
	costs_decode(list, pricing->after, id, false, &once);
	out->cpu += once.cpu * list->image.redecode;
	out->serial = fmax(out->serial, once.cpu * list->image.redecode /
						at_once(list));
	/* A digest of what is inside takes what is decoded for others, unless
	 * that is far out of order. */
	if (list->expect.count && list->image.redecode > 1 &&
	    expect_deepest(&list->expect) +
			    state_depth(pricing->after, TAG_WRAPS) >=
		    list->image.layers)
		out->cpu += once.cpu;
	out->memory = 64 * MIB;
	return costs_verify(pricing, out);
}

static int blocks_fit(struct build *build, const struct plan_step *step,
		      struct err *err)
{
	struct source *source = wrap_random(outermost(&step->before),
					    build_source(build), err);

	if (!source)
		return -1;
	build_push(build, source);
	return 0;
}

const struct transition transition_decompress_blocks = {
	.name = "decompress-blocks",
	.title = "read inside the outermost compression at random, by its "
		 "index",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_TOP, CODEC_TAGS },
		{ TAG_INSIDE, NEED_TOP, "blocks" },
		{ TAG_ACCESS, NEED_IS, "random" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
		{ TAG_LAYOUT, NEED_IS, "original" },
	},
	.sets = {
		{ TAG_WRAPS, SET_POP, "" },
		{ TAG_ACCESS, SET_TO, "blocks" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_INSIDE, SET_POP, "" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_POP, "" },
		/* There are no extents of it to share. */
		{ TAG_CLONE, SET_TO, "" },
	},
	.cost = blocks_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = blocks_fit },
};
