/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of Parallels images, and what a BAT entry says. How the
 * BAT is looked up is block_map.h's.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/parallels/parallels.h"
#include "formats/unclean.h"

struct parallels_disk {
	struct disk disk;
	struct parallels_header header;
	struct block_map *map;
};

static struct parallels_disk *self(struct disk *disk)
{
	return (struct parallels_disk *)disk;
}

static int parallels_read(struct disk *disk, void *buf, size_t len,
			  uint64_t offset, struct err *err)
{
	return block_map_read(self(disk)->map, buf, len, offset, err);
}

static int parallels_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			    struct extent *out, struct err *err)
{
	return block_map_extent(self(disk)->map, offset, limit, out, err);
}

static void parallels_disk_info(struct disk *disk, struct facts *facts)
{
	parallels_info(&self(disk)->header, facts);
}

static void parallels_close(struct disk *disk)
{
	block_map_close(self(disk)->map);
	free(disk);
}

static const struct disk_ops parallels_ops = {
	.read = parallels_read,
	.extent = parallels_extent,
	.info = parallels_disk_info,
	.close = parallels_close,
};

/* "BAT": a place in sectors, in clusters for an extended image. The products
 * have less than 64 bits. */
static int parallels_entry(const void *image, uint64_t index, uint32_t entry,
			   enum extent_kind *kind, uint64_t *place,
			   struct err *err)
{
	const struct parallels_header *header = image;
	uint64_t unit =
		header->extended ? header->cluster_size : PARALLELS_SECTOR;
	uint64_t end = PARALLELS_HEADER_LEN + (uint64_t)header->entries * 4;

	*kind = entry ? EXTENT_DATA : EXTENT_HOLE;
	*place = entry * unit;
	if (!entry)
		return 0;
	if (header->flags & PARALLELS_FLAG_EMPTY)
		return err_set(err, ERR_DAMAGED,
			       "cluster %" PRIu64 " is stored at %" PRIu64
			       ", but the image is marked as empty",
			       index, *place);
	/* Old writers did not all keep to the data area. */
	if (*place < (header->strict ? header->data : end))
		return err_set(err, ERR_DAMAGED,
			       "cluster %" PRIu64 " at %" PRIu64 " lies in "
			       "front of the data (%" PRIu64 ")",
			       index, *place,
			       header->strict ? header->data : end);
	if (header->strict && (*place - header->data) % header->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "cluster %" PRIu64 " at %" PRIu64 " is not a "
			       "whole number of clusters behind %" PRIu64,
			       index, *place, header->data);
	return 0;
}

struct block_map *parallels_map(struct source *source,
				const struct parallels_header *header,
				uint64_t memory, struct err *err)
{
	const struct block_map_form form = {
		.table = PARALLELS_HEADER_LEN,
		.count = header->entries,
		.size = header->size,
		.block_size = header->cluster_size,
		.entry = parallels_entry,
		.image = header,
	};

	return block_map_open(source, &form, memory, err);
}

static int check_bat(struct source *source, const void *image,
		     struct check_report *report, struct err *err)
{
	return parallels_check_bat(source, image, false, report, err);
}

static int check_unclean(const struct parallels_header *header,
			 struct source *source, struct log *log,
			 struct err *err)
{
	const struct unclean unclean = {
		.format = "parallels",
		.tables = "BAT",
		.check = check_bat,
		.image = header,
	};

	if (header->in_use != PARALLELS_IN_USE)
		return 0;
	return unclean_check(&unclean, source, log, err);
}

struct disk *parallels_open(struct source *source,
			    const struct open_options *options, struct err *err)
{
	struct parallels_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &parallels_ops, "parallels");
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"a .hds has no snapshots inside, so no %s; give the "
			".hds file that has it",
			options->snapshot);
		return NULL;
	}
	if (parallels_header_read(source, &image->header, err))
		return NULL;
	if (!options->metadata_only &&
	    check_unclean(&image->header, source, options->log, err))
		return NULL;
	image->map =
		parallels_map(source, &image->header, options->memory, err);
	if (!image->map)
		return NULL;
	disk->size = image->header.size;
	disk->granule = image->header.cluster_size;
	return STEAL(disk);
}
