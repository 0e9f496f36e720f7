/* SPDX-License-Identifier: MIT */
/* Transition: read through the compressions around a file that is copied with
 * them, so that a cut or damaged one fails as it would in a conversion. */
#include <string.h>

#include "formats/codecs/wrap.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool test_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	char inside[TAG_LEN];
	bool blocks = state_top(pricing->before, TAG_INSIDE, inside) &&
		      !strcmp(inside, "blocks");
	struct state state = *pricing->before;
	char tag[TAG_LEN];

	/* Ends: a layer less each time. */
	while (state_top(&state, TAG_WRAPS, tag)) {
		int id = codec_by_name(tag);
		if (id < 0)
			return false;
		state_pop(&state, TAG_WRAPS);
		blocks = blocks && codec_get((enum codec_id)id)->decoder_threads;
		costs_decode(list, &state, (enum codec_id)id, !blocks, out);
		blocks = false;
	}
	costs_pool(out, costs_stored(list, pricing->before),
		   list->coefficients->read);
	out->memory = costs_decoders_memory(list->memory, false);
	/* What comes next begins when this has ended. */
	out->barrier = true;
	return true;
}

static int test_fit(struct build *build, const struct plan_step *step,
		    struct err *err)
{
	struct source *layer[LIMIT_COMPRESSIONS];
	struct source *source = build_source(build);
	struct state state = step->before;
	char tag[TAG_LEN];
	unsigned count = 0;
	int result = 0;

	/* Ends: a layer less each time. */
	while (!result && count < LIMIT_COMPRESSIONS &&
	       state_top(&state, TAG_WRAPS, tag)) {
		state_pop(&state, TAG_WRAPS);
		source = wrap_decode((enum codec_id)codec_by_name(tag), source,
				     build->job->threads,
				     costs_decoders_memory(build->job->memory,
							   false),
				     err);
		if (source)
			layer[count++] = source;
		else
			result = -1;
	}
	/* The innermost draws the others along; each checks its own end. */
	for (unsigned i = count; i; i--) {
		if (!result)
			result = source_finish(layer[i - 1], err);
		source_close(layer[i - 1]);
	}
	return result;
}

const struct transition transition_test = {
	.name = "test",
	.title = "read through the compressions of what is copied with them",
	.detail = TAG_WRAPS,
	.needs = {
		{ TAG_WRAPS, NEED_FILLED, "" },
		{ TAG_WHOLE, NEED_IS, "" },
		{ TAG_ACCESS, NEED_IS, "random" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
	},
	.sets = { { TAG_WHOLE, SET_TO, "yes" } },
	.cost = test_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = test_fit },
};
