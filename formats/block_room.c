/* SPDX-License-Identifier: MIT */
/*
 * Owns writing one-level block maps (block_map.h): which place a block gets,
 * and the table's bytes. Does not know what else is in the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/block_map.h"

#define ENTRY_LEN 4
#define PART_ENTRIES ((uint64_t)16384) /* of the table, made at once */

uint32_t block_room_granule(uint32_t block_size)
{
	return (uint32_t)min_u64(block_size, 64 * KIB);
}

uint32_t block_room_survey_granule(uint32_t block_size)
{
	return (uint32_t)min_u64(block_size, UNIT_LEN);
}

/* There is an entry for `index`. */
static int reach(struct block_room *room, uint64_t index, struct err *err)
{
	uint64_t more;

	if (index >= room->most)
		return err_set(err, ERR_UNSUPPORTED,
			       "the disk needs more than the %llu blocks of "
			       "%u bytes there is place for: say its size with "
			       "-s, or use larger blocks",
			       (unsigned long long)room->most,
			       room->block_size);
	if (index < room->room) {
		room->count = max_u64(room->count, index + 1);
		return 0;
	}
	more = min_u64(room->most, max_u64(index + 1, room->room * 2));
	room->entry = mem_resize(room->entry, more, sizeof *room->entry);
	memset(room->entry + room->room, 0,
	       (more - room->room) * sizeof *room->entry);
	room->room = more;
	room->count = index + 1;
	return 0;
}

static void plan(struct block_room *room, const struct survey *survey)
{
	uint64_t granules = div_up(survey->size, survey->granule);

	for (uint64_t i = 0; i < granules; i++) {
		uint32_t *entry =
			&room->entry[i * survey->granule / room->block_size];

		if (!*entry && survey_has(survey, i))
			*entry = (uint32_t)++room->used;
	}
	room->planned = true;
}

int block_room_open(struct block_room *room, uint64_t size,
		    const struct survey *survey, struct err *err)
{
	room->granule = block_room_granule(room->block_size);
	room->count = div_up(size, room->block_size);
	if (room->count > room->most)
		return err_set(err, ERR_UNSUPPORTED,
			       "%llu bytes are more than %llu blocks of %u "
			       "bytes can hold; use larger blocks",
			       (unsigned long long)size,
			       (unsigned long long)room->most,
			       room->block_size);
	if (room->fixed)
		return 0;
	/* Zeroed by the system where it is large: pages never touched take no
	 * memory. */
	room->room = room->count;
	room->entry = mem_zalloc((size_t)max_u64(1, room->count) *
				 sizeof *room->entry);
	if (survey)
		plan(room, survey);
	return 0;
}

/* The block's number in the file: the first ones are behind the others when
 * they have made room. */
static uint64_t final_number(const struct block_room *room, uint64_t number)
{
	uint64_t count = room->fixed ? room->count : room->used;

	if (number >= room->moved)
		return number - room->moved;
	return max_u64(count, room->moved) + number - room->moved;
}

/* Where it is stored: an append-only sink is settled from the start, another
 * one in the end. */
static uint64_t place_of(const struct block_room *room, uint64_t number)
{
	return room->data +
	       (room->sink->seekable ? number : final_number(room, number)) *
		       room->block_size;
}

int block_room_settle(struct block_room *room, uint64_t front,
		      enum sink_zero how, struct err *err)
{
	uint64_t count = room->fixed ? room->count : room->used;
	uint64_t from = room->data, to, length;

	room->moved = front > room->data
			      ? div_up(front - room->data, room->block_size)
			      : 0;
	room->data += room->moved * room->block_size;
	if (!room->sink->seekable)
		return 0;
	to = from + max_u64(count, room->moved) * room->block_size;
	length = min_u64(count, room->moved) * room->block_size;
	return sink_zero(room->sink, to, length, how, err) ||
			       sink_move(room->sink, from, length, to, err)
		       ? -1
		       : 0;
}

/* ---- blocks that an append-only sink gets last ---- */

struct block_kept {
	uint64_t offset;
	size_t len;
	unsigned char *bytes;
};

static void keep(struct block_room *room, uint64_t offset,
		 const unsigned char *bytes, size_t len)
{
	struct block_kept *kept;

	if (room->kept_count == room->kept_room) {
		room->kept_room = max_u64(64, room->kept_room * 2);
		room->kept = mem_resize(room->kept, room->kept_room,
					sizeof *room->kept);
	}
	kept = &room->kept[room->kept_count++];
	kept->offset = offset;
	kept->len = len;
	kept->bytes = mem_buffer(len);
	memcpy(kept->bytes, bytes, len);
}

int block_room_flush(struct block_room *room, struct err *err)
{
	for (size_t i = 0; i < room->kept_count; i++)
		if (sink_write(room->sink, room->kept[i].bytes,
			       room->kept[i].len, room->kept[i].offset, err))
			return -1;
	return 0;
}

/* ---- placing ---- */

/* Where block `index` is; *fresh when it was given its place just now, and
 * who writes only parts of it must see that the rest reads as zero. */
