/* SPDX-License-Identifier: MIT */
/* Owns a pool of decoders, one in use by one thread at a time. Does not know
 * where chunks are, nor any format. */
#include "formats/packed.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

#define NOTHING UINT64_MAX

struct decoder {
	struct decoder *next;
	struct block_decoder *block[BLOCK_COUNT]; /* NULL until needed */
	unsigned char *stored;
	unsigned char *chunk;
	uint64_t place; /* of what `chunk` holds, or NOTHING */
};

struct packed {
	struct source *source;
	const char *what;
	size_t stored_max, length_max;
	pthread_mutex_t lock;
	struct decoder *idle;
};

struct packed *packed_open(struct source *source, const char *what,
			   size_t stored_max, size_t length_max)
{
	struct packed *packed = mem_zalloc(sizeof *packed);

	packed->source = source;
	packed->what = what;
	packed->stored_max = stored_max;
	packed->length_max = length_max;
	pthread_mutex_init(&packed->lock, NULL);
	return packed;
}

static void decoder_close(struct decoder *decoder)
{
	for (unsigned id = 0; id < BLOCK_COUNT; id++)
		block_decoder_close(decoder->block[id]);
	free(decoder->stored);
	free(decoder->chunk);
	free(decoder);
}

struct packed *packed_close(struct packed *packed)
{
	struct decoder *decoder;

	if (!packed)
		return NULL;
	while ((decoder = packed->idle)) {
		packed->idle = decoder->next;
		decoder_close(decoder);
	}
	pthread_mutex_destroy(&packed->lock);
	free(packed);
	return NULL;
}

static struct decoder *decoder_open(const struct packed *packed)
{
	struct decoder *decoder = mem_zalloc(sizeof *decoder);

	decoder->stored = mem_buffer(packed->stored_max);
	decoder->chunk = mem_buffer(packed->length_max);
	decoder->place = NOTHING;
	return decoder;
}

/* An idle decoder, best the one that has the chunk at `place` already. */
static struct decoder *take(struct packed *packed, uint64_t place)
{
	struct decoder **link, *found = NULL;

	pthread_mutex_lock(&packed->lock);
	for (link = &packed->idle; *link; link = &(*link)->next)
		if ((*link)->place == place)
			break;
	if (!*link)
		link = &packed->idle;
	found = *link;
	if (found)
		*link = found->next;
	pthread_mutex_unlock(&packed->lock);
	return found ? found : decoder_open(packed);
}

static void give_back(struct packed *packed, struct decoder *decoder)
{
	pthread_mutex_lock(&packed->lock);
	decoder->next = packed->idle;
	packed->idle = decoder;
	pthread_mutex_unlock(&packed->lock);
}

static int decode(struct packed *packed, struct decoder *decoder,
		  const struct packed_chunk *chunk, void *out, struct err *err)
{
	struct block_decoder **block = &decoder->block[chunk->codec];

	if (!*block)
		*block = block_decoder_open(chunk->codec, err);
	if (!*block ||
	    source_read_all(packed->source, decoder->stored, chunk->stored,
			    chunk->place, packed->what, err))
		return -1;
	if (block_decode(*block, decoder->stored, chunk->stored, out,
			 chunk->length, err))
		return err_in(err, "%s at %" PRIu64, packed->what,
			      chunk->place);
	return 0;
}

int packed_read(struct packed *packed, const struct packed_chunk *chunk,
		size_t skip, void *buf, size_t len, struct err *err)
{
	struct decoder *decoder;
	bool whole = len == chunk->length;
	int status = 0;

	if (chunk->stored > packed->stored_max ||
	    chunk->length > packed->length_max ||
	    !checked_inside(skip, len, chunk->length))
		return err_set(err, ERR_BUG, "%s of %zu bytes out of bounds",
			       packed->what, chunk->stored);
	decoder = take(packed, chunk->place);
	if (decoder->place != chunk->place && whole) {
		status = decode(packed, decoder, chunk, buf, err);
	} else if (decoder->place != chunk->place) {
		decoder->place = NOTHING;
		status = decode(packed, decoder, chunk, decoder->chunk, err);
		if (!status)
			decoder->place = chunk->place;
		if (!status)
			memcpy(buf, decoder->chunk + skip, len);
	} else {
		memcpy(buf, decoder->chunk + skip, len);
	}
	give_back(packed, decoder);
	return status;
}
