/* SPDX-License-Identifier: MIT */
/* Owns the sizes of every state, and what moving that much costs. The
 * transitions' own files say what of it they use. */
#include "transforms/costs.h"

#include <string.h>

#include "base/checked.h"
#include "transforms/expect.h"
#include "transforms/tags.h"

/* Typical of what is published: a compressed image has a third of the bytes
 * of what it holds. */
#define TYPICAL_RATIO 3.0
/* When nothing at all is known of the size. */
#define TYPICAL_SIZE (2.0 * (double)GIB)

/* The bytes inside the first `peeled` layers of the input. */
static double layer_size(const struct image *image, unsigned peeled)
{
	double size = image->file_size_known ? (double)image->file_size
					     : TYPICAL_SIZE / TYPICAL_RATIO;

	for (unsigned i = 0; i < peeled && i < image->layers; i++)
		size = image->layer[i].size_known
			       ? (double)image->layer[i].size
			       : size * TYPICAL_RATIO;
	return size;
}

double costs_allocated(const struct price_list *list)
{
	const struct image *image = &list->image;

	if (image->allocated)
		return (double)image->allocated;
	return layer_size(image, image->layers);
}

double costs_stored(const struct price_list *list, const struct state *state)
{
	const struct image *image = &list->image;
	unsigned depth = state_depth(state, TAG_WRAPS);

	if (!strcmp(state->tag[TAG_LAYOUT], "original"))
		return layer_size(image, image->layers > depth
						 ? image->layers - depth
						 : 0);
	double size = costs_allocated(list);
	if (*state->tag[TAG_INNER])
		size /= 2;
	for (; depth; depth--)
		size /= TYPICAL_RATIO;
	return size;
}

static void costs_move(const struct pricing *pricing, unsigned device,
		       const struct state *state, double per_byte,
		       double *where)
{
	const struct price_list *list = pricing->context;

	where[list->device[device]] +=
		costs_stored(list, state) * per_byte / 1000;
}

void costs_flow(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	const char *place = pricing->before->tag[TAG_PLACE];

	if (!strcmp(place, "input"))
		costs_move(pricing, DEVICE_INPUT, pricing->before,
			   list->remote ? list->coefficients->network
					: list->coefficients->read,
			   out->read);
	else if (!strcmp(place, "temp"))
		costs_move(pricing, DEVICE_TEMP, pricing->before,
			   list->coefficients->read, out->read);
	if (goal_reached(pricing->goal, pricing->after))
		costs_move(pricing, DEVICE_OUTPUT, pricing->after,
			   list->coefficients->write, out->write);
}

/* What is fetched between two jumps where tables are in places of their own
 * and data mostly in order. */
#define JUMP_LEN (8.0 * (double)MIB)

void costs_jumps(const struct pricing *pricing, double times,
		 struct cost *out)
{
	const struct price_list *list = pricing->context;
	double jumps = 1 + costs_stored(list, pricing->before) / JUMP_LEN;

	if (list->remote && !strcmp(pricing->before->tag[TAG_PLACE], "input"))
		out->read[list->device[DEVICE_INPUT]] +=
			jumps * times * list->coefficients->trip_us;
}

void costs_settle(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	/* What flows unchanged where extents can be shared was not moved. */
	bool shared = !strcmp(pricing->before->tag[TAG_CLONE], "yes") &&
		      !strcmp(pricing->before->tag[TAG_LAYOUT], "original");

	if (!strcmp(pricing->before->tag[TAG_PLACE], "flow") && !shared)
		costs_move(pricing, DEVICE_OUTPUT, pricing->before,
			   list->coefficients->write, out->write);
	out->barrier = true;
}

bool costs_shares(const struct pricing *pricing, const struct state *state)
{
	const struct price_list *list = pricing->context;
	const char *inner = goal_value(pricing->goal, TAG_INNER);
	const char *wraps = goal_value(pricing->goal, TAG_WRAPS);

	return !strcmp(state->tag[TAG_CLONE], "yes") &&
	       !strcmp(state->tag[TAG_ACCESS], "random") &&
	       strcmp(state->tag[TAG_PLACE], "temp") &&
	       strcmp(state->tag[TAG_SURVEY], "needed") &&
	       strcmp(state->tag[TAG_SURVEY], "never") &&
	       !*list->image.inner && (!inner || !*inner || *inner == '|') &&
	       (!wraps || !*wraps) && !goal_value(pricing->goal, TAG_DIGEST);
}

void costs_digest(const struct price_list *list, struct cost *out)
{
	const struct coefficients *c = list->coefficients;

	for (unsigned i = 0; i < list->expect.count; i++) {
		unsigned depth = list->expect.list[i].depth;
		double bytes = layer_size(&list->image, depth);

		costs_serial(out, bytes, c->digest);
		if (!depth)
			out->read[list->device[DEVICE_INPUT]] +=
				bytes * c->read / 1000;
	}
}

bool costs_verify(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	unsigned wraps =
		(unsigned)min_u64(state_depth(pricing->before, TAG_WRAPS),
				  state_depth(pricing->after, TAG_WRAPS));

	if (!*pricing->before->tag[TAG_CHECKSUM] ||
	    *pricing->after->tag[TAG_CHECKSUM])
		return true;
	if (expect_deepest(&list->expect) + wraps > list->image.layers)
		return false;
	costs_digest(list, out);
	return true;
}

/* Slots of the pump, tables, the program itself. */
#define OTHER_MEMORY ((uint64_t)(16 * MIB))

uint64_t costs_decoders_memory(uint64_t memory, bool encodes)
{
	return memory / (encodes ? 4 : 2);
}

uint64_t costs_encoders_memory(uint64_t memory, bool decodes)
{
	uint64_t others = OTHER_MEMORY;

	if (decodes)
		others += costs_decoders_memory(memory, true);
	return memory > others ? memory - others : 0;
}

void costs_pool(struct cost *out, double bytes, double ns)
{
	out->cpu += bytes * ns / 1000;
}

void costs_serial(struct cost *out, double bytes, double ns)
{
	double time = bytes * ns / 1000;

	out->cpu += time;
	if (out->serial < time)
		out->serial = time;
}
