/* SPDX-License-Identifier: MIT */
/*
 * Owns the trailer of a DMG:
 *
 *      0  "koly"                      216  u64 property list, u64 length
 *      4  u32 version: 4              352  u32 type of the master checksum
 *      8  u32 length of this: 512     356  u32 its length in bits
 *     12  u32 flags                   360  the checksum, 128 bytes
 *     24  u64 data fork, u64 length   488  u32 image variant
 *     40  u64 resource fork, length   492  u64 sectors
 *     56  u32 segment, u32 segments
 *     80  u32 type of the data fork's checksum, u32 bits, 128 bytes
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/dmg/dmg.h"

static struct dmg_sum sum_at(const unsigned char *at)
{
	return (struct dmg_sum){ bytes_be32(at), bytes_be32(at + 8) };
}

static int check_place(const struct source *source, const char *what,
		       uint64_t at, uint64_t len, struct err *err)
{
	if (checked_inside(at, len, source->size - DMG_TRAILER_LEN))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "%s at %" PRIu64 " (%" PRIu64 " bytes) lies past the "
		       "trailer at %" PRIu64, what, at, len,
		       source->size - DMG_TRAILER_LEN);
}

static int check_start(const unsigned char *koly, struct err *err)
{
	uint32_t version = bytes_be32(koly + 4), len = bytes_be32(koly + 8);
	uint32_t segments = bytes_be32(koly + 60);

	if (memcmp(koly, "koly", 4))
		return err_set(err, ERR_DAMAGED,
			       "no trailer at the end: the file is cut off or "
			       "is no disk image");
	if (version != 4)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %" PRIu32 " is not read (4 is)",
			       version);
	if (len != DMG_TRAILER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the trailer says it has %" PRIu32
			       " bytes, not %d", len, DMG_TRAILER_LEN);
	if (segments > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image is one of %" PRIu32 " segments; join "
			       "them first with hdiutil", segments);
	return 0;
}

static int check_places(const struct source *source,
			const struct dmg_trailer *trailer, struct err *err)
{
	if (check_place(source, "data fork", trailer->data_at,
			trailer->data_len, err) ||
	    check_place(source, "resource fork", trailer->fork_at,
			trailer->fork_len, err) ||
	    check_place(source, "property list", trailer->xml_at,
			trailer->xml_len, err))
		return -1;
	if (trailer->xml_len > LIMIT_TABLE_LEN ||
	    trailer->fork_len > LIMIT_TABLE_LEN)
		return err_set(err, ERR_LIMIT,
			       "the property list (%" PRIu64 " bytes) or "
			       "resource fork (%" PRIu64 ") is larger than "
			       "allowed (%zu)", trailer->xml_len,
			       trailer->fork_len, LIMIT_TABLE_LEN);
	if (!trailer->xml_len && !trailer->fork_len)
		return err_set(err, ERR_DAMAGED,
			       "there is neither a property list nor a "
			       "resource fork to say where data lie");
	if (trailer->sectors > LIMIT_DISK_SIZE / DMG_SECTOR)
		return err_set(err, ERR_LIMIT,
			       "%" PRIu64 " sectors are more than %" PRIu64,
			       trailer->sectors, LIMIT_DISK_SIZE / DMG_SECTOR);
	return 0;
}

int dmg_trailer_read(struct source *source, struct dmg_trailer *out,
		     struct err *err)
{
	unsigned char koly[DMG_TRAILER_LEN];

	if (source->size < sizeof koly)
		return err_set(err, ERR_DAMAGED,
			       "a file of %" PRIu64 " bytes has no room for "
			       "the trailer (%d)", source->size,
			       DMG_TRAILER_LEN);
	if (source_read_all(source, koly, sizeof koly,
			    source->size - sizeof koly, "trailer", err) ||
	    check_start(koly, err))
		return -1;
	*out = (struct dmg_trailer){
		.flags = bytes_be32(koly + 12),
		.variant = bytes_be32(koly + 488),
		.data_at = bytes_be64(koly + 24),
		.data_len = bytes_be64(koly + 32),
		.fork_at = bytes_be64(koly + 40),
		.fork_len = bytes_be64(koly + 48),
		.xml_at = bytes_be64(koly + 216),
		.xml_len = bytes_be64(koly + 224),
		.sectors = bytes_be64(koly + 492),
		.data_sum = sum_at(koly + 80),
		.master_sum = sum_at(koly + 352),
	};
	return check_places(source, out, err);
}
