/* SPDX-License-Identifier: MIT */
/*
 * Owns the disk face of VDI and the consistency check. How a block map is
 * looked up is block_map.h's.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/block_map.h"
#include "formats/images/vdi/vdi.h"

struct vdi_disk {
	struct disk disk;
	struct vdi_header header;
	struct block_map *map;
};

static struct vdi_disk *self(struct disk *disk)
{
	return (struct vdi_disk *)disk;
}

static int refuse_parent(const struct vdi_header *header, struct err *err)
{
	char text[IDENTITY_TEXT_LEN];

	identity_text(header->link, text);
	return err_set(err, ERR_UNSUPPORTED,
		       "%s image, which lacks what is in its parent %s: "
		       "flatten it with `VBoxManage clonemedium`",
		       header->type == VDI_UNDO ? "an undo" : "a differencing",
		       text);
}

static int vdi_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	if (vdi_header_needs_parent(&self(disk)->header))
		return refuse_parent(&self(disk)->header, err);
	return block_map_read(self(disk)->map, buf, len, offset, err);
}

static int vdi_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	if (vdi_header_needs_parent(&self(disk)->header))
		return refuse_parent(&self(disk)->header, err);
	return block_map_extent(self(disk)->map, offset, limit, out, err);
}

static void vdi_disk_info(struct disk *disk, struct facts *facts)
{
	vdi_info(&self(disk)->header, facts);
}

static void vdi_close(struct disk *disk)
{
	block_map_close(self(disk)->map);
	free(disk);
}

static const struct disk_ops vdi_ops = {
	.read = vdi_read,
	.extent = vdi_extent,
	.info = vdi_disk_info,
	.close = vdi_close,
};

/* An entry is a number of blocks, each with its extra bytes in front. The
 * product has 61 bits at most: no overflow. */
static int vdi_entry(const void *image, uint64_t index, uint32_t entry,
		     enum extent_kind *kind, uint64_t *place, struct err *err)
{
	const struct vdi_header *header = image;

	(void)index, (void)err; /* the file's end is the only bound */
	if (entry >= VDI_BLOCK_ZERO) {
		*kind = entry == VDI_BLOCK_FREE ? EXTENT_HOLE : EXTENT_ZERO;
		return 0;
	}
	*kind = EXTENT_DATA;
	*place = header->data + header->extra +
		 entry * ((uint64_t)header->block_size + header->extra);
	return 0;
}

static int read_header(struct source *source, struct vdi_header *out,
		       struct err *err)
{
	unsigned char bytes[VDI_HEAD_LEN];
	size_t got;

	if (source_read(source, bytes, sizeof bytes, 0, &got, err))
		return -1;
	return vdi_header_parse(bytes, got, out, err);
}

static struct block_map *open_map(struct source *source,
				  const struct vdi_header *header,
				  const struct open_options *options,
				  struct err *err)
{
	const struct block_map_form form = {
		.table = header->map,
		.count = header->blocks,
		.size = header->size,
		.block_size = header->block_size,
		.entry = vdi_entry,
		.image = header,
	};

	return block_map_open(source, &form, options->memory, err);
}

struct disk *vdi_open(struct source *source, const struct open_options *options,
		      struct err *err)
{
	struct vdi_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &vdi_ops, "vdi");
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"a VDI has no snapshots inside, so no %s",
			options->snapshot);
		return NULL;
	}
	if (read_header(source, &image->header, err))
		return NULL;
	if (vdi_header_needs_parent(&image->header) &&
	    !options->metadata_only) {
		refuse_parent(&image->header, err);
		return NULL;
	}
	image->map = open_map(source, &image->header, options, err);
	if (!image->map)
		return NULL;
	disk->size = image->header.size;
	disk->granule = image->header.block_size;
	return STEAL(disk);
}

static int check_all(struct block_map *map, const struct vdi_header *header,
		     uint64_t file_size, struct check_report *report,
		     struct err *err)
{
	uint64_t end = header->map + (uint64_t)header->blocks * 4, used;
	struct usage *usage = usage_open(file_size);
	int status = -1;

	/* Between header, map and data there may be gaps, for alignment; a
	 * file without blocks may end with the map. */
	end = max_u64(end, min_u64(header->data, file_size));
	if (usage_claim(usage, report, "header", 0, header->map, err) ||
	    usage_claim(usage, report, "block map", header->map,
			end - header->map, err) ||
	    block_map_check(map, usage, report, header->extra, &used, err))
		goto out;
	if (used != header->used)
		check_corruption(report,
				 "the header counts %u allocated blocks, the "
				 "block map has %" PRIu64,
				 header->used, used);
	usage_report(usage, report, header->block_size);
	status = 0;
out:
	usage_close(usage);
	return status;
}

int vdi_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	struct vdi_header header;
	struct block_map *map;
	int status;

	if (read_header(source, &header, err))
		return -1;
	map = open_map(source, &header, options, err);
	if (!map)
		return -1;
	status = check_all(map, &header, source->size, report, err);
	block_map_close(map);
	return status;
}
