/* SPDX-License-Identifier: MIT */
/*
 * Owns the growing images of Bochs, read only. Their layout, from Bochs'
 * documentation ("Disk images", redologs) and hdimage.h; little-endian:
 *
 *      0  "Bochs Virtual HD Image"     32 bytes
 *     32  "Redolog"                    16
 *     48  "Growing"                    16
 *     64  u32 version                  0x10000 or 0x20000
 *     68  u32 length of this header    512
 *     72  u32 entries of the catalog
 *     76  u32 bytes of an extent's bitmap
 *     80  u32 bytes of an extent
 *     84  version 2: u32 time, then u64 disk size; version 1: u64 disk size
 *
 * The catalog follows, a u32 for each extent of the disk: its number in the
 * file, or ffffffff. An extent in the file is its bitmap, then its sectors; a
 * sector whose bit is clear was never written.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/driver.h"
#include "formats/table_cache.h"
#include "formats/usage.h"

extern const struct driver driver_bochs;

#define MAGIC "Bochs Virtual HD Image"
#define HEADER_LEN 512
#define VERSION_1 0x10000u
#define VERSION_2 0x20000u
#define ABSENT 0xffffffffu
#define SECTOR 512u
/* Bochs makes none above 8 MiB. */
#define EXTENT_MAX (8 * MIB)

struct bochs_header {
	uint32_t version, header_len, catalog, bitmap_len, extent_len;
	uint64_t size;
	uint64_t data_at;      /* of extent number 0 in the file */
	uint64_t bitmap_room;  /* of a bitmap in the file: whole sectors */
	uint64_t extent_stride; /* from one extent in the file to the next */
};

struct bochs_disk {
	struct disk disk;
	struct source *source;
	struct bochs_header header;
	uint32_t *catalog;
	struct table_cache *bitmaps;
};

static int bad(struct err *err, const char *field, uint64_t value,
	       const char *allowed)
{
	return err_set(err, ERR_DAMAGED, "%s %" PRIu64 " is out of range (%s)",
		       field, value, allowed);
}

static int parse_fields(const unsigned char *head, struct bochs_header *out,
			struct err *err)
{
	out->version = bytes_le32(head + 64);
	out->header_len = bytes_le32(head + 68);
	out->catalog = bytes_le32(head + 72);
	out->bitmap_len = bytes_le32(head + 76);
	out->extent_len = bytes_le32(head + 80);
	if (out->version != VERSION_1 && out->version != VERSION_2)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %#" PRIx32 " is not read (0x10000 and "
			       "0x20000 are)", out->version);
	out->size = bytes_le64(head + (out->version == VERSION_2 ? 88 : 84));
	if (out->header_len < HEADER_LEN || out->header_len > MIB)
		return bad(err, "header length", out->header_len, "512..1M");
	if (!is_power_of_two(out->extent_len) || out->extent_len < SECTOR ||
	    out->extent_len > EXTENT_MAX)
		return bad(err, "extent size", out->extent_len,
			   "512..8M, a power of two");
	if (out->bitmap_len < div_up(out->extent_len / SECTOR, 8) ||
	    out->bitmap_len > EXTENT_MAX)
		return bad(err, "bitmap size", out->bitmap_len,
			   "a bit for each sector of an extent, up to 8M");
	if (out->size % SECTOR || out->size > LIMIT_DISK_SIZE)
		return bad(err, "disk size", out->size,
			   "whole sectors, up to 1E");
	if (out->catalog < div_up(out->size, out->extent_len))
		return bad(err, "catalog size", out->catalog,
			   "an entry for each extent of the disk");
	return 0;
}

