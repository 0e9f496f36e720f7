/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of qcow2: opening an image with the files it refers to,
 * reads and extents. Does not decide which references are followed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow2/qcow2.h"

struct qcow2_disk {
	struct disk disk;
	struct qcow2_header header;
	struct qcow2_snapshots snapshots;
	struct qcow2_tables tables;
	struct packed *packed;
	struct source *data;	  /* where plain clusters lie; borrowed */
	struct source *data_file; /* ours, or NULL */
	struct disk *backing;	  /* ours, or NULL */
	struct source *backing_source;
	bool incomplete; /* references were left out: for info and check */
};

static struct qcow2_disk *self(struct disk *disk)
{
	return (struct qcow2_disk *)disk;
}

/* A compressed cluster takes two clusters at most. */
struct packed *qcow2_packed_open(const struct qcow2_header *header,
				 struct source *source)
{
	return packed_open(source, "compressed cluster",
			   (size_t)header->cluster_size * 2,
			   header->cluster_size);
}

int qcow2_packed_read(struct packed *packed, const struct qcow2_header *header,
		      const struct qcow2_run *run, void *buf, size_t len,
		      struct err *err)
{
	const struct packed_chunk chunk = {
		.codec = header->compression ? BLOCK_ZSTD : BLOCK_DEFLATE,
		.place = run->place,
		.stored = (size_t)run->stored,
		.length = header->cluster_size,
	};

	return packed_read(packed, &chunk, run->skip, buf, len, err);
}

/* Unallocated: the backing disk has it, as far as it reaches. */
static int read_below(struct qcow2_disk *image, unsigned char *buf, size_t len,
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

static int read_run(struct qcow2_disk *image, const struct qcow2_run *run,
		    unsigned char *buf, struct err *err)
{
	size_t len = (size_t)run->length;

	switch (run->kind) {
	case QCOW2_PLAIN:
		return source_read_all(image->data, buf, len, run->place,
				       "cluster", err);
	case QCOW2_PACKED:
		return qcow2_packed_read(image->packed, &image->header, run,
					 buf, len, err);
	case QCOW2_READS_ZERO:
		memset(buf, 0, len);
		return 0;
	case QCOW2_UNALLOCATED:
		break;
	}
	return read_below(image, buf, len, run->offset, err);
}

static int qcow2_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		      struct err *err)
{
	struct qcow2_disk *image = self(disk);
	unsigned char *at = buf;
	struct qcow2_run run;

	if (image->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without the files or "
			       "the key it needs");
	while (len) {
		if (qcow2_tables_run(&image->tables, offset, len, &run, err) ||
		    read_run(image, &run, at, err))
			return -1;
		at += run.length;
		len -= (size_t)run.length;
		offset += run.length;
	}
	return 0;
}

static int extent_below(struct qcow2_disk *image, const struct qcow2_run *run,
			struct extent *out, struct err *err)
{
	out->kind = EXTENT_HOLE;
	if (!image->backing || run->offset >= image->backing->size)
		return 0;
	if (disk_extent(
		    image->backing, run->offset,
		    min_u64(run->length, image->backing->size - run->offset),
		    out, err))
		return err_in(err, "backing file");
	return 0;
}

static int qcow2_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			struct extent *out, struct err *err)
{
	struct qcow2_disk *image = self(disk);
	struct qcow2_run run;

	if (qcow2_tables_run(&image->tables, offset, limit, &run, err))
		return -1;
	*out = (struct extent){ .offset = offset, .length = run.length };
	switch (run.kind) {
	case QCOW2_UNALLOCATED:
		return extent_below(image, &run, out, err);
	case QCOW2_READS_ZERO:
		out->kind = EXTENT_ZERO;
		return 0;
	case QCOW2_PLAIN:
		out->kind = EXTENT_DATA;
		out->source = image->data;
		out->place = run.place;
		out->stored = run.length;
		return 0;
	case QCOW2_PACKED:
		break;
	}
	out->kind = EXTENT_DATA;
	/* A part of a compressed cluster has no place of its own; nor does a
	 * last one that the disk's end cuts, for those who decode it would
	 * expect its length. */
	if (run.length < image->header.cluster_size)
		return 0;
	out->source = image->tables.source;
	out->encoding =
		image->header.compression ? ENCODING_ZSTD : ENCODING_DEFLATE;
	out->place = run.place;
	out->stored = run.stored;
	return 0;
}

