/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a guest offset of one sparse extent to what is stored for
 * it: the grain directory, held in memory, grain tables through the cache,
 * and compressed grains with their markers.
 */
#include "base/bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

/* Tables one call may look at: enough to join long runs, few enough that a
 * short question is answered soon. */
#define TABLES_A_RUN 64
/* Bytes of tables read at once where they lie side by side, as they do in
 * images whose tables are made when they are. */
#define GROUP_LEN ((size_t)(64 * KIB))
/* Questions to the file system when an image is opened. */
#define LOOKS_FOR_HOLES 1024

uint64_t *vmdk_map_directory(const struct vmdk_header *header,
			     struct source *source, uint64_t gd,
			     struct err *err)
{
	size_t count = (size_t)header->gd_entries;
	AUTO_FREE unsigned char *bytes =
		mem_capped(count + 1, header->entry_len, LIMIT_TABLE_LEN,
			   "grain directory", err);
	uint64_t *raw;

	if (!bytes || source_read_all(source, bytes,
				      count * header->entry_len, gd,
				      "grain directory", err))
		return NULL;
	raw = mem_resize(NULL, count + 1, sizeof *raw);
	for (size_t i = 0; i < count; i++)
		raw[i] = vmdk_entry_raw(header, bytes, i);
	return raw;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* No two entries share a table: so the work to go through all of them is
 * bounded by the file, not by what its directory claims. */
static int check_shared(const uint64_t *tables, size_t count, struct err *err)
{
	AUTO_FREE uint64_t *sorted =
		mem_resize(NULL, count + 1, sizeof *sorted);

	memcpy(sorted, tables, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_place);
	for (size_t i = 1; i < count; i++)
		if (sorted[i] && sorted[i] != VMDK_TABLE_ZERO &&
		    sorted[i] == sorted[i - 1])
			return err_set(err, ERR_DAMAGED,
				       "grain table at %" PRIu64 " is used "
				       "twice", sorted[i]);
	return 0;
}

/* Tables that were never written are holes of the file, and list nothing: a
 * terabyte's worth of them need not be read. */
static int drop_unwritten(struct vmdk_map *map, struct err *err)
{
	uint64_t len = (uint64_t)map->header.entries * map->header.entry_len;
	struct extent extent = { .length = 0 };
	unsigned looks = 0;

	for (uint64_t i = 0; i < map->header.gd_entries; i++) {
		uint64_t place = map->tables[i];

		if (!place || place == VMDK_TABLE_ZERO)
			continue;
		if (place < extent.offset ||
		    place - extent.offset >= extent.length) {
			if (looks++ == LOOKS_FOR_HOLES)
				break;
			if (source_extent(map->source, place,
					  map->source->size - place, &extent,
					  err))
				return -1;
		}
		if (extent.kind == EXTENT_HOLE &&
		    len <= extent.offset + extent.length - place)
			map->tables[i] = 0;
	}
	return 0;
}

int vmdk_map_open(struct vmdk_map *map, const struct vmdk_header *header,
		  struct source *source, uint64_t memory, struct err *err)
{
	size_t count = (size_t)header->gd_entries;

	memset(map, 0, sizeof *map);
	map->header = *header;
	map->source = source;
	map->tables = vmdk_map_directory(header, source, header->gd, err);
	if (!map->tables)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (vmdk_entry_table(header, map->tables[i], i, source->size,
				     &map->tables[i], err))
			return -1;
	if (check_shared(map->tables, count, err) || drop_unwritten(map, err))
		return -1;
	map->table_len = (size_t)header->entries * header->entry_len;
	map->group = GROUP_LEN / map->table_len;
	map->cache = table_cache_open(source, "grain table", map->table_len,
				      memory / 2);
	map->groups = table_cache_open(source, "grain tables",
				       map->group * map->table_len,
				       memory / 2);
	if (header->compressed)
		map->packed = packed_open(source, "compressed grain",
					  VMDK_PACKED_MAX(header->grain),
					  header->grain);
	return 0;
}

void vmdk_map_close(struct vmdk_map *map)
{
	free(map->tables);
	map->tables = NULL;
	map->cache = table_cache_close(map->cache);
	map->groups = table_cache_close(map->groups);
	map->packed = packed_close(map->packed);
}

uint32_t vmdk_map_grain_len(const struct vmdk_header *header, uint64_t guest)
{
	return (uint32_t)min_u64(header->grain, header->size - guest);
}

/* No table: the run reaches to the next one there is. */
static void absent_run(const struct vmdk_map *map, uint64_t offset,
		       uint64_t end, struct vmdk_run *out)
{
	uint64_t span = map->header.span;
	uint64_t index = offset / span, what = map->tables[index];

	/* Ends at `end`, which lies inside the directory. */
	do {
		index++;
	} while (index * span < end && map->tables[index] == what);
	*out = (struct vmdk_run){
		.kind = what ? VMDK_READS_ZERO : VMDK_UNALLOCATED,
		.offset = offset,
		.length = min_u64(end, index * span) - offset,
	};
}

static bool join(struct vmdk_run *run, const struct vmdk_run *next)
{
	if (run->kind != next->kind || run->kind == VMDK_PACKED ||
	    (run->kind == VMDK_PLAIN &&
	     run->place + run->length != next->place))
		return false;
	run->length += next->length;
	return true;
}

/* What the table says about the range from `offset`, up to `end`. */
static int table_run(const struct vmdk_map *map, const unsigned char *table,
		     uint64_t offset, uint64_t end, struct vmdk_run *out,
		     struct err *err)
{
	const struct vmdk_header *header = &map->header;
	uint64_t base = round_down(offset, header->span);
	uint64_t index = (offset - base) / header->grain, guest;
	struct vmdk_run next;

