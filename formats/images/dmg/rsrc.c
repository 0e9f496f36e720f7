/* SPDX-License-Identifier: MIT */
/*
 * Owns the resource fork of old DMGs: its resources of type "blkx". The
 * layout is Inside Macintosh's ("More Macintosh Toolbox", resource file
 * format), big-endian:
 *
 *   fork       0  place of the data     4  place of the map
 *              8  length of the data   12  length of the map
 *   map       24  place of the type list in the map, 16 bits
 *   types      0  their number less 1, 16 bits; then 8 bytes each:
 *                 type, number of resources less 1, place of their list in
 *                 the type list
 *   resources     12 bytes each; at 5, 24 bits, its place in the data
 *   data          at each place 32 bits of length, then so many bytes
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"

struct fork {
	const unsigned char *data, *map;
	uint64_t data_len, map_len;
};

static int damaged(const char *what, struct err *err)
{
	return err_set(err, ERR_DAMAGED, "resource fork: %s lies outside of it",
		       what);
}

static int add_resource(const struct fork *fork, uint64_t place,
			struct dmg_tables *tables, struct err *err)
{
	AUTO_FREE unsigned char *bytes = NULL;
	uint32_t len;

	if (!checked_inside(place, 4, fork->data_len))
		return damaged("a block table", err);
	len = bytes_be32(fork->data + place);
	if (!checked_inside(place + 4, len, fork->data_len))
		return damaged("a block table", err);
	bytes = mem_capped(len, 1, LIMIT_TABLE_LEN, "block table", err);
	if (!bytes)
		return -1;
	memcpy(bytes, fork->data + place + 4, len);
	return dmg_tables_add(tables, STEAL(bytes), len, "", err);
}

/* One type's list, at `at` in the map. */
static int add_list(const struct fork *fork, uint64_t at, uint32_t count,
		    struct dmg_tables *tables, struct err *err)
{
	if (!checked_inside(at, (uint64_t)count * 12, fork->map_len))
		return damaged("a list of resources", err);
	for (uint32_t i = 0; i < count; i++, at += 12) {
		uint32_t word = bytes_be32(fork->map + at + 4);

		if (add_resource(fork, word & 0xffffff, tables, err))
			return -1;
	}
	return 0;
}

static int read_map(const struct fork *fork, struct dmg_tables *tables,
		    struct err *err)
{
	uint64_t types, at;
	uint32_t count;

	if (fork->map_len < 28)
		return damaged("its map", err);
	types = bytes_be16(fork->map + 24);
	if (!checked_inside(types, 2, fork->map_len))
		return damaged("its list of types", err);
	/* 0xffff: none. */
	count = (bytes_be16(fork->map + types) + 1u) & 0xffff;
	if (!checked_inside(types + 2, (uint64_t)count * 8, fork->map_len))
		return damaged("its list of types", err);
	at = types + 2;
	for (uint32_t i = 0; i < count; i++, at += 8) {
		const unsigned char *type = fork->map + at;

		if (!memcmp(type, "blkx", 4))
			return add_list(fork, types + bytes_be16(type + 6),
					bytes_be16(type + 4) + 1u, tables, err);
	}
	return err_set(err, ERR_DAMAGED, "resource fork has no block tables");
}

int dmg_rsrc_read(const unsigned char *fork, size_t len,
		  struct dmg_tables *tables, struct err *err)
{
	struct fork parts;
	uint32_t data_at, map_at;

	if (len < 16)
		return damaged("its header", err);
	data_at = bytes_be32(fork);
	map_at = bytes_be32(fork + 4);
	parts.data_len = bytes_be32(fork + 8);
	parts.map_len = bytes_be32(fork + 12);
	if (!checked_inside(data_at, parts.data_len, len))
		return damaged("its data", err);
	if (!checked_inside(map_at, parts.map_len, len))
		return damaged("its map", err);
	parts.data = fork + data_at;
	parts.map = fork + map_at;
	return read_map(&parts, tables, err);
}