static void qcow2_disk_info(struct disk *disk, struct facts *facts)
{
	qcow2_info(&self(disk)->header, &self(disk)->snapshots, facts);
}

static int qcow2_finish(struct disk *disk, struct err *err)
{
	struct qcow2_disk *image = self(disk);

	if (image->backing && (disk_finish(image->backing, err) ||
			       (image->backing_source &&
				source_finish(image->backing_source, err))))
		return err_in(err, "backing file");
	if (image->data_file && source_finish(image->data_file, err))
		return err_in(err, "data file");
	return 0;
}

static void qcow2_close(struct disk *disk)
{
	struct qcow2_disk *image = self(disk);

	disk_close(image->backing);
	source_close(image->backing_source);
	source_close(image->data_file);
	packed_close(image->packed);
	qcow2_tables_close(&image->tables);
	qcow2_snapshots_clear(&image->snapshots);
	free(image);
}

static const struct disk_ops qcow2_ops = {
	.read = qcow2_read,
	.extent = qcow2_extent,
	.info = qcow2_disk_info,
	.finish = qcow2_finish,
	.close = qcow2_close,
};

static int open_backing(struct qcow2_disk *image,
			const struct open_options *options, struct err *err)
{
	const struct qcow2_header *header = &image->header;
	const char *format =
		header->backing_format[0] ? header->backing_format : NULL;

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

static int open_data_file(struct qcow2_disk *image,
			  const struct open_options *options, struct err *err)
{
	const char *name = image->header.data_file;

	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "data file %s is not followed without "
			       "--allow-references",
			       name);
	image->data_file = options->references->open_source(options->references,
							    name, err);
	if (!image->data_file)
		return err_in(err, "data file %s", name);
	if (!image->data_file->seekable)
		return err_set(err, ERR_UNSUPPORTED,
			       "data file %s cannot be read at random", name);
	image->data = image->data_file;
	image->tables.view.data_size = image->data_file->size;
	return 0;
}

static int open_references(struct qcow2_disk *image,
			   const struct open_options *options, struct err *err)
{
	const struct qcow2_header *header = &image->header;

	image->tables.view.external = header->has_data_file;
	if (header->has_data_file && open_data_file(image, options, err))
		return -1;
	return header->has_backing ? open_backing(image, options, err) : 0;
}

/* For info and check it is enough to know the names. */
static void skip_references(struct qcow2_disk *image)
{
	image->tables.view.external = image->header.has_data_file;
	if (image->header.has_data_file)
		image->tables.view.data_size = UINT64_MAX;
	image->incomplete = image->header.has_data_file ||
			    image->header.has_backing || image->header.crypt;
}

static int open_tables(struct qcow2_disk *image, struct source *source,
		       const struct open_options *options, struct err *err)
{
	const struct qcow2_snapshot *snapshot = NULL;

	if (qcow2_header_read(source,
			      options->metadata_only ? QCOW2_FOR_LOOKING
						     : QCOW2_FOR_READING,
			      &image->header, err) ||
	    qcow2_snapshots_read(source, &image->header, &image->snapshots,
				 err))
		return -1;
	if (image->header.incompatible & QCOW2_INCOMPAT_DIRTY)
		log_note(options->log,
			 "qcow2: the image was not closed properly: its "
			 "reference counts may be stale, its content is not "
			 "affected");
	if (options->snapshot) {
		snapshot = qcow2_snapshots_find(&image->snapshots,
						options->snapshot, err);
		if (!snapshot)
			return -1;
	}
	if (qcow2_tables_open(&image->tables, &image->header, snapshot, source,
			      options->memory, err))
		return snapshot ? err_in(err, "snapshot %s", snapshot->name)
				: -1;
	return 0;
}

struct disk *qcow2_open(struct source *source,
			const struct open_options *options, struct err *err)
{
	struct qcow2_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &qcow2_ops, "qcow2");
	image->data = source;
	if (open_tables(image, source, options, err))
		return NULL;
	disk->size = image->tables.view.size;
	disk->sector_size = 512;
	disk->granule = image->header.cluster_size;
	image->packed = qcow2_packed_open(&image->header, source);
	if (options->metadata_only)
		skip_references(image);
	else if (open_references(image, options, err))
		return NULL;
	return STEAL(disk);
}
