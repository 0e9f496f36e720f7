/* SPDX-License-Identifier: MIT */
/* Owns the inspections of one or two images. How layers come off is
 * tagging's, what bytes mean is formats/'s. */
#include "transforms/inspect.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "transforms/archive_facts.h"
#include "transforms/layer.h"

#define MAP_BATCH 256

/* The bytes inside all compressions. */
static struct source *inside(const struct inspected *image)
{
	return image->depth ? image->stack[image->depth - 1] : image->source;
}

static int unwrap(struct inspected *image, struct err *err)
{
	bool bare = !image->image->layers && image->source->seekable &&
		    !image->expect;

	if (image->depth || bare)
		return 0;
	return tagging_unwrap(image->source, image->image, image->expect,
			      image->about->max_size, image->spool_fd,
			      image->stack, &image->depth, err);
}

static struct open_options options_of(const struct inspected *image,
				      bool metadata_only)
{
	const struct protocol_input *about = image->about;

	return (struct open_options){
		.references = image->references,
		.log = image->log,
		.name = *about->name ? about->name : NULL,
		.member = *about->member ? about->member : NULL,
		.metadata_only = metadata_only,
	};
}

int inspect_open(struct inspected *image, bool metadata_only, struct err *err)
{
	const struct driver *driver = driver_by_name(image->image->format);
	struct open_options options = options_of(image, metadata_only);

	if (!driver || !driver->open)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s images cannot be looked into; convert it "
			       "first", image->image->format);
	if (*image->about->snapshot)
		options.snapshot = image->about->snapshot;
	if (unwrap(image, err) < 0)
		return -1;
	image->disk = driver->open(inside(image), &options, err);
	return image->disk ? 0 : err_in(err, "%s", driver->name);
}

void inspect_close(struct inspected *image)
{
	image->disk = disk_close(image->disk);
	while (image->depth)
		source_close(image->stack[--image->depth]);
}

int inspect_info(struct inspected *image, struct facts *facts,
		 struct err *err)
{
	const struct image_layer *outermost = image->image->layer;

	memset(facts, 0, sizeof *facts);
	if (!image->source->seekable)
		return 0;
	/* A stream would have to be unpacked for a few numbers more. */
	if (image->image->native && image_at_random(image->image)) {
		if (inspect_open(image, true, err) < 0)
			return -1;
		disk_info(image->disk, facts);
	}
	/* Last, so that the image's own have room. */
	if (image->image->layers && layer_is_archive(outermost->tag) &&
	    archive_facts(outermost->tag, image->source, facts, err) < 0)
		return err_in(err, "%s", outermost->tag);
	return 0;
}

static void describe(const struct inspected *image,
		     const struct extent *extent, struct protocol_extent *out)
{
	*out = (struct protocol_extent){ .offset = extent->offset,
					 .length = extent->length,
					 .kind = extent->kind,
					 .encoding = extent->encoding };
	if (extent->kind != EXTENT_DATA || !extent->source)
		return;
	out->placed = true;
	out->place = extent->place;
	out->stored = extent->stored;
	/* Which file, if it is another one: backing or data file. */
	if (extent->source != inside(image))
		snprintf(out->file, sizeof out->file, "another file");
}

int inspect_map(struct inspected *image,
		void (*emit)(void *opaque, const struct protocol_extent *list,
			     unsigned count),
		void *opaque, struct err *err)
{
	AUTO_FREE struct protocol_extent *batch =
		mem_zalloc(MAP_BATCH * sizeof *batch);
	struct extent extent;
	unsigned count = 0;

	if (inspect_open(image, false, err) < 0)
		return -1;
	/* Ends: each extent is at least a byte long. */
	for (uint64_t at = 0; at < image->disk->size; at += extent.length) {
		if (disk_extent(image->disk, at, image->disk->size - at,
				&extent, err) < 0)
			return err_in(err, "%s", image->image->format);
		describe(image, &extent, &batch[count++]);
		if (count == MAP_BATCH) {
			emit(opaque, batch, count);
			count = 0;
		}
	}
	if (count)
		emit(opaque, batch, count);
	return 0;
}

