/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of dynamic VHDs. The file is: copy of the footer, header,
 * block table, blocks in the order of the guest, footer. A block gets its
 * place with its first data, is always whole, and its bitmap says that every
 * sector of it is there, as Windows and QEMU have it. Its data are aligned,
 * so there are gaps in front of bitmaps.
 *
 * The bytes do not depend on whether the size was known beforehand: blocks are
 * stored behind the room of a table of 64 KiB. Where the table turns out to be
 * longer the blocks in its way, the first one or two, go behind the last.
 *
 * An append-only sink gets the same bytes as a file: the survey says where all
 * blocks will be, and what comes before the identifier is known is kept back,
 * as are the blocks that come last.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhd/write.h"

#define TABLE_OFFSET (VHD_FOOTER_LEN + VHD_HEADER_LEN)
#define GRANULE ((uint32_t)(64 * KIB))
#define NO_BLOCK UINT64_MAX

struct kept {
	uint64_t offset;
	size_t len;
	unsigned char *bytes;
};

struct kept_list {
	struct kept *kept;
	size_t count;
};

struct vhd_dynamic {
	struct writer writer;
	struct vhd_config config;
	struct identity *identity;
	bool size_known;
	uint64_t size;
	uint32_t *table;
	uint64_t entries;    /* in the table */
	uint64_t next;	     /* byte behind the last block given out */
	uint64_t used;	     /* blocks given out */
	uint64_t last;	     /* the block that data came for last */
	unsigned char *ones; /* a bitmap */
	/* Of an append-only sink: blocks that the survey found and those that
	 * came, and what waits for the start of the file. */
	uint64_t seen;
	bool waiting;
	struct kept_list start;
	struct kept_list late; /* from `late_from` on */
	uint64_t late_from;
};

static struct vhd_dynamic *self(struct writer *writer)
{
	return (struct vhd_dynamic *)writer;
}

/* ---- the block table ---- */

static void table_grow(struct vhd_dynamic *w, uint64_t entries)
{
	if (entries <= w->entries)
		return;
	w->table = mem_resize(w->table, entries, sizeof *w->table);
	memset(w->table + w->entries, 0xff,
	       (entries - w->entries) * sizeof *w->table);
	w->entries = entries;
}

static uint64_t table_len(const struct vhd_dynamic *w)
{
	return round_up(w->entries * VHD_ENTRY_LEN, VHD_SECTOR);
}

/* As stored: whole sectors. */
static unsigned char *table_bytes(const struct vhd_dynamic *w)
{
	unsigned char *bytes = mem_buffer(table_len(w));

	memset(bytes, 0xff, table_len(w));
	for (uint64_t i = 0; i < w->entries; i++)
		bytes_put_be32(bytes + i * VHD_ENTRY_LEN, w->table[i]);
	return bytes;
}

static uint64_t block_end(const struct vhd_dynamic *w, uint64_t place)
{
	return place + w->config.bitmap_len + w->config.block_size;
}

static int check_place(uint64_t place, struct err *err)
{
	if (place / VHD_SECTOR >= VHD_UNUSED)
		return err_set(err, ERR_UNSUPPORTED,
			       "the blocks and their bitmaps need more than "
			       "the 2 TiB that a VHD reaches: give a larger "
			       "block_size or a smaller alignment");
	return 0;
}

/* Where the nth block given out is. */
static uint64_t place_of(const struct vhd_dynamic *w, uint64_t n)
{
	const struct vhd_config *config = &w->config;
	uint64_t first = round_up(TABLE_OFFSET + VHD_TABLE_ROOM +
					  config->bitmap_len,
				  config->alignment) -
			 config->bitmap_len;

	return first + n * round_up(config->bitmap_len + config->block_size,
				    config->alignment);
}

