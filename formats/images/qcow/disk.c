/* SPDX-License-Identifier: MIT */
/* Owns the disk face of qcow, and its row of the registry. Does not decide
 * which references are followed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"

extern const struct driver driver_qcow;

static int read_below(struct qcow_disk *qcow, unsigned char *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	size_t below = 0;

	if (qcow->backing && offset < qcow->backing->size)
		below = (size_t)min_u64(len, qcow->backing->size - offset);
	if (below && disk_read(qcow->backing, buf, below, offset, err))
		return err_in(err, "backing file");
	memset(buf + below, 0, len - below);
	return 0;
}

static struct packed_chunk chunk_of(const struct qcow_disk *qcow,
				    const struct qcow_run *run)
{
	return (struct packed_chunk){ .codec = BLOCK_DEFLATE,
				      .place = run->place,
				      .stored = (size_t)run->stored,
				      .length = qcow->header.cluster_size };
}

static int read_run(struct qcow_disk *qcow, const struct qcow_run *run,
		    unsigned char *buf, struct err *err)
{
	size_t len = (size_t)run->length;

	if (run->kind == QCOW_PLAIN)
		return source_read_all(qcow->source, buf, len, run->place,
				       "cluster", err);
	if (run->kind == QCOW_NOWHERE)
		return read_below(qcow, buf, len, run->offset, err);

	struct packed_chunk chunk = chunk_of(qcow, run);

	return packed_read(qcow->packed, &chunk, run->skip, buf, len, err);
}

static int qcow_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	struct qcow_disk *qcow = (struct qcow_disk *)disk;
	unsigned char *out = buf;
	struct qcow_run run;

	if (qcow->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without its backing "
			       "file");
	/* Ends: a run is at least a byte long. */
	while (len) {
		if (qcow_find_run(qcow, offset, len, &run, err) ||
		    read_run(qcow, &run, out, err))
			return -1;
		out += run.length;
		offset += run.length;
		len -= (size_t)run.length;
	}
	return 0;
}

static int extent_below(struct qcow_disk *qcow, const struct qcow_run *run,
			struct extent *out, struct err *err)
{
	out->kind = EXTENT_HOLE;
	if (!qcow->backing || run->offset >= qcow->backing->size)
		return 0;
	if (disk_extent(qcow->backing, run->offset,
			min_u64(run->length,
				qcow->backing->size - run->offset),
			out, err))
		return err_in(err, "backing file");
	return 0;
}

static int qcow_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		       struct extent *out, struct err *err)
{
	struct qcow_disk *qcow = (struct qcow_disk *)disk;
	struct qcow_run run;

	if (qcow_find_run(qcow, offset, limit, &run, err))
		return -1;
	*out = (struct extent){ .offset = offset, .length = run.length };
	if (run.kind == QCOW_NOWHERE)
		return extent_below(qcow, &run, out, err);
	out->kind = EXTENT_DATA;
	/* A part of a compressed cluster has no place of its own. */
	if (run.kind == QCOW_PACKED && run.length < disk->granule)
		return 0;
	out->source = qcow->source;
	out->place = run.place;
	out->stored = run.kind == QCOW_PACKED ? run.stored : run.length;
	if (run.kind == QCOW_PACKED)
		out->encoding = ENCODING_DEFLATE;
	return 0;
}

static void qcow_info(struct disk *disk, struct facts *facts)
{
	struct qcow_disk *qcow = (struct qcow_disk *)disk;

	qcow_header_facts(&qcow->header, facts);
	if (qcow_has_backing(&qcow->header))
		facts_text(facts, "backing-file", "%s", qcow->backing_name);
}

static int qcow_finish(struct disk *disk, struct err *err)
{
	struct qcow_disk *qcow = (struct qcow_disk *)disk;

	if (qcow->backing && (disk_finish(qcow->backing, err) ||
			      source_finish(qcow->backing_source, err)))
		return err_in(err, "backing file");
	return source_finish(qcow->source, err);
}

static void qcow_close(struct disk *disk)
{
	struct qcow_disk *qcow = (struct qcow_disk *)disk;

	disk_close(qcow->backing);
	source_close(qcow->backing_source);
	packed_close(qcow->packed);
	table_cache_close(qcow->tables);
	free(qcow->l1);
	free(qcow);
}

static const struct disk_ops qcow_ops = {
	.read = qcow_read,
	.extent = qcow_extent,
	.info = qcow_info,
	.finish = qcow_finish,
	.close = qcow_close,
};

static int open_backing(struct qcow_disk *qcow,
			const struct open_options *options, struct err *err)
{
	if (!qcow_has_backing(&qcow->header))
		return 0;
	if (options->metadata_only) {
		qcow->incomplete = true;
		return 0;
	}
	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "backing file %s is not followed without "
			       "--allow-references", qcow->backing_name);
	qcow->backing = options->references->open_disk(
		options->references, qcow->backing_name, NULL,
		&qcow->backing_source, err);
	return qcow->backing ? 0
			     : err_in(err, "backing file %s",
				      qcow->backing_name);
}

struct disk *qcow_open_tables(struct source *source,
				const struct open_options *options,
				struct err *err)
{
	struct qcow_disk *qcow = mem_zalloc(sizeof *qcow);
	AUTO_DISK struct disk *disk = &qcow->disk;

	disk_init(disk, &qcow_ops, driver_qcow.name);
	qcow->source = source;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots");
		return NULL;
	}
	if (qcow_header_read(qcow, err))
		return NULL;
	disk->size = qcow->header.size;
	disk->granule = qcow->header.cluster_size;
	qcow->tables = table_cache_open(source, "L2 table",
					(size_t)qcow->header.l2_len,
					options->memory);
	qcow->packed = packed_open(source, "compressed cluster",
				   qcow->header.cluster_size,
				   qcow->header.cluster_size);
	return STEAL(disk);
}

static struct disk *qcow_open(struct source *source,
			      const struct open_options *options,
			      struct err *err)
{
	AUTO_DISK struct disk *disk = qcow_open_tables(source, options, err);
	struct qcow_disk *qcow = (struct qcow_disk *)disk;

	if (!disk || qcow_check_l1(qcow, err))
		return NULL;
	if (qcow->header.crypt && !options->metadata_only) {
		err_set(err, ERR_UNSUPPORTED,
			"the image is encrypted (AES), which is not "
			"supported");
		return NULL;
	}
	if (open_backing(qcow, options, err))
		return NULL;
	return STEAL(disk);
}

static int qcow_peek(const unsigned char *head, size_t len, uint64_t *size,
		     struct facts *facts, struct err *err)
{
	struct qcow_header header;

	if (len < QCOW_HEADER_LEN)
		return 1;
	if (qcow_header_parse(head, len, &header, err))
		return -1;
	*size = header.size;
	qcow_header_facts(&header, facts);
	if (qcow_has_backing(&header))
		facts_text(facts, "backing-file", "?");
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
