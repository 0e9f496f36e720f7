/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of VMDK: reads and extents over the image's parts, and
 * what lies under them in a parent. Does not know how a part is stored.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

static struct vmdk_image *self(struct disk *disk)
{
	return (struct vmdk_image *)disk;
}

/* The part that holds `offset`; there is one for each below the size. */
static struct vmdk_extent *find(struct vmdk_image *image, uint64_t offset)
{
	size_t low = 0, high = image->opened;

	/* Ends: the distance is halved. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (image->extents[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &image->extents[low];
}

/* Nothing stored: the parent has it, as far as it reaches. */
static int read_below(struct vmdk_image *image, unsigned char *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	size_t below = 0;

	if (image->parent && offset < image->parent->size)
		below = (size_t)min_u64(len, image->parent->size - offset);
	if (below && disk_read(image->parent, buf, below, offset, err))
		return err_in(err, "parent %s", image->descriptor.parent);
	memset(buf + below, 0, len - below);
	return 0;
}

static int read_sparse(struct vmdk_image *image, struct vmdk_extent *extent,
		       unsigned char *buf, size_t len, uint64_t within,
		       struct err *err)
{
	struct vmdk_run run;
	int status = 0;

	/* Each turn reads a run, which is not empty. */
	for (; len && !status; len -= (size_t)run.length) {
		if (vmdk_map_run(&extent->map, within, len, &run, err))
			return -1;
		switch (run.kind) {
		case VMDK_PLAIN:
			status = source_read_all(extent->source, buf,
						 (size_t)run.length, run.place,
						 "grain", err);
			break;
		case VMDK_PACKED:
			status = vmdk_map_unpack(&extent->map, &run, buf, err);
			break;
		case VMDK_READS_ZERO:
			memset(buf, 0, (size_t)run.length);
			break;
		case VMDK_UNALLOCATED:
			status = read_below(image, buf, (size_t)run.length,
					    extent->start + within, err);
			break;
		}
		buf += run.length;
		within += run.length;
	}
	return status;
}

/* What went wrong in a part is said with the file's name. */
static int in_extent(const struct vmdk_image *image,
		     const struct vmdk_extent *extent, struct err *err)
{
	size_t index = (size_t)(extent - image->extents);

	return extent->own ? err_in(err, "extent %s",
				    image->descriptor.lines[index].name)
			   : -1;
}

static int vmdk_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	struct vmdk_image *image = self(disk);
	unsigned char *at = buf;

	if (image->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without the files it "
			       "refers to");
	/* Each turn takes from a part what is asked of it: not nothing. */
	while (len) {
		struct vmdk_extent *extent = find(image, offset);
		uint64_t within = offset - extent->start;
		size_t part = (size_t)min_u64(len, extent->size - within);
		int status = 0;

		if (extent->type == VMDK_LINE_ZERO)
			memset(at, 0, part);
		else if (extent->type == VMDK_LINE_FLAT)
			status = source_read_all(extent->source, at, part,
						 extent->offset + within,
						 "data", err);
		else
			status = read_sparse(image, extent, at, part, within,
					     err);
		if (status)
			return in_extent(image, extent, err);
		at += part;
		len -= part;
		offset += part;
	}
	return 0;
}

static int extent_below(struct vmdk_image *image, uint64_t offset,
			uint64_t length, struct extent *out, struct err *err)
{
	out->kind = EXTENT_HOLE;
	if (!image->parent || offset >= image->parent->size)
		return 0;
	if (disk_extent(image->parent, offset,
			min_u64(length, image->parent->size - offset), out,
			err))
		return err_in(err, "parent %s", image->descriptor.parent);
	return 0;
}

/* A part of a compressed grain has no place of its own; nor does a last one
 * that the disk's end cuts, for those who decode it would expect its length.
 * Without markers the end of one is not known. */
static int packed_extent(struct vmdk_extent *extent,
			 const struct vmdk_run *run, struct extent *out,
			 struct err *err)
{
	struct packed_chunk chunk;

	out->kind = EXTENT_DATA;
	if (run->length < extent->map.header.grain ||
	    !extent->map.header.markers)
		return 0;
	if (vmdk_map_chunk(&extent->map, run, &chunk, err))
		return -1;
	out->source = extent->source;
	out->encoding = ENCODING_ZLIB;
	out->place = chunk.place;
	out->stored = chunk.stored;
	return 0;
}