/* The place of a new block, behind all others. */
static int take_block(struct vhd_dynamic *w, uint64_t index, struct err *err)
{
	uint64_t place = place_of(w, w->used);

	if (check_place(place, err))
		return -1;
	w->table[index] = (uint32_t)(place / VHD_SECTOR);
	w->next = block_end(w, place);
	w->used++;
	return 0;
}

/* All blocks have their places, and the table its length: the first blocks
 * go behind the others where the table needs it. *from is the first place
 * that is left to blocks, *to the new one of the first block. */
static int settle(struct vhd_dynamic *w, uint64_t *from, uint64_t *to,
		  struct err *err)
{
	uint64_t end = TABLE_OFFSET + table_len(w), moved = 0;

	/* Ends: a table is at most 16 MiB. */
	while (place_of(w, moved) < end)
		moved++;
	*from = place_of(w, moved);
	*to = place_of(w, max_u64(moved, w->used));
	for (uint64_t i = 0; moved && i < w->entries; i++) {
		uint64_t place = (uint64_t)w->table[i] * VHD_SECTOR;

		if (w->table[i] == VHD_UNUSED || place >= *from)
			continue;
		place += *to - place_of(w, 0);
		if (check_place(place, err))
			return -1;
		w->table[i] = (uint32_t)(place / VHD_SECTOR);
		w->next = max_u64(w->next, block_end(w, place));
	}
	if (!w->used)
		w->next = max_u64(w->next, end);
	return 0;
}

/* ---- stores, kept back until the file has its start ---- */

static void put(struct vhd_dynamic *w, struct unit *unit, uint64_t offset,
		const unsigned char *bytes, size_t len)
{
	struct kept_list *list = &w->start;
	struct kept *kept;

	if (offset >= w->late_from) {
		list = &w->late;
	} else if (!w->waiting) {
		unit_store(unit, w->writer.sink, offset, bytes, len);
		return;
	}
	list->kept = mem_resize(list->kept, list->count + 1,
				sizeof *list->kept);
	kept = &list->kept[list->count++];
	kept->offset = offset;
	kept->len = len;
	kept->bytes = mem_buffer(len);
	memcpy(kept->bytes, bytes, len);
}

/* Behind the unit's stores so far, or at once when there is no unit. */
static int emit(struct vhd_dynamic *w, struct unit *unit, uint64_t offset,
		unsigned char *take_bytes, size_t len, struct err *err)
{
	int failed;

	if (unit) {
		unit_store_take(unit, w->writer.sink, offset, take_bytes, len);
		return 0;
	}
	failed = sink_write(w->writer.sink, take_bytes, len, offset, err);
	free(take_bytes);
	return failed;
}

/* Footer and header, for the start of the file. */
static unsigned char *head_bytes(struct vhd_dynamic *w, uint64_t table_offset)
{
	unsigned char *bytes = mem_zalloc(TABLE_OFFSET);

	vhd_put_footer(&w->config, w->identity, w->size, bytes);
	vhd_put_header(&w->config, table_offset, w->entries,
		       bytes + VHD_FOOTER_LEN);
	return bytes;
}

static int emit_list(struct vhd_dynamic *w, struct kept_list *list,
		     struct unit *unit, struct err *err)
{
	int failed = 0;

	for (size_t i = 0; i < list->count && !failed; i++)
		failed = emit(w, unit, list->kept[i].offset,
			      STEAL(list->kept[i].bytes), list->kept[i].len,
			      err);
	return failed;
}

static void drop_list(struct kept_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->kept[i].bytes);
	free(list->kept);
}

/* The start of an append-only file, and all that waited for it. */
static int emit_start(struct vhd_dynamic *w, struct unit *unit, struct err *err)
{
	if (!w->waiting)
		return 0;
	w->waiting = false;
	if (emit(w, unit, 0, head_bytes(w, TABLE_OFFSET), TABLE_OFFSET, err) ||
	    emit(w, unit, TABLE_OFFSET, table_bytes(w), table_len(w), err))
		return -1;
	return emit_list(w, &w->start, unit, err);
}

