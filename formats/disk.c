/* SPDX-License-Identifier: MIT */
/* Owns the gateway to disks: every range is checked here, and every answer of
 * a driver, so that drivers stay naive. Does not know any format. */
#include "formats/disk.h"

#include <string.h>

#include "base/checked.h"

void disk_init(struct disk *disk, const struct disk_ops *ops,
	       const char *format)
{
	memset(disk, 0, sizeof *disk);
	disk->ops = ops;
	disk->format = format;
	disk->sector_size = 512;
	disk->granule = 4096;
}

int disk_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
	      struct err *err)
{
	if (!checked_inside(offset, len, disk->size))
		return err_set(err, ERR_BUG,
			       "read of %zu bytes at %llu of a disk of %llu",
			       len, (unsigned long long)offset,
			       (unsigned long long)disk->size);
	if (!len)
		return 0;
	return disk->ops->read(disk, buf, len, offset, err);
}

/* What the driver said is made consistent, or is a bug of the driver. */
static int check_extent(const struct disk *disk, uint64_t offset,
			uint64_t limit, struct extent *out, struct err *err)
{
	if (!out->length)
		return err_set(err, ERR_BUG, "%s: empty extent at %llu",
			       disk->format, (unsigned long long)offset);
	out->offset = offset;
	if (out->length > limit) {
		out->length = limit;
		if (out->encoding == ENCODING_PLAIN)
			out->stored = limit;
	}
	if (out->kind != EXTENT_DATA) {
		out->source = NULL;
		out->place = 0;
		out->stored = 0;
		out->encoding = ENCODING_PLAIN;
	}
	return 0;
}

int disk_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		struct extent *out, struct err *err)
{
	if (offset >= disk->size || !limit)
		return err_set(err, ERR_BUG, "extent at %llu of a disk of %llu",
			       (unsigned long long)offset,
			       (unsigned long long)disk->size);
	limit = min_u64(limit, disk->size - offset);
	memset(out, 0, sizeof *out);
	out->offset = offset;
	if (disk->ops->extent(disk, offset, limit, out, err))
		return -1;
	return check_extent(disk, offset, limit, out, err);
}

void disk_info(struct disk *disk, struct facts *facts)
{
	if (disk->ops->info)
		disk->ops->info(disk, facts);
}

int disk_finish(struct disk *disk, struct err *err)
{
	return disk->ops->finish ? disk->ops->finish(disk, err) : 0;
}

struct disk *disk_close(struct disk *disk)
{
	if (disk)
		disk->ops->close(disk);
	return NULL;
}

void disk_close_pointer(struct disk **disk)
{
	*disk = disk_close(*disk);
}
