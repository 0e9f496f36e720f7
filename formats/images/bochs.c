/* SPDX-License-Identifier: MIT */
/*
 * Owns Bochs' growing disks ("redolog"), read only. Does not read undoable or
 * volatile ones, which are differences to another file that they do not name.
 *
 * The layout, little-endian, as in Bochs' own description of its disk images
 * (Development manual, "Disk images", redolog files) and QEMU's block/bochs.c:
 *
 *    0  "Bochs Virtual HD Image", 32 bytes filled with zeros
 *   32  type, 16 bytes: "Redolog"
 *   48  subtype, 16 bytes: "Growing", "Undoable", "Volatile"
 *   64  version: 0x10000 or 0x20000
 *   68  bytes of the header: where the catalog begins
 *   72  entries of the catalog
 *   76  bytes of an extent's bitmap
 *   80  bytes of an extent
 *   84  v1: bytes of the disk, 64 bits; v2: a time
 *   88  v2: bytes of the disk, 64 bits
 *
 * A catalog entry is the number of the extent in the file, or 0xffffffff. An
 * extent is its bitmap and its data, each rounded up to sectors; a sector
 * whose bit (the lowest first) is clear was never written.
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

#define HEADER_LEN 512
#define SECTOR 512u
#define VERSION_1 0x10000u
#define VERSION_2 0x20000u
#define ABSENT UINT32_MAX
/* What other readers allow, too: a bitmap of 2 KiB. */
#define EXTENT_MAX (8 * MIB)

struct bochs_header {
	uint32_t version;
	uint64_t catalog_at, entries;
	uint32_t extent; /* bytes of data */
	uint32_t bitmap; /* bytes, whole sectors */
	uint64_t size;
	uint64_t data_at; /* of the first extent's bitmap */
};

struct bochs_disk {
	struct disk disk;
	struct bochs_header header;
	struct source *source;
	unsigned char *catalog; /* as in the file */
	struct table_cache *bitmaps;
};

static int check_numbers(const unsigned char *p, struct bochs_header *header,
			 struct err *err)
{
	uint32_t bitmap = bytes_le32(p + 76);

	if (!is_power_of_two(header->extent) || header->extent < SECTOR ||
	    header->extent > EXTENT_MAX)
		return err_set(err, ERR_DAMAGED,
			       "extent size %" PRIu32 " is not a power of two "
			       "in 512..8388608",
			       header->extent);
	if (bitmap < div_up(header->extent / SECTOR, 8) || bitmap > EXTENT_MAX)
		return err_set(err, ERR_DAMAGED,
			       "bitmap of %" PRIu32 " bytes does not suit "
			       "extents of %" PRIu32 " bytes",
			       bitmap, header->extent);
	header->bitmap = (uint32_t)round_up(bitmap, SECTOR);
	if (header->size % SECTOR || header->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_DAMAGED,
			       "disk size %" PRIu64 " is not a multiple of 512 "
			       "below 2^60",
			       header->size);
	if (header->catalog_at < HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "catalog at %" PRIu64 " overlaps the header, "
			       "which has 512 bytes",
			       header->catalog_at);
	if (header->entries < div_up(header->size, header->extent))
		return err_set(err, ERR_DAMAGED,
			       "catalog of %" PRIu64 " entries is too small "
			       "for a disk of %" PRIu64 " bytes",
			       header->entries, header->size);
	header->data_at = header->catalog_at + header->entries * 4;
	return 0;
}

/* `p` has HEADER_LEN bytes. */
static int parse(const unsigned char *p, struct bochs_header *header,
		 struct err *err)
{
	static const char magic[32] = "Bochs Virtual HD Image";

