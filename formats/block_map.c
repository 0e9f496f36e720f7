/* SPDX-License-Identifier: MIT */
/*
 * Owns reading one-level block maps: looking entries up, through a bounded
 * cache, and joining them to runs. Does not know what an entry means.
 */
#include "formats/block_map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/table_cache.h"

#define ENTRY_LEN 4
#define SLICE ((size_t)(64 * KIB))
#define SLICE_ENTRIES (SLICE / ENTRY_LEN)
/* Slices one call may look at: enough to join long runs, few enough that a
 * short question is answered soon. */
#define SLICES_A_RUN 16
/* Data runs are used a unit at a time: longer ones are looked up in vain. */
#define RUN_ENOUGH GIB

struct block_map {
	struct block_map_form form;
	struct source *source;
	struct table_cache *cache;
	/* The cache has whole slices; what the table has beyond them. */
	unsigned char *rest;
	uint64_t whole; /* entries in whole slices */
};

struct block_map *block_map_open(struct source *source,
				 const struct block_map_form *form,
				 uint64_t memory, struct err *err)
{
	uint64_t len, rest = form->count % SLICE_ENTRIES;
	struct block_map *map;

	if (!checked_mul(form->count, ENTRY_LEN, &len) ||
	    !checked_inside(form->table, len, source->size)) {
		err_set(err, ERR_DAMAGED,
			"block map at %" PRIu64 " (%" PRIu64 " entries) lies "
			"past the end of the file (%" PRIu64 ")",
			form->table, form->count, source->size);
		return NULL;
	}
	map = mem_zalloc(sizeof *map);
	map->form = *form;
	map->source = source;
	map->whole = form->count - rest;
	map->cache = table_cache_open(source, "block map", SLICE, memory);
	map->rest = mem_zalloc(SLICE);
	if (source_read_all(source, map->rest, (size_t)rest * ENTRY_LEN,
			    form->table + map->whole * ENTRY_LEN, "block map",
			    err))
		return block_map_close(map);
	return map;
}

struct block_map *block_map_close(struct block_map *map)
{
	if (map) {
		table_cache_close(map->cache);
		free(map->rest);
		free(map);
	}
	return NULL;
}

/* What entry `index` says of all of its block. */
static int judge(const struct block_map *map, uint64_t index, uint32_t entry,
		 struct extent *out, struct err *err)
{
	const struct block_map_form *form = &map->form;
	uint64_t end = map->source->size;

	memset(out, 0, sizeof *out);
	out->offset = index * form->block_size;
	out->length = form->block_size;
	if (out->offset < form->size)
		out->length = min_u64(out->length, form->size - out->offset);
	if (form->entry(form->image, index, entry, &out->kind, &out->place,
			err))
		return -1;
	if (out->kind == EXTENT_DATA &&
	    !checked_inside(out->place, out->length, end))
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " at %" PRIu64 " (%" PRIu64
			       " bytes) lies past the end of the file "
			       "(%" PRIu64 ")",
			       index, out->place, out->length, end);
	return 0;
}

/* How many of the `most` entries from the first one on are the same. An empty
 * disk of a TiB has a million, and this is the loop that goes over them. */
static uint64_t alike(const unsigned char *entries, uint64_t most)
{
	uint64_t count = 1;

	while (count < most &&
	       !memcmp(entries, entries + count * ENTRY_LEN, ENTRY_LEN))
		count++;
	return count;
}

/* Runs out of one slice, from *at on: goes on with `out` when that is not
 * empty. 1: there may be more to join in the next slice. */
static int slice_run(const struct block_map *map, const unsigned char *entries,
		     uint64_t *at, uint64_t end, struct extent *out,
		     struct err *err)
{
	const struct block_map_form *form = &map->form;
	uint64_t index = *at / form->block_size;
	uint64_t stop = round_down(index, SLICE_ENTRIES) + SLICE_ENTRIES;
	uint64_t last = min_u64(form->count, div_up(end, form->block_size));
	struct extent next;