	end = min_u64(end, base + header->span);
	assert(offset < end);
	/* Each turn moves on by a grain, or the rest of one. */
	for (uint64_t at = offset; at < end; at = guest + header->grain) {
		guest = base + index * header->grain;
		next = (struct vmdk_run){
			.offset = at,
			.length = min_u64(end, guest + header->grain) - at,
			.skip = (uint32_t)(at - guest),
		};
		if (vmdk_entry_grain(header,
				     table + index * header->entry_len, guest,
				     map->source->size, &next.kind,
				     &next.place, err))
			return -1;
		if (next.kind == VMDK_PLAIN)
			next.place += next.skip;
		if (at == offset)
			*out = next;
		else if (!join(out, &next))
			break;
		index++;
	}
	return 0;
}

/* Do the tables of the directory's entries from `first` on lie side by side,
 * a whole group of them? */
static bool is_group(const struct vmdk_map *map, uint64_t first)
{
	if (first + map->group > map->header.gd_entries)
		return false;
	for (uint64_t i = 1; i < map->group; i++)
		if (map->tables[first + i] !=
		    map->tables[first] + i * map->table_len)
			return false;
	return true;
}

static int one_run(struct vmdk_map *map, uint64_t offset, uint64_t end,
		   struct vmdk_run *out, struct err *err)
{
	uint64_t index = offset / map->header.span;
	uint64_t first = round_down(index, map->group);
	struct table_cache *cache = map->groups;
	const unsigned char *table;
	struct table_slot *slot;
	int status;

	if (!is_group(map, first)) {
		first = index;
		cache = map->cache;
	}
	table = table_cache_hold(cache, map->tables[first], &slot, err);
	if (!table)
		return -1;
	status = table_run(map, table + (index - first) * map->table_len,
			   offset, end, out, err);
	table_cache_drop(cache, slot);
	return status;
}

int vmdk_map_run(struct vmdk_map *map, uint64_t offset, uint64_t limit,
		 struct vmdk_run *out, struct err *err)
{
	uint64_t end = offset + min_u64(limit, map->header.size - offset);
	struct vmdk_run next;
	unsigned looked = 0;

	/* Each turn moves on by a run, which is not empty. */
	for (uint64_t at = offset; at < end && looked < TABLES_A_RUN;
	     at += next.length) {
		uint64_t place = map->tables[at / map->header.span];

		if (!place || place == VMDK_TABLE_ZERO) {
			absent_run(map, at, end, &next);
		} else {
			looked++;
			if (one_run(map, at, end, &next, err))
				return -1;
		}
		if (at == offset)
			*out = next;
		else if (!join(out, &next))
			break;
	}
	return 0;
}

int vmdk_map_marker(const struct vmdk_header *header,
		    const unsigned char *marker, uint64_t guest,
		    uint32_t *stored, struct err *err)
{
	uint64_t sector = bytes_le64(marker + VMDK_MARKER_VALUE);

	*stored = bytes_le32(marker + VMDK_MARKER_SIZE);
	if (sector != guest / VMDK_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": the grain's marker "
			       "says sector %" PRIu64 " (%" PRIu64 ")", guest,
			       sector, guest / VMDK_SECTOR);
	if (!*stored || *stored > VMDK_PACKED_MAX(header->grain))
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": a compressed grain "
			       "of %" PRIu32 " bytes is out of range (1 to "
			       "%zu)", guest, *stored,
			       VMDK_PACKED_MAX(header->grain));
	return 0;
}

int vmdk_map_chunk(struct vmdk_map *map, const struct vmdk_run *run,
		   struct packed_chunk *out, struct err *err)
{
	const struct vmdk_header *header = &map->header;
	uint64_t guest = run->offset - run->skip;
	unsigned char marker[VMDK_MARKER_DATA];
	uint32_t stored;

	*out = (struct packed_chunk){
		.codec = BLOCK_ZLIB,
		.place = run->place,
		.length = vmdk_map_grain_len(header, guest),
	};
	if (!header->markers) {
		/* Nothing says how long it is but its own end. */
		out->stored = (size_t)min_u64(VMDK_PACKED_MAX(header->grain),
					      map->source->size - run->place);
		return 0;
	}
	if (source_read_all(map->source, marker, sizeof marker, run->place,
			    "grain marker", err) ||
	    vmdk_map_marker(header, marker, guest, &stored, err))
		return -1;
	out->place += VMDK_MARKER_DATA;
	out->stored = stored;
	if (!checked_inside(out->place, stored, map->source->size))
		return err_set(err, ERR_DAMAGED,
			       "compressed grain at %" PRIu64 " (%" PRIu32
			       " bytes) lies past the end of the file "
			       "(%" PRIu64 ")", out->place, stored,
			       map->source->size);
	return 0;
}

int vmdk_map_unpack(struct vmdk_map *map, const struct vmdk_run *run,
		    void *buf, struct err *err)
{
	struct packed_chunk chunk;
	struct err first;

	if (vmdk_map_chunk(map, run, &chunk, err))
		return -1;
	if (!packed_read(map->packed, &chunk, run->skip, buf,
			 (size_t)run->length, &first))
		return 0;
	if (first.kind != ERR_DAMAGED || chunk.length == map->header.grain) {
		*err = first;
		return -1;
	}
	/* The disk's end cuts the last grain; some writers compress all of
	 * it all the same. */
	chunk.length = map->header.grain;
	return packed_read(map->packed, &chunk, run->skip, buf,
			   (size_t)run->length, err);
}
