/* SPDX-License-Identifier: MIT */
/*
 * Owns the way through persistent bitmaps, as far as their clusters are
 * concerned. What the bitmaps say is nobody's business here.
 */

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/refcounts.h"

/* A directory entry: u64 table offset, u32 table size, u32 flags, u8 type,
 * u8 granularity, u16 name length, u32 extra length; extra, name, padding. */
#define ENTRY_LEN 24
#define NAME_LEN_AT 18
#define EXTRA_LEN_AT 20
#define DIRECTORY_MAX (64 * MIB)
#define TABLE_MASK 0x00fffffffffffe00ULL
#define TABLE_RESERVED 0xff000000000001feULL

static int check_table(struct refcounts *refs, uint64_t offset,
		       uint32_t entries, struct err *err)
{
	AUTO_FREE uint64_t *table = NULL;

	/* A table that overlaps something was reported; following it could
	 * go in circles. */
	if (!refcounts_use(refs, offset, (uint64_t)entries * 8, USE_FIXED,
			   "bitmap table"))
		return 0;
	table = qcow2_tables_l1(refs->source, offset, entries, err);
	if (!table)
		return -1;
	for (uint32_t i = 0; i < entries; i++) {
		uint64_t place = table[i] & TABLE_MASK;

		if ((table[i] & TABLE_RESERVED) ||
		    place % refs->header->cluster_size)
			check_corruption(refs->report,
					 "bitmap table entry %u: 0x%llx is not "
					 "a cluster's offset",
					 i, (unsigned long long)table[i]);
		else if (place)
			refcounts_use(refs, place, refs->header->cluster_size,
				      USE_FIXED, "bitmap");
	}
	return 0;
}

/* The directory's length ends the loop; each entry is at least its fixed
 * part long. */
static int check_directory(struct refcounts *refs, const unsigned char *bytes,
			   uint64_t len, struct err *err)
{
	uint64_t at = 0, count = 0, entry_len;

	while (at < len && len - at >= ENTRY_LEN) {
		const unsigned char *entry = bytes + at;

		entry_len = round_up((uint64_t)ENTRY_LEN +
					     bytes_be16(entry + NAME_LEN_AT) +
					     bytes_be32(entry + EXTRA_LEN_AT),
				     8);
		if (entry_len > len - at)
			break;
		if (check_table(refs, bytes_be64(entry), bytes_be32(entry + 8),
				err))
			return err_in(err, "bitmap %llu",
				      (unsigned long long)count);
		at += entry_len;
		count++;
	}
	if (at != len || count != refs->header->bitmap_count)
		check_corruption(
			refs->report,
			"bitmap directory holds %llu entries in %llu "
			"of %llu bytes (%u expected)",
			(unsigned long long)count, (unsigned long long)at,
			(unsigned long long)len, refs->header->bitmap_count);
	return 0;
}

int check_bitmaps(struct refcounts *refs, struct err *err)
{
	const struct qcow2_header *header = refs->header;
	AUTO_FREE unsigned char *bytes = NULL;

	/* Without its bit the extension is stale: whoever changed the image
	 * knew nothing of bitmaps. */
	if (!header->has_bitmaps ||
	    !(header->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
		return 0;
	if (!refcounts_use(refs, header->bitmaps_offset, header->bitmaps_len,
			   USE_FIXED, "bitmap directory"))
		return 0;
	bytes = mem_capped(header->bitmaps_len + 1, 1, DIRECTORY_MAX,
			   "bitmap directory", err);
	if (!bytes ||
	    source_read_all(refs->source, bytes, (size_t)header->bitmaps_len,
			    header->bitmaps_offset, "bitmap directory", err))
		return -1;
	return check_directory(refs, bytes, header->bitmaps_len, err);
}
