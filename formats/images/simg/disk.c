/* SPDX-License-Identifier: MIT */
/*
 * Owns reading at random, by a list of the chunks made at opening. Checksums
 * are of the whole disk in order: walk.c verifies them in one pass, which is
 * made when all was read.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/simg/simg.h"
#include "formats/runs.h"

extern const struct driver driver_simg;

struct simg_disk {
	struct disk disk;
	struct source *source;
	struct simg_header header;
	struct runs runs;
	bool has_sums;
};

void simg_header_facts(const struct simg_header *header, struct facts *facts)
{
	facts_text(facts, "version", "1.%u", header->minor);
	facts_number(facts, "block-size", header->block_size);
	facts_number(facts, "chunks", header->chunks);
	if (header->checksum)
		facts_text(facts, "checksum", "%08lx",
			   (unsigned long)header->checksum);
}

static int simg_read(struct disk *disk, void *buf, size_t len,
		     uint64_t offset, struct err *err)
{
	struct simg_disk *simg = (struct simg_disk *)disk;

	return runs_read(&simg->runs, simg->source, buf, len, offset, err);
}

static int simg_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		       struct extent *out, struct err *err)
{
	struct simg_disk *simg = (struct simg_disk *)disk;

	(void)err;
	runs_extent(&simg->runs, simg->source, offset, limit, out);
	return 0;
}

static void simg_info(struct disk *disk, struct facts *facts)
{
	simg_header_facts(&((struct simg_disk *)disk)->header, facts);
}

/* Reads at random saw no checksum: another pass does, where there is one. */
static int simg_finish(struct disk *disk, struct err *err)
{
	struct simg_disk *simg = (struct simg_disk *)disk;

	if (simg->has_sums && simg_verify(simg->source, err))
		return -1;
	return source_finish(simg->source, err);
}

static void simg_close(struct disk *disk)
{
	runs_clear(&((struct simg_disk *)disk)->runs);
	free(disk);
}

static const struct disk_ops disk_ops = {
	.read = simg_read,
	.extent = simg_extent,
	.info = simg_info,
	.finish = simg_finish,
	.close = simg_close,
};

static int add_chunk(struct runs *runs, const struct simg_chunk *chunk,
		     struct err *err)
{
	struct run run = { .offset = chunk->offset, .length = chunk->length };

	/* "Don't care" is a hole, which no run is. */
	if (!chunk->length || chunk->type == SIMG_DONT_CARE)
		return 0;
	run.kind = chunk->type == SIMG_RAW ? RUN_DATA
		   : chunk->value	   ? RUN_FILL
					   : RUN_ZERO;
	run.place = chunk->type == SIMG_RAW ? chunk->place : chunk->value;
	return runs_add(runs, &run, err);
}

/* Ends: the scan counts the chunks. */
static int read_chunks(struct simg_scan *scan, struct runs *runs,
		       bool *has_sums, struct err *err)
{
	struct simg_chunk chunk;
	int got;

	*has_sums = scan->header.checksum != 0;
	while ((got = simg_scan_next(scan, &chunk, err)) > 0) {
		if (chunk.type == SIMG_CRC32)
			*has_sums = true;
		if (add_chunk(runs, &chunk, err))
			return -1;
	}
	runs->size = scan->header.size;
	if (got)
		return -1;
	return runs_finish(runs, false, err);
}

static int refuse_options(const struct open_options *options, struct err *err)
{
	if (options && options->snapshot)
		return err_set(err, ERR_UNSUPPORTED,
			       "has no snapshots, so no %s",
			       options->snapshot);
	return 0;
}

struct disk *simg_open(struct source *source,
		       const struct open_options *options, struct err *err)
{
	struct simg_disk *simg;
	struct simg_scan scan;
	struct runs runs = { 0 };
	bool has_sums;

	if (refuse_options(options, err) ||
	    simg_scan_open(&scan, source, err) ||
	    read_chunks(&scan, &runs, &has_sums, err)) {
		runs_clear(&runs);
		return NULL;
	}
	simg = mem_zalloc(sizeof *simg);
	disk_init(&simg->disk, &disk_ops, driver_simg.name);
	simg->source = source;
	simg->header = scan.header;
	simg->runs = runs;
	simg->has_sums = has_sums;
	simg->disk.size = scan.header.size;
	return &simg->disk;
}

int simg_peek(const unsigned char *head, size_t len, uint64_t *size,
	      struct facts *facts, struct err *err)
{
	struct simg_header header;

	if (len < SIMG_HEADER_LEN)
		return 1;
	if (simg_header_parse(head, &header, err))
		return -1;
	*size = header.size;
	simg_header_facts(&header, facts);
	return 0;
}
