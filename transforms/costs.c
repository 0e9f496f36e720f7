/* SPDX-License-Identifier: MIT */
/* Owns the sizes of every state, and what moving that much costs. The
 * transitions' own files say what of it they use. */
#include "transforms/costs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "transforms/expect.h"
#include "transforms/tags.h"

/* Typical of what is published: a compressed image has a third of the bytes
 * of what it holds, and a disk is a third full. */
#define TYPICAL_RATIO 3.0
/* When nothing at all is known of the size. */
#define TYPICAL_SIZE (2.0 * (double)GIB)

static bool compressed(const struct image *image, unsigned layer)
{
	return codec_by_name(image->layer[layer].tag) >= 0;
}

/* How long the guest is, if its size or its partition table say so. */
static double guest_hint(const struct image *image)
{
	if (image->size_known)
		return fmax((double)image->size, 1);
	return image->used_end ? (double)image->used_end : TYPICAL_SIZE;
}

/* The length of an input that comes through a pipe. Holes of a raw disk come
 * too, where nothing is around it. */
static double piped_size(const struct image *image)
{
	double size = guest_hint(image);
	bool shrinks = strcmp(image->format, "raw") != 0;

	for (unsigned i = 0; i < image->layers; i++)
		if (compressed(image, i)) {
			size /= TYPICAL_RATIO;
			shrinks = true;
		}
	return shrinks ? size / TYPICAL_RATIO : size;
}

/* The bytes inside the first `peeled` layers of the input. */
static double layer_size(const struct image *image, unsigned peeled)
{
	double size = image->file_size_known ? (double)image->file_size
					     : piped_size(image);

	for (unsigned i = 0; i < peeled && i < image->layers; i++)
		if (image->layer[i].size_known)
			size = (double)image->layer[i].size;
		else if (compressed(image, i))
			size *= TYPICAL_RATIO;
	/* Zeros are more than the ratio knows of. */
	if (peeled && peeled >= image->layers &&
	    !image->layer[image->layers - 1].size_known &&
	    !strcmp(image->format, "raw"))
		size = fmax(size, (double)image->used_end);
	return size;
}

/* What compressed bytes of the file may hold at most, by the typical ratio:
 * the rest of what is inside is zeros. */
static double typical_data(const struct image *image)
{
	double size = layer_size(image, 0);

	for (unsigned i = 0; i < image->layers; i++)
		if (compressed(image, i))
			size *= TYPICAL_RATIO;
	return size;
}

double costs_allocated(const struct price_list *list)
{
	const struct image *image = &list->image;
	double data;

	if (image->allocated)
		return (double)image->allocated;
	data = layer_size(image, image->layers);
	data = fmin(data, typical_data(image));
	if (!image->file_size_known)
		data = fmin(data, guest_hint(image) / TYPICAL_RATIO);
	return image->size_known ? fmin(data, (double)image->size) : data;
}

double costs_guest(const struct price_list *list, const struct state *state)
{
	const char *size = state->tag[TAG_SIZE];

	/* Not "unknown", nor "+N". */
	if (*size >= '0' && *size <= '9')
		return fmax(strtod(size, NULL), 1);
	return list->image.size_known
		       ? (double)list->image.size
		       : layer_size(&list->image, list->image.layers);
}

/* How many compressions are around it; most archives are only frames. */
static unsigned compressions(const struct state *state)
{
	struct state rest = *state;
	char tag[TAG_LEN];
	unsigned count = 0;

	/* Ends: a layer less each time. */
	while (state_top(&rest, TAG_WRAPS, tag)) {
		count += codec_by_name(tag) >= 0 || !strcmp(tag, "zip") ||
			 !strcmp(tag, "7z");
		state_pop(&rest, TAG_WRAPS);
	}
	return count;
}

static bool is_raw(const struct state *state)
{
	return !strcmp(state->tag[TAG_FORMAT], "raw") && !compressions(state);
}

static bool is_original(const struct state *state)
{
	return !strcmp(state->tag[TAG_LAYOUT], "original");
}

/* Of what is as it came, or else raw. */
static double plain_length(const struct price_list *list,
			   const struct state *state)
{
	const struct image *image = &list->image;
	unsigned depth = state_depth(state, TAG_WRAPS);

	if (is_original(state))
		return layer_size(image, image->layers > depth
						 ? image->layers - depth
						 : 0);
	return costs_guest(list, state);
}

double costs_length(const struct price_list *list, const struct state *state)
{
	return is_original(state) || is_raw(state)
		       ? plain_length(list, state)
		       : costs_stored(list, state);
}

double costs_stored(const struct price_list *list, const struct state *state)
{
	double size = costs_allocated(list);

	if (is_raw(state))
		return fmin(size, plain_length(list, state));
	if (is_original(state))
		return plain_length(list, state);
	if (*state->tag[TAG_INNER])
		size /= 2;
	for (unsigned depth = compressions(state); depth; depth--)
		size /= TYPICAL_RATIO;
	return size;
}

/* The head, the tables, the ends of guest and partition table. */
#define PROBE_BLOCKS 4

