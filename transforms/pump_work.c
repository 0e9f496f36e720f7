/* SPDX-License-Identifier: MIT */
/* Owns what is done with one slot of the pump once it is fetched: read,
 * decode, find zeros, encode, digest, store. Does not know of other slots. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/offload.h"
#include "io/zero.h"
#include "transforms/pump_slot.h"

struct pump_context {
	void *writer;
	struct block_decoder *decoder[BLOCK_COUNT];
};

void pump_slot_init(const struct pump_feed *feed, struct pump_slot *slot)
{
	memset(slot, 0, sizeof *slot);
	unit_init(&slot->unit, feed->pump->writer);
	if (feed->pump->walk && !feed->pump->walk->ordered)
		slot->piece_bytes = mem_buffer(UNIT_LEN_MAX);
}

void pump_slot_free(struct pump_slot *slot)
{
	unit_free(&slot->unit);
	free(slot->piece_bytes);
	slot->piece_bytes = NULL;
}

int pump_context_open(struct pump_feed *feed, void **out, struct err *err)
{
	struct pump_context *context = mem_zalloc(sizeof *context);

	context->writer = writer_context_open(feed->pump->writer, err);
	if (!context->writer) {
		free(context);
		return -1;
	}
	*out = context;
	return 0;
}

void pump_context_close(struct pump_feed *feed, void *opaque)
{
	struct pump_context *context = opaque;

	writer_context_close(feed->pump->writer, context->writer);
	for (unsigned i = 0; i < BLOCK_COUNT; i++)
		block_decoder_close(context->decoder[i]);
	free(context);
}

static int decode_piece(struct pump_slot *slot, struct pump_context *context,
			struct err *err)
{
	static const enum block_codec_id ids[] = {
		[ENCODING_DEFLATE] = BLOCK_DEFLATE,
		[ENCODING_ZSTD] = BLOCK_ZSTD,
		[ENCODING_ZLIB] = BLOCK_ZLIB,
	};
	enum block_codec_id id = ids[slot->piece.encoding];

	if (!context->decoder[id])
		context->decoder[id] = block_decoder_open(id, err);
	if (!context->decoder[id])
		return -1;
	if (block_decode(context->decoder[id], slot->piece_bytes,
			 slot->piece.stored, slot->unit.data,
			 (size_t)slot->piece.length, err) < 0)
		return err_in(err, "cluster of guest offset %llu",
			      (unsigned long long)slot->offset);
	return 0;
}

static int read_unit(struct pump_feed *feed, struct pump_slot *slot,
		     struct pump_context *context, struct err *err)
{
	if (feed->pump->disk)
		return disk_read(feed->pump->disk, slot->unit.data,
				 (size_t)slot->length, slot->offset, err);
	if (!feed->pump->walk->ordered &&
	    slot->piece.encoding != ENCODING_PLAIN)
		return decode_piece(slot, context, err);
	return 0; /* fetched with its bytes */
}

static void find_zeros(struct pump_feed *feed, struct pump_slot *slot)
{
	struct unit *unit = &slot->unit;
	size_t granule = feed->pump->writer->granule;

	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * granule;
		bool zero = zero_is(unit->data + at,
				    min_u64(granule, unit->len - at));
		unit->granules[i].kind = zero ? EXTENT_ZERO : EXTENT_DATA;
	}
}

/* Does anybody look at the bytes of what is stored already? */
static bool looks_at(const struct pump *pump, const struct pump_slot *slot)
{
	return pump->digest || pump->writer->place_reads ||
	       slot->offset < pump->writer->units_until;
}

int pump_work(struct pump_feed *feed, struct pump_slot *slot, void *context,
	      struct err *err)
{
	struct stages *stages = feed->pump->stages;
	struct pump_context *mine = context;
	uint64_t begin = stages_begin(stages);
	size_t end;
	int result;

	if (slot->kind != SLOT_UNIT ||
	    (slot->recorded && !looks_at(feed->pump, slot)))
		return 0;
	result = read_unit(feed, slot, mine, err);
	stages_end(stages, SPAN_GUEST, begin, slot->length);
	if (result < 0)
		return -1;
	/* The buffer was used before: what pads the end must be zero, up to
	 * the granule's end. */
	end = round_up(slot->unit.len, feed->pump->writer->granule);
	memset(slot->unit.data + slot->length, 0,
	       min_u64(end, slot->unit.room) - slot->length);
	if (slot->recorded)
		return 0;
	begin = stages_begin(stages);
	find_zeros(feed, slot);
	stages_end(stages, SPAN_SCAN, begin, slot->length);
	if (!feed->pump->writer->ops->encode)
		return 0;
	begin = stages_begin(stages);
	result = writer_encode(feed->pump->writer, mine->writer, &slot->unit,
			       err);
	stages_end(stages, SPAN_ENCODE, begin, slot->length);
	return result;
}