static int parse_header(const unsigned char *head, size_t len,
			struct bochs_header *out, struct err *err)
{
	if (len < HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes of %d", len, HEADER_LEN);
	if (memcmp(head, MAGIC, sizeof MAGIC))
		return err_set(err, ERR_DAMAGED, "this is no Bochs image");
	if (memcmp(head + 32, "Redolog", 8) || memcmp(head + 48, "Growing", 8))
		return err_set(err, ERR_UNSUPPORTED,
			       "only growing images are read, not undoable and "
			       "volatile ones, which belong to another file: "
			       "commit them with bximage");
	if (parse_fields(head, out, err))
		return -1;
	out->data_at = out->header_len + (uint64_t)out->catalog * 4;
	out->bitmap_room = round_up(out->bitmap_len, SECTOR);
	out->extent_stride = out->bitmap_room + out->extent_len;
	return 0;
}

/* The sectors from `offset` on that are stored, or that are not. */
static int find_run(struct bochs_disk *bochs, uint64_t offset, uint64_t limit,
		    struct extent *out, struct err *err)
{
	const struct bochs_header *header = &bochs->header;
	uint64_t index = offset / header->extent_len;
	uint64_t within = offset % header->extent_len;
	uint64_t most = min_u64(limit, header->extent_len - within);
	uint32_t entry = bochs->catalog[index];
	uint64_t at = header->data_at + entry * header->extent_stride;
	uint64_t sector = within / SECTOR, end;
	const unsigned char *bits;
	struct table_slot *slot;
	bool stored;

	*out = (struct extent){ .offset = offset, .length = most,
				.kind = EXTENT_HOLE };
	if (entry == ABSENT)
		return 0;
	bits = table_cache_hold(bochs->bitmaps, at, &slot, err);
	if (!bits)
		return -1;
	stored = bits[sector / 8] >> (sector % 8) & 1;
	/* Ends: at the end of the extent. */
	for (end = sector + 1; end * SECTOR < within + most; end++)
		if ((bits[end / 8] >> (end % 8) & 1) != stored)
			break;
	table_cache_drop(bochs->bitmaps, slot);
	out->length = min_u64(end * SECTOR - within, most);
	if (!stored)
		return 0;
	out->kind = EXTENT_DATA;
	out->source = bochs->source;
	out->place = at + header->bitmap_room + within;
	out->stored = out->length;
	return 0;
}

static int bochs_read(struct disk *disk, void *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	struct bochs_disk *bochs = (struct bochs_disk *)disk;
	unsigned char *out = buf;
	struct extent run;

	/* Ends: a run is at least a byte long. */
	while (len) {
		if (find_run(bochs, offset, len, &run, err))
			return -1;
		if (run.kind != EXTENT_DATA)
			memset(out, 0, (size_t)run.length);
		else if (source_read_all(bochs->source, out,
					 (size_t)run.length, run.place,
					 "extent", err))
			return -1;
		out += run.length;
		offset += run.length;
		len -= (size_t)run.length;
	}
	return 0;
}

/* Extents that were never written are many in a row. */
static int bochs_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			struct extent *out, struct err *err)
{
	struct bochs_disk *bochs = (struct bochs_disk *)disk;
	struct extent next;

	if (find_run(bochs, offset, limit, out, err))
		return -1;
	/* Ends: each turn goes further, up to the limit. */
	while (out->kind == EXTENT_HOLE && out->length < limit) {
		if (find_run(bochs, offset + out->length, limit - out->length,
			     &next, err))
			return -1;
		if (next.kind != EXTENT_HOLE)
			break;
		out->length += next.length;
	}
	return 0;
}

static void header_facts(const struct bochs_header *header,
			 struct facts *facts)
{
	facts_number(facts, "version", header->version >> 16);
	facts_text(facts, "subformat", "growing");
	facts_number(facts, "extent-size", header->extent_len);
}

static void bochs_info(struct disk *disk, struct facts *facts)
{
	header_facts(&((struct bochs_disk *)disk)->header, facts);
}

static int bochs_finish(struct disk *disk, struct err *err)
{
	return source_finish(((struct bochs_disk *)disk)->source, err);
}

static void bochs_close(struct disk *disk)
{
	struct bochs_disk *bochs = (struct bochs_disk *)disk;

	table_cache_close(bochs->bitmaps);
	free(bochs->catalog);
	free(bochs);
}

static const struct disk_ops bochs_ops = {
	.read = bochs_read,
	.extent = bochs_extent,
	.info = bochs_info,
	.finish = bochs_finish,
	.close = bochs_close,
};

