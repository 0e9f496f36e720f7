/* SPDX-License-Identifier: MIT */
/* Transition: read the input through for its expected digests, before steps
 * that do not read it themselves, or not deep enough: a rename, a program of
 * others', a copy of a compressed file. */
#include <string.h>

#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/layer.h"
#include "transforms/tags.h"

static bool checksum_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	struct state state = *pricing->before;
	char tag[TAG_LEN];

	costs_digest(list, out);
	/* Ends: a layer less each time. */
	while (state_top(&state, TAG_WRAPS, tag)) {
		int id = codec_by_name(tag);
		state_pop(&state, TAG_WRAPS);
		if (id < 0)
			costs_serial(out, costs_length(list, &state),
				     list->coefficients->copy);
		else
			costs_decode(list, &state, (enum codec_id)id, true,
				     out);
	}
	if (list->image.layers)
		out->memory = costs_decoders_memory(list->memory, false);
	/* What comes next begins when this has ended. */
	out->barrier = true;
	return true;
}

/* All layers, as `test` does, for what the pipeline's own source does not see;
 * the file itself is the pipeline's. */
static int checksum_fit(struct build *build, const struct plan_step *step,
			struct err *err)
{
	const struct job *job = build->job;
	unsigned depth = 0;
	struct source *stack[2 * LIMIT_COMPRESSIONS];
	struct source *source = build_source(build);
	int result = 0;

	(void)step;
	for (unsigned i = 0; !result && i < job->layers; i++) {
		source = layer_open(&job->layer[i], source, false,
				    job->threads,
				    costs_decoders_memory(job->memory, false),
				    err);
		if (!source) {
			result = err_in(err, "%s", job->layer[i].tag);
			break;
		}
		stack[depth++] = source;
		struct source *expected = build_expect(build, i + 1, source);
		if (expected)
			source = stack[depth++] = expected;
	}
	/* The innermost draws the others along; each checks its own end. */
	while (depth) {
		struct source *last = stack[--depth];
		if (!result)
			result = source_finish(last, err);
		source_close(last);
	}
	return result < 0 ? -1 : build_verify(build, err);
}

const struct transition transition_checksum = {
	.name = "checksum",
	.title = "read the input through for its digest, before it is taken "
		 "unread",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_CHECKSUM, NEED_FILLED, "" },
		{ TAG_ACCESS, NEED_IS, "random" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "input" },
	},
	.sets = {
		{ TAG_CHECKSUM, SET_TO, "" },
		{ TAG_WHOLE, SET_TO, "yes" },
	},
	.cost = checksum_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = checksum_fit },
};