/* What is shared was not read: some of it is now. */
static int show_head(const struct pump *pump, const struct pump_slot *slot,
		     struct err *err)
{
	unsigned char bytes[4096];
	size_t len = (size_t)min_u64(sizeof bytes, slot->length);

	if (slot->kind == SLOT_UNIT) {
		pump->head(pump->head_opaque, slot->unit.data,
			   (size_t)slot->length);
		return 0;
	}
	if (source_read_all(slot->from.source, bytes, len, slot->from.place,
			    "data", err) < 0)
		return -1;
	pump->head(pump->head_opaque, bytes, len);
	return 0;
}

/* What comes now was not stored by an earlier run. Said once: afterwards others
 * write to the sink. */
static void end_replay(struct pump_feed *feed)
{
	struct writer *writer = feed->pump->writer;

	if (feed->live)
		return;
	feed->live = true;
	writer->sink->replay = false;
	if (writer->data)
		writer->data->replay = false;
}

int pump_finishing(struct pump_feed *feed, struct err *err)
{
	struct pump *pump = feed->pump;

	if (!pump->journal)
		return 0;
	end_replay(feed);
	return pump->finish_once ? journal_void(pump->journal, err)
				 : journal_sync(pump->journal, err);
}

static int place(struct pump_feed *feed, struct pump_slot *slot,
		 struct err *err)
{
	struct pump *pump = feed->pump;

	if (feed->notes && !slot->recorded)
		end_replay(feed);
	if (pump->head && !slot->offset && slot->kind != SLOT_RANGE &&
	    !slot->recorded &&
	    show_head(pump, slot, err) < 0)
		return -1;

	if (pump->progress) {
		feed->placed += slot->length;
		pump->progress(pump->opaque, feed->placed, slot->total);
	}
	switch (slot->kind) {
	case SLOT_RANGE:
		if (pump->digest)
			digest_add_zeros(pump->digest, slot->length);
		return writer_zero(pump->writer, slot->offset, slot->padded,
				   slot->range, err);
	case SLOT_CLONE:
		return writer_reserve(pump->writer, slot->offset,
				      slot->length, &slot->place, err);
	default:
		if (pump->digest)
			digest_add(pump->digest, slot->unit.data,
				   (size_t)slot->length);
		return writer_place(pump->writer, &slot->unit, err);
	}
}

int pump_place(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err)
{
	uint64_t begin = stages_begin(feed->pump->stages);
	int result = place(feed, slot, err);

	stages_end(feed->pump->stages, SPAN_PLACE, begin,
		   slot->kind == SLOT_RANGE ? 0 : slot->length);
	return result;
}

/* The file system would not share these after all: by hand. */
static int copy_run(struct pump_feed *feed, struct pump_slot *slot,
		    struct err *err)
{
	for (uint64_t done = 0; done < slot->length;) {
		size_t len = (size_t)min_u64(slot->length - done,
					     slot->unit.room);
		if (source_read_all(slot->from.source, slot->unit.data, len,
				    slot->from.place + done, "data", err) <
			    0 ||
		    sink_write(feed->pump->writer->data, slot->unit.data, len,
			       slot->place + done, err) < 0)
			return -1;
		done += len;
	}
	return 0;
}

static int clone_run(struct pump_feed *feed, struct pump_slot *slot,
		     struct err *err)
{
	struct source *source = slot->from.source;

	switch (offload_clone(source->fd, source->fd_base + slot->from.place,
			      feed->pump->writer->data->fd, slot->place,
			      slot->length, err)) {
	case OFFLOAD_DONE:
		return 0;
	case OFFLOAD_UNABLE:
		return copy_run(feed, slot, err);
	default:
		return -1;
	}
}

int pump_store(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err)
{
	uint64_t begin = stages_begin(feed->pump->stages);
	int result = 0;

	if (slot->recorded)
		; /* it is there, and so are the tables that go with it */
	else if (slot->kind == SLOT_CLONE)
		result = clone_run(feed, slot, err);
	else if (slot->kind == SLOT_UNIT)
		result = writer_store(&slot->unit, err);
	stages_end(feed->pump->stages, SPAN_STORE, begin,
		   slot->kind == SLOT_RANGE ? 0 : slot->length);
	unit_reset(&slot->unit);
	return result;
}
