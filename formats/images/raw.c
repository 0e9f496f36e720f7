/* SPDX-License-Identifier: MIT */
/*
 * Owns the raw format: the file's bytes are the guest's bytes. Does not look
 * at what they mean, and keeps any size, whole sectors or not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/driver.h"

extern const struct driver driver_raw;

struct raw_disk {
	struct disk disk;
	struct source *source;
};

static int raw_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct raw_disk *raw = (struct raw_disk *)disk;

	return source_read_all(raw->source, buf, len, offset, "data", err);
}

static int raw_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct raw_disk *raw = (struct raw_disk *)disk;

	return source_extent(raw->source, offset, limit, out, err);
}

static int raw_disk_finish(struct disk *disk, struct err *err)
{
	return source_finish(((struct raw_disk *)disk)->source, err);
}

static void raw_disk_close(struct disk *disk)
{
	free(disk);
}

static const struct disk_ops disk_ops = {
	.read = raw_read,
	.extent = raw_extent,
	.finish = raw_disk_finish,
	.close = raw_disk_close,
};

static struct disk *raw_open(struct source *source,
			     const struct open_options *options,
			     struct err *err)
{
	if (driver_no_snapshots(options, err))
		return NULL;
	if (!source->seekable || !source->size_known) {
		err_set(err, ERR_BUG, "raw: opened at random on a stream");
		return NULL;
	}
	struct raw_disk *raw = mem_zalloc(sizeof *raw);

	disk_init(&raw->disk, &disk_ops, driver_raw.name);
	raw->source = source;
	raw->disk.size = source->size;
	return &raw->disk;
}

struct raw_walk {
	struct walk walk;
	struct source *source;
	uint64_t position;
};

static int raw_next(struct walk *walk, void *buf, size_t len,
		    struct walk_piece *out, struct err *err)
{
	struct raw_walk *raw = (struct raw_walk *)walk;
	size_t got;

	if (source_read(raw->source, buf, len, raw->position, &got, err))
		return -1;
	if (!got)
		return source_finish(raw->source, err);
	out->offset = raw->position;
	out->length = out->stored = got;
	out->kind = EXTENT_DATA;
	raw->position += got;
	return 1;
}

static void raw_walk_close(struct walk *walk)
{
	free(walk);
}

static const struct walk_ops walk_ops = { .next = raw_next,
					  .close = raw_walk_close };

static struct walk *raw_walk(struct source *stream,
			     const struct open_options *options, int spool_fd,
			     struct err *err)
{
	(void)spool_fd; /* the bytes come in order: nothing to keep */
	if (driver_no_snapshots(options, err))
		return NULL;
	struct raw_walk *raw = mem_zalloc(sizeof *raw);

	walk_init(&raw->walk, &walk_ops, driver_raw.name);
	raw->walk.ordered = true;
	raw->walk.size_known = stream->size_known;
	raw->walk.size = stream->size_known ? stream->size : 0;
	raw->source = stream;
	return &raw->walk;
}

enum preallocation { PREALLOCATE_OFF, PREALLOCATE_FALLOC, PREALLOCATE_FULL };

struct raw_writer {
	struct writer writer;
	enum preallocation preallocation;
	bool allocated; /* all of it, when it was made */
};

static const struct driver_option raw_options[] = {
	{ "preallocation", "off|falloc|full", "off",
	  "room for zeros: none, reserved, or written" },
	{ NULL, NULL, NULL, NULL }
};

static enum preallocation
parse_preallocation(const struct create_options *options)
{
	const char *value =
		create_option(options, raw_options, "preallocation");

	if (!strcmp(value, "falloc"))
		return PREALLOCATE_FALLOC;
	return strcmp(value, "full") ? PREALLOCATE_OFF : PREALLOCATE_FULL;
}

static enum sink_zero zero_how(const struct raw_writer *raw)
{
	static const enum sink_zero how[] = {
		[PREALLOCATE_OFF] = SINK_ZERO_SPARSE,
		[PREALLOCATE_FALLOC] = SINK_ZERO_ALLOCATE,
		[PREALLOCATE_FULL] = SINK_ZERO_WRITE,
	};

	return how[raw->preallocation];
}

static int raw_zero(struct writer *writer, uint64_t offset, uint64_t length,
		    enum extent_kind kind, struct err *err)
{
	struct raw_writer *raw = (struct raw_writer *)writer;

	(void)kind;
	/* Units placed earlier may still have to be stored: an append-only
	 * sink fills the gap when what comes after it is written. */
	if (!writer->sink->seekable || raw->allocated)
		return 0;
	return sink_zero(writer->sink, offset, length, zero_how(raw), err);
}

/* Data is stored where it is; runs are joined by unit_store. */
static int raw_place(struct writer *writer, struct unit *unit, struct err *err)
{
	struct raw_writer *raw = (struct raw_writer *)writer;

	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * writer->granule;
		size_t len = min_u64(writer->granule, unit->len - at);

		if (unit->granules[i].kind == EXTENT_DATA ||
		    raw->preallocation == PREALLOCATE_FULL)
			unit_store(unit, writer->sink, unit->offset + at,
				   unit->data + at, len);
		else if (raw_zero(writer, unit->offset + at, len, EXTENT_ZERO,
				  err))
			return -1;
	}
	return 0;
}

static int raw_reserve(struct writer *writer, uint64_t offset, uint64_t length,
		       uint64_t *place, struct err *err)
{
	(void)writer, (void)length, (void)err;
	*place = offset;
	return 0;
}

static int raw_finish(struct writer *writer, uint64_t size, struct err *err)
{
	uint64_t seen = writer->position;

	/* What was never mentioned: all of it when an empty image is made. */
	if (size > seen &&
	    raw_zero(writer, seen, size - seen, EXTENT_HOLE, err))
		return -1;
	return sink_finish(writer->sink, size, err);
}

static void raw_writer_close(struct writer *writer)
{
	free(writer);
}

static const struct writer_ops writer_ops = {
	.place = raw_place,
	.zero = raw_zero,
	.reserve = raw_reserve,
	.finish = raw_finish,
	.close = raw_writer_close,
};

static struct writer *raw_create(struct sink *sink,
				 const struct create_options *options,
				 struct err *err)
{
	struct raw_writer *raw = mem_zalloc(sizeof *raw);

	writer_init(&raw->writer, &writer_ops, driver_raw.name, sink);
	raw->writer.any_order = sink->seekable;
	raw->writer.head_last = sink->seekable;
	raw->preallocation = parse_preallocation(options);
	if (options->size_known)
		sink_expect(sink, options->size);
	/* Room for all of it at once: no room is found out before any work. */
	if (raw->preallocation == PREALLOCATE_FALLOC && sink->seekable &&
	    options->size_known) {
		if (sink_zero(sink, 0, options->size, SINK_ZERO_ALLOCATE,
			      err)) {
			free(raw);
			return NULL;
		}
		raw->allocated = true;
	}
	return &raw->writer;
}

static uint64_t raw_measure(const struct create_options *options, uint64_t size,
			    uint64_t data)
{
	return parse_preallocation(options) == PREALLOCATE_OFF
		       ? min_u64(data, size)
		       : size;
}

static const char *const raw_suffixes[] = { ".raw", ".img", NULL };

const struct driver driver_raw = {
	.name = "raw",
	.title = "plain bytes of the disk",
	.suffixes = raw_suffixes,
	.open = raw_open,
	.walk = raw_walk,
	.walk_usual = WALK_ORDERED,
	.create = raw_create,
	.options = raw_options,
	.measure = raw_measure,
};