static int verify(const struct inspected *image, struct err *err)
{
	for (unsigned i = image->depth; i; i--)
		if (digest_source_is(image->stack[i - 1]) &&
		    source_finish(image->stack[i - 1], err) < 0)
			return -1;
	return 0;
}

int inspect_check(struct inspected *image, struct check_report *report,
		  struct err *err)
{
	const struct driver *driver = driver_by_name(image->image->format);
	struct open_options options = options_of(image, true);

	bool opens = driver && driver->open;

	if (!opens && !image->expect)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s images cannot be checked",
			       image->image->format);
	if (unwrap(image, err) < 0 || verify(image, err) < 0)
		return -1;
	if (!opens || !driver->check)
		return source_finish(inside(image), err);
	if (driver->check(inside(image), &options, report, err) < 0)
		return err_in(err, "%s", driver->name);
	return source_finish(inside(image), err);
}

/* The first difference in `len` equal-offset bytes, or `len`. */
static size_t first_difference(const unsigned char *a, const unsigned char *b,
			       size_t len)
{
	size_t at = 0;

	if (!memcmp(a, b, len))
		return len;
	while (at < len && a[at] == b[at])
		at++;
	return at;
}

/* How far both are known to read as zero from `at` on; 0: not at all. */
static int both_zero(struct disk *a, struct disk *b, uint64_t at,
		     uint64_t *length, struct err *err)
{
	uint64_t end = max_u64(a->size, b->size), run = end - at;
	struct disk *disks[] = { a, b };
	struct extent extent;

	*length = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (at >= disks[i]->size)
			continue; /* beyond its end: zeros */
		if (disk_extent(disks[i], at, disks[i]->size - at, &extent,
				err) < 0)
			return -1;
		if (extent.kind == EXTENT_DATA)
			return 0;
		run = min_u64(run, at + extent.length == disks[i]->size
					   ? run : extent.length);
	}
	*length = run;
	return 0;
}

/* `len` bytes at `at`, zeros beyond the end. */
static int read_padded(struct disk *disk, unsigned char *buf, size_t len,
		       uint64_t at, struct err *err)
{
	size_t have = at < disk->size
			      ? (size_t)min_u64(len, disk->size - at)
			      : 0;

	memset(buf + have, 0, len - have);
	return have ? disk_read(disk, buf, have, at, err) : 0;
}

int inspect_compare(struct inspected *a, struct inspected *b,
		    struct protocol_done *done,
		    void (*progress)(void *opaque, uint64_t done,
				     uint64_t total),
		    void *opaque, struct err *err)
{
	AUTO_FREE unsigned char *left = mem_buffer(UNIT_LEN);
	AUTO_FREE unsigned char *right = mem_buffer(UNIT_LEN);
	uint64_t end, zeros;

	if (inspect_open(a, false, err) < 0 || inspect_open(b, false, err) < 0)
		return -1;
	done->size_a = a->disk->size;
	done->size_b = b->disk->size;
	end = max_u64(done->size_a, done->size_b);
	for (uint64_t at = 0; at < end;) {
		if (both_zero(a->disk, b->disk, at, &zeros, err) < 0)
			return -1;
		if (zeros) {
			at += zeros;
			continue;
		}
		size_t len = (size_t)min_u64(UNIT_LEN, end - at);
		if (read_padded(a->disk, left, len, at, err) < 0 ||
		    read_padded(b->disk, right, len, at, err) < 0)
			return -1;
		size_t same = first_difference(left, right, len);
		if (same < len) {
			done->differs = true;
			done->difference = at + same;
			return 0;
		}
		at += len;
		progress(opaque, at, end);
	}
	if (disk_finish(a->disk, err) < 0)
		return -1;
	return disk_finish(b->disk, err);
}
