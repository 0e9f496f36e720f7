/* SPDX-License-Identifier: MIT */
/* Owns the one pass over a stream, in the guest's order, in which the
 * checksums are verified. `check` is that pass, too. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/partclone/partclone.h"

extern const struct driver driver_partclone;

struct partclone_walk {
	struct walk walk;
	struct source *source;
	struct partclone_map map;
	uint64_t position; /* guest bytes yielded */
	uint64_t nth;	   /* block in use that comes next */
	uint64_t at;	   /* file */
	uint64_t in_block; /* bytes of it that were yielded */
	uint32_t crc;
	struct xxh64 xxh64;
};

static void start_sum(struct partclone_walk *pc)
{
	pc->crc = 0;
	xxh64_start(&pc->xxh64);
}

/* 0001 sums the first byte of a block as often as the block has bytes. */
static void add_sum(struct partclone_walk *pc, const unsigned char *bytes,
		    size_t len)
{
	unsigned char first[512];

	switch (pc->map.header.sum) {
	case SUM_CRC32:
		pc->crc = codec_crc32(pc->crc, bytes, len);
		break;
	case SUM_XXH64:
		xxh64_add(&pc->xxh64, bytes, len);
		break;
	case SUM_CRC32_FIRST:
		memset(first, *bytes, sizeof first);
		for (size_t i = 0; i < len; i += sizeof first)
			pc->crc = codec_crc32(pc->crc, first, sizeof first);
		break;
	default:
		break;
	}
}

static int check_sum(struct partclone_walk *pc, struct err *err)
{
	const struct partclone_header *header = &pc->map.header;
	unsigned char bytes[8];
	uint64_t wanted, found;

	if (source_read_all(pc->source, bytes, header->sum_len, pc->at,
			    "checksum", err))
		return -1;
	pc->at += header->sum_len;
	if (header->sum == SUM_XXH64) {
		wanted = bytes_le64(bytes);
		found = xxh64_get(&pc->xxh64);
	} else {
		wanted = bytes_le32(bytes);
		found = (uint32_t)~pc->crc;
	}
	if (found != wanted)
		return err_set(err, ERR_DAMAGED,
			       "the blocks before %llu have checksum %08llx, "
			       "not %08llx",
			       (unsigned long long)pc->position,
			       (unsigned long long)found,
			       (unsigned long long)wanted);
	if (header->reseed)
		start_sum(pc);
	return 0;
}

static int at_end(struct partclone_walk *pc, struct err *err)
{
	unsigned char byte;
	size_t got;

	if (source_read(pc->source, &byte, 1, pc->at, &got, err))
		return -1;
	if (got)
		return err_set(err, ERR_DAMAGED,
			       "bytes follow the last block, from %llu",
			       (unsigned long long)pc->at);
	return source_finish(pc->source, err);
}

/* Up to the next checksum, whose strip ends with it or with the last block.
 * A block larger than `len` comes in parts. */
static int next_data(struct partclone_walk *pc, unsigned char *buf,
		     uint64_t len, struct err *err)
{
	const struct partclone_header *header = &pc->map.header;
	uint64_t done, bytes = pc->in_block + len;

	if (source_read_all(pc->source, buf, len, pc->at, "block", err))
		return -1;
	pc->at += len;
	if (header->sum == SUM_CRC32_FIRST) {
		for (done = 0; done < len; done += header->block_size)
			add_sum(pc, buf + done, header->block_size);
	} else {
		add_sum(pc, buf, len);
	}
	pc->position += len;
	pc->nth += bytes / header->block_size;
	pc->in_block = bytes % header->block_size;
	if (!header->per_sum || pc->in_block)
		return 0;
	if (pc->nth % header->per_sum && pc->nth < pc->map.used)
		return 0;
	return check_sum(pc, err);
}

static int partclone_next(struct walk *walk, void *buf, size_t len,
			  struct walk_piece *out, struct err *err)
{
	struct partclone_walk *pc = (struct partclone_walk *)walk;
	const struct partclone_header *header = &pc->map.header;
	uint64_t block = pc->position / header->block_size;
	uint64_t run = 0, room = len;
	bool used = false;

	if (pc->position == header->size)
		return at_end(pc, err);
	out->offset = pc->position;
	if (block < header->blocks)
		run = partclone_run(&pc->map, block,
				    div_up(len, header->block_size) + 1,
				    &used);
	if (!used) {
		if (run) /* all of it: that costs nothing more */
			run = partclone_run(&pc->map, block, header->blocks,
					    &used);
		out->kind = EXTENT_HOLE;
		out->length = block + run < header->blocks
				      ? run * header->block_size
				      : header->size - pc->position;
		pc->position += out->length;
		return 1;
	}
	if (header->per_sum)
		run = min_u64(run, header->per_sum -
					   pc->nth % header->per_sum);
	if (room > header->block_size)
		room = round_down(room, header->block_size);
	out->kind = EXTENT_DATA;
	out->length = min_u64(room, run * header->block_size - pc->in_block);
	out->stored = (size_t)out->length;
	return next_data(pc, buf, out->length, err) ? -1 : 1;
}

static void partclone_walk_close(struct walk *walk)
{
	partclone_map_close(&((struct partclone_walk *)walk)->map);
	free(walk);
}

static const struct walk_ops walk_ops = { .next = partclone_next,
					  .close = partclone_walk_close };

struct walk *partclone_walk(struct source *stream,
			    const struct open_options *options, int spool_fd,
			    struct err *err)
{
	struct partclone_map map;

	(void)spool_fd; /* the blocks come in order: nothing to keep */
	if (options && options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots, so no %s",
			options->snapshot);
		return NULL;
	}
	if (partclone_map_open(&map, stream, err))
		return NULL;
	if (stream->seekable &&
	    partclone_check_end(&map, stream->size, err)) {
		partclone_map_close(&map);
		return NULL;
	}

	struct partclone_walk *pc = mem_zalloc(sizeof *pc);

	walk_init(&pc->walk, &walk_ops, driver_partclone.name);
	pc->walk.ordered = true;
	pc->walk.size_known = true;
	pc->walk.size = map.header.size;
	pc->source = stream;
	pc->map = map;
	pc->at = map.data;
	start_sum(pc);
	return &pc->walk;
}

int partclone_verify(struct source *source, struct err *err)
{
	const struct open_options options = { .member = NULL };
	/* Room for whole blocks, as the sums of 0001 want them. */
	unsigned char *buf AUTO_FREE = mem_buffer(PARTCLONE_BLOCK_MAX);
	struct walk *walk AUTO_WALK =
		partclone_walk(source, &options, -1, err);
	struct walk_piece piece;
	int got = walk ? 1 : -1;

	/* Ends with the disk. */
	while (got > 0)
		got = walk_next(walk, buf, PARTCLONE_BLOCK_MAX, &piece, err);
	return got;
}

int partclone_check(struct source *source, const struct open_options *options,
		    struct check_report *report, struct err *err)
{
	(void)options;
	if (!partclone_verify(source, err))
		return 0;
	if (err->kind != ERR_DAMAGED)
		return -1;
	check_corruption(report, "%s", err->message);
	return 0;
}
