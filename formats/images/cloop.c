/* SPDX-License-Identifier: MIT */
/*
 * Owns cloop, version 2: a compressed loop image, read only. Its layout (as
 * in the cloop package's compressed_loop.h), big-endian:
 *
 *      0  preamble, a shell script: "#!/bin/sh\n#V2.0 Format\n..."
 *    128  u32 block size, bytes
 *    132  u32 number of blocks
 *    136  u64 offsets of the blocks in the file, and of their end
 *         blocks: zlib streams
 *
 * All blocks are whole: the disk is as long as they are together.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/driver.h"
#include "formats/packed.h"
#include "formats/usage.h"

extern const struct driver driver_cloop;

#define MAGIC "#!/bin/sh\n#V2.0 Format\n"
#define BLOCK_SIZE_AT 128
#define COUNT_AT 132
#define OFFSETS_AT 136
#define OFFSET_LEN 8
/* Writers take 64 KiB to 1 MiB; two of them are kept for each thread. */
#define BLOCK_MAX (16 * MIB)

struct cloop_disk {
	struct disk disk;
	struct source *source;
	uint32_t count;
	uint64_t *offset; /* count + 1 of them */
	struct packed *packed;
};

/* What zlib can make of `len` bytes at worst, with room to spare. */
static uint64_t stored_most(uint64_t len)
{
	return len + len / 256 + 1024;
}

static struct packed_chunk chunk_of(const struct cloop_disk *cloop,
				    uint64_t index)
{
	return (struct packed_chunk){
		.codec = BLOCK_ZLIB,
		.place = cloop->offset[index],
		.stored = (size_t)(cloop->offset[index + 1] -
				   cloop->offset[index]),
		.length = cloop->disk.granule,
	};
}

static int cloop_read(struct disk *disk, void *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	struct cloop_disk *cloop = (struct cloop_disk *)disk;
	unsigned char *out = buf;

	/* Ends: each turn takes at least a byte. */
	while (len) {
		struct packed_chunk chunk =
			chunk_of(cloop, offset / disk->granule);
		size_t skip = (size_t)(offset % disk->granule);
		size_t now = (size_t)min_u64(len, disk->granule - skip);

		if (packed_read(cloop->packed, &chunk, skip, out, now, err))
			return -1;
		out += now;
		offset += now;
		len -= now;
	}
	return 0;
}

static int cloop_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			struct extent *out, struct err *err)
{
	struct cloop_disk *cloop = (struct cloop_disk *)disk;
	struct packed_chunk chunk = chunk_of(cloop, offset / disk->granule);
	uint64_t skip = offset % disk->granule;

	(void)err;
	out->kind = EXTENT_DATA;
	out->length = disk->granule - skip;
	/* A part of a block has no place of its own. */
	if (skip || limit < disk->granule)
		return 0;
	out->encoding = ENCODING_ZLIB;
	out->source = cloop->source;
	out->place = chunk.place;
	out->stored = chunk.stored;
	return 0;
}

static void cloop_info(struct disk *disk, struct facts *facts)
{
	struct cloop_disk *cloop = (struct cloop_disk *)disk;

	facts_number(facts, "version", 2);
	facts_number(facts, "block-size", disk->granule);
	facts_number(facts, "blocks", cloop->count);
}

static int cloop_finish(struct disk *disk, struct err *err)
{
	return source_finish(((struct cloop_disk *)disk)->source, err);
}

static void cloop_close(struct disk *disk)
{
	struct cloop_disk *cloop = (struct cloop_disk *)disk;

	packed_close(cloop->packed);
	free(cloop->offset);
	free(cloop);
}

static const struct disk_ops cloop_ops = {
	.read = cloop_read,
	.extent = cloop_extent,
	.info = cloop_info,
	.finish = cloop_finish,
	.close = cloop_close,
};

/* Block size and number out of the first OFFSETS_AT bytes. */
static int parse_header(const unsigned char *head, size_t len,
			uint32_t *block_size, uint32_t *count, struct err *err)
{
	if (len < OFFSETS_AT)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes of %d", len, OFFSETS_AT);
	if (memcmp(head, MAGIC, sizeof MAGIC - 1))
		return err_set(err, ERR_UNSUPPORTED,
			       "the preamble is not that of version 2, the "
			       "only one that is read");
	*block_size = bytes_be32(head + BLOCK_SIZE_AT);
	*count = bytes_be32(head + COUNT_AT);
	if (!*block_size || *block_size % 512 || *block_size > BLOCK_MAX)
		return err_set(err, ERR_DAMAGED,
			       "block size %" PRIu32 " is out of range (512.."
			       "%" PRIu64 ", whole sectors)",
			       *block_size, BLOCK_MAX);
	return 0;
}