static int read_catalog(struct bochs_disk *bochs, struct err *err)
{
	const struct bochs_header *header = &bochs->header;

	bochs->catalog = mem_capped(header->catalog, 4, LIMIT_TABLE_LEN,
				    "the catalog", err);
	if (!bochs->catalog ||
	    source_read_all(bochs->source, bochs->catalog,
			    (size_t)header->catalog * 4, header->header_len,
			    "the catalog", err))
		return -1;
	for (uint32_t i = 0; i < header->catalog; i++)
		bochs->catalog[i] = bytes_le32(&bochs->catalog[i]);
	return 0;
}

/* Every extent that has a place lies inside the file, whole. */
static int check_catalog(const struct bochs_disk *bochs, struct err *err)
{
	const struct bochs_header *header = &bochs->header;

	for (uint32_t i = 0; i < header->catalog; i++) {
		uint64_t at = header->data_at +
			      bochs->catalog[i] * header->extent_stride;

		if (bochs->catalog[i] != ABSENT &&
		    !checked_inside(at, header->extent_stride,
				    bochs->source->size))
			return err_set(err, ERR_DAMAGED,
				       "extent %" PRIu32 " at %" PRIu64
				       " lies past the end of the file (%"
				       PRIu64 ")", i, at,
				       bochs->source->size);
	}
	return 0;
}

static struct disk *open_catalog(struct source *source,
				 const struct open_options *options,
				 struct err *err)
{
	struct bochs_disk *bochs = mem_zalloc(sizeof *bochs);
	AUTO_DISK struct disk *disk = &bochs->disk;
	unsigned char head[HEADER_LEN];
	size_t got;

	disk_init(disk, &bochs_ops, driver_bochs.name);
	bochs->source = source;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots");
		return NULL;
	}
	if (source_read(source, head, sizeof head, 0, &got, err) ||
	    parse_header(head, got, &bochs->header, err) ||
	    read_catalog(bochs, err))
		return NULL;
	disk->size = bochs->header.size;
	disk->granule = bochs->header.extent_len;
	bochs->bitmaps = table_cache_open(source, "bitmap",
					  bochs->header.bitmap_len,
					  options->memory);
	return STEAL(disk);
}

static struct disk *bochs_open(struct source *source,
			       const struct open_options *options,
			       struct err *err)
{
	AUTO_DISK struct disk *disk = open_catalog(source, options, err);

	if (!disk || check_catalog((struct bochs_disk *)disk, err))
		return NULL;
	return STEAL(disk);
}

static int bochs_peek(const unsigned char *head, size_t len, uint64_t *size,
		      struct facts *facts, struct err *err)
{
	struct bochs_header header;

	if (len < HEADER_LEN)
		return 1;
	if (parse_header(head, len, &header, err))
		return -1;
	*size = header.size;
	header_facts(&header, facts);
	return 0;
}

static int claim_all(const struct bochs_disk *bochs, struct usage *usage,
		     struct check_report *report, struct err *err)
{
	const struct bochs_header *header = &bochs->header;

	if (usage_claim(usage, report, "header", 0, header->header_len, err) ||
	    usage_claim(usage, report, "catalog", header->header_len,
			(uint64_t)header->catalog * 4, err))
		return -1;
	for (uint32_t i = 0; i < header->catalog; i++)
		if (bochs->catalog[i] != ABSENT &&
		    usage_claim(usage, report, "extent",
				header->data_at + bochs->catalog[i] *
							  header->extent_stride,
				header->extent_stride, err))
			return -1;
	return 0;
}

static int bochs_check(struct source *source,
		       const struct open_options *options,
		       struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = open_catalog(source, options, err);
	struct usage *usage;
	int result;

	if (!disk && err->kind == ERR_DAMAGED) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	if (!disk)
		return -1;
	usage = usage_open(source->size);
	result = claim_all((struct bochs_disk *)disk, usage, report, err);
	if (!result)
		usage_report(usage, report, SECTOR);
	usage_close(usage);
	return result;
}

const struct driver driver_bochs = {
	.name = "bochs",
	.title = "Bochs, growing",
	.open = bochs_open,
	.peek = bochs_peek,
	.check = bochs_check,
};
