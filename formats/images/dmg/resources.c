/* SPDX-License-Identifier: MIT */
/*
 * Owns the resource fork of images that have no property list. Of its data
 * ("Inside Macintosh: More Macintosh Toolbox", 1-122: a header of four u32,
 * offset of data, offset of map, and their lengths; resources are a u32
 * length and that many bytes) only block tables count, known by "mish".
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/dmg/dmg.h"

int dmg_resources_parse(const unsigned char *bytes, size_t len,
			const struct dmg_trailer *trailer,
			struct dmg_table *table, struct err *err)
{
	uint64_t at, end;

	if (len < 16)
		return err_set(err, ERR_DAMAGED,
			       "a resource fork of %zu bytes is none", len);
	at = bytes_be32(bytes);
	end = at + bytes_be32(bytes + 8);
	if (end > len)
		return err_set(err, ERR_DAMAGED,
			       "resources at %" PRIu64 " end at %" PRIu64
			       ", past the fork's end (%zu)", at, end, len);
	/* Ends: each turn goes on by four bytes at least. */
	while (end - at >= 4) {
		uint64_t length = bytes_be32(bytes + at);

		at += 4;
		if (length > end - at)
			return err_set(err, ERR_DAMAGED,
				       "resource at %" PRIu64 " of %" PRIu64
				       " bytes lies past the end of all (%"
				       PRIu64 ")", at, length, end);
		if (length >= 4 && !memcmp(bytes + at, "mish", 4) &&
		    dmg_table_add(table, trailer, bytes + at, (size_t)length,
				  err))
			return -1;
		at += length;
	}
	return 0;
}
