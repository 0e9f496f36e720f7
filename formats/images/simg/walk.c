/* SPDX-License-Identifier: MIT */
/*
 * Owns the one pass over a stream, in the guest's order, and the checksums,
 * which are verified as it goes: at each CRC32 chunk, and the header's at the
 * end. `check` is that pass, too.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/crc32.h"
#include "formats/images/simg/simg.h"
#include "formats/runs.h"

extern const struct driver driver_simg;

struct simg_walk {
	struct walk walk;
	struct simg_scan scan;
	struct simg_chunk chunk;
	uint64_t done; /* bytes of the chunk that were yielded */
	uint32_t crc;  /* of the guest so far */
};

static int check_sum(const struct simg_walk *simg, uint32_t wanted,
		     const char *where, struct err *err)
{
	if (simg->crc == wanted)
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the disk up to %llu has checksum %08lx, not "
		       "%08lx as %s says",
		       (unsigned long long)(simg->scan.block *
					    simg->scan.header.block_size),
		       (unsigned long)simg->crc, (unsigned long)wanted, where);
}

/* The next chunk that stands for blocks. Ends: the scan does. */
static int next_chunk(struct simg_walk *simg, struct err *err)
{
	uint32_t sum = simg->scan.header.checksum;
	int got;

	simg->done = 0;
	while ((got = simg_scan_next(&simg->scan, &simg->chunk, err)) > 0) {
		if (simg->chunk.type == SIMG_CRC32 &&
		    check_sum(simg, simg->chunk.value, "a chunk", err))
			return -1;
		if (simg->chunk.length)
			return 1;
	}
	if (got || (sum && check_sum(simg, sum, "the header", err)))
		return -1;
	return source_finish(simg->scan.source, err);
}

static int simg_next(struct walk *walk, void *buf, size_t len,
		     struct walk_piece *out, struct err *err)
{
	struct simg_walk *simg = (struct simg_walk *)walk;
	struct simg_chunk *chunk = &simg->chunk;
	uint64_t left;
	int got;

	if (simg->done == chunk->length) {
		got = next_chunk(simg, err);
		if (got <= 0)
			return got;
	}
	left = chunk->length - simg->done;
	out->offset = chunk->offset + simg->done;
	if (chunk->type != SIMG_RAW && !chunk->value) {
		out->kind = chunk->type == SIMG_FILL ? EXTENT_ZERO
						     : EXTENT_HOLE;
		out->length = left;
		simg->crc = crc32_zeros(simg->crc, left);
	} else {
		out->kind = EXTENT_DATA;
		out->length = out->stored = (size_t)min_u64(left, len);
		if (chunk->type == SIMG_FILL)
			runs_fill(buf, out->stored, simg->done, chunk->value);
		else if (source_read_all(simg->scan.source, buf, out->stored,
					 chunk->place + simg->done, "data",
					 err))
			return -1;
		simg->crc = codec_crc32(simg->crc, buf, out->stored);
	}
	simg->done += out->length;
	return 1;
}

static void simg_walk_close(struct walk *walk)
{
	free(walk);
}

static const struct walk_ops walk_ops = { .next = simg_next,
					  .close = simg_walk_close };

struct walk *simg_walk(struct source *stream,
		       const struct open_options *options, int spool_fd,
		       struct err *err)
{
	struct simg_scan scan;

	(void)spool_fd; /* the chunks come in order: nothing to keep */
	if (options && options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"has no snapshots, so no %s", options->snapshot);
		return NULL;
	}
	if (simg_scan_open(&scan, stream, err))
		return NULL;

	struct simg_walk *simg = mem_zalloc(sizeof *simg);

	walk_init(&simg->walk, &walk_ops, driver_simg.name);
	simg->walk.ordered = true;
	simg->walk.size_known = true;
	simg->walk.size = scan.header.size;
	simg->scan = scan;
	return &simg->walk;
}

int simg_verify(struct source *source, struct err *err)
{
	const struct open_options options = { .member = NULL };
	struct walk *walk AUTO_WALK = simg_walk(source, &options, -1, err);
	unsigned char *buf AUTO_FREE = mem_buffer(UNIT_LEN);
	struct walk_piece piece;
	int got = walk ? 1 : -1;

	/* Ends with the chunks. */
	while (got > 0)
		got = walk_next(walk, buf, UNIT_LEN, &piece, err);
	return got;
}

int simg_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err)
{
	(void)options;
	if (!simg_verify(source, err))
		return 0;
	if (err->kind != ERR_DAMAGED)
		return -1;
	/* Nothing tells where the next chunk begins behind a bad one. */
	check_corruption(report, "%s", err->message);
	return 0;
}