static int check_offsets(const struct cloop_disk *cloop, uint64_t first,
			 struct err *err)
{
	uint64_t most = stored_most(cloop->disk.granule);

	for (uint32_t i = 0; i <= cloop->count; i++) {
		uint64_t at = cloop->offset[i];

		if (i ? at <= cloop->offset[i - 1] : at < first)
			return err_set(err, ERR_DAMAGED,
				       "block %" PRIu32 " at %" PRIu64
				       " begins before %" PRIu64, i, at,
				       i ? cloop->offset[i - 1] + 1 : first);
		if (i && at - cloop->offset[i - 1] > most)
			return err_set(err, ERR_DAMAGED,
				       "block %" PRIu32 " takes %" PRIu64
				       " bytes (at most %" PRIu64 ")", i - 1,
				       at - cloop->offset[i - 1], most);
		if (at > cloop->source->size)
			return err_set(err, ERR_DAMAGED,
				       "block %" PRIu32 " ends at %" PRIu64
				       ", past the end of the file (%" PRIu64
				       ")", i ? i - 1 : 0, at,
				       cloop->source->size);
	}
	return 0;
}

static int read_offsets(struct cloop_disk *cloop, struct err *err)
{
	uint64_t entries = (uint64_t)cloop->count + 1;
	uint64_t len = entries * OFFSET_LEN;

	cloop->offset = mem_capped(entries, OFFSET_LEN, LIMIT_TABLE_LEN,
				   "the table of blocks", err);
	if (!cloop->offset ||
	    source_read_all(cloop->source, cloop->offset, (size_t)len,
			    OFFSETS_AT, "the table of blocks", err))
		return -1;
	for (uint64_t i = 0; i < entries; i++)
		cloop->offset[i] = bytes_be64(&cloop->offset[i]);
	return check_offsets(cloop, OFFSETS_AT + len, err);
}

static struct disk *cloop_open(struct source *source,
			       const struct open_options *options,
			       struct err *err)
{
	unsigned char head[OFFSETS_AT];
	uint32_t block_size, count;
	size_t got;

	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots");
		return NULL;
	}
	if (source_read(source, head, sizeof head, 0, &got, err) ||
	    parse_header(head, got, &block_size, &count, err))
		return NULL;
	struct cloop_disk *cloop = mem_zalloc(sizeof *cloop);
	AUTO_DISK struct disk *disk = &cloop->disk;

	disk_init(disk, &cloop_ops, driver_cloop.name);
	disk->granule = block_size;
	disk->size = (uint64_t)block_size * count;
	cloop->source = source;
	cloop->count = count;
	if (read_offsets(cloop, err))
		return NULL;
	cloop->packed = packed_open(source, "block",
				    (size_t)stored_most(block_size),
				    block_size);
	return STEAL(disk);
}

static int cloop_peek(const unsigned char *head, size_t len, uint64_t *size,
		      struct facts *facts, struct err *err)
{
	uint32_t block_size, count;

	(void)facts;
	if (len < OFFSETS_AT)
		return 1;
	if (parse_header(head, len, &block_size, &count, err))
		return -1;
	*size = (uint64_t)block_size * count;
	return 0;
}

static int check_blocks(struct cloop_disk *cloop, struct usage *usage,
			struct check_report *report, struct err *err)
{
	AUTO_FREE unsigned char *block = mem_buffer(cloop->disk.granule);

	for (uint64_t i = 0; i < cloop->count; i++) {
		struct packed_chunk chunk = chunk_of(cloop, i);
		struct err found;

		if (usage_claim(usage, report, "block", chunk.place,
				chunk.stored, err))
			return -1;
		if (!packed_read(cloop->packed, &chunk, 0, block,
				 chunk.length, &found))
			continue;
		if (found.kind != ERR_DAMAGED) {
			*err = found;
			return -1;
		}
		check_corruption(report, "%s", found.message);
	}
	return 0;
}

static int cloop_check(struct source *source,
		       const struct open_options *options,
		       struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = cloop_open(source, options, err);
	struct cloop_disk *cloop = (struct cloop_disk *)disk;
	struct usage *usage;
	int result;

	if (!disk && err->kind == ERR_DAMAGED) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	if (!disk)
		return -1;
	usage = usage_open(source->size);
	result = usage_claim(usage, report, "header", 0,
			     OFFSETS_AT + (cloop->count + (uint64_t)1) *
						  OFFSET_LEN,
			     err);
	if (!result)
		result = check_blocks(cloop, usage, report, err);
	if (!result)
		usage_report(usage, report, 512);
	usage_close(usage);
	return result;
}

const struct driver driver_cloop = {
	.name = "cloop",
	.title = "compressed loop image, version 2",
	.open = cloop_open,
	.peek = cloop_peek,
	.check = cloop_check,
};
