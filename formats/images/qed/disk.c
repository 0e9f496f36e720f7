/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of QED: opening an image with its backing file, reads and
 * extents. Does not decide whether the backing file may be followed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qed/qed.h"
#include "formats/unclean.h"

struct qed_disk {
	struct disk disk;
	struct qed_header header;
	struct qed_tables tables;
	struct disk *backing; /* ours, or NULL */
	struct source *backing_source;
	bool incomplete; /* the backing file was left out: info and check */
};

static struct qed_disk *self(struct disk *disk)
{
	return (struct qed_disk *)disk;
}

/* Unallocated: the backing disk has it, as far as it reaches. */
static int read_below(struct qed_disk *image, unsigned char *buf, size_t len,
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

static int qed_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct qed_disk *image = self(disk);
	unsigned char *at = buf;
	struct extent run;
	int failed = 0;

	if (image->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without its backing "
			       "file");
	/* A run is not empty. */
	while (len) {
		size_t part;

		if (qed_tables_run(&image->tables, offset, len, &run, err))
			return -1;
		part = (size_t)run.length;
		if (run.kind == EXTENT_DATA)
			failed =
				source_read_all(image->tables.source, at, part,
						run.place, "data cluster", err);
		else if (run.kind == EXTENT_HOLE)
			failed = read_below(image, at, part, offset, err);
		else
			memset(at, 0, part);
		if (failed)
			return -1;
		at += part;
		len -= part;
		offset += part;
	}
	return 0;
}

static int qed_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct qed_disk *image = self(disk);

	if (qed_tables_run(&image->tables, offset, limit, out, err))
		return -1;
	if (out->kind == EXTENT_DATA) {
		out->source = image->tables.source;
		out->stored = out->length;
		return 0;
	}
	if (out->kind == EXTENT_ZERO || !image->backing ||
	    offset >= image->backing->size)
		return 0;
	limit = min_u64(out->length, image->backing->size - offset);
	if (disk_extent(image->backing, offset, limit, out, err))
		return err_in(err, "backing file");
	return 0;
}

static void qed_disk_info(struct disk *disk, struct facts *facts)
{
	qed_info(&self(disk)->header, facts);
}

static int qed_finish(struct disk *disk, struct err *err)
{
	struct qed_disk *image = self(disk);

	if (image->backing && (disk_finish(image->backing, err) ||
			       (image->backing_source &&
				source_finish(image->backing_source, err))))
		return err_in(err, "backing file");
	return 0;
}

static void qed_close(struct disk *disk)
{
	struct qed_disk *image = self(disk);

	disk_close(image->backing);
	source_close(image->backing_source);
	qed_tables_close(&image->tables);
	free(image);
}

static const struct disk_ops qed_ops = {
	.read = qed_read,
	.extent = qed_extent,
	.info = qed_disk_info,
	.finish = qed_finish,
	.close = qed_close,
};

static int open_backing(struct qed_disk *image,
			const struct open_options *options, struct err *err)
{
	const struct qed_header *header = &image->header;
	const char *format = header->features & QED_F_NO_PROBE ? "raw" : NULL;

	if (!(header->features & QED_F_BACKING_FILE))
		return 0;
	image->incomplete = options->metadata_only;
	if (image->incomplete)
		return 0;
	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "backing file %s is not followed without "
			       "--allow-references",
			       header->backing);
	image->backing = options->references->open_disk(
		options->references, header->backing, format,
		&image->backing_source, err);
	if (!image->backing)
		return err_in(err, "backing file %s", header->backing);
	return 0;
}

/* "Consistency checking" is mandatory for such an image. */
static int check_unclean(const struct qed_disk *image, struct source *source,
			 struct log *log, struct err *err)
{
	const struct unclean unclean = {
		.format = "qed",
		.tables = "mapping",
		.check = qed_tables_check,
		.image = &image->header,
	};

	if (!(image->header.features & QED_F_NEED_CHECK))
		return 0;
	return unclean_check(&unclean, source, log, err);
}

struct disk *qed_open(struct source *source, const struct open_options *options,
		      struct err *err)
{
	struct qed_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &qed_ops, "qed");
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "QED has no snapshots, so no %s",
			options->snapshot);
		return NULL;
	}
	if (qed_header_read(source, &image->header, err))
		return NULL;
	if (!options->metadata_only &&
	    check_unclean(image, source, options->log, err))
		return NULL;
	if (qed_tables_open(&image->tables, &image->header, source,
			    options->memory, err) ||
	    open_backing(image, options, err))
		return NULL;
	disk->size = image->header.size;
	disk->granule = image->header.cluster_size;
	return STEAL(disk);
}

int qed_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	AUTO_FREE struct qed_header *header = mem_zalloc(sizeof *header);

	if (qed_header_read(source, header, err))
		return -1;
	if (header->features & QED_F_NEED_CHECK)
		log_note(options->log,
			 "qed: the image was not closed properly");
	return qed_tables_check(source, header, report, err);
}