static int take(struct block_room *room, uint64_t index, uint64_t *place,
		bool *fresh, struct err *err)
{
	*fresh = false;
	if (room->fixed) {
		*place = place_of(room, index);
		return 0;
	}
	if (reach(room, index, err))
		return -1;
	if (!room->entry[index]) {
		if (room->planned)
			return err_set(err, ERR_TEMPORARY,
				       "the input changed since it was "
				       "surveyed (at %llu)",
				       (unsigned long long)index *
					       room->block_size);
		room->entry[index] = (uint32_t)++room->used;
		*fresh = true;
	}
	*place = place_of(room, room->entry[index] - 1);
	return 0;
}

/* A new block of which not everything will be written. */
static int clean(struct block_room *room, uint64_t place, struct err *err)
{
	if (!room->sink->seekable)
		return 0; /* gaps are filled with zeros */
	return sink_zero(room->sink, place, room->block_size, SINK_ZERO_SPARSE,
			 err);
}

/* Does the unit hold data for all of the block that granule `i` begins? */
static bool covers(const struct block_room *room, const struct unit *unit,
		   size_t i)
{
	size_t count = room->block_size / room->granule;

	if ((unit->offset + i * room->granule) % room->block_size ||
	    unit->len < (i + count) * (uint64_t)room->granule)
		return false;
	for (size_t k = i; k < i + count; k++)
		if (unit->granules[k].kind != EXTENT_DATA)
			return false;
	return true;
}

/* Is block `index` of the guest one that makes room? */
static bool is_moved(const struct block_room *room, uint64_t index)
{
	return (room->fixed ? index : room->entry[index] - 1) < room->moved;
}

static int place_granule(struct block_room *room, struct unit *unit, size_t i,
			 struct err *err)
{
	size_t at = i * room->granule;
	size_t len = (size_t)min_u64(room->granule, unit->len - at);
	uint64_t guest = unit->offset + at, place;
	bool fresh;

	if (room->fixed && unit->granules[i].kind != EXTENT_DATA &&
	    room->how != SINK_ZERO_WRITE)
		return block_room_zero(room, guest, len, err);
	if (!room->fixed && unit->granules[i].kind != EXTENT_DATA)
		return 0;
	if (take(room, guest / room->block_size, &place, &fresh, err) ||
	    (fresh && !covers(room, unit, i) && clean(room, place, err)))
		return -1;
	if (!room->sink->seekable && is_moved(room, guest / room->block_size))
		keep(room, place + guest % room->block_size, unit->data + at,
		     len);
	else
		unit_store(unit, room->sink, place + guest % room->block_size,
			   unit->data + at, len);
	return 0;
}

int block_room_place(struct block_room *room, struct unit *unit,
		     struct err *err)
{
	for (size_t i = 0; i < unit->granule_count; i++)
		if (place_granule(room, unit, i, err))
			return -1;
	return 0;
}

int block_room_zero(struct block_room *room, uint64_t offset, uint64_t length,
		    struct err *err)
{
	if (!room->fixed || !room->sink->seekable)
		return 0;
	return sink_zero(room->sink, room->data + offset, length, room->how,
			 err);
}

/* Ranges come in ascending order: a block that has its place before this
 * range, and is in it, is the last one given out. So the places of the range
 * are one run. */
int block_room_reserve(struct block_room *room, uint64_t offset,
		       uint64_t length, uint64_t *place, struct err *err)
{
	uint64_t end = offset + length, at;
	bool fresh;

	for (uint64_t guest = round_down(offset, room->block_size); guest < end;
	     guest += room->block_size) {
		if (take(room, guest / room->block_size, &at, &fresh, err) ||
		    (fresh &&
		     (guest < offset || guest + room->block_size > end) &&
		     clean(room, at, err)))
			return -1;
		if (guest <= offset)
			*place = at + offset - guest;
	}
	return 0;
}

static uint32_t entry_of(const struct block_room *room, uint64_t index,
			 uint32_t base, uint32_t none)
{
	if (room->fixed)
		return base + (uint32_t)final_number(room, index);
	if (index >= room->count || !room->entry[index])
		return none;
	return base + (uint32_t)final_number(room, room->entry[index] - 1);
}

int block_room_store(const struct block_room *room, uint64_t offset,
		     uint64_t count, uint32_t base, uint32_t none,
		     struct err *err)
{
	AUTO_FREE unsigned char *part = mem_buffer(PART_ENTRIES * ENTRY_LEN);

	for (uint64_t index = 0; index < count; index += PART_ENTRIES) {
		uint64_t here = min_u64(PART_ENTRIES, count - index);
		uint64_t at = offset + index * ENTRY_LEN;
		bool empty = !none;
		int failed;

		for (uint64_t i = 0; i < here; i++) {
			uint32_t entry = entry_of(room, index + i, base, none);

			empty &= !entry;
			bytes_put_le32(part + i * ENTRY_LEN, entry);
		}
		failed = empty ? sink_zero(room->sink, at, here * ENTRY_LEN,
					   SINK_ZERO_SPARSE, err)
			       : sink_write(room->sink, part, here * ENTRY_LEN,
					    at, err);
		if (failed)
			return -1;
	}
	return 0;
}

uint64_t block_room_end(const struct block_room *room)
{
	return room->data +
	       (room->fixed ? room->count : room->used) * room->block_size;
}

void block_room_clear(struct block_room *room)
{
	for (size_t i = 0; i < room->kept_count; i++)
		free(room->kept[i].bytes);
	free(room->kept);
	room->kept = NULL;
	room->kept_count = 0;
	free(room->entry);
	room->entry = NULL;
}
