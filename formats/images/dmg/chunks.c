/* SPDX-License-Identifier: MIT */
/* Owns the list of a DMG's chunks: out of the block tables, sorted, inside
 * the data fork and the disk, and none over another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"

#define TABLE_HEADER 204
/* One a partition, and the gaps between them: a GPT has 128 of these. */
#define TABLES_MAX 4096u
#define CHUNK_LEN 40
/* Apple's are 256 KiB and 1 MiB; a thread has one in memory. */
#define PACKED_MAX (64 * MIB)

int dmg_tables_add(struct dmg_tables *tables, unsigned char *bytes, size_t len,
		   const char *name, struct err *err)
{
	struct dmg_table *table;

	if (tables->count == TABLES_MAX) {
		free(bytes);
		return err_set(err, ERR_LIMIT,
			       "more than %u block tables are not read",
			       TABLES_MAX);
	}
	/* Resources may all name the same bytes: the sum is what counts. */
	if (len > LIMIT_TABLE_LEN - tables->total) {
		free(bytes);
		return err_set(err, ERR_LIMIT,
			       "block tables of more than %zu bytes are not "
			       "read", LIMIT_TABLE_LEN);
	}
	tables->total += len;
	tables->list = mem_resize(tables->list, tables->count + 1,
				  sizeof *tables->list);
	table = &tables->list[tables->count++];
	table->bytes = bytes;
	table->len = len;
	snprintf(table->name, sizeof table->name, "%s", name);
	return 0;
}

void dmg_tables_clear(struct dmg_tables *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		free(tables->list[i].bytes);
	free(tables->list);
}

bool dmg_is_packed(uint32_t type)
{
	return type == DMG_ADC || type == DMG_ZLIB || type == DMG_BZIP2 ||
	       type == DMG_XZ;
}

static int check_type(uint32_t type, struct err *err)
{
	if (type == DMG_ZERO || type == DMG_RAW || type == DMG_IGNORE ||
	    dmg_is_packed(type))
		return 0;
	if (type == DMG_LZFSE)
		return err_set(err, ERR_UNSUPPORTED,
			       "chunks are compressed with LZFSE, which is not "
			       "built in; convert the image with hdiutil to "
			       "UDZO first");
	return err_set(err, ERR_UNSUPPORTED,
		       "chunk type 0x%08" PRIx32 " is not known", type);
}

/* What is stored of a chunk: its size, and inside the data fork. */
static int check_stored(const struct dmg_koly *koly, struct dmg_chunk *chunk,
			struct err *err)
{
	uint64_t length = chunk->sectors * DMG_SECTOR;

	if (chunk->type == DMG_RAW && chunk->stored != length)
		return err_set(err, ERR_DAMAGED,
			       "plain chunk of %" PRIu64 " sectors has %" PRIu64
			       " bytes",
			       chunk->sectors, chunk->stored);
	if (chunk->type != DMG_RAW &&
	    (length > PACKED_MAX || chunk->stored > PACKED_MAX))
		return err_set(err, ERR_LIMIT,
			       "compressed chunk of %" PRIu64
			       " sectors in %" PRIu64
			       " bytes is above 67108864 bytes",
			       chunk->sectors, chunk->stored);
	if (!chunk->stored ||
	    !checked_inside(chunk->place, chunk->stored, koly->data_len))
		return err_set(err, ERR_DAMAGED,
			       "chunk at %" PRIu64 " of %" PRIu64
			       " bytes is empty or lies outside the data fork "
			       "of %" PRIu64 " bytes",
			       chunk->place, chunk->stored, koly->data_len);
	chunk->place += koly->data_at;
	return 0;
}

static int parse_chunk(const unsigned char *p, const struct dmg_koly *koly,
		       const struct dmg_part *part, uint64_t base,
		       struct dmg_chunk *chunk, struct err *err)
{
	uint64_t first = bytes_be64(p + 8);

	*chunk = (struct dmg_chunk){
		.type = bytes_be32(p),
		.sectors = bytes_be64(p + 16),
		.stored = bytes_be64(p + 32),
	};
	if (check_type(chunk->type, err))
		return -1;
	if (!checked_inside(first, chunk->sectors, part->sectors))
		return err_set(err, ERR_DAMAGED,
			       "sectors %" PRIu64 " and %" PRIu64
			       " more lie outside the %" PRIu64 " of the table",
			       first, chunk->sectors, part->sectors);
	chunk->first = part->first + first;
	if (chunk->type == DMG_ZERO || chunk->type == DMG_IGNORE) {
		chunk->place = chunk->stored = 0;
		return 0;
	}
	if (!chunk->sectors)
		return 0;
	if (!checked_add(base, bytes_be64(p + 24), &chunk->place))
		chunk->place = UINT64_MAX;
	return check_stored(koly, chunk, err);
}

