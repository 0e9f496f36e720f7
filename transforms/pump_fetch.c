/* SPDX-License-Identifier: MIT */
/*
 * Owns the pump's view of its input: cutting disks and walks into units of
 * whole writer granules, ranges without data, and runs to be shared. Called
 * by one thread at a time; for a stream this is where it is read.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "transforms/pump_notes.h"
#include "transforms/pump_slot.h"

/* Sharing a run takes a call; shorter ones are cheaper to copy. */
#define CLONE_LEAST ((uint64_t)256 * KIB)
/* What file systems share in. */
#define CLONE_ALIGN 4096

void pump_feed_init(struct pump_feed *feed, struct pump *pump)
{
	memset(feed, 0, sizeof *feed);
	feed->pump = pump;
	/* Its pieces are as long as they like; only writers that take any
	 * order are fed from such a walk, and they take any length. */
	if (pump->walk && !pump->walk->ordered)
		pump->writer->unit_len = UNIT_LEN_MAX;
}

int pump_feed_start(struct pump_feed *feed, struct err *err)
{
	struct pump *pump = feed->pump;

	if (!pump->walk || pump->walk->ordered)
		return 0;
	if (pump->digest || !pump->walk->size_known ||
	    !pump->writer->any_order)
		return err_set(err, ERR_BUG,
			       "%s in the order of the file: no digest, no "
			       "unknown size, no writer in order",
			       pump->walk->format);
	/* Where nothing will be yielded old content must not show. */
	return writer_zero(pump->writer, 0, pump->walk->size, EXTENT_HOLE,
			   err);
}

static uint64_t pad(const struct pump_feed *feed, uint64_t size)
{
	return feed->pump->pad ? feed->pump->pad(feed->pump->pad_opaque, size)
			       : size;
}

static int count_mapped(struct pump_feed *feed, const struct extent *extent,
			uint64_t length, struct err *err)
{
	return mapped_claim(&feed->mapped, extent, length,
			    feed->pump->disk->granule, err);
}

static int fetch_range(struct pump_feed *feed, struct pump_slot *slot,
		       uint64_t end, enum extent_kind kind)
{
	slot->kind = SLOT_RANGE;
	slot->range = kind;
	slot->offset = feed->position;
	slot->length = end - feed->position;
	slot->padded = slot->length;
	if (feed->pump->disk && end == feed->pump->disk->size)
		slot->padded = pad(feed, end) - slot->offset;
	feed->position = end;
	return 1;
}

static bool can_clone(const struct pump_feed *feed,
		      const struct extent *extent)
{
	const struct pump *pump = feed->pump;

	return pump->clone && !pump->digest &&
	       extent->kind == EXTENT_DATA && extent->source &&
	       extent->encoding == ENCODING_PLAIN && extent->source->fd >= 0 &&
	       feed->position >= pump->writer->units_until &&
	       extent->length >= CLONE_LEAST &&
	       (extent->source->fd_base + extent->place) % CLONE_ALIGN == 0 &&
	       writer_can_reserve(pump->writer);
}

static int fetch_clone(struct pump_feed *feed, struct pump_slot *slot,
		       const struct extent *extent, struct err *err)
{
	uint64_t unit = max_u64(feed->pump->writer->granule, CLONE_ALIGN);

	slot->kind = SLOT_CLONE;
	slot->from = *extent;
	slot->offset = feed->position;
	slot->length = round_down(extent->length, unit);
	slot->padded = slot->length;
	feed->position += slot->length;
	return count_mapped(feed, extent, slot->length, err) < 0 ? -1 : 1;
}

/* The end of the unit that begins with `extent`: where the unit's room ends,
 * or in front of a whole granule that is known to hold no data. */
static int unit_end(struct pump_feed *feed, struct extent extent,
		    uint64_t *out, struct err *err)
{
	struct disk *disk = feed->pump->disk;
	uint64_t granule = feed->pump->writer->granule;
	uint64_t room = feed->pump->writer->unit_len;
	uint64_t end = min_u64(round_down(feed->position, room) + room,
			       disk->size);

	/* Ends: each extent is at least a byte long. */
	for (uint64_t at = feed->position; at < end;) {
		uint64_t next = min_u64(at + extent.length, end);
		if (extent.kind != EXTENT_DATA) {
			uint64_t first = round_up(at, granule);
			if (first < next && (next - first >= granule ||
					     next == disk->size)) {
				end = first;
				break;
			}
		}
		if (count_mapped(feed, &extent, next - at, err) < 0)
			return -1;
		at = next;
		if (at < end &&
		    disk_extent(disk, at, disk->size - at, &extent, err) < 0)
			return -1;
	}
	*out = end;
	return 0;
}