/* ---- placing ---- */

static int changed(uint64_t offset, struct err *err)
{
	return err_set(err, ERR_TEMPORARY,
		       "the input changed since it was surveyed (at %" PRIu64
		       ")",
		       offset);
}

/* Data comes for block `index`: if it is the first, the block begins. */
static int use_block(struct vhd_dynamic *w, struct unit *unit, uint64_t index,
		     struct err *err)
{
	uint64_t before = w->next, place;

	if (index == w->last)
		return 0;
	w->last = index;
	if (!w->writer.sink->seekable) {
		if (index >= w->entries || w->table[index] == VHD_UNUSED)
			return changed(index * w->config.block_size, err);
		w->seen++;
	} else {
		if (vhd_check_size(index * w->config.block_size, err))
			return -1;
		table_grow(w, index + 1);
		/* The rest of the block reads as zero. */
		if (take_block(w, index, err) ||
		    sink_zero(w->writer.sink, before, w->next - before,
			      SINK_ZERO_SPARSE, err))
			return -1;
	}
	place = (uint64_t)w->table[index] * VHD_SECTOR;
	put(w, unit, place, w->ones, w->config.bitmap_len);
	return 0;
}

static int place_granule(struct vhd_dynamic *w, struct unit *unit, size_t at,
			 struct err *err)
{
	const struct vhd_config *config = &w->config;
	uint64_t guest = unit->offset + at;
	uint64_t index = guest / config->block_size;

	if (use_block(w, unit, index, err))
		return -1;
	put(w, unit,
	    (uint64_t)w->table[index] * VHD_SECTOR + config->bitmap_len +
		    guest % config->block_size,
	    unit->data + at, min_u64(GRANULE, unit->len - at));
	return 0;
}

static int dynamic_place(struct writer *writer, struct unit *unit,
			 struct err *err)
{
	struct vhd_dynamic *w = self(writer);

	identity_unit(w->identity, unit, GRANULE);
	if (w->waiting && identity_ready(unit->offset, w->size) &&
	    emit_start(w, unit, err))
		return -1;
	for (size_t i = 0; i < unit->granule_count; i++)
		if (unit->granules[i].kind == EXTENT_DATA &&
		    place_granule(w, unit, i * GRANULE, err))
			return -1;
	return 0;
}

static int dynamic_zero(struct writer *writer, uint64_t offset, uint64_t length,
			enum extent_kind kind, struct err *err)
{
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0;
}

/* ---- the end ---- */

/* The blocks in the table's way are moved, all in front of the others is
 * free. */
static int clear_start(struct vhd_dynamic *w, struct err *err)
{
	struct sink *sink = w->writer.sink;
	uint64_t first = place_of(w, 0), last = w->next, from, to;

	if (settle(w, &from, &to, err))
		return -1;
	/* Gaps show nothing old. */
	if (w->next > last && w->used &&
	    (sink_zero(sink, last, w->next - last, SINK_ZERO_SPARSE, err) ||
	     sink_move(sink, first, w->next - to, to, err)))
		return -1;
	return sink_zero(sink, TABLE_OFFSET, from - TABLE_OFFSET,
			 SINK_ZERO_SPARSE, err);
}

/* Only now does the file look like a VHD: its start comes last. */
static int finish_seekable(struct vhd_dynamic *w, struct err *err)
{
	struct sink *sink = w->writer.sink;
	unsigned char *head AUTO_FREE = NULL, *table AUTO_FREE = NULL;

	table_grow(w, max_u64(1, div_up(w->size, w->config.block_size)));
	if (clear_start(w, err))
		return -1;
	head = head_bytes(w, TABLE_OFFSET);
	table = table_bytes(w);
	if (sink_write(sink, table, table_len(w), TABLE_OFFSET, err) ||
	    sink_write(sink, head, VHD_FOOTER_LEN, w->next, err) ||
	    sink_write(sink, head + VHD_FOOTER_LEN, VHD_HEADER_LEN,
		       VHD_FOOTER_LEN, err))
		return -1;
	return sink_write(sink, head, VHD_FOOTER_LEN, 0, err);
}