static int parse_part(const struct dmg_table *table,
		      const struct dmg_koly *koly, struct dmg_part *part,
		      struct err *err)
{
	const unsigned char *p = table->bytes;

	if (table->len < TABLE_HEADER || memcmp(p, "mish", 4) ||
	    bytes_be32(p + 4) != 1)
		return err_set(err, ERR_DAMAGED,
			       "not a table of version 1 (%zu bytes)",
			       table->len);
	part->first = bytes_be64(p + 8);
	part->sectors = bytes_be64(p + 16);
	part->crc = dmg_crc_parse(p + 64);
	memcpy(part->name, table->name, sizeof part->name);
	if (!checked_inside(part->first, part->sectors, koly->sectors))
		return err_set(err, ERR_DAMAGED,
			       "sectors %" PRIu64 " and %" PRIu64
			       " more lie outside the disk of %" PRIu64,
			       part->first, part->sectors, koly->sectors);
	if (bytes_be32(p + 200) > (table->len - TABLE_HEADER) / CHUNK_LEN)
		return err_set(err, ERR_DAMAGED,
			       "%" PRIu32 " chunks do not fit its %zu bytes",
			       bytes_be32(p + 200), table->len);
	return 0;
}

static int add_chunk(struct dmg_map *map, size_t *room,
		     const struct dmg_chunk *chunk, struct err *err)
{
	if (!chunk->sectors)
		return 0;
	if (map->chunk_count == *room) {
		*room = *room ? *room * 2 : 256;
		if (*room > LIMIT_TABLE_LEN / sizeof *chunk)
			return err_set(err, ERR_LIMIT,
				       "there are more than %zu chunks",
				       map->chunk_count);
		map->chunk = mem_resize(map->chunk, *room, sizeof *chunk);
	}
	map->chunk[map->chunk_count++] = *chunk;
	if (dmg_is_packed(chunk->type)) {
		map->stored_max =
			(size_t)max_u64(map->stored_max, chunk->stored);
		map->length_max = (size_t)max_u64(map->length_max,
						  chunk->sectors * DMG_SECTOR);
	}
	return 0;
}

static int add_table(const struct dmg_table *table, const struct dmg_koly *koly,
		     struct dmg_map *map, size_t *room, struct err *err)
{
	const unsigned char *p = table->bytes;
	struct dmg_part *part = &map->part[map->part_count++];
	struct dmg_chunk chunk;
	uint32_t count;

	if (parse_part(table, koly, part, err))
		return -1;
	count = bytes_be32(p + 200);
	for (size_t i = 0; i < count; i++) {
		const unsigned char *entry = p + TABLE_HEADER + i * CHUNK_LEN;

		if (bytes_be32(entry) == DMG_END)
			break;
		if (bytes_be32(entry) == DMG_COMMENT)
			continue;
		if (parse_chunk(entry, koly, part, bytes_be64(p + 24), &chunk,
				err))
			return err_in(err, "chunk %zu", i);
		if (add_chunk(map, room, &chunk, err))
			return -1;
	}
	return 0;
}

static int by_sector(const void *a, const void *b)
{
	uint64_t x = ((const struct dmg_chunk *)a)->first;
	uint64_t y = ((const struct dmg_chunk *)b)->first;

	return (x > y) - (x < y);
}

/* Those that are not stored come first. */
static int by_place(const void *a, const void *b)
{
	const struct dmg_chunk *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->stored > y->stored) - (x->stored < y->stored);
}

/* Without any there is no list either. */
static void sort_chunks(struct dmg_map *map,
			int (*by)(const void *a, const void *b))
{
	if (map->chunk_count)
		qsort(map->chunk, map->chunk_count, sizeof *map->chunk, by);
}

/* Decoded chunks are told apart by their place: what is there twice must be
 * the same. Leaves the chunks in the order of the file. */