static void set_unit(struct pump_feed *feed, struct pump_slot *slot,
		     uint64_t offset, uint64_t length, bool last)
{
	slot->kind = SLOT_UNIT;
	slot->offset = offset;
	slot->length = length;
	slot->padded = last ? pad(feed, offset + length) - offset : length;
	slot->unit.offset = offset;
	slot->unit.len = slot->padded;
	slot->unit.granule_count =
		div_up(slot->padded, feed->pump->writer->granule);
}

/* What the tables map in a range that is not read is counted all the same. */
static int count_range(struct pump_feed *feed, uint64_t end, struct err *err)
{
	struct disk *disk = feed->pump->disk;
	struct extent extent;

	/* Ends: each extent is at least a byte long. */
	for (uint64_t at = feed->position; at < end; at += extent.length)
		if (disk_extent(disk, at, end - at, &extent, err) < 0 ||
		    count_mapped(feed, &extent, extent.length, err) < 0)
			return -1;
	return 0;
}

/* Of a disk the record says all there is to know; whether the input lies in
 * its file as it did then does not matter. */
static int fetch_recorded(struct pump_feed *feed, struct pump_slot *slot,
			  const struct pump_record *record, struct err *err)
{
	uint64_t size = feed->pump->disk->size, end;

	if (record->offset != feed->position ||
	    !checked_add(record->offset, record->length, &end) || end > size ||
	    (record->kind == SLOT_UNIT &&
	     record->length > feed->pump->writer->unit_len) ||
	    (record->kind == SLOT_CLONE &&
	     !writer_can_reserve(feed->pump->writer)))
		return pump_notes_misfit(record->offset, err);
	if (record->kind == SLOT_RANGE)
		return fetch_range(feed, slot, end, record->range);
	if (count_range(feed, end, err) < 0)
		return -1;
	feed->position = end;
	if (record->kind == SLOT_UNIT) {
		set_unit(feed, slot, record->offset, record->length,
			 end == size);
		return pump_notes_granules(record, &slot->unit, err) < 0 ? -1
									 : 1;
	}
	slot->kind = SLOT_CLONE;
	slot->offset = record->offset;
	slot->length = slot->padded = record->length;
	return 1;
}

/* A walk has to be gone through again; its slots must be those of then. */
static int match_recorded(struct pump_slot *slot,
			  const struct pump_record *record, struct err *err)
{
	if (slot->kind != record->kind || slot->offset != record->offset ||
	    slot->length != record->length ||
	    (slot->kind == SLOT_RANGE && slot->range != record->range))
		return pump_notes_misfit(record->offset, err);
	return slot->kind == SLOT_UNIT
		       ? pump_notes_granules(record, &slot->unit, err)
		       : 0;
}

static int fetch_disk(struct pump_feed *feed, struct pump_slot *slot,
		      struct err *err)
{
	struct disk *disk = feed->pump->disk;
	struct extent extent;
	uint64_t end;

	if (feed->position >= disk->size)
		return 0;
	if (disk_extent(disk, feed->position, disk->size - feed->position,
			&extent, err) < 0)
		return -1;
	if (extent.kind != EXTENT_DATA) {
		end = feed->position + extent.length;
		if (end < disk->size)
			end = round_down(end, feed->pump->writer->granule);
		if (end > feed->position)
			return fetch_range(feed, slot, end, extent.kind);
	}
	if (can_clone(feed, &extent) &&
	    extent.length >= feed->pump->writer->granule)
		return fetch_clone(feed, slot, &extent, err);
	if (unit_end(feed, extent, &end, err) < 0)
		return -1;
	set_unit(feed, slot, feed->position, end - feed->position,
		 end == disk->size);
	feed->position = end;
	return 1;
}

/* The next piece of an ordered walk, its bytes in `buf`: what was carried
 * over, or what comes into `room`. With less room than the walk asks for, the
 * bytes are fetched aside. */
static int next_ordered(struct pump_feed *feed, unsigned char *buf,
			size_t room, struct walk_piece *piece, struct err *err)
{
	struct walk *walk = feed->pump->walk;
	int got = 1;

	if (!feed->carry_len && room >= walk->sector_size)
		return walk_next(walk, buf, room, piece, err);
	if (!feed->carry_len) {
		feed->carry_at = 0;
		got = walk_next(walk, feed->carry, sizeof feed->carry, piece,
				err);
		if (got <= 0 || piece->kind != EXTENT_DATA)
			return got;
		feed->carry_len = piece->stored;
	}
	piece->kind = EXTENT_DATA;
	piece->stored = min_u64(feed->carry_len, room);
	memcpy(buf, feed->carry + feed->carry_at, piece->stored);
	feed->carry_at += piece->stored;
	feed->carry_len -= piece->stored;
	return got;
}

