/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of VHD: opening an image with its parent, reads and
 * extents. Does not parse: footer.c and header.c do.
 *
 * A sector of an allocated block whose bit is clear is the parent's; without a
 * parent it was never written and reads as zero. The specification wants
 * zeros stored there, too, so programs that do not look at bitmaps (QEMU) see
 * the same; `check` finds images of which that is not so.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhd/vhd.h"
#include "formats/table_cache.h"

struct vhd_disk {
	struct disk disk;
	struct source *source; /* borrowed */
	struct vhd_footer footer;
	struct vhd_header header; /* not of a fixed disk, as all below */
	struct vhd_names names;
	uint32_t *table; /* an entry for each block of the disk */
	uint64_t blocks;
	struct table_cache *bitmaps;
	struct disk *parent; /* ours, or NULL */
	struct source *parent_source;
	/* Opened for its metadata: without its parent, if it has one. */
	bool glance;
};

/* Guest bytes of one kind. */
struct run {
	uint64_t offset, length;
	bool stored;		/* here; else in the parent, or nowhere */
	uint64_t bitmap, place; /* of stored ones: in the file */
};

static struct vhd_disk *self(struct disk *disk)
{
	return (struct vhd_disk *)disk;
}

/* Blocks that are nowhere, or (the rest of) one that is here. */
static int find_blocks(struct vhd_disk *image, uint64_t offset, uint64_t limit,
		       struct run *run, struct err *err)
{
	const struct vhd_header *header = &image->header;
	uint64_t index = offset / header->block_size;
	uint64_t within = offset % header->block_size, place;

	*run = (struct run){ .offset = offset };
	if (image->table[index] != VHD_UNUSED) {
		if (vhd_block_place(&image->footer, header, index,
				    image->table[index], &place, err))
			return -1;
		run->stored = true;
		run->bitmap = place;
		run->place = place + header->bitmap_len + within;
		run->length = min_u64(limit, header->block_size - within);
		return 0;
	}
	/* Ends: the length grows. */
	while (run->length < limit && index < image->blocks &&
	       image->table[index] == VHD_UNUSED)
		run->length = ++index * header->block_size - offset;
	run->length = min_u64(run->length, limit);
	return 0;
}

/* Only the first sectors of it, whose bits are alike. */
static int narrow(struct vhd_disk *image, struct run *run, struct err *err)
{
	uint64_t within = run->offset % image->header.block_size;
	uint64_t first = within / VHD_SECTOR, alike;
	uint64_t end = within + run->length;
	const unsigned char *bits;
	struct table_slot *slot;

	if (!run->stored)
		return 0;
	bits = table_cache_hold(image->bitmaps, run->bitmap, &slot, err);
	if (!bits)
		return -1;
	alike = vhd_bitmap_run(bits, first, div_up(end, VHD_SECTOR) - first,
			       &run->stored);
	table_cache_drop(image->bitmaps, slot);
	run->length = min_u64(end, (first + alike) * VHD_SECTOR) - within;
	return 0;
}

static int read_below(struct vhd_disk *image, const struct run *run,
		      unsigned char *buf, struct err *err)
{
	size_t len = (size_t)run->length, below = 0;

	if (image->parent && run->offset < image->parent->size)
		below = (size_t)min_u64(len, image->parent->size - run->offset);
	if (below && disk_read(image->parent, buf, below, run->offset, err))
		return err_in(err, "parent");
	memset(buf + below, 0, len - below);
	return 0;
}

static int vhd_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct vhd_disk *image = self(disk);
	unsigned char *at = buf;
	struct run run;

	if (image->glance && image->footer.type == VHD_DIFFERENCING)
		return err_set(err, ERR_BUG,
			       "read of an image opened without its parent");
	if (image->footer.type == VHD_FIXED)
		return source_read_all(image->source, buf, len, offset, "data",
				       err);
	while (len) {
		if (find_blocks(image, offset, len, &run, err) ||
		    narrow(image, &run, err))
			return -1;
		if (run.stored ? source_read_all(image->source, at,
						 (size_t)run.length, run.place,
						 "block", err)
			       : read_below(image, &run, at, err))
			return -1;
		at += run.length;
		len -= (size_t)run.length;
		offset += run.length;
	}
	return 0;
}

