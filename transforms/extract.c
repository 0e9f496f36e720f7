/* SPDX-License-Identifier: MIT */
/*
 * Transitions: take the disk out of the archive that is around it. Where the
 * archive is only a frame around the member's bytes they are read where they
 * lie, at random; else they come in order.
 */
#include <string.h>

#include "formats/archives/archive.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/layer.h"
#include "transforms/tags.h"

/* The layer that is outermost in `state`. */
static const struct image_layer *outermost(const struct image_layer *layers,
					   unsigned count,
					   const struct state *state)
{
	unsigned depth = state_depth(state, TAG_WRAPS);

	return depth && depth <= count ? &layers[count - depth] : NULL;
}

static bool extract_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	char tag[TAG_LEN] = "";
	double inside = costs_length(list, pricing->after);

	state_top(pricing->before, TAG_WRAPS, tag);
	costs_flow(pricing, out);
	costs_serial(out, inside, list->coefficients->copy);
	/* Members of these are compressed, or may be. */
	if (!strcmp(tag, "zip"))
		costs_decode(list, pricing->after, CODEC_GZIP, true, out);
	else if (!strcmp(tag, "7z"))
		costs_decode(list, pricing->after, CODEC_XZ, true, out);
	return costs_verify(pricing, out);
}

static bool window_cost(const struct pricing *pricing, struct cost *out)
{
	costs_flow(pricing, out);
	return costs_verify(pricing, out);
}

static int fit(struct build *build, const struct plan_step *step, bool random,
	       struct err *err)
{
	const struct job *job = build->job;
	const struct image_layer *layer =
		outermost(job->layer, job->layers, &step->before);
	struct source *source;

	if (!layer)
		return err_set(err, ERR_BUG, "no layer to take off");
	source = layer_open(layer, build_source(build), random, job->threads,
			    job->memory, err);
	if (!source)
		return -1;
	build_push(build, source);
	return 0;
}

static int extract_fit(struct build *build, const struct plan_step *step,
		       struct err *err)
{
	return fit(build, step, false, err);
}

static int window_fit(struct build *build, const struct plan_step *step,
		      struct err *err)
{
	return fit(build, step, true, err);
}

const struct transition transition_extract = {
	.name = "extract",
	.title = "take the disk out of the archive, as a stream",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_TOP, ARCHIVE_TAGS },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_LAYOUT, NEED_IS, "original" },
	},
	.sets = {
		{ TAG_WRAPS, SET_POP, "" },
		{ TAG_INSIDE, SET_POP, "" },
		{ TAG_ACCESS, SET_TO, "stream" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_POP, "" },
		/* There are no extents of it to share. */
		{ TAG_CLONE, SET_TO, "" },
	},
	.cost = extract_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = extract_fit },
};

const struct transition transition_window = {
	.name = "window",
	.title = "read the disk where it lies in the archive, at random",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_TOP, ARCHIVE_TAGS },
		{ TAG_INSIDE, NEED_TOP, "window" },
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
		{ TAG_LAYOUT, NEED_IS, "original" },
	},
	.sets = {
		{ TAG_WRAPS, SET_POP, "" },
		{ TAG_INSIDE, SET_POP, "" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_TEMPLATE, SET_TO, "" },
		{ TAG_CHECKSUM, SET_POP, "" },
	},
	.cost = window_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = window_fit },
};