static int sparse_extent(struct vmdk_image *image, struct vmdk_extent *extent,
			 uint64_t within, uint64_t limit, struct extent *out,
			 struct err *err)
{
	struct vmdk_run run;

	if (vmdk_map_run(&extent->map, within, limit, &run, err))
		return -1;
	out->length = run.length;
	switch (run.kind) {
	case VMDK_UNALLOCATED:
		return extent_below(image, extent->start + within, run.length,
				    out, err);
	case VMDK_READS_ZERO:
		out->kind = EXTENT_ZERO;
		return 0;
	case VMDK_PLAIN:
		out->kind = EXTENT_DATA;
		out->source = extent->source;
		out->place = run.place;
		out->stored = run.length;
		return 0;
	case VMDK_PACKED:
		break;
	}
	return packed_extent(extent, &run, out, err);
}

static int vmdk_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		       struct extent *out, struct err *err)
{
	struct vmdk_image *image = self(disk);
	struct vmdk_extent *extent;
	uint64_t within;
	int status = 0;

	if (image->incomplete)
		return err_set(err, ERR_BUG,
			       "extent of an image opened without the files "
			       "it refers to");
	extent = find(image, offset);
	within = offset - extent->start;
	limit = min_u64(limit, extent->size - within);
	*out = (struct extent){ .offset = offset, .length = limit };
	if (extent->type == VMDK_LINE_ZERO)
		out->kind = EXTENT_ZERO;
	else if (extent->type == VMDK_LINE_FLAT)
		status = source_extent(extent->source, extent->offset + within,
				       limit, out, err);
	else
		status = sparse_extent(image, extent, within, limit, out, err);
	return status ? in_extent(image, extent, err) : 0;
}

static void vmdk_disk_info(struct disk *disk, struct facts *facts)
{
	vmdk_info(self(disk), facts);
}

static int vmdk_finish(struct disk *disk, struct err *err)
{
	struct vmdk_image *image = self(disk);

	for (size_t i = 0; i < image->opened; i++)
		if (image->extents[i].own && image->extents[i].source &&
		    source_finish(image->extents[i].source, err))
			return in_extent(image, &image->extents[i], err);
	if (image->parent && (disk_finish(image->parent, err) ||
			      (image->parent_source &&
			       source_finish(image->parent_source, err))))
		return err_in(err, "parent %s", image->descriptor.parent);
	return 0;
}

static void vmdk_close(struct disk *disk)
{
	vmdk_image_clear(self(disk));
	free(disk);
}

static const struct disk_ops vmdk_ops = {
	.read = vmdk_read,
	.extent = vmdk_extent,
	.info = vmdk_disk_info,
	.finish = vmdk_finish,
	.close = vmdk_close,
};

static void note_state(const struct vmdk_image *image, struct log *log)
{
	if (image->has_header && image->header.unclean)
		log_note(log, "vmdk: the image was not closed properly: what "
			      "was written last may be missing");
}

static int open_all(struct vmdk_image *image, struct source *source,
		    const struct open_options *options, struct err *err)
{
	const char *parent;

	if (vmdk_image_load(image, source, options->name, err) ||
	    vmdk_descriptor_parent(&image->descriptor, &parent, err))
		return -1;
	note_state(image, options->log);
	/* For info and check it is enough to know the names. */
	image->incomplete =
		options->metadata_only &&
		(parent || (!image->alone &&
			    vmdk_descriptor_refers(&image->descriptor)));
	if (image->incomplete)
		return 0;
	if (vmdk_image_extents(image, source, options, err))
		return -1;
	return parent ? vmdk_image_parent(image, parent, options, err) : 0;
}

struct disk *vmdk_open(struct source *source,
		       const struct open_options *options, struct err *err)
{
	struct vmdk_image *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &vmdk_ops, "vmdk");
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"snapshots are images of their own, so there is no %s "
			"in this one", options->snapshot);
		return NULL;
	}
	if (open_all(image, source, options, err))
		return NULL;
	disk->size = image->descriptor.size;
	disk->sector_size = VMDK_SECTOR;
	/* Grains of one sector (COWD) are joined as far as they go. */
	for (size_t i = 0; i < image->opened; i++)
		disk->granule = (uint32_t)max_u64(
			disk->granule, image->extents[i].map.header.grain);
	return STEAL(disk);
}