static int check_shared(struct dmg_map *map, struct err *err)
{
	sort_chunks(map, by_place);
	for (size_t i = 1; i < map->chunk_count; i++) {
		const struct dmg_chunk *a = &map->chunk[i - 1];
		const struct dmg_chunk *b = &map->chunk[i];

		if (a->stored && b->stored && a->place == b->place &&
		    (a->type != b->type || a->stored != b->stored ||
		     a->sectors != b->sectors))
			return err_set(err, ERR_DAMAGED,
				       "two chunks at %" PRIu64
				       " are not the same",
				       a->place);
	}
	return 0;
}

/* The tables must reach as far as the trailer says the disk does. */
static int by_first(const void *a, const void *b)
{
	const struct dmg_part *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Each chunk is then one partition's: so going through the partitions' chunks
 * is going through all of them once. */
static int check_parts(const struct dmg_map *map, struct err *err)
{
	AUTO_FREE struct dmg_part *sorted =
		mem_resize(NULL, map->part_count + 1, sizeof *sorted);
	int status = 0;

	memcpy(sorted, map->part, map->part_count * sizeof *sorted);
	qsort(sorted, map->part_count, sizeof *sorted, by_first);
	for (size_t i = 1; i < map->part_count && !status; i++)
		if (sorted[i - 1].first + sorted[i - 1].sectors >
		    sorted[i].first)
			status = err_set(err, ERR_DAMAGED,
					 "block tables of sectors %" PRIu64
					 " and %" PRIu64 " overlap",
					 sorted[i - 1].first, sorted[i].first);
	return status;
}

static int check_whole(const struct dmg_koly *koly, struct dmg_map *map,
		       struct err *err)
{
	uint64_t end = 0;

	if (check_shared(map, err) || check_parts(map, err))
		return -1;
	sort_chunks(map, by_sector);
	for (size_t i = 1; i < map->chunk_count; i++) {
		const struct dmg_chunk *last = &map->chunk[i - 1];

		if (last->first + last->sectors > map->chunk[i].first)
			return err_set(err, ERR_DAMAGED,
				       "chunks at sectors %" PRIu64
				       " and %" PRIu64 " overlap",
				       last->first, map->chunk[i].first);
	}
	for (size_t i = 0; i < map->part_count; i++)
		end = max_u64(end, map->part[i].first + map->part[i].sectors);
	if (end != koly->sectors)
		return err_set(err, ERR_DAMAGED,
			       "block tables end at sector %" PRIu64
			       ", the disk at %" PRIu64,
			       end, koly->sectors);
	return 0;
}

static int read_tables(struct source *source, const struct dmg_koly *koly,
		       struct dmg_tables *tables, struct err *err)
{
	bool plist = koly->plist_len;
	uint64_t at = plist ? koly->plist_at : koly->rsrc_at;
	uint64_t len = plist ? koly->plist_len : koly->rsrc_len;
	const char *what = plist ? "property list" : "resource fork";
	AUTO_FREE unsigned char *bytes = NULL;

	if (!len)
		return err_set(err, ERR_DAMAGED,
			       "neither a property list nor a resource fork is "
			       "there");
	bytes = mem_capped(len, 1, LIMIT_TABLE_LEN, what, err);
	if (!bytes ||
	    source_read_all(source, bytes, (size_t)len, at, what, err))
		return -1;
	return plist ? dmg_plist_read((const char *)bytes, (size_t)len, tables,
				      err)
		     : dmg_rsrc_read(bytes, (size_t)len, tables, err);
}

int dmg_map_read(struct source *source, const struct dmg_koly *koly,
		 struct dmg_map *map, struct err *err)
{
	struct dmg_tables tables = { 0 };
	size_t room = 0;
	int status = read_tables(source, koly, &tables, err);

	memset(map, 0, sizeof *map);
	map->part = mem_resize(NULL, tables.count + 1, sizeof *map->part);
	for (size_t i = 0; !status && i < tables.count; i++) {
		status = add_table(&tables.list[i], koly, map, &room, err);
		if (status)
			err_in(err, "block table %zu", i);
	}
	dmg_tables_clear(&tables);
	return status ? -1 : check_whole(koly, map, err);
}

void dmg_map_clear(struct dmg_map *map)
{
	free(map->chunk);
	free(map->part);
}

size_t dmg_map_find(const struct dmg_map *map, uint64_t sector)
{
	size_t low = 0, high = map->chunk_count;

	/* The range halves at each turn. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dmg_chunk *chunk = &map->chunk[middle];

		if (chunk->first + chunk->sectors > sector)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}
