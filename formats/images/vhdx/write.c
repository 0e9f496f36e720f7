/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of VHDX images: which block gets its place when, and what
 * is written at the end. What a sink that only appends needs is in
 * write_stream.c.
 */
#include "formats/images/vhdx/write.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

static struct vhdx_writer *self(struct writer *writer)
{
	return (struct vhdx_writer *)writer;
}

/* A block gets its place with its first data; the rest of it must read as
 * zero. */
static int add_block(struct vhdx_writer *w, uint64_t block, uint64_t *place,
		     struct err *err)
{
	uint32_t size = w->config.block_size;

	if (w->append)
		return err_set(err, ERR_TEMPORARY,
			       "the input changed since it was surveyed (at "
			       "%llu)",
			       ULL(block * size));
	if ((block + 1) * size > VHDX_SIZE_MAX)
		return vhdx_config_check_size(&w->config, (block + 1) * size,
					      err);
	*place = w->next;
	vhdx_pages_put(&w->pages, &w->config, block, *place);
	w->next += size;
	return sink_zero(w->writer.sink, *place, size, SINK_ZERO_SPARSE, err);
}

/* Where guest `offset` is stored. */
static int find_place(struct vhdx_writer *w, uint64_t offset, uint64_t *place,
		      struct err *err)
{
	uint64_t block = offset / w->config.block_size;

	if (w->config.fixed) {
		*place = w->data + offset;
		return 0;
	}
	*place = vhdx_pages_get(&w->pages, &w->config, block);
	if (!*place && add_block(w, block, place, err))
		return -1;
	*place += offset % w->config.block_size;
	return 0;
}

/* A range of a fixed disk that reads as zero. */
static int zero_fixed(struct vhdx_writer *w, uint64_t offset, uint64_t length,
		      struct err *err)
{
	/* A sink that appends fills the gap when what comes next is there. */
	if (!w->config.fixed || w->append || w->allocated)
		return 0;
	return sink_zero(w->writer.sink, w->data + offset, length,
			 w->config.zeros, err);
}

static int vhdx_zero(struct writer *writer, uint64_t offset, uint64_t length,
		     enum extent_kind kind, struct err *err)
{
	(void)kind; /* what reads as zero is not told from what is not there */
	return zero_fixed(self(writer), offset, length, err);
}

static int place_granule(struct vhdx_writer *w, struct unit *unit, size_t at,
			 size_t len, bool hold, struct err *err)
{
	const unsigned char *bytes = unit->data + at;
	uint64_t place;

	if (find_place(w, unit->offset + at, &place, err))
		return -1;
	if (hold)
		vhdx_stream_hold(w, place, bytes, len);
	else
		unit_store(unit, w->writer.sink, place, bytes, len);
	return 0;
}

static int vhdx_place(struct writer *writer, struct unit *unit, struct err *err)
{
	struct vhdx_writer *w = self(writer);
	bool written = w->config.zeros == SINK_ZERO_WRITE && !w->append;
	bool hold;

	identity_unit(w->identity, unit, writer->granule);
	if (w->append && !w->started &&
	    identity_ready(unit->offset + unit->len, w->size) &&
	    vhdx_stream_start(w, err))
		return -1;
	hold = w->append && !w->started;
	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * writer->granule;
		size_t len = min_u64(writer->granule, unit->len - at);
		int failed;

		if (unit->granules[i].kind == EXTENT_DATA ||
		    (w->config.fixed && written))
			failed = place_granule(w, unit, at, len, hold, err);
		else
			failed = zero_fixed(w, unit->offset + at, len, err);
		if (failed)
			return -1;
	}
	return 0;
}

/* Ranges come in ascending order, so a block that has a place already is the
 * last that got one: what follows adjoins. */
static int vhdx_reserve(struct writer *writer, uint64_t offset, uint64_t length,
			uint64_t *place, struct err *err)
{
	struct vhdx_writer *w = self(writer);
	uint64_t size = w->config.block_size, at, end = offset + length;

	if (find_place(w, offset, place, err))
		return -1;
	for (uint64_t next = round_down(offset, size) + size; next < end;
	     next += size) {
		if (find_place(w, next, &at, err))
			return -1;
		if (at != *place + (next - offset))
			return err_set(err, ERR_BUG,
				       "vhdx: block at %llu does not adjoin "
				       "the one before",
				       ULL(next));
	}
	return 0;
}

int vhdx_write_bat(struct vhdx_writer *w, uint64_t size, struct err *err)
{
	uint64_t entries = vhdx_config_entries(&w->config, size);
	uint64_t length = vhdx_config_bat_length(&w->config, size);
	uint64_t pages = div_up(entries, VHDX_PAGE_ENTRIES);
	AUTO_FREE unsigned char *bytes = mem_buffer(VHDX_PAGE_LEN);
	struct sink *sink = w->writer.sink;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t at = w->bat + i * VHDX_PAGE_LEN;

		if (vhdx_pages_fill(&w->pages, &w->config, entries, w->data, i,
				    bytes)
			    ? sink_write(sink, bytes, VHDX_PAGE_LEN, at, err)
			    : sink_zero(sink, at, VHDX_PAGE_LEN,
					SINK_ZERO_SPARSE, err))
			return -1;
	}
	return sink_zero(sink, w->bat + pages * VHDX_PAGE_LEN,
			 length - pages * VHDX_PAGE_LEN, SINK_ZERO_SPARSE, err);
}

