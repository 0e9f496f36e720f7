/* SPDX-License-Identifier: MIT */
/*
 * Owns partclone's reading at random. Checksums stand behind many blocks:
 * walk.c verifies them in one pass, which is made when all was read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/partclone/partclone.h"

extern const struct driver driver_partclone;

/* Runs between checksums that are shorter have no place: what is read around
 * the checksums in one go beats many small copies. */
#define STRIP_MIN ((uint64_t)65536)
#define GATHER ((size_t)MIB)

struct partclone_disk {
	struct disk disk;
	struct source *source;
	struct partclone_map map;
};

/* From `offset` on: how much is of one kind, and which block in use begins
 * it. Behind the last block there is nothing. */
static uint64_t find_run(const struct partclone_disk *pc, uint64_t offset,
			 uint64_t limit, bool *used)
{
	const struct partclone_header *header = &pc->map.header;
	uint64_t block = offset / header->block_size;
	uint64_t skip = offset % header->block_size;
	uint64_t most = div_up(limit + skip, header->block_size), run;

	*used = false;
	if (block >= header->blocks)
		return limit;
	run = partclone_run(&pc->map, block, most, used);
	return min_u64(limit, run * header->block_size - skip);
}

static int partclone_extent(struct disk *disk, uint64_t offset,
			    uint64_t limit, struct extent *out,
			    struct err *err)
{
	struct partclone_disk *pc = (struct partclone_disk *)disk;
	const struct partclone_header *header = &pc->map.header;
	uint64_t strip = (uint64_t)header->per_sum * header->block_size;
	uint64_t nth, skip = offset % header->block_size;
	bool used;

	(void)err;
	out->length = find_run(pc, offset, limit, &used);
	out->kind = used ? EXTENT_DATA : EXTENT_HOLE;
	if (!used || (strip && strip < STRIP_MIN))
		return 0;
	nth = partclone_rank(&pc->map, offset / header->block_size);
	if (strip)
		out->length = min_u64(
			out->length,
			strip - (nth % header->per_sum * header->block_size +
				 skip));
	out->source = pc->source;
	out->place = partclone_place(&pc->map, nth) + skip;
	out->stored = out->length;
	return 0;
}

/* Blocks in use from `nth` on, `skip` bytes into the first, at most GATHER:
 * read with the checksums between them, which are then left out. */
static int gather(struct partclone_disk *pc, unsigned char *out, size_t len,
		  uint64_t nth, uint64_t skip, struct err *err)
{
	const struct partclone_header *header = &pc->map.header;
	uint64_t begin = partclone_place(&pc->map, nth) + skip;
	uint64_t last = nth + (skip + len - 1) / header->block_size;
	uint64_t end = partclone_place(&pc->map, last) +
		       (skip + len - 1) % header->block_size + 1;
	unsigned char *raw AUTO_FREE = NULL;

	if (end - begin == len)
		return source_read_all(pc->source, out, len, begin, "block",
				       err);
	raw = mem_buffer(end - begin);
	if (source_read_all(pc->source, raw, end - begin, begin, "block",
			    err))
		return -1;
	/* Ends: a block, or the rest of one, a step. */
	for (; len; nth++) {
		size_t part =
			(size_t)min_u64(len, header->block_size - skip);

		memcpy(out, raw + (partclone_place(&pc->map, nth) + skip -
				   begin),
		       part);
		out += part;
		len -= part;
		skip = 0;
	}
	return 0;
}

static int partclone_read(struct disk *disk, void *buf, size_t len,
			  uint64_t offset, struct err *err)
{
	struct partclone_disk *pc = (struct partclone_disk *)disk;
	uint32_t block_size = pc->map.header.block_size;
	unsigned char *out = buf;

	/* Ends: each step takes a byte at least. */
	while (len) {
		bool used;
		size_t part = (size_t)find_run(pc, offset,
					       min_u64(len, GATHER), &used);

		if (!used)
			memset(out, 0, part);
		else if (gather(pc, out, part,
				partclone_rank(&pc->map, offset / block_size),
				offset % block_size, err))
			return -1;
		out += part;
		offset += part;
		len -= part;
	}
	return 0;
}

static void partclone_info(struct disk *disk, struct facts *facts)
{
	struct partclone_disk *pc = (struct partclone_disk *)disk;

	partclone_facts(&pc->map.header, facts);
	facts_number(facts, "blocks-used", pc->map.used);
}

/* Reads at random saw no checksum: another pass does, where there are any. */
static int partclone_finish(struct disk *disk, struct err *err)
{
	struct partclone_disk *pc = (struct partclone_disk *)disk;

	if (pc->map.header.sum_len && pc->map.header.per_sum &&
	    partclone_verify(pc->source, err))
		return -1;
	return source_finish(pc->source, err);
}

static void partclone_close(struct disk *disk)
{
	partclone_map_close(&((struct partclone_disk *)disk)->map);
	free(disk);
}

static const struct disk_ops disk_ops = {
	.read = partclone_read,
	.extent = partclone_extent,
	.info = partclone_info,
	.finish = partclone_finish,
	.close = partclone_close,
};

struct disk *partclone_open(struct source *source,
			    const struct open_options *options,
			    struct err *err)
{
	struct partclone_map map;

	if (options && options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots, so no %s",
			options->snapshot);
		return NULL;
	}
	if (partclone_map_open(&map, source, err))
		return NULL;
	if (partclone_check_end(&map, source->size, err)) {
		partclone_map_close(&map);
		return NULL;
	}

	struct partclone_disk *pc = mem_zalloc(sizeof *pc);

	disk_init(&pc->disk, &disk_ops, driver_partclone.name);
	pc->map = map;
	pc->source = source;
	pc->disk.size = map.header.size;
	return &pc->disk;
}

static int partclone_peek(const unsigned char *head, size_t len,
			  uint64_t *size, struct facts *facts, struct err *err)
{
	struct partclone_header header;

	if (len < partclone_header_want(head, len))
		return 1;
	if (partclone_header_parse(head, &header, err))
		return -1;
	*size = header.size;
	partclone_facts(&header, facts);
	return 0;
}

/* How long the checksums of 0001 are is known at the file's end. */
static enum walk_order partclone_order(const unsigned char *head, size_t len)
{
	return len >= 34 && !memcmp(head + 30, "0001", 4) ? WALK_NONE
							  : WALK_ORDERED;
}

const struct driver driver_partclone = {
	.name = "partclone",
	.title = "partclone image",
	.open = partclone_open,
	.peek = partclone_peek,
	.walk = partclone_walk,
	.walk_order = partclone_order,
	.walk_usual = WALK_ORDERED,
	.check = partclone_check,
};
