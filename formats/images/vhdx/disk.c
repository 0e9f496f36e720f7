/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of VHDX: opening an image with its parent, reads and
 * extents. Does not decide whether the parent may be followed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"

struct vhdx_disk {
	struct disk disk;
	struct vhdx_image image;
	struct vhdx_bat bat;
	struct disk *parent; /* ours, or NULL */
	struct source *parent_source;
	bool incomplete; /* the parent was left out: for info and check */
};

static struct vhdx_disk *self(struct disk *disk)
{
	return (struct vhdx_disk *)disk;
}

/* Not here: the parent has it, as far as it reaches. */
static int read_below(struct vhdx_disk *vhdx, unsigned char *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	size_t below = 0;

	if (vhdx->parent && offset < vhdx->parent->size)
		below = (size_t)min_u64(len, vhdx->parent->size - offset);
	if (below && disk_read(vhdx->parent, buf, below, offset, err))
		return err_in(err, "parent");
	memset(buf + below, 0, len - below);
	return 0;
}

static int read_run(struct vhdx_disk *vhdx, const struct vhdx_run *run,
		    unsigned char *buf, struct err *err)
{
	size_t len = (size_t)run->length;

	switch (run->kind) {
	case VHDX_DATA:
		return source_read_all(vhdx->image.view, buf, len, run->place,
				       "block", err);
	case VHDX_BELOW:
		return read_below(vhdx, buf, len, run->offset, err);
	case VHDX_HOLE:
	case VHDX_ZEROS:
	case VHDX_MIXED: /* never answered */
		break;
	}
	memset(buf, 0, len);
	return 0;
}

static int vhdx_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	struct vhdx_disk *vhdx = self(disk);
	unsigned char *at = buf;
	struct vhdx_run run;

	if (vhdx->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without its parent");
	/* Ends: a run is not empty. */
	while (len) {
		if (vhdx_bat_run(&vhdx->bat, offset, len, &run, err) ||
		    read_run(vhdx, &run, at, err))
			return -1;
		at += run.length;
		len -= (size_t)run.length;
		offset += run.length;
	}
	return 0;
}

static int extent_below(struct vhdx_disk *vhdx, const struct vhdx_run *run,
			struct extent *out, struct err *err)
{
	out->kind = EXTENT_HOLE;
	if (!vhdx->parent || run->offset >= vhdx->parent->size)
		return 0;
	if (disk_extent(vhdx->parent, run->offset,
			min_u64(run->length, vhdx->parent->size - run->offset),
			out, err))
		return err_in(err, "parent");
	return 0;
}

/* Stored: where, or as a hole of the file, which reads as zero. */
static int extent_stored(struct vhdx_disk *vhdx, const struct vhdx_run *run,
			 struct extent *out, struct err *err)
{
	if (source_extent(vhdx->image.view, run->place, run->length, out, err))
		return -1;
	out->offset = run->offset;
	if (out->kind != EXTENT_DATA)
		out->kind = EXTENT_ZERO;
	return 0;
}

static int vhdx_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		       struct extent *out, struct err *err)
{
	struct vhdx_disk *vhdx = self(disk);
	struct vhdx_run run;

	if (vhdx_bat_run(&vhdx->bat, offset, limit, &run, err))
		return -1;
	*out = (struct extent){ .offset = offset, .length = run.length };
	switch (run.kind) {
	case VHDX_DATA:
		return extent_stored(vhdx, &run, out, err);
	case VHDX_BELOW:
		return extent_below(vhdx, &run, out, err);
	case VHDX_ZEROS:
		out->kind = EXTENT_ZERO;
		return 0;
	case VHDX_HOLE:
	case VHDX_MIXED: /* never answered */
		break;
	}
	out->kind = EXTENT_HOLE;
	return 0;
}

static void vhdx_disk_info(struct disk *disk, struct facts *facts)
{
	vhdx_info(&self(disk)->image, facts);
}

static int vhdx_finish(struct disk *disk, struct err *err)
{
	struct vhdx_disk *vhdx = self(disk);

	if (vhdx->parent &&
	    (disk_finish(vhdx->parent, err) ||
	     (vhdx->parent_source && source_finish(vhdx->parent_source, err))))
		return err_in(err, "parent");
	return 0;
}

static void vhdx_close(struct disk *disk)
{
	struct vhdx_disk *vhdx = self(disk);

	disk_close(vhdx->parent);
	source_close(vhdx->parent_source);
	vhdx_bat_close(&vhdx->bat);
	vhdx_image_clear(&vhdx->image);
	free(vhdx);
}

static const struct disk_ops vhdx_ops = {
	.read = vhdx_read,
	.extent = vhdx_extent,
	.info = vhdx_disk_info,
	.finish = vhdx_finish,
	.close = vhdx_close,
};

/* 2.6.2.6.3: the parent is the right one when its DataWriteGuid is one of
 * those that the child knows: it was not written to since. */
static int check_linkage(const struct vhdx_locator *locator,
			 struct disk *parent, struct err *err)
{
	AUTO_FREE struct facts *facts = mem_zalloc(sizeof *facts);
	char wanted[VHDX_GUID_TEXT_LEN];
	const char *found = "none";

	disk_info(parent, facts);
	for (unsigned i = 0; i < facts->count; i++)
		if (!strcmp(facts->fact[i].name, VHDX_FACT_LINKAGE))
			found = facts->fact[i].text;
	for (unsigned i = 0; i < locator->linkages; i++)
		if (!strcmp(found, vhdx_guid_text(locator->linkage[i], wanted)))
			return 0;
	return err_set(err, ERR_DAMAGED,
		       "parent %s has the data write GUID %s, but %s is "
		       "wanted: it is another file, or was written to since",
		       locator->name, found,
		       vhdx_guid_text(locator->linkage[0], wanted));
}

static int open_parent(struct vhdx_disk *vhdx,
		       const struct open_options *options, struct err *err)
{
	const struct vhdx_locator *locator = &vhdx->image.metadata.locator;

	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "parent %s is not followed without "
			       "--allow-references",
			       locator->name);
	vhdx->parent = options->references->open_disk(
		options->references, locator->name, "vhdx",
		&vhdx->parent_source, err);
	if (!vhdx->parent)
		return err_in(err, "parent %s", locator->name);
	return check_linkage(locator, vhdx->parent, err);
}

struct disk *vhdx_open(struct source *source,
		       const struct open_options *options, struct err *err)
{
	struct vhdx_disk *vhdx = mem_zalloc(sizeof *vhdx);
	AUTO_DISK struct disk *disk = &vhdx->disk;
	const struct vhdx_metadata *metadata = &vhdx->image.metadata;

	disk_init(disk, &vhdx_ops, "vhdx");
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"has no snapshots inside, so no %s",
			options->snapshot);
		return NULL;
	}
	if (vhdx_image_open(&vhdx->image, source, options->log, err) ||
	    vhdx_bat_open(&vhdx->bat, &vhdx->image, options->memory, err))
		return NULL;
	disk->size = metadata->size;
	disk->sector_size = metadata->logical;
	disk->granule = MIB; /* blocks are plain: any reads are cheap */
	vhdx->incomplete = metadata->has_parent && options->metadata_only;
	if (metadata->has_parent && !options->metadata_only &&
	    open_parent(vhdx, options, err))
		return NULL;
	return STEAL(disk);
}