	/* Ends: the index grows by one at least. */
	for (uint64_t count; index < stop && *at < end; index += count) {
		const unsigned char *first =
			entries + index % SLICE_ENTRIES * ENTRY_LEN;
		uint32_t entry = bytes_le32(first);

		if (judge(map, index, entry, &next, err)) {
			/* What comes before it is good. */
			return out->length ? 0 : -1;
		}
		count = 1;
		if (next.kind != EXTENT_DATA) {
			count = alike(first, min_u64(stop, last) - index);
			next.length += (count - 1) * form->block_size;
			next.length = min_u64(next.length,
					      form->size - next.offset);
		}
		if (next.offset < *at) {
			uint64_t skip = *at - next.offset;

			next.offset += skip;
			next.length -= skip;
			next.place += skip;
		}
		if (!out->length)
			*out = next;
		else if (!extent_join(out, &next))
			return 0;
		*at = next.offset + next.length;
		if (out->kind == EXTENT_DATA && out->length >= RUN_ENOUGH)
			return 0;
	}
	return 1;
}

static int hold_run(const struct block_map *map, uint64_t *at, uint64_t end,
		    struct extent *out, struct err *err)
{
	uint64_t index = *at / map->form.block_size;
	uint64_t place = round_down(index, SLICE_ENTRIES) * ENTRY_LEN;
	const unsigned char *entries;
	struct table_slot *slot;
	int more;

	if (index >= map->whole)
		return slice_run(map, map->rest, at, end, out, err);
	entries = table_cache_hold(map->cache, map->form.table + place, &slot,
				   err);
	if (!entries)
		return -1;
	more = slice_run(map, entries, at, end, out, err);
	table_cache_drop(map->cache, slot);
	return more;
}

int block_map_extent(struct block_map *map, uint64_t offset, uint64_t limit,
		     struct extent *out, struct err *err)
{
	uint64_t end = offset + min_u64(limit, map->form.size - offset);
	uint64_t at = offset;
	int more = 1;

	memset(out, 0, sizeof *out);
	/* Each turn moves on by a block at least. */
	for (unsigned i = 0; i < SLICES_A_RUN && more > 0 && at < end; i++)
		more = hold_run(map, &at, end, out, err);
	if (more < 0)
		return -1;
	out->length = min_u64(out->length, end - offset);
	if (out->kind != EXTENT_DATA)
		return 0;
	out->source = map->source;
	out->stored = out->length;
	return 0;
}

int block_map_read(struct block_map *map, void *buf, size_t len,
		   uint64_t offset, struct err *err)
{
	unsigned char *at = buf;
	struct extent run;

	/* A run is not empty. */
	while (len) {
		if (block_map_extent(map, offset, len, &run, err))
			return -1;
		if (run.kind != EXTENT_DATA)
			memset(at, 0, (size_t)run.length);
		else if (source_read_all(map->source, at, (size_t)run.length,
					 run.place, "block", err))
			return -1;
		at += run.length;
		len -= (size_t)run.length;
		offset += run.length;
	}
	return 0;
}

static int check_entry(struct block_map *map, struct usage *usage,
		       struct check_report *report, uint32_t extra,
		       const struct extent *block, struct err *err)
{
	uint64_t size = map->source->size, stored = map->form.block_size;

	/* What the guest sees is there; the rest of a last block need not. */
	if (block->length < stored && size - block->place < stored)
		stored = size - block->place;
	return usage_claim(usage, report, "block", block->place - extra,
			   stored + extra, err);
}

int block_map_check(struct block_map *map, struct usage *usage,
		    struct check_report *report, uint32_t extra, uint64_t *used,
		    struct err *err)
{
	AUTO_FREE unsigned char *slice = mem_buffer(SLICE);
	uint64_t count = map->form.count, index = 0;
	struct extent block;
	struct err found;

	*used = 0;
	while (index < count) {
		size_t here = (size_t)min_u64(SLICE_ENTRIES, count - index);

		if (source_read_all(map->source, slice, here * ENTRY_LEN,
				    map->form.table + index * ENTRY_LEN,
				    "block map", err))
			return -1;
		for (size_t i = 0; i < here; i++, index++) {
			if (judge(map, index, bytes_le32(slice + i * ENTRY_LEN),
				  &block, &found)) {
				check_corruption(report, "%s", found.message);
				++*used;
			} else if (block.kind == EXTENT_DATA) {
				++*used;
				if (check_entry(map, usage, report, extra,
						&block, err))
					return -1;
			}
		}
	}
	return 0;
}