	if (memcmp(p, magic, strlen(magic) + 1))
		return err_set(err, ERR_DAMAGED, "this is no Bochs disk");
	if (strncmp((const char *)p + 32, "Redolog", 16) ||
	    strncmp((const char *)p + 48, "Growing", 16))
		return err_set(err, ERR_UNSUPPORTED,
			       "Bochs disk of type %.16s %.16s; only Redolog "
			       "Growing is read: commit it with bximage first",
			       (const char *)p + 32, (const char *)p + 48);
	header->version = bytes_le32(p + 64);
	if (header->version != VERSION_1 && header->version != VERSION_2)
		return err_set(err, ERR_UNSUPPORTED,
			       "Bochs disk of version 0x%" PRIx32
			       "; known are 0x10000 and 0x20000",
			       header->version);
	header->catalog_at = bytes_le32(p + 68);
	header->entries = bytes_le32(p + 72);
	header->extent = bytes_le32(p + 80);
	header->size = bytes_le64(p + (header->version == VERSION_1 ? 84 : 88));
	return check_numbers(p, header, err);
}

static void put_facts(const struct bochs_header *header, struct facts *facts)
{
	facts_text(facts, "subtype", "growing");
	facts_number(facts, "version", header->version >> 16);
	facts_number(facts, "extent-size", header->extent);
}

static uint32_t entry_of(const struct bochs_disk *image, uint64_t index)
{
	return bytes_le32(image->catalog + index * 4);
}

/* Where an extent's bitmap lies; below 2^56, so nothing overflows. */
static uint64_t place_of(const struct bochs_header *header, uint32_t entry)
{
	return header->data_at +
	       (uint64_t)entry * ((uint64_t)header->bitmap + header->extent);
}

static bool bit(const unsigned char *bitmap, uint64_t sector)
{
	return bitmap[sector / 8] >> sector % 8 & 1;
}

/* From `skip` bytes into a stored extent: how far the bits are the same. */
static int stored_run(struct bochs_disk *image, uint64_t place, uint64_t skip,
		      struct extent *out, struct err *err)
{
	const struct bochs_header *header = &image->header;
	uint64_t first = skip / SECTOR,
		 last = (skip + out->length - 1) / SECTOR;
	struct table_slot *slot;
	const unsigned char *bitmap;
	uint64_t at = first + 1, reach;
	bool written;

	bitmap = table_cache_hold(image->bitmaps, place, &slot, err);
	if (!bitmap)
		return -1;
	written = bit(bitmap, first);
	while (at <= last && bit(bitmap, at) == written)
		at++;
	table_cache_drop(image->bitmaps, slot);
	reach = min_u64(skip + out->length, at * SECTOR);
	out->length = reach - skip;
	if (!written)
		return 0;
	out->kind = EXTENT_DATA;
	out->source = image->source;
	out->place = place + header->bitmap + skip;
	out->stored = out->length;
	if (checked_inside(out->place, out->length, image->source->size))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "extent at %" PRIu64 " lies past the end of the file "
		       "(%" PRIu64 ")",
		       place, image->source->size);
}

/* Runs joined in one call: bounds the time of a short question. */
#define RUNS_MAX 64

static int next_run(struct bochs_disk *image, uint64_t offset, uint64_t end,
		    struct extent *out, struct err *err)
{
	const struct bochs_header *header = &image->header;
	uint64_t index = offset / header->extent;
	uint32_t entry = entry_of(image, index);
	uint64_t next = (index + 1) * header->extent;

	*out = (struct extent){ .offset = offset, .kind = EXTENT_HOLE };
	if (entry == ABSENT) {
		/* The catalog has an entry for each extent of the disk. */
		while (next < end &&
		       entry_of(image, next / header->extent) == ABSENT)
			next += header->extent;
		out->length = min_u64(end, next) - offset;
		return 0;
	}
	out->length = min_u64(end, next) - offset;
	return stored_run(image, place_of(header, entry),
			  offset % header->extent, out, err);
}

static int bochs_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			struct extent *out, struct err *err)
{
	struct bochs_disk *image = (struct bochs_disk *)disk;
	uint64_t end = offset + min_u64(limit, disk->size - offset), at;
	struct extent next;

	if (next_run(image, offset, end, out, err))
		return -1;
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		at = offset + out->length;
		if (at >= end)
			break;
		if (next_run(image, at, end, &next, err))
			return -1;
		if (next.kind != out->kind ||
		    (out->kind == EXTENT_DATA &&
		     next.place != out->place + out->length))
			break;
		out->length += next.length;
		out->stored += next.stored;
	}
	return 0;
}