/* The rest of a fixed disk: what was never mentioned, and the end of its last
 * block. */
static int end_fixed(struct vhdx_writer *w, uint64_t size, struct err *err)
{
	uint64_t end = round_up(size, w->config.block_size);
	uint64_t seen = w->writer.position;

	if (!w->append) /* else it was planned */
		w->next = w->data + end;
	return zero_fixed(w, seen, end - seen, err);
}

/* Everything in front of the blocks; the header last. */
static int write_head(struct vhdx_writer *w, const struct vhdx_head *head,
		      struct err *err)
{
	struct sink *sink = w->writer.sink;
	uint64_t behind = head->metadata_offset + VHDX_METADATA_USED;
	AUTO_FREE unsigned char *metadata =
		vhdx_metadata_bytes(&w->config, head, w->identity);
	AUTO_FREE unsigned char *bytes =
		vhdx_head_bytes(&w->config, head, w->identity);

	if (sink_write(sink, metadata, VHDX_METADATA_USED,
		       head->metadata_offset, err) ||
	    sink_zero(sink, behind, head->metadata_length - VHDX_METADATA_USED,
		      SINK_ZERO_SPARSE, err) ||
	    sink_zero(sink, VHDX_HEAD_LEN,
		      head->metadata_offset - VHDX_HEAD_LEN, SINK_ZERO_SPARSE,
		      err))
		return -1;
	return sink_write(sink, bytes, VHDX_HEAD_LEN, 0, err);
}

/* In the room in front, or behind the blocks, which all have their places. */
static void place_bat(struct vhdx_writer *w, uint64_t size)
{
	uint64_t length = vhdx_config_bat_length(&w->config, size);

	w->bat = w->data - MIB;
	if (length <= MIB)
		return;
	w->bat = w->next;
	w->next += length;
}

static int vhdx_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vhdx_writer *w = self(writer);
	struct vhdx_head head;

	if (vhdx_config_check_size(&w->config, size, err))
		return -1;
	if (w->size_known && size != w->size)
		return err_set(err, ERR_BUG,
			       "vhdx: a disk of %llu bytes was to be made, "
			       "not of %llu",
			       ULL(w->size), ULL(size));
	if (w->config.fixed && end_fixed(w, size, err))
		return -1;
	if (w->append) {
		if ((!w->started && vhdx_stream_start(w, err)) ||
		    vhdx_stream_end(w, err))
			return -1;
		return sink_finish(writer->sink, w->next, err);
	}
	place_bat(w, size);
	vhdx_head_init(&head, w, size);
	if (vhdx_write_bat(w, size, err) || write_head(w, &head, err))
		return -1;
	return sink_finish(writer->sink, w->next, err);
}

static void vhdx_writer_close(struct writer *writer)
{
	struct vhdx_writer *w = self(writer);

	for (size_t i = 0; i < w->held_count; i++)
		free(w->held[i].bytes);
	free(w->held);
	vhdx_pages_clear(&w->pages);
	identity_close(w->identity);
	free(w);
}

static const struct writer_ops writer_ops = {
	.place = vhdx_place,
	.zero = vhdx_zero,
	.reserve = vhdx_reserve,
	.finish = vhdx_finish,
	.close = vhdx_writer_close,
};

/* With room for a BAT of 1 MiB, the least there is. */
static void lay_out(struct vhdx_writer *w)
{
	w->data = VHDX_SECTION_LEN + w->config.log_size + 2 * MIB;
	w->next = w->data;
}

struct writer *vhdx_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err)
{
	struct vhdx_writer *w = mem_zalloc(sizeof *w);
	AUTO_WRITER struct writer *writer = &w->writer;

	writer_init(writer, &writer_ops, "vhdx", sink);
	writer->granule = VHDX_GRANULE;
	writer->head_last = sink->seekable;
	w->identity = identity_open(writer, options);
	w->size_known = options->size_known;
	w->size = options->size_known ? options->size : 0;
	w->append = !sink->seekable;
	if (vhdx_config_parse(options, &w->config, err) ||
	    (w->size_known && vhdx_config_check_size(&w->config, w->size, err)))
		return NULL;
	lay_out(w);
	if (w->append) {
		if (vhdx_stream_plan(w, options, err))
			return NULL;
		place_bat(w, w->size);
	}
	/* Room for all of it at once: no room is found out before any work. */
	if (w->config.zeros == SINK_ZERO_ALLOCATE && w->size_known &&
	    !w->append &&
	    sink_zero(sink, w->data, round_up(w->size, w->config.block_size),
		      SINK_ZERO_ALLOCATE, err))
		return NULL;
	w->allocated = w->config.zeros == SINK_ZERO_ALLOCATE && w->size_known;
	return STEAL(writer);
}