static int finish_appending(struct vhd_dynamic *w, struct err *err)
{
	unsigned char footer[VHD_FOOTER_LEN];

	if (w->seen != w->used)
		return changed(w->size, err);
	if (emit_start(w, NULL, err) || emit_list(w, &w->late, NULL, err))
		return -1;
	vhd_put_footer(&w->config, w->identity, w->size, footer);
	return sink_write(w->writer.sink, footer, sizeof footer, w->next, err);
}

static int dynamic_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vhd_dynamic *w = self(writer);

	if (size % VHD_SECTOR || (w->size_known && size != w->size))
		return err_set(err, ERR_BUG,
			       "size was announced as %" PRIu64
			       " and is %" PRIu64,
			       w->size, size);
	if (vhd_check_size(size, err))
		return -1;
	w->size = size;
	if (writer->sink->seekable ? finish_seekable(w, err)
				   : finish_appending(w, err))
		return -1;
	return sink_finish(writer->sink, w->next + VHD_FOOTER_LEN, err);
}

static void dynamic_close(struct writer *writer)
{
	struct vhd_dynamic *w = self(writer);

	drop_list(&w->start);
	drop_list(&w->late);
	identity_close(w->identity);
	free(w->table);
	free(w->ones);
	free(w);
}

static const struct writer_ops dynamic_ops = {
	.place = dynamic_place,
	.zero = dynamic_zero,
	.finish = dynamic_finish,
	.close = dynamic_close,
};

/* Give out every block as the survey says. */
static int plan(struct vhd_dynamic *w, const struct survey *survey,
		struct err *err)
{
	uint64_t per, from;

	if (!w->size_known || !survey)
		return err_set(err, ERR_UNSUPPORTED,
			       "an output that cannot seek needs a survey of "
			       "the input first");
	if (!survey->granule || w->config.block_size % survey->granule ||
	    survey->size > w->size)
		return err_set(err, ERR_BUG,
			       "survey of %" PRIu64 " bytes by %u for blocks "
			       "of %u",
			       survey->size, survey->granule,
			       w->config.block_size);
	per = w->config.block_size / survey->granule;
	for (uint64_t i = 0; i < div_up(survey->size, survey->granule); i++) {
		if (!survey_has(survey, i) || w->table[i / per] != VHD_UNUSED)
			continue;
		if (take_block(w, i / per, err))
			return -1;
	}
	w->waiting = true;
	if (settle(w, &from, &w->late_from, err))
		return -1;
	if (from == place_of(w, 0))
		w->late_from = UINT64_MAX;
	return 0;
}

struct writer *vhd_dynamic_create(struct sink *sink,
				  const struct vhd_config *config,
				  const struct create_options *options,
				  struct err *err)
{
	struct vhd_dynamic *w = mem_zalloc(sizeof *w);

	writer_init(&w->writer, &dynamic_ops, "vhd", sink);
	w->writer.granule = GRANULE;
	w->config = *config;
	w->identity = identity_open(&w->writer, options);
	w->size_known = options->size_known;
	w->last = NO_BLOCK;
	w->next = TABLE_OFFSET + VHD_TABLE_ROOM;
	w->late_from = UINT64_MAX;
	w->ones = mem_buffer(config->bitmap_len);
	memset(w->ones, 0xff, config->bitmap_len);
	if (w->size_known) {
		w->size = options->size;
		table_grow(w, max_u64(1, div_up(w->size, config->block_size)));
	}
	if (!sink->seekable && plan(w, options->survey, err)) {
		dynamic_close(&w->writer);
		return NULL;
	}
	return &w->writer;
}
