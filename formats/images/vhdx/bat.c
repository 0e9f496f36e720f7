/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a guest offset to what is stored for it ([MS-VHDX] 2.4,
 * 2.5): BAT entries, among which those of bitmap blocks stand after each
 * chunk, and the bits of partly present blocks. Does not read data.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vhdx/vhdx.h"

/* Of tables at a time: the BAT's region is in whole MiB. */
#define SLICE ((size_t)(64 * KIB))
/* Entries one call may look at: enough to join long runs, few enough that a
 * short question is answered soon; fewer for data, where a long run is of
 * little more use than a shorter one. */
#define ENTRIES_A_RUN 65536
#define DATA_ENTRIES_A_RUN 256

static uint64_t entries_needed(const struct vhdx_bat *bat, bool has_parent)
{
	if (!bat->blocks)
		return 0;
	/* 2.5: with a parent the last chunk has its bitmap block, too. */
	if (has_parent)
		return div_up(bat->blocks, bat->ratio) * (bat->ratio + 1);
	return bat->blocks + (bat->blocks - 1) / bat->ratio;
}

int vhdx_bat_open(struct vhdx_bat *bat, const struct vhdx_image *image,
		  uint64_t memory, struct err *err)
{
	const struct vhdx_metadata *metadata = &image->metadata;

	memset(bat, 0, sizeof *bat);
	bat->image = image;
	bat->ratio =
		VHDX_BITMAP_SECTORS * metadata->logical / metadata->block_size;
	bat->blocks = div_up(metadata->size, metadata->block_size);
	bat->entries = entries_needed(bat, metadata->has_parent);
	if (bat->entries * 8 > image->regions.bat_length)
		return err_set(err, ERR_DAMAGED,
			       "the BAT of %" PRIu64 " bytes has no room for "
			       "the %" PRIu64 " entries of the disk",
			       image->regions.bat_length, bat->entries);
	bat->cache = table_cache_open(image->view, "BAT", SLICE, memory);
	if (metadata->has_parent)
		bat->bitmaps = table_cache_open(image->view, "sector bitmap",
						SLICE, memory);
	return 0;
}

void vhdx_bat_close(struct vhdx_bat *bat)
{
	bat->cache = table_cache_close(bat->cache);
	bat->bitmaps = table_cache_close(bat->bitmaps);
}

uint64_t vhdx_bat_index(const struct vhdx_bat *bat, uint64_t block)
{
	return block + block / bat->ratio;
}

uint64_t vhdx_bat_bitmap_index(const struct vhdx_bat *bat, uint64_t chunk)
{
	return chunk * (bat->ratio + 1) + bat->ratio;
}

int vhdx_bat_entry(struct vhdx_bat *bat, uint64_t index, uint64_t *out,
		   struct err *err)
{
	struct table_slot *slot;
	const unsigned char *slice = table_cache_hold(
		bat->cache,
		bat->image->regions.bat_offset + round_down(index * 8, SLICE),
		&slot, err);

	if (!slice)
		return -1;
	*out = bytes_le64(slice + index * 8 % SLICE);
	table_cache_drop(bat->cache, slot);
	return 0;
}

/* Does [place, place + length) lie in the file, and not upon a structure? */
static int check_place(const struct vhdx_bat *bat, const char *what,
		       uint64_t number, uint64_t place, uint64_t length,
		       struct err *err)
{
	const struct vhdx_image *image = bat->image;
	uint64_t end;
	const char *below = NULL;

	if (!checked_add(place, length, &end) || end > image->view->size)
		return err_set(err, ERR_DAMAGED,
			       "%s %" PRIu64 " at %" PRIu64 " lies past the "
			       "end of the file (%" PRIu64 ")",
			       what, number, place, image->view->size);
	if (place < VHDX_SECTION_LEN)
		below = "the headers";
	else if (place < image->header.log_offset + image->header.log_length &&
		 image->header.log_offset < end)
		below = "the log";
	for (size_t i = 0; !below && i < image->regions.count; i++)
		if (place < image->regions.list[i].offset +
				    image->regions.list[i].length &&
		    image->regions.list[i].offset < end)
			below = "a region";
	if (below)
		return err_set(err, ERR_DAMAGED,
			       "%s %" PRIu64 " at %" PRIu64 " overlaps %s",
			       what, number, place, below);
	return 0;
}

int vhdx_bat_judge(const struct vhdx_bat *bat, uint64_t block, uint64_t entry,
		   struct vhdx_run *out, struct err *err)
{
	static const enum vhdx_kind kinds[VHDX_STATE_MASK + 1] = {
		[VHDX_BLOCK_NOT_PRESENT] = VHDX_BELOW,
		[VHDX_BLOCK_UNDEFINED] = VHDX_HOLE,
		[VHDX_BLOCK_ZERO] = VHDX_ZEROS,
		[VHDX_BLOCK_UNMAPPED] = VHDX_HOLE,
		[VHDX_BLOCK_PRESENT] = VHDX_DATA,
		[VHDX_BLOCK_PARTIAL] = VHDX_MIXED,
	};
	const struct vhdx_metadata *metadata = &bat->image->metadata;
	unsigned state = entry & VHDX_STATE_MASK;
	uint64_t start = block * metadata->block_size;

