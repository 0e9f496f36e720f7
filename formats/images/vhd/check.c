/* SPDX-License-Identifier: MIT */
/* Owns the consistency check: both ends, the header, every entry of the block
 * table and, without a parent, every bitmap. Changes nothing. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhd/vhd.h"
#include "formats/usage.h"
#include "io/zero.h"

#define TABLE_PIECE ((size_t)(64 * KIB))
#define DATA_PIECE ((size_t)(1 * MIB))

struct state {
	struct source *source;
	struct check_report *report;
	struct usage *usage;
	struct vhd_footer footer;
	struct vhd_header header;
	unsigned char *bitmap, *data;
};

/* The copy at the start, which a fixed disk does not have. */
static void check_copy(const struct vhd_ends *ends, bool fixed,
		       struct check_report *report)
{
	if (fixed) {
		if (ends->start_sound)
			check_corruption(report,
					 "a fixed disk begins with the footer "
					 "of a dynamic one");
	} else if (!ends->has_start) {
		check_corruption(report, "there is no copy of the footer at "
					 "the start");
	} else if (!ends->start_sound) {
		check_corruption(report,
				 "checksum 0x%08x of the footer's copy at the "
				 "start is not 0x%08x",
				 bytes_be32(ends->start + VHD_SUM),
				 vhd_sum(ends->start, ends->len, VHD_SUM));
	} else if (ends->tail_sound && !vhd_ends_agree(ends)) {
		check_corruption(report, "the footer and its copy at the "
					 "start say different things");
	}
}

/* By the sound one of the two; findings about the other. */
static int check_ends(struct state *state, struct err *err)
{
	struct vhd_ends ends;
	struct err found;
	const unsigned char *sound;
	size_t len;

	if (vhd_ends_read(state->source, &ends, err))
		return -1;
	sound = ends.tail_sound ? ends.tail : ends.start;
	len = ends.tail_sound ? ends.len : VHD_FOOTER_LEN;
	if (!ends.tail_sound && !ends.start_sound)
		return vhd_ends_check(&ends, err);
	if (!ends.tail_sound && vhd_ends_check(&ends, &found))
		check_corruption(state->report, "%s", found.message);
	check_copy(&ends, bytes_be32(sound + VHD_TYPE) == VHD_FIXED,
		   state->report);
	/* Without a footer at the end, data may be up to there. */
	return vhd_footer_parse(
		sound, len, ends.has_tail ? ends.place : state->source->size,
		&state->footer, err);
}

static void check_size(const struct state *state)
{
	const struct vhd_footer *footer = &state->footer;
	uint16_t cylinders;
	uint8_t heads, track;

	vhd_geometry(footer->current_size, &cylinders, &heads, &track);
	/* What the appendix rounds away is no finding; another geometry, of
	 * another size than the footer's, is. */
	if (footer->by_chs && footer->size != footer->current_size &&
	    (cylinders != footer->cylinders || heads != footer->heads ||
	     track != footer->track))
		check_corruption(state->report,
				 "geometry %u/%u/%u is the disk's size to its "
				 "creator, but %" PRIu64 " bytes have %u/%u/%u",
				 footer->cylinders, footer->heads,
				 footer->track, footer->current_size, cylinders,
				 heads, track);
	if (footer->type != VHD_FIXED)
		return;
	if (footer->size > footer->place)
		check_corruption(state->report,
				 "a fixed disk of %" PRIu64 " bytes is cut "
				 "short: %" PRIu64 " are in front of the "
				 "footer",
				 footer->size, footer->place);
	else if (footer->current_size < footer->place)
		check_leak(state->report,
			   "%" PRIu64 " bytes between the end of the disk and "
			   "the footer belong to nothing",
			   footer->place - footer->current_size);
}

/* Sectors that were never written must be zeros: some look at the bitmap, some
 * do not. */
static int check_bitmap(struct state *state, uint64_t index, uint64_t place,
			struct err *err)
{
	const struct vhd_header *header = &state->header;
	uint64_t guest = index * header->block_size;
	uint64_t end = min_u64(header->block_size, state->footer.size - guest);
	uint64_t data = place + header->bitmap_len, length;
	bool set;