/* A pass over the output's guest, in order, inside its compressions. */
static double verify(const struct price_list *list, const struct state *start,
		     const struct goal *goal)
{
	const struct coefficients *c = list->coefficients;
	const char *wraps = goal_value(goal, TAG_WRAPS);
	struct state made = { .tag = { "" } };
	struct cost cost = { .fixed = c->worker_us };
	char tag[TAG_LEN];

	state_set(&made, TAG_WRAPS, wraps ? wraps : "");
	costs_serial(&cost, costs_guest(list, start), c->digest);
	/* Ends: a layer less each time. */
	while (state_top(&made, TAG_WRAPS, tag)) {
		int id = codec_by_name(tag);

		state_pop(&made, TAG_WRAPS);
		if (id >= 0)
			costs_serial(&cost, costs_allocated(list),
				     c->decode[id]);
	}
	return cost.fixed + cost.serial;
}

double costs_start(const struct price_list *list, const struct state *start,
		   const struct goal *goal)
{
	const struct image *image = &list->image;
	const struct coefficients *c = list->coefficients;
	double time = c->start_us;

	/* Innermost first: what is around the image is what has blocks. */
	if (image->block && image->layers) {
		int id = codec_by_name(image->layer[image->layers - 1].tag);
		double bytes = fmin(PROBE_BLOCKS * (double)image->block,
				    layer_size(image, image->layers));
		if (id >= 0)
			time += bytes * c->decode[id] / 1000;
	}
	return list->verify ? time + verify(list, start, goal) : time;
}

/* ---- moving ---- */

static void put(const struct pricing *pricing, const struct state *state,
		struct cost *out)
{
	const struct price_list *list = pricing->context;
	const struct coefficients *c = list->coefficients;
	double bytes = costs_stored(list, state);

	if (!strcmp(state->tag[TAG_SINK], "nowhere"))
		return;
	if (!strcmp(state->tag[TAG_SINK], "stream")) {
		costs_serial(out, costs_length(list, state), c->pipe);
		return;
	}
	costs_pool(out, bytes, c->write);
	if (list->sync)
		out->fixed += bytes * c->sync / 1000;
}

static void take(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	const struct state *state = pricing->before;
	const struct coefficients *c = list->coefficients;
	bool input = !strcmp(state->tag[TAG_PLACE], "input");

	if (!input && strcmp(state->tag[TAG_PLACE], "temp"))
		return;
	if (input && list->remote)
		out->read[DEVICE_SERVER] +=
			costs_stored(list, state) * c->network / 1000;
	else if (input && !strcmp(state->tag[TAG_ACCESS], "stream"))
		costs_serial(out, costs_length(list, state), c->pipe);
	else
		costs_pool(out, costs_stored(list, state), c->read);
}

void costs_flow(const struct pricing *pricing, struct cost *out)
{
	take(pricing, out);
	if (goal_reached(pricing->goal, pricing->after))
		put(pricing, pricing->after, out);
}

void costs_keep(const struct price_list *list, double bytes, struct cost *out)
{
	costs_pool(out, bytes, list->coefficients->write);
	/* What eight compressions may hold is more than 64 bits say. */
	out->temp += (uint64_t)fmin(bytes, (double)LIMIT_DISK_SIZE);
}

void costs_barrier(const struct price_list *list, struct cost *out)
{
	out->fixed += list->coefficients->worker_us;
	out->barrier = true;
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
		out->read[DEVICE_SERVER] +=
			jumps * times * list->coefficients->trip_us;
}

void costs_settle(const struct pricing *pricing, struct cost *out)
{
	/* What flows unchanged where extents can be shared was not moved. */
	bool shared = !strcmp(pricing->before->tag[TAG_CLONE], "yes") &&
		      !strcmp(pricing->before->tag[TAG_LAYOUT], "original");

	if (!strcmp(pricing->before->tag[TAG_PLACE], "flow") && !shared)
		put(pricing, pricing->before, out);
	out->barrier = true;
}

/* `length` bytes, of which `data` are no zeros. */
static void code(double length, double data, double ns, double zeros_ns,
		 bool serial, struct cost *out)
{
	double zeros = fmax(length - data, 0);
	double each = (data * ns + zeros * zeros_ns) / fmax(data + zeros, 1);

	if (serial)
		costs_serial(out, data + zeros, each);
	else
		costs_pool(out, data + zeros, each);
}

void costs_decode(const struct price_list *list, const struct state *inside,
		  enum codec_id id, bool serial, struct cost *out)
{
	const struct coefficients *c = list->coefficients;

	code(costs_length(list, inside), costs_stored(list, inside),
	     c->decode[id], c->decode_zeros[id], serial, out);
}

void costs_encode(const struct price_list *list, const struct state *inside,
		  enum codec_id id, double times, bool serial,
		  struct cost *out)
{
	const struct coefficients *c = list->coefficients;

	code(costs_length(list, inside), costs_stored(list, inside),
	     c->encode[id] * times, c->encode_zeros[id] * times, serial, out);
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
			costs_pool(out, bytes, c->read);
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