	if (state == 4 || state == 5)
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " has the reserved state %u",
			       block, state);
	if (state == VHDX_BLOCK_PARTIAL && !metadata->has_parent)
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " is partially present, but "
			       "the disk has no parent",
			       block);
	if (entry & VHDX_RESERVED_MASK)
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " has reserved bits set in "
			       "entry 0x%" PRIx64,
			       block, entry);
	out->kind = kinds[state];
	out->place = 0;
	if (state < VHDX_BLOCK_PRESENT)
		return 0;
	out->place = entry & VHDX_OFFSET_MASK;
	/* A last block need not be whole: some writers end the file with the
	 * disk. */
	return check_place(
		bat, "block", block, out->place,
		min_u64(metadata->block_size, metadata->size - start), err);
}

int vhdx_bat_bitmap(struct vhdx_bat *bat, uint64_t chunk, uint64_t *place,
		    struct err *err)
{
	uint64_t entry;

	if (vhdx_bat_entry(bat, vhdx_bat_bitmap_index(bat, chunk), &entry, err))
		return -1;
	if ((entry & VHDX_STATE_MASK) != VHDX_BITMAP_PRESENT ||
	    entry & VHDX_RESERVED_MASK)
		return err_set(err, ERR_DAMAGED,
			       "sector bitmap %" PRIu64 " has entry 0x%" PRIx64
			       ", but blocks of its chunk are partially "
			       "present",
			       chunk, entry);
	*place = entry & VHDX_OFFSET_MASK;
	return check_place(bat, "sector bitmap", chunk, *place, VHDX_BITMAP_LEN,
			   err);
}

/* How many bits from `bit` on, at most `count`, are as the first. */
static uint64_t same_bits(const unsigned char *bits, uint64_t bit,
			  uint64_t count, bool *set)
{
	uint64_t end = bit + count, at = bit;
	unsigned char whole;

	*set = bits[bit / 8] >> (bit % 8) & 1;
	whole = *set ? 0xff : 0;
	while (at < end) {
		if (at % 8 == 0 && end - at >= 8 && bits[at / 8] == whole)
			at += 8;
		else if ((bits[at / 8] >> (at % 8) & 1) == *set)
			at++;
		else
			break;
	}
	return at - bit;
}

/* Which sectors of a partly present block are here: the first run of them. */
static int mixed_run(struct vhdx_bat *bat, uint64_t end, struct vhdx_run *run,
		     struct err *err)
{
	uint64_t sector_size = bat->image->metadata.logical;
	uint64_t chunk_size = VHDX_BITMAP_SECTORS * sector_size;
	uint64_t sector = run->offset % chunk_size / sector_size;
	uint64_t in_slice = sector % (SLICE * 8), place, count, length;
	uint64_t last =
		div_up(end - round_down(run->offset, sector_size), sector_size);
	const unsigned char *bits;
	struct table_slot *slot;
	bool set;

	if (vhdx_bat_bitmap(bat, run->offset / chunk_size, &place, err))
		return -1;
	bits = table_cache_hold(bat->bitmaps,
				place + round_down(sector / 8, SLICE), &slot,
				err);
	if (!bits)
		return -1;
	count = same_bits(bits, in_slice, min_u64(last, SLICE * 8 - in_slice),
			  &set);
	table_cache_drop(bat->bitmaps, slot);
	length = count * sector_size - run->offset % sector_size;
	run->kind = set ? VHDX_DATA : VHDX_BELOW;
	run->length = min_u64(length, end - run->offset);
	if (!set)
		run->place = 0;
	return 0;
}

/* What the entry of the block that holds `offset` says, up to `end`. */
static int block_run(struct vhdx_bat *bat, uint64_t offset, uint64_t end,
		     struct vhdx_run *out, struct err *err)
{
	uint64_t size = bat->image->metadata.block_size;
	uint64_t block = offset / size, entry;

	if (vhdx_bat_entry(bat, vhdx_bat_index(bat, block), &entry, err) ||
	    vhdx_bat_judge(bat, block, entry, out, err))
		return -1;
	out->offset = offset;
	out->length = min_u64(end, (block + 1) * size) - offset;
	if (out->kind == VHDX_DATA || out->kind == VHDX_MIXED)
		out->place += offset % size;
	if (out->kind == VHDX_MIXED)
		return mixed_run(bat, offset + out->length, out, err);
	return 0;
}

int vhdx_bat_run(struct vhdx_bat *bat, uint64_t offset, uint64_t limit,
		 struct vhdx_run *out, struct err *err)
{
	uint64_t end =
		offset + min_u64(limit, bat->image->metadata.size - offset);
	uint64_t at, most;
	struct vhdx_run next;

	if (block_run(bat, offset, end, out, err))
		return -1;
	most = out->kind == VHDX_DATA ? DATA_ENTRIES_A_RUN : ENTRIES_A_RUN;
	/* Ends: each turn takes one of them, and is not empty. */
	for (at = offset + out->length; at < end && --most; at += next.length) {
		if (block_run(bat, at, end, &next, err))
			return -1;
		if (next.kind != out->kind ||
		    (next.kind == VHDX_DATA &&
		     next.place != out->place + out->length))
			break;
		out->length += next.length;
	}
	return 0;
}
