/* SPDX-License-Identifier: MIT */
/*
 * Owns compressed loop images of version 2.0, read only. Does not read other
 * versions (0, 1, 3, 4), which it names.
 *
 * The layout, as in the cloop module's compressed_loop.h and QEMU's
 * block/cloop.c; numbers are big-endian:
 *
 *     0  a shell script, "#!/bin/sh\n#V2.0 Format\n...", 128 bytes
 *   128  bytes of a block
 *   132  number of blocks
 *   136  for each block and the end, 64 bits: where it lies in the file
 *
 * A block is a zlib stream of exactly so many bytes, the last one, too.
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

extern const struct driver driver_cloop;

#define PREAMBLE "#!/bin/sh\n#V"
#define PREAMBLE_LEN (sizeof PREAMBLE - 1)
#define HEADER_LEN 136
/* Far above what its tools make, 256 KiB; each thread has one in memory. */
#define BLOCK_MAX ((uint32_t)(64 * MIB))

struct cloop_header {
	uint32_t block; /* bytes */
	uint32_t count;
};

struct cloop_disk {
	struct disk disk;
	struct cloop_header header;
	struct source *source;
	uint64_t *start; /* count + 1 */
	struct packed *packed;
};

/* `p` has HEADER_LEN bytes. */
static int parse(const unsigned char *p, struct cloop_header *header,
		 struct err *err)
{
	if (memcmp(p, PREAMBLE, PREAMBLE_LEN))
		return err_set(err, ERR_DAMAGED,
			       "this is no compressed loop image");
	if (memcmp(p + PREAMBLE_LEN, "2.0 ", 4))
		return err_set(err, ERR_UNSUPPORTED,
			       "compressed loop image of version %.3s; only "
			       "2.0 is read: extract it with its own tools",
			       (const char *)p + PREAMBLE_LEN);
	header->block = bytes_be32(p + 128);
	header->count = bytes_be32(p + 132);
	if (!header->block || header->block % 512 || header->block > BLOCK_MAX)
		return err_set(err, ERR_DAMAGED,
			       "block size %" PRIu32 " is not a multiple of "
			       "512 in 512..67108864",
			       header->block);
	return 0;
}

static void put_facts(const struct cloop_header *header, struct facts *facts)
{
	facts_text(facts, "version", "2.0");
	facts_number(facts, "block-size", header->block);
	facts_text(facts, "compression", "zlib");
}

/* zlib adds little to what it cannot pack. */
static uint64_t stored_max(const struct cloop_header *header)
{
	return 2 * (uint64_t)header->block + 4096;
}

/* The message of what is wrong with block `i`, or 0. */
static int judge(const struct cloop_disk *image, uint32_t i, struct err *err)
{
	uint64_t from = image->start[i], to = image->start[i + 1];
	uint64_t tables = HEADER_LEN + ((uint64_t)image->header.count + 1) * 8;

	if (from < tables)
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu32 " at %" PRIu64
			       " overlaps the tables, which end at %" PRIu64,
			       i, from, tables);
	if (to <= from || to - from > stored_max(&image->header))
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu32 " reaches from %" PRIu64
			       " to %" PRIu64 "; allowed are 1..%" PRIu64
			       " bytes",
			       i, from, to, stored_max(&image->header));
	if (to > image->source->size)
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu32 " ends at %" PRIu64
			       ", past the end of the file (%" PRIu64 ")",
			       i, to, image->source->size);
	return 0;
}

static int cloop_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		      struct err *err)
{
	struct cloop_disk *image = (struct cloop_disk *)disk;
	uint32_t block = image->header.block;
	unsigned char *at = buf;

	/* Each turn moves on by a block, or to the end of the range. */
	while (len) {
		uint64_t i = offset / block;
		size_t skip = (size_t)(offset % block);
		size_t part = (size_t)min_u64(len, block - skip);
		const struct packed_chunk chunk = {
			.codec = BLOCK_ZLIB,
			.place = image->start[i],
			.stored =
				(size_t)(image->start[i + 1] - image->start[i]),
			.length = block,
		};

		if (packed_read(image->packed, &chunk, skip, at, part, err))
			return -1;
		at += part;
		offset += part;
		len -= part;
	}
	return 0;
}

