/* SPDX-License-Identifier: MIT */
/*
 * One-level block maps: a table of 32-bit little-endian entries, one for each
 * block of the guest's disk, and blocks of one size behind it (VDI,
 * Parallels). What an entry means is the driver's; looking it up, joining
 * runs, giving out places and writing the table is here.
 *
 *   | header | table | block | block | block | ...
 *                      ^ data: blocks stand in the order of allocation
 */
#ifndef FORMATS_BLOCK_MAP_H
#define FORMATS_BLOCK_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/images/driver.h"
#include "formats/survey.h"
#include "formats/usage.h"
#include "formats/writer.h"
#include "io/extent.h"
#include "io/source.h"

/* ---- reading ---- */

/* An image as its header describes it. */
struct block_map_form {
	uint64_t table;	     /* of the first entry, bytes */
	uint64_t count;	     /* entries; at least size / block_size */
	uint64_t size;	     /* of the guest's disk, bytes */
	uint32_t block_size; /* of guest data, bytes; any, but 0 */
	/* What entry number `index` says: 0, and *place (the first byte of
	 * guest data) for EXTENT_DATA; ERR_DAMAGED for what it may not say.
	 * That the block lies inside the file is checked by the caller.
	 * A kind other than data is one by the value alone. Called from many
	 * threads. */
	int (*entry)(const void *image, uint64_t index, uint32_t entry,
		     enum extent_kind *kind, uint64_t *place, struct err *err);
	const void *image; /* borrowed, handed to `entry` */
};

struct block_map;

/* `source` is borrowed, `memory` bounds the cache (0: a small default).
 * ERR_DAMAGED when the table lies past the end of the file. */
struct block_map *block_map_open(struct source *source,
				 const struct block_map_form *form,
				 uint64_t memory, struct err *err);
/* disk_ops' read and extent; safe from many threads. */
int block_map_extent(struct block_map *map, uint64_t offset, uint64_t limit,
		     struct extent *out, struct err *err);
int block_map_read(struct block_map *map, void *buf, size_t len,
		   uint64_t offset, struct err *err);
/* For checks: every entry is judged (errors are corruption), and what it
 * refers to is claimed: `extra` bytes in front of the data with it. *used is
 * how many entries have a block, those behind the disk's end too. */
int block_map_check(struct block_map *map, struct usage *usage,
		    struct check_report *report, uint32_t extra, uint64_t *used,
		    struct err *err);
/* Accepts NULL, returns NULL. */
struct block_map *block_map_close(struct block_map *map);

/* ---- writing ---- */

/*
 * What block_room places: set up by block_room_open.
 *
 * The bytes of an image do not depend on whether the size of the disk was
 * known beforehand. Blocks are stored from `data` on, where a small disk's
 * table ends; in the end, when the table turns out to be longer, those that
 * stand in its way go behind the last one (block_room_settle).
 */
struct block_room {
	struct sink *sink; /* borrowed */
	uint32_t block_size, granule;
	uint64_t data; /* where the first block is, bytes */
	/* Every block has its place, in the guest's order; else a block gets
	 * one when its first data comes, and all else is never stored. */
	bool fixed;
	enum sink_zero how; /* fixed: how zeros are stored */
	/* The sink takes no order but its own: from the survey. */
	bool planned;
	uint32_t *entry; /* number + 1 of the block's place; 0: none */
	uint64_t count;	 /* entries in use of `entry` */
	uint64_t room;	 /* of them there is memory for */
	uint64_t most;	 /* of them there is place for in the file */
	uint64_t used;	 /* blocks given out */
	/* The first so many blocks make room for the table: they are, or will
	 * be, behind the others. */
	uint64_t moved;
	/* An append-only sink gets them at the end. */
	struct block_kept *kept;
	size_t kept_count, kept_room;
};

/* Blocks a writer maps at most: a table of 256 MiB, whose memory is used as
 * far as the disk holds data. */
#define BLOCK_ROOM_MOST ((uint64_t)1 << 26)

/* A granule that suits `block_size` (a power of two). */
uint32_t block_room_granule(uint32_t block_size);
/* The granule of a survey for it. */
uint32_t block_room_survey_granule(uint32_t block_size);

/* `room` has sink, block_size, data, fixed, how and most; the table is sized
 * for `size` (0 where it is not known yet). With `survey` (NULL: none) each
 * block's place is known at once. Of an append-only sink block_room_settle
 * comes next. */
int block_room_open(struct block_room *room, uint64_t size,
		    const struct survey *survey, struct err *err);
/* writer_ops' place, zero and reserve. */
int block_room_place(struct block_room *room, struct unit *unit,
		     struct err *err);
int block_room_zero(struct block_room *room, uint64_t offset, uint64_t length,
		    struct err *err);
int block_room_reserve(struct block_room *room, uint64_t offset,
		       uint64_t length, uint64_t *place, struct err *err);
/* The table needs all in front of `front`: `data` is moved on by whole blocks,
 * and blocks out of its way. To a sink that seeks: after the last block, and
 * zeros among them are stored as `how` says. */
int block_room_settle(struct block_room *room, uint64_t front,
		      enum sink_zero how, struct err *err);
/* What an append-only sink gets behind all else; nothing for another one. */
int block_room_flush(struct block_room *room, struct err *err);
/* The table of `count` entries to `offset`: `base` + its number for a block
 * that has a place, `none` for one that has not. */
int block_room_store(const struct block_room *room, uint64_t offset,
		     uint64_t count, uint32_t base, uint32_t none,
		     struct err *err);
/* Where the last block ends. */
uint64_t block_room_end(const struct block_room *room);
void block_room_clear(struct block_room *room);

#endif
