/* SPDX-License-Identifier: MIT */
/* Owns the trailer of a DMG: what it says and whether it may. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/dmg/dmg.h"

#define CHECKSUM_CRC32 2u

struct dmg_crc dmg_crc_parse(const unsigned char *p)
{
	return (struct dmg_crc){
		.there = bytes_be32(p) == CHECKSUM_CRC32 &&
			 bytes_be32(p + 4) == 32,
		.value = bytes_be32(p + 8),
	};
}

/* `room` is the file without its trailer. */
static int check_part(const char *what, uint64_t at, uint64_t len,
		      uint64_t room, struct err *err)
{
	if (checked_inside(at, len, room))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "%s at %" PRIu64 " of %" PRIu64 " bytes lies past the "
		       "trailer at %" PRIu64,
		       what, at, len, room);
}

static int parse(const unsigned char *p, uint64_t room, struct dmg_koly *koly,
		 struct err *err)
{
	uint32_t segments = bytes_be32(p + 60);

	if (bytes_be32(p + 4) != 4 || bytes_be32(p + 8) != DMG_TRAILER_LEN)
		return err_set(err, ERR_UNSUPPORTED,
			       "disk image trailer of version %" PRIu32
			       " and %" PRIu32
			       " bytes; known is version 4 of 512",
			       bytes_be32(p + 4), bytes_be32(p + 8));
	if (segments > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "disk image of %" PRIu32 " segments; only one "
			       "file is read: join them first",
			       segments);
	*koly = (struct dmg_koly){
		.data_at = bytes_be64(p + 24),
		.data_len = bytes_be64(p + 32),
		.rsrc_at = bytes_be64(p + 40),
		.rsrc_len = bytes_be64(p + 48),
		.data_crc = dmg_crc_parse(p + 80),
		.plist_at = bytes_be64(p + 216),
		.plist_len = bytes_be64(p + 224),
		.master_crc = dmg_crc_parse(p + 352),
		.variant = bytes_be32(p + 488),
		.sectors = bytes_be64(p + 492),
	};
	if (koly->sectors > LIMIT_DISK_SIZE / DMG_SECTOR)
		return err_set(err, ERR_LIMIT,
			       "disk of %" PRIu64
			       " sectors is above 2^60 bytes",
			       koly->sectors);
	if (check_part("data fork", koly->data_at, koly->data_len, room, err) ||
	    check_part("resource fork", koly->rsrc_at, koly->rsrc_len, room,
		       err))
		return -1;
	return check_part("property list", koly->plist_at, koly->plist_len,
			  room, err);
}

int dmg_koly_read(struct source *source, struct dmg_koly *koly, struct err *err)
{
	unsigned char head[8] = { 0 }, tail[DMG_TRAILER_LEN];
	size_t got;

	if (source_read(source, head, sizeof head, 0, &got, err))
		return -1;
	if (!memcmp(head, "encrcdsa", 8))
		return err_set(
			err, ERR_UNSUPPORTED,
			"the disk image is encrypted (encrcdsa); decrypt "
			"it first");
	if (source->size < DMG_TRAILER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "file of %" PRIu64 " bytes has no room for the "
			       "trailer of 512",
			       source->size);
	if (source_read_all(source, tail, sizeof tail,
			    source->size - sizeof tail, "trailer", err))
		return -1;
	if (!memcmp(tail, "koly", 4))
		return parse(tail, source->size - sizeof tail, koly, err);
	if (!memcmp(tail + sizeof tail - 8, "cdsaencr", 8))
		return err_set(
			err, ERR_UNSUPPORTED,
			"the disk image is encrypted (cdsaencr); decrypt "
			"it first");
	if (!memcmp(head, "koly", 4))
		return err_set(err, ERR_UNSUPPORTED,
			       "old disk image with its trailer in front; "
			       "convert it with hdiutil first");
	return err_set(err, ERR_DAMAGED,
		       "no \"koly\" 512 bytes before the end: the disk image "
		       "is cut short, or is none");
}