/* Pieces in order are joined until the unit is full; ranges without data are
 * written out as zeros in it (streams that know holes are rare). */
static int fetch_ordered(struct pump_feed *feed, struct pump_slot *slot,
			 struct err *err)
{
	size_t room = feed->pump->writer->unit_len, fill = 0;
	struct walk_piece piece;
	int got = 1;

	while (fill < room) {
		if (!feed->gap) {
			got = next_ordered(feed, slot->unit.data + fill,
					   room - fill, &piece, err);
			if (got <= 0)
				break;
			if (piece.kind == EXTENT_DATA) {
				fill += piece.stored;
				continue;
			}
			feed->gap = piece.length;
			feed->gap_kind = piece.kind;
		}
		uint64_t whole =
			round_down(feed->gap, feed->pump->writer->granule);
		if (!fill && whole) {
			feed->gap -= whole;
			return fetch_range(feed, slot, feed->position + whole,
					   feed->gap_kind);
		}
		size_t part = (size_t)min_u64(feed->gap, room - fill);
		if (whole)
			/* Up to the next granule; the rest is a range. */
			part = (size_t)min_u64(
				part, round_up(fill,
					       feed->pump->writer->granule) -
					      fill);
		if (!part)
			break;
		memset(slot->unit.data + fill, 0, part);
		feed->gap -= part;
		fill += part;
	}
	if (got < 0)
		return -1;
	if (!fill)
		return 0;
	set_unit(feed, slot, feed->position, fill, got == 0);
	feed->position += fill;
	return 1;
}

static int fetch_scattered(struct pump_feed *feed, struct pump_slot *slot,
			   struct err *err)
{
	struct walk *walk = feed->pump->walk;

	int got = walk_next(walk, slot->unit.data, UNIT_LEN_MAX, &slot->piece,
			    err);
	if (got <= 0)
		return got;
	if (slot->piece.encoding != ENCODING_PLAIN) {
		unsigned char *encoded = slot->unit.data;
		slot->unit.data = slot->piece_bytes;
		slot->piece_bytes = encoded;
	}
	if (slot->piece.kind != EXTENT_DATA) {
		feed->position = slot->piece.offset;
		return fetch_range(feed, slot,
				   slot->piece.offset + slot->piece.length,
				   slot->piece.kind);
	}
	set_unit(feed, slot, slot->piece.offset, slot->piece.length, false);
	feed->position += slot->piece.length;
	return 1;
}

/* What is known before was refused before; a stream is caught here. */
static int check_size(const struct pump_feed *feed,
		      const struct pump_slot *slot, struct err *err)
{
	uint64_t most = feed->pump->max_size;

	if (!most || slot->offset + slot->length <= most)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "unpacks to more than %" PRIu64 " bytes: allow it by "
		       "--max-size", most);
}

static int fetch_walk(struct pump_feed *feed, struct pump_slot *slot,
		      struct err *err)
{
	struct walk *walk = feed->pump->walk;
	int got = walk->ordered ? fetch_ordered(feed, slot, err)
				: fetch_scattered(feed, slot, err);

	/* Noted here: when the slot is placed, another thread may be in the
	 * walk again. */
	slot->total = walk->size_known ? walk->size : 0;
	return got > 0 && check_size(feed, slot, err) < 0 ? -1 : got;
}

int pump_fetch(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err)
{
	struct disk *disk = feed->pump->disk;
	struct pump_record record;
	int recorded = pump_notes_next(feed->notes, &record, err), got;

	slot->recorded = recorded > 0;
	if (recorded < 0)
		return -1;
	if (disk) {
		slot->total = disk->size;
		return recorded ? fetch_recorded(feed, slot, &record, err)
				: fetch_disk(feed, slot, err);
	}
	got = fetch_walk(feed, slot, err);
	if (got < 0 || !recorded)
		return got;
	if (!got)
		return pump_notes_misfit(record.offset, err);
	return match_recorded(slot, &record, err) < 0 ? -1 : 1;
}

int pump_feed_end(struct pump_feed *feed, struct err *err)
{
	struct pump *pump = feed->pump;

	if (pump->disk && disk_finish(pump->disk, err) < 0)
		return -1;
	pump->size = pump->disk ? pump->disk->size : pump->walk->size;
	pump->padded = pad(feed, pump->size);
	return 0;
}

void pump_feed_free(struct pump_feed *feed)
{
	mapped_free(&feed->mapped);
}
