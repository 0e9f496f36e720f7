/* SPDX-License-Identifier: MIT */
/* Owns the disk face of qcow version 1 and its row of the registry. Does not
 * judge entries (header.c). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"
#include "formats/packed.h"
#include "formats/table_cache.h"

extern const struct driver driver_qcow;

/* Runs joined in one call: bounds the time of a short question. */
#define RUNS_MAX 16

struct qcow_disk {
	struct disk disk;
	struct qcow_header header;
	struct source *source;
	uint64_t *l1;
	struct table_cache *l2;
	struct packed *packed;
	struct disk *backing; /* ours, or NULL */
	struct source *backing_source;
	bool incomplete; /* opened to look at: no backing file, or no key */
};

/* A range of the guest's disk that is stored in one way. */
struct run {
	uint64_t offset, length;
	struct qcow_cluster how; /* place: of `offset`, unless packed */
	uint64_t skip;		 /* packed: into the cluster */
};

static struct qcow_disk *self(struct disk *disk)
{
	return (struct qcow_disk *)disk;
}

/* May `next`, which begins where `run` ends, be one run with it? */
static bool joins(const struct run *run, const struct qcow_cluster *next)
{
	if (run->how.packed || next->packed || run->how.stored != next->stored)
		return false;
	return !next->stored || next->place == run->how.place + run->length;
}

/* `run` has its offset: what the entries of one L2 table say from there. */
static int table_run(struct qcow_disk *image, const unsigned char *entries,
		     uint64_t end, struct run *run, struct err *err)
{
	const struct qcow_header *header = &image->header;
	uint64_t size = header->cluster_size;
	uint64_t guest = round_down(run->offset, size);
	struct qcow_cluster next;

	/* Each turn takes one cluster; a table has at most 8192. */
	for (; guest < end; guest += size) {
		uint64_t entry = bytes_be64(entries +
					    guest % header->l2_span / size * 8);

		if (qcow_cluster_judge(header, entry, guest,
				       image->source->size, &next, err))
			return -1;
		if (guest <= run->offset) {
			run->how = next;
			run->skip = run->offset - guest;
			if (next.stored && !next.packed)
				run->how.place += run->skip;
		} else if (!joins(run, &next)) {
			break;
		}
		run->length = min_u64(end, guest + size) - run->offset;
	}
	return 0;
}

static int next_run(struct qcow_disk *image, uint64_t offset, uint64_t end,
		    struct run *run, struct err *err)
{
	uint64_t span = image->header.l2_span, index = offset / span;
	uint64_t place = image->l1[index], next = (index + 1) * span;
	const unsigned char *entries;
	struct table_slot *slot;
	int status;

	*run = (struct run){ .offset = offset };
	if (!place) {
		/* The L1 table has an entry for each span of the disk. */
		while (next < end && !image->l1[next / span])
			next += span;
		run->length = min_u64(end, next) - offset;
		return 0;
	}
	if (qcow_l2_judge(&image->header, place, image->source->size, err))
		return -1;
	entries = table_cache_hold(image->l2, place, &slot, err);
	if (!entries)
		return -1;
	status = table_run(image, entries, min_u64(end, next), run, err);
	table_cache_drop(image->l2, slot);
	return status;
}

static int long_run(struct qcow_disk *image, uint64_t offset, uint64_t limit,
		    struct run *run, struct err *err)
{
	uint64_t end = offset + min_u64(limit, image->disk.size - offset);
	struct run next;

	if (next_run(image, offset, end, run, err))
		return -1;
	for (unsigned i = 0; i < RUNS_MAX && offset + run->length < end; i++) {
		if (next_run(image, offset + run->length, end, &next, err))
			return -1;
		if (!joins(run, &next.how))
			break;
		run->length += next.length;
	}
	return 0;
}

static int read_below(struct qcow_disk *image, unsigned char *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	size_t below = 0;

	if (image->backing && offset < image->backing->size)
		below = (size_t)min_u64(len, image->backing->size - offset);
	if (below && disk_read(image->backing, buf, below, offset, err))
		return err_in(err, "backing file");
	memset(buf + below, 0, len - below);
	return 0;
}

static int read_run(struct qcow_disk *image, const struct run *run, void *buf,
		    struct err *err)
{
	const struct packed_chunk chunk = {
		.codec = BLOCK_DEFLATE,
		.place = run->how.place,
		.stored = (size_t)run->how.length,
		.length = image->header.cluster_size,
	};

	if (!run->how.stored)
		return read_below(image, buf, (size_t)run->length, run->offset,
				  err);
	if (run->how.packed)
		return packed_read(image->packed, &chunk, (size_t)run->skip,
				   buf, (size_t)run->length, err);
	return source_read_all(image->source, buf, (size_t)run->length,
			       run->how.place, "cluster", err);
}

static int qcow_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	struct qcow_disk *image = self(disk);
	unsigned char *at = buf;
	struct run run;

	if (image->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened to look "
			       "at, not to read");
	/* Each turn moves on by a run, which is not empty. */
	while (len) {
		if (long_run(image, offset, len, &run, err) ||
		    read_run(image, &run, at, err))
			return -1;
		at += run.length;
		len -= (size_t)run.length;
		offset += run.length;
	}
	return 0;
}

