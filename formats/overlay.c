/* SPDX-License-Identifier: MIT */
/* Owns overlays of disks: edits and a size of their own over an image read at
 * random. Does not know why a guest is edited. */
#include "formats/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/patches.h"

struct overlay_disk {
	struct disk disk;
	struct disk *below;
	struct patches patches;
};

/* How far [offset, ...) is all of one origin: up to a patch's edge, or the
 * end of the disk below. `patch` is the one `offset` lies in, or NULL. */
static uint64_t same_origin(const struct overlay_disk *overlay, uint64_t offset,
			    uint64_t limit, const struct patch **patch)
{
	const struct patch *next = patches_next(&overlay->patches, offset);
	uint64_t below = overlay->below->size;

	*patch = NULL;
	if (next && next->offset <= offset) {
		*patch = next;
		return min_u64(limit, next->offset + next->len - offset);
	}
	if (next)
		limit = min_u64(limit, next->offset - offset);
	if (offset < below)
		limit = min_u64(limit, below - offset);
	return limit;
}

static int overlay_read(struct disk *disk, void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct overlay_disk *overlay = (struct overlay_disk *)disk;
	unsigned char *to = buf;

	/* Ends: same_origin gives at least one byte. */
	while (len) {
		const struct patch *patch;
		size_t part = same_origin(overlay, offset, len, &patch);

		if (patch)
			memcpy(to, patch->bytes + (offset - patch->offset),
			       part);
		else if (offset >= overlay->below->size)
			memset(to, 0, part);
		else if (disk_read(overlay->below, to, part, offset, err))
			return -1;
		to += part;
		len -= part;
		offset += part;
	}
	return 0;
}

static int overlay_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			  struct extent *out, struct err *err)
{
	struct overlay_disk *overlay = (struct overlay_disk *)disk;
	const struct patch *patch;

	limit = same_origin(overlay, offset, limit, &patch);
	if (!patch && offset < overlay->below->size) {
		if (disk_extent(overlay->below, offset, limit, out, err))
			return -1;
		/* A cluster cut by an edit is not what is stored. */
		if (out->encoding != ENCODING_PLAIN &&
		    limit % overlay->below->granule) {
			out->encoding = ENCODING_PLAIN;
			out->source = NULL;
			out->place = out->stored = 0;
		}
		return 0;
	}
	out->offset = offset;
	out->length = limit;
	out->kind = patch ? EXTENT_DATA : EXTENT_HOLE;
	out->stored = patch ? limit : 0;
	return 0;
}

static void overlay_info(struct disk *disk, struct facts *facts)
{
	disk_info(((struct overlay_disk *)disk)->below, facts);
}

static int overlay_finish(struct disk *disk, struct err *err)
{
	return disk_finish(((struct overlay_disk *)disk)->below, err);
}

static void overlay_close(struct disk *disk)
{
	struct overlay_disk *overlay = (struct overlay_disk *)disk;

	patches_clear(&overlay->patches);
	disk_close(overlay->below);
	free(overlay);
}

static const struct disk_ops overlay_ops = {
	.read = overlay_read,
	.extent = overlay_extent,
	.info = overlay_info,
	.finish = overlay_finish,
	.close = overlay_close,
};

struct disk *overlay_disk(struct disk *take_below, uint64_t size)
{
	struct overlay_disk *overlay = mem_zalloc(sizeof *overlay);

	disk_init(&overlay->disk, &overlay_ops, take_below->format);
	overlay->below = take_below;
	overlay->disk.size = size;
	overlay->disk.sector_size = take_below->sector_size;
	overlay->disk.granule = take_below->granule;
	return &overlay->disk;
}

int overlay_disk_put(struct disk *disk, uint64_t offset, const void *bytes,
		     size_t len, struct err *err)
{
	struct overlay_disk *overlay = (struct overlay_disk *)disk;

	return patches_put(&overlay->patches, disk->size, offset, bytes, len,
			   err);
}