static int cloop_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			struct extent *out, struct err *err)
{
	struct cloop_disk *image = (struct cloop_disk *)disk;
	uint32_t block = image->header.block;
	uint64_t i = offset / block;

	(void)err;
	*out = (struct extent){
		.offset = offset,
		.length = min_u64(limit, block - offset % block),
		.kind = EXTENT_DATA,
	};
	/* A part of a block has no place of its own. */
	if (out->length < block)
		return 0;
	out->encoding = ENCODING_ZLIB;
	out->source = image->source;
	out->place = image->start[i];
	out->stored = image->start[i + 1] - image->start[i];
	return 0;
}

static void cloop_info(struct disk *disk, struct facts *facts)
{
	put_facts(&((struct cloop_disk *)disk)->header, facts);
}

static void cloop_close(struct disk *disk)
{
	struct cloop_disk *image = (struct cloop_disk *)disk;

	packed_close(image->packed);
	free(image->start);
	free(image);
}

static const struct disk_ops cloop_ops = {
	.read = cloop_read,
	.extent = cloop_extent,
	.info = cloop_info,
	.close = cloop_close,
};

static int read_table(struct cloop_disk *image, struct err *err)
{
	size_t count = (size_t)image->header.count + 1;

	image->start = mem_capped(count, sizeof *image->start, LIMIT_TABLE_LEN,
				  "block table", err);
	if (!image->start || source_read_all(image->source, image->start,
					     count * sizeof *image->start,
					     HEADER_LEN, "block table", err))
		return -1;
	for (size_t i = 0; i < count; i++)
		image->start[i] = bytes_be64(&image->start[i]);
	return 0;
}

/* All but the judgement of the blocks. */
static struct disk *open_tables(struct source *source, struct err *err)
{
	struct cloop_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;
	unsigned char head[HEADER_LEN];

	disk_init(disk, &cloop_ops, "cloop");
	image->source = source;
	if (source_read_all(source, head, sizeof head, 0, "header", err) ||
	    parse(head, &image->header, err) || read_table(image, err))
		return NULL;
	image->packed = packed_open(source, "compressed block",
				    (size_t)stored_max(&image->header),
				    image->header.block);
	disk->size = (uint64_t)image->header.block * image->header.count;
	disk->sector_size = 512;
	disk->granule = image->header.block;
	return STEAL(disk);
}

static struct disk *cloop_open(struct source *source,
			       const struct open_options *options,
			       struct err *err)
{
	AUTO_DISK struct disk *disk = driver_no_snapshots(options, err)
					      ? NULL
					      : open_tables(source, err);
	struct cloop_disk *image = (struct cloop_disk *)disk;

	if (!disk)
		return NULL;
	for (uint32_t i = 0; i < image->header.count; i++)
		if (judge(image, i, err))
			return NULL;
	return STEAL(disk);
}

static int cloop_peek(const unsigned char *head, size_t len, uint64_t *size,
		      struct facts *facts, struct err *err)
{
	struct cloop_header header;

	if (len < HEADER_LEN)
		return 1;
	if (parse(head, &header, err))
		return -1;
	*size = (uint64_t)header.block * header.count;
	put_facts(&header, facts);
	return 0;
}

/* Each block is decoded: its own checksum is the only one there is. */
static int cloop_check(struct source *source,
		       const struct open_options *options,
		       struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = open_tables(source, err);
	struct cloop_disk *image = (struct cloop_disk *)disk;
	AUTO_FREE unsigned char *block = NULL;
	struct err found;

	(void)options;
	if (!disk)
		return -1;
	block = mem_buffer(image->header.block);
	for (uint32_t i = 0; i < image->header.count; i++)
		if (judge(image, i, &found) ||
		    cloop_read(disk, block, image->header.block,
			       (uint64_t)i * image->header.block, &found))
			check_corruption(report, "%s", found.message);
	return 0;
}

const struct driver driver_cloop = {
	.name = "cloop",
	.title = "compressed loop image, version 2",
	.open = cloop_open,
	.peek = cloop_peek,
	.check = cloop_check,
};