static int extent_below(struct vhd_disk *image, const struct run *run,
			struct extent *out, struct err *err)
{
	out->kind = EXTENT_HOLE;
	if (!image->parent || run->offset >= image->parent->size)
		return 0;
	if (disk_extent(image->parent, run->offset,
			min_u64(run->length, image->parent->size - run->offset),
			out, err))
		return err_in(err, "parent");
	return 0;
}

static int vhd_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct vhd_disk *image = self(disk);
	struct run run;

	if (image->footer.type == VHD_FIXED)
		return source_extent(image->source, offset, limit, out, err);
	/* A glance takes blocks as they are: there may be a bitmap every few
	 * MiB, and each would be a seek. */
	if (find_blocks(image, offset, limit, &run, err) ||
	    (!image->glance && narrow(image, &run, err)))
		return -1;
	*out = (struct extent){ .offset = offset, .length = run.length };
	if (!run.stored)
		return extent_below(image, &run, out, err);
	out->kind = EXTENT_DATA;
	out->source = image->source;
	out->place = run.place;
	out->stored = run.length;
	return 0;
}

static void vhd_disk_info(struct disk *disk, struct facts *facts)
{
	struct vhd_disk *image = self(disk);
	bool fixed = image->footer.type == VHD_FIXED;

	vhd_info(&image->footer, fixed ? NULL : &image->header,
		 fixed ? NULL : &image->names, facts);
}

static int vhd_finish(struct disk *disk, struct err *err)
{
	struct vhd_disk *image = self(disk);

	if (image->parent && (disk_finish(image->parent, err) ||
			      (image->parent_source &&
			       source_finish(image->parent_source, err))))
		return err_in(err, "parent");
	return 0;
}

static void vhd_close(struct disk *disk)
{
	struct vhd_disk *image = self(disk);

	disk_close(image->parent);
	source_close(image->parent_source);
	table_cache_close(image->bitmaps);
	vhd_names_clear(&image->names);
	free(image->table);
	free(image);
}

static const struct disk_ops vhd_ops = {
	.read = vhd_read,
	.extent = vhd_extent,
	.info = vhd_disk_info,
	.finish = vhd_finish,
	.close = vhd_close,
};

static int read_table(struct vhd_disk *image, struct err *err)
{
	const struct vhd_header *header = &image->header;

	image->blocks = div_up(image->footer.size, header->block_size);
	image->table = mem_capped(image->blocks, VHD_ENTRY_LEN, LIMIT_TABLE_LEN,
				  "the block table", err);
	if (!image->table ||
	    source_read_all(image->source, image->table,
			    image->blocks * VHD_ENTRY_LEN, header->table_offset,
			    "block table", err))
		return -1;
	for (uint64_t i = 0; i < image->blocks; i++)
		image->table[i] = bytes_be32(&image->table[i]);
	return 0;
}

static int open_dynamic(struct vhd_disk *image,
			const struct open_options *options, struct err *err)
{
	struct vhd_header *header = &image->header;

	if (vhd_header_read(image->source, &image->footer, header,
			    &image->names, err) ||
	    read_table(image, err))
		return -1;
	image->bitmaps = table_cache_open(image->source, "sector bitmap",
					  header->bitmap_len, options->memory);
	image->disk.granule =
		(uint32_t)min_u64(header->block_size, VHD_BLOCK_SIZE_USUAL);
	if (image->footer.type != VHD_DIFFERENCING)
		return 0;
	if (image->glance)
		return 0;
	image->parent = vhd_parent_open(header, &image->names, options,
					&image->parent_source, err);
	return image->parent ? 0 : -1;
}

struct disk *vhd_open(struct source *source, const struct open_options *options,
		      struct err *err)
{
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"a VHD has no snapshots, so no %s", options->snapshot);
		return NULL;
	}
	struct vhd_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &vhd_ops, "vhd");
	image->source = source;
	image->glance = options->metadata_only;
	if (vhd_footer_read(source, &image->footer, err))
		return NULL;
	vhd_footer_tell(&image->footer, options->log);
	if (!image->glance && vhd_footer_check_state(&image->footer, err))
		return NULL;
	disk->size = image->footer.size;
	disk->sector_size = VHD_SECTOR;
	if (image->footer.type != VHD_FIXED &&
	    open_dynamic(image, options, err))
		return NULL;
	return STEAL(disk);
}
