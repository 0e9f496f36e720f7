/* SPDX-License-Identifier: MIT */
/*
 * Owns reading compressed clusters: a pool of decoders, one in use by one
 * thread at a time. Each keeps the cluster it decoded last, so that small
 * reads in a row decode it once. Does not know where clusters are.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/qcow2/qcow2.h"

struct decoder {
	struct decoder *next;
	struct block_decoder *block;
	unsigned char *stored; /* room: two clusters, the most there can be */
	unsigned char *cluster;
	uint64_t place; /* of what `cluster` holds; 0: nothing */
};

struct qcow2_decoders {
	const struct qcow2_header *header;
	struct source *source;
	pthread_mutex_t lock;
	struct decoder *idle;
};

struct qcow2_decoders *qcow2_decoders_open(const struct qcow2_header *header,
					   struct source *source)
{
	struct qcow2_decoders *decoders = mem_zalloc(sizeof *decoders);

	decoders->header = header;
	decoders->source = source;
	pthread_mutex_init(&decoders->lock, NULL);
	return decoders;
}

static struct decoder *decoder_close(struct decoder *decoder)
{
	if (!decoder)
		return NULL;
	block_decoder_close(decoder->block);
	free(decoder->stored);
	free(decoder->cluster);
	free(decoder);
	return NULL;
}

struct qcow2_decoders *qcow2_decoders_close(struct qcow2_decoders *decoders)
{
	struct decoder *decoder;

	if (!decoders)
		return NULL;
	while ((decoder = decoders->idle)) {
		decoders->idle = decoder->next;
		decoder_close(decoder);
	}
	pthread_mutex_destroy(&decoders->lock);
	free(decoders);
	return NULL;
}

static struct decoder *decoder_open(const struct qcow2_header *header,
				    struct err *err)
{
	struct decoder *decoder = mem_zalloc(sizeof *decoder);

	decoder->block = block_decoder_open(
		header->compression ? BLOCK_ZSTD : BLOCK_DEFLATE, err);
	if (!decoder->block) {
		free(decoder);
		return NULL;
	}
	decoder->stored = mem_buffer((size_t)header->cluster_size * 2);
	decoder->cluster = mem_buffer(header->cluster_size);
	return decoder;
}

/* An idle decoder, best the one that has the cluster at `place` already. */
static struct decoder *take(struct qcow2_decoders *decoders, uint64_t place,
			    struct err *err)
{
	struct decoder **link, *found = NULL;

	pthread_mutex_lock(&decoders->lock);
	for (link = &decoders->idle; *link; link = &(*link)->next)
		if ((*link)->place == place)
			break;
	if (!*link)
		link = &decoders->idle;
	found = *link;
	if (found)
		*link = found->next;
	pthread_mutex_unlock(&decoders->lock);
	return found ? found : decoder_open(decoders->header, err);
}

static void give_back(struct qcow2_decoders *decoders, struct decoder *decoder)
{
	pthread_mutex_lock(&decoders->lock);
	decoder->next = decoders->idle;
	decoders->idle = decoder;
	pthread_mutex_unlock(&decoders->lock);
}

static int decode(struct qcow2_decoders *decoders, struct decoder *decoder,
		  const struct qcow2_run *run, void *out, struct err *err)
{
	if (source_read_all(decoders->source, decoder->stored,
			    (size_t)run->stored, run->place,
			    "compressed cluster", err))
		return -1;
	if (block_decode(decoder->block, decoder->stored, (size_t)run->stored,
			 out, decoders->header->cluster_size, err))
		return err_in(err, "compressed cluster at %llu",
			      (unsigned long long)run->place);
	return 0;
}

int qcow2_decoders_read(struct qcow2_decoders *decoders,
			const struct qcow2_run *run, void *buf, size_t len,
			struct err *err)
{
	struct decoder *decoder = take(decoders, run->place, err);
	bool whole = len == decoders->header->cluster_size;
	int status = 0;

	if (!decoder)
		return -1;
	if (decoder->place != run->place && whole) {
		status = decode(decoders, decoder, run, buf, err);
		give_back(decoders, decoder);
		return status;
	}
	if (decoder->place != run->place) {
		decoder->place = 0;
		status = decode(decoders, decoder, run, decoder->cluster, err);
		if (!status)
			decoder->place = run->place;
	}
	if (!status)
		memcpy(buf, decoder->cluster + run->skip, len);
	give_back(decoders, decoder);
	return status;
}