static int extent_below(struct qcow_disk *image, const struct run *run,
			struct extent *out, struct err *err)
{
	struct disk *below = image->backing;

	if (!below || run->offset >= below->size)
		return 0;
	if (disk_extent(below, run->offset,
			min_u64(run->length, below->size - run->offset), out,
			err))
		return err_in(err, "backing file");
	return 0;
}

static int qcow_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		       struct extent *out, struct err *err)
{
	struct qcow_disk *image = self(disk);
	struct run run;

	if (long_run(image, offset, limit, &run, err))
		return -1;
	*out = (struct extent){
		.offset = offset,
		.length = run.length,
		.kind = EXTENT_HOLE,
	};
	if (!run.how.stored)
		return extent_below(image, &run, out, err);
	out->kind = EXTENT_DATA;
	/* A part of a compressed cluster has no place of its own. */
	if (run.how.packed && run.length < image->header.cluster_size)
		return 0;
	out->source = image->source;
	out->place = run.how.place;
	out->encoding = run.how.packed ? ENCODING_DEFLATE : ENCODING_PLAIN;
	out->stored = run.how.packed ? run.how.length : run.length;
	return 0;
}

static void qcow_info(struct disk *disk, struct facts *facts)
{
	qcow_header_facts(&self(disk)->header, facts);
}

static int qcow_finish(struct disk *disk, struct err *err)
{
	struct qcow_disk *image = self(disk);

	if (image->backing && (disk_finish(image->backing, err) ||
			       (image->backing_source &&
				source_finish(image->backing_source, err))))
		return err_in(err, "backing file");
	return 0;
}

static void qcow_close(struct disk *disk)
{
	struct qcow_disk *image = self(disk);

	disk_close(image->backing);
	source_close(image->backing_source);
	packed_close(image->packed);
	table_cache_close(image->l2);
	free(image->l1);
	free(image);
}

static const struct disk_ops qcow_ops = {
	.read = qcow_read,
	.extent = qcow_extent,
	.info = qcow_info,
	.finish = qcow_finish,
	.close = qcow_close,
};

/* The image does not say what format its backing file has. */
static int open_backing(struct qcow_disk *image,
			const struct open_options *options, struct err *err)
{
	const char *name = image->header.backing;

	if (!image->header.backing_at)
		return 0;
	if (options->metadata_only) {
		image->incomplete = true;
		return 0;
	}
	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "backing file %s is not followed without "
			       "--allow-references",
			       name);
	image->backing = options->references->open_disk(
		options->references, name, NULL, &image->backing_source, err);
	if (!image->backing)
		return err_in(err, "backing file %s", name);
	return 0;
}

static int open_tables(struct qcow_disk *image, bool looking, uint64_t memory,
		       struct err *err)
{
	struct qcow_header *header = &image->header;
	uint64_t shared;

	if (qcow_header_read(image->source, looking, header, err))
		return -1;
	image->l1 = qcow_l1_read(image->source, header, err);
	if (!image->l1)
		return -1;
	shared = qcow_l1_shared(image->l1, header->l1_entries);
	if (shared)
		return err_set(err, ERR_DAMAGED,
			       "L2 table at %" PRIu64 " is used twice", shared);
	image->l2 = table_cache_open(image->source, "L2 table", header->l2_len,
				     memory);
	image->packed = packed_open(image->source, "compressed cluster",
				    header->cluster_size, header->cluster_size);
	return 0;
}

static struct disk *qcow_open(struct source *source,
			      const struct open_options *options,
			      struct err *err)
{
	struct qcow_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &qcow_ops, "qcow");
	image->source = source;
	if (driver_no_snapshots(options, err) ||
	    open_tables(image, options->metadata_only, options->memory, err))
		return NULL;
	disk->size = image->header.size;
	disk->sector_size = 512;
	disk->granule = image->header.cluster_size;
	image->incomplete = image->header.encrypted;
	if (open_backing(image, options, err))
		return NULL;
	return STEAL(disk);
}

static int qcow_peek(const unsigned char *head, size_t len, uint64_t *size,
		     struct facts *facts, struct err *err)
{
	struct qcow_header header;

	if (len < QCOW_HEADER_LEN)
		return 1;
	if (qcow_header_parse(head, true, &header, err))
		return -1;
	if (header.backing_at &&
	    checked_inside(header.backing_at, header.backing_len, len))
		memcpy(header.backing, head + header.backing_at,
		       header.backing_len);
	*size = header.size;
	qcow_header_facts(&header, facts);
	return 0;
}

static const char *const qcow_aliases[] = { "qcow1", NULL };
static const char *const qcow_suffixes[] = { ".qcow", NULL };

const struct driver driver_qcow = {
	.name = "qcow",
	.title = "QEMU copy-on-write, version 1",
	.aliases = qcow_aliases,
	.suffixes = qcow_suffixes,
	.open = qcow_open,
	.peek = qcow_peek,
	.check = qcow_check,
};