static int bochs_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		      struct err *err)
{
	struct bochs_disk *image = (struct bochs_disk *)disk;
	unsigned char *at = buf;
	struct extent run;

	/* Each turn moves on by a run, which is not empty. */
	while (len) {
		if (bochs_extent(disk, offset, len, &run, err))
			return -1;
		if (run.kind == EXTENT_HOLE)
			memset(at, 0, (size_t)run.length);
		else if (source_read_all(image->source, at, (size_t)run.length,
					 run.place, "extent", err))
			return -1;
		at += run.length;
		offset += run.length;
		len -= (size_t)run.length;
	}
	return 0;
}

static void bochs_info(struct disk *disk, struct facts *facts)
{
	put_facts(&((struct bochs_disk *)disk)->header, facts);
}

static void bochs_close(struct disk *disk)
{
	struct bochs_disk *image = (struct bochs_disk *)disk;

	table_cache_close(image->bitmaps);
	free(image->catalog);
	free(image);
}

static const struct disk_ops bochs_ops = {
	.read = bochs_read,
	.extent = bochs_extent,
	.info = bochs_info,
	.close = bochs_close,
};

static struct disk *bochs_open(struct source *source,
			       const struct open_options *options,
			       struct err *err)
{
	struct bochs_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;
	struct bochs_header *header = &image->header;
	unsigned char head[HEADER_LEN];

	disk_init(disk, &bochs_ops, "bochs");
	image->source = source;
	if (driver_no_snapshots(options, err) ||
	    source_read_all(source, head, sizeof head, 0, "header", err) ||
	    parse(head, header, err))
		return NULL;
	image->catalog =
		mem_capped(header->entries, 4, LIMIT_TABLE_LEN, "catalog", err);
	if (!image->catalog ||
	    source_read_all(source, image->catalog, (size_t)header->entries * 4,
			    header->catalog_at, "catalog", err))
		return NULL;
	image->bitmaps = table_cache_open(source, "bitmap", header->bitmap,
					  options->memory);
	disk->size = header->size;
	disk->sector_size = SECTOR;
	disk->granule = (uint32_t)max_u64(header->extent, 4096);
	return STEAL(disk);
}

static int bochs_peek(const unsigned char *head, size_t len, uint64_t *size,
		      struct facts *facts, struct err *err)
{
	struct bochs_header header;

	if (len < HEADER_LEN)
		return 1;
	if (parse(head, &header, err))
		return -1;
	*size = header.size;
	put_facts(&header, facts);
	return 0;
}

static int check_claims(const struct bochs_disk *image, struct usage *usage,
			struct check_report *report, struct err *err)
{
	const struct bochs_header *header = &image->header;

	if (usage_claim(usage, report, "header", 0, HEADER_LEN, err) ||
	    usage_claim(usage, report, "catalog", header->catalog_at,
			header->entries * 4, err))
		return -1;
	for (uint64_t i = 0; i < header->entries; i++) {
		uint32_t entry = entry_of(image, i);

		if (entry != ABSENT &&
		    usage_claim(usage, report, "extent",
				place_of(header, entry),
				(uint64_t)header->bitmap + header->extent, err))
			return -1;
	}
	usage_report(usage, report, (uint64_t)header->bitmap + header->extent);
	return 0;
}

static int bochs_check(struct source *source,
		       const struct open_options *options,
		       struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = bochs_open(source, options, err);
	struct usage *usage;
	int status;

	if (!disk)
		return -1;
	usage = usage_open(source->size);
	status = check_claims((struct bochs_disk *)disk, usage, report, err);
	usage_close(usage);
	return status;
}

const struct driver driver_bochs = {
	.name = "bochs",
	.title = "Bochs growing disk",
	.open = bochs_open,
	.peek = bochs_peek,
	.check = bochs_check,
};