	if (source_read_all(state->source, state->bitmap, header->bitmap_len,
			    place, "sector bitmap", err))
		return -1;
	/* Ends: each run is a sector at least, or the next piece of one. */
	for (uint64_t at = 0; at < end; at += length) {
		length = vhd_bitmap_run(state->bitmap, at / VHD_SECTOR,
					(end - at) / VHD_SECTOR, &set) *
			 VHD_SECTOR;
		if (set)
			continue;
		length = min_u64(length, DATA_PIECE);
		if (source_read_all(state->source, state->data, (size_t)length,
				    data + at, "block", err))
			return -1;
		if (zero_is(state->data, (size_t)length))
			continue;
		check_corruption(state->report,
				 "block %" PRIu64 " at %" PRIu64 " holds data "
				 "in sectors that its bitmap does not have",
				 index, place);
		break;
	}
	return 0;
}

static int check_entry(struct state *state, uint64_t index, uint32_t entry,
		       struct err *err)
{
	const struct vhd_header *header = &state->header;
	uint64_t place, len = header->bitmap_len + header->block_size;
	struct err found;

	if (entry == VHD_UNUSED)
		return 0;
	if (vhd_block_place(&state->footer, header, index, entry, &place,
			    &found)) {
		check_corruption(state->report, "%s", found.message);
		return 0;
	}
	len = min_u64(len, header->end - place);
	if (usage_claim(state->usage, state->report, "block", place, len, err))
		return -1;
	if (index * header->block_size >= state->footer.size) {
		check_leak(state->report,
			   "block %" PRIu64 " at %" PRIu64
			   " lies behind the end of the disk",
			   index, place);
		return 0;
	}
	return state->footer.type == VHD_DYNAMIC
		       ? check_bitmap(state, index, place, err)
		       : 0;
}

/* In pieces: entries behind the disk's end may be many. */
static int check_table(struct state *state, struct err *err)
{
	const struct vhd_header *header = &state->header;
	uint64_t len = (uint64_t)header->table_entries * VHD_ENTRY_LEN;
	AUTO_FREE unsigned char *piece = mem_buffer(TABLE_PIECE);

	/* Ends: the table lies in the file. */
	for (uint64_t at = 0; at < len; at += TABLE_PIECE) {
		size_t part = (size_t)min_u64(TABLE_PIECE, len - at);

		if (source_read_all(state->source, piece, part,
				    header->table_offset + at, "block table",
				    err))
			return -1;
		for (size_t i = 0; i < part; i += VHD_ENTRY_LEN)
			if (check_entry(state, (at + i) / VHD_ENTRY_LEN,
					bytes_be32(piece + i), err))
				return -1;
	}
	return 0;
}

static int check_places(struct state *state, struct err *err)
{
	const struct vhd_header *header = &state->header;
	struct check_report *report = state->report;
	struct usage *usage = state->usage;

	if (usage_claim(usage, report, "footer's copy", 0, VHD_FOOTER_LEN,
			err) ||
	    usage_claim(usage, report, "header", header->place, VHD_HEADER_LEN,
			err) ||
	    usage_claim(usage, report, "block table", header->table_offset,
			(uint64_t)header->table_entries * VHD_ENTRY_LEN, err) ||
	    usage_claim(usage, report, "footer", state->footer.place,
			state->source->size - state->footer.place, err) ||
	    check_table(state, err))
		return -1;
	/* Gaps of less than a block are for alignment, locators and such. */
	usage_report(usage, report, header->bitmap_len + header->block_size);
	return 0;
}

static int check_dynamic(struct state *state, struct err *err)
{
	struct vhd_names names = { 0 };
	struct err found;
	int failed;

	if (vhd_header_read(state->source, &state->footer, &state->header,
			    &names, &found)) {
		check_corruption(state->report, "%s", found.message);
		return 0;
	}
	vhd_names_clear(&names);
	state->usage = usage_open(state->source->size);
	state->bitmap = mem_buffer(state->header.bitmap_len);
	state->data = mem_buffer(DATA_PIECE);
	failed = check_places(state, err);
	usage_close(state->usage);
	free(state->bitmap);
	free(state->data);
	return failed;
}

int vhd_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	struct state state = { .source = source, .report = report };

	if (check_ends(&state, err))
		return -1;
	vhd_footer_tell(&state.footer, options->log);
	if (state.footer.saved)
		log_note(options->log, "vhd: the disk is part of a machine's "
				       "saved state");
	check_size(&state);
	return state.footer.type == VHD_FIXED ? 0 : check_dynamic(&state, err);
}
