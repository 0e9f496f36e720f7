/* SPDX-License-Identifier: MIT */
/*
 * Owns overlays of ordered walks: edits, a size of their own, and a look at
 * the first bytes before anything is yielded. Does not know why a guest is
 * edited.
 *
 * Pieces of the walk below come out of the queue that a peek filled, then
 * from the walk itself, then (past its end) as one hole. A data piece is
 * yielded with the edits copied over it. A zero range is yielded in parts:
 * what lies under an edit is data.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/overlay.h"
#include "formats/patches.h"

struct kept {
	struct walk_piece piece;
	unsigned char *bytes; /* those of the piece follow `taken` others */
	size_t taken;
};

struct overlay_walk {
	struct walk walk;
	struct walk *below;
	bool allow_cut;
	struct patches patches;
	struct kept *queue; /* what a peek has read ahead */
	size_t queue_count, queue_next;
	unsigned char *head; /* the flat bytes that peek answered with */
	uint64_t position;   /* of the next piece yielded */
	uint64_t zero_end;   /* the zero range in work ends here */
	enum extent_kind zero_kind;
	bool below_ended;
	uint64_t below_size;
};

/* The next piece of the walk below, from the walk itself. */
static int below_next(struct overlay_walk *overlay, void *buf, size_t len,
		      struct walk_piece *out, struct err *err)
{
	int got;

	if (overlay->below_ended)
		return 0;
	got = walk_next(overlay->below, buf, len, out, err);
	if (got < 0)
		return -1;
	overlay->walk.spooled = overlay->below->spooled;
	if (!got) {
		overlay->below_ended = true;
		overlay->below_size = overlay->below->position;
	} else if (out->encoding != ENCODING_PLAIN) {
		return err_set(err, ERR_BUG, "overlay over encoded pieces");
	}
	return got;
}

/* A kept piece, or as much of it as there is room for. */
static int take_kept(struct overlay_walk *overlay, void *buf, size_t len,
		     struct walk_piece *out)
{
	struct kept *kept = &overlay->queue[overlay->queue_next];

	*out = kept->piece;
	if (kept->piece.stored) {
		out->length = out->stored = min_u64(kept->piece.stored, len);
		memcpy(buf, kept->bytes + kept->taken, out->stored);
		kept->taken += out->stored;
		kept->piece.offset += out->stored;
		kept->piece.stored -= out->stored;
		kept->piece.length = kept->piece.stored;
		if (kept->piece.stored)
			return 1;
	}
	free(STEAL(kept->bytes));
	overlay->queue_next++;
	return 1;
}

static int next_piece(struct overlay_walk *overlay, void *buf, size_t len,
		      struct walk_piece *out, struct err *err)
{
	if (overlay->queue_next < overlay->queue_count)
		return take_kept(overlay, buf, len, out);
	return below_next(overlay, buf, len, out, err);
}

/* A part of the zero range in work: up to the next edit, or the edit. */
static int yield_zero(struct overlay_walk *overlay, unsigned char *buf,
		      size_t len, struct walk_piece *out)
{
	uint64_t from = overlay->position;
	uint64_t length = overlay->zero_end - from;
	const struct patch *next = patches_next(&overlay->patches, from);

	out->offset = from;
	out->kind = overlay->zero_kind;
	out->encoding = ENCODING_PLAIN;
	out->stored = 0;
	if (next && next->offset <= from) {
		length = min_u64(length, next->offset + next->len - from);
		length = min_u64(length, len);
		memcpy(buf, next->bytes + (from - next->offset), length);
		out->kind = EXTENT_DATA;
		out->stored = length;
	} else if (next) {
		length = min_u64(length, next->offset - from);
	}
	out->length = length;
	overlay->position += length;
	return 1;
}

static int yield_data(struct overlay_walk *overlay, unsigned char *buf,
		      struct walk_piece *out)
{
	out->length = min_u64(out->length, overlay->walk.size - out->offset);
	out->stored = out->length;
	patches_apply(&overlay->patches, buf, out->offset, out->stored);
	overlay->position = out->offset + out->length;
	return 1;
}

/* What lies past our end is still read, so that the walk below can verify
 * its own end and its size is known for the message. */
static int end_below(struct overlay_walk *overlay, void *buf, size_t len,
		     struct err *err)
{
	struct walk_piece piece;
	int got;

	/* Ends with the walk below. */
	do {
		got = next_piece(overlay, buf, len, &piece, err);
	} while (got > 0);
	if (got < 0)
		return -1;
	if (overlay->below_size > overlay->walk.size && !overlay->allow_cut)
		return err_set(err, ERR_REFUSED,
			       "the disk has %llu bytes, more than the %llu "
			       "asked for; --shrink allows to cut it",
			       (unsigned long long)overlay->below_size,
			       (unsigned long long)overlay->walk.size);
	return 0;
}

static int overlay_next(struct walk *walk, void *buf, size_t len,
			struct walk_piece *out, struct err *err)
{
	struct overlay_walk *overlay = (struct overlay_walk *)walk;
	int got;

	if (overlay->position >= walk->size)
		return end_below(overlay, buf, len, err);
	if (overlay->position < overlay->zero_end)
		return yield_zero(overlay, buf, len, out);
	got = next_piece(overlay, buf, len, out, err);
	if (got < 0)
		return -1;
	if (got && out->kind == EXTENT_DATA)
		return yield_data(overlay, buf, out);
	overlay->zero_kind = got ? out->kind : EXTENT_HOLE;
	overlay->zero_end = walk->size;
	if (got)
		overlay->zero_end =
			min_u64(walk->size, out->offset + out->length);
	return yield_zero(overlay, buf, len, out);
}

static void overlay_walk_close(struct walk *walk)
{
	struct overlay_walk *overlay = (struct overlay_walk *)walk;

	for (size_t i = overlay->queue_next; i < overlay->queue_count; i++)
		free(overlay->queue[i].bytes);
	free(overlay->queue);
	free(overlay->head);
	patches_clear(&overlay->patches);
	walk_close(overlay->below);
	free(overlay);
}

static const struct walk_ops overlay_ops = { .next = overlay_next,
					     .close = overlay_walk_close };

struct walk *overlay_walk(struct walk *take_below, uint64_t size,
			  bool allow_cut)
{
	struct overlay_walk *overlay = mem_zalloc(sizeof *overlay);

	walk_init(&overlay->walk, &overlay_ops, take_below->format);
	overlay->below = take_below;
	overlay->allow_cut = allow_cut;
	overlay->walk.ordered = true;
	overlay->walk.size_known = true;
	overlay->walk.size = size;
	overlay->walk.sector_size = take_below->sector_size;
	overlay->walk.granule = take_below->granule;
	return &overlay->walk;
}

int overlay_walk_put(struct walk *walk, uint64_t offset, const void *bytes,
		     size_t len, struct err *err)
{
	struct overlay_walk *overlay = (struct overlay_walk *)walk;

	return patches_put(&overlay->patches, walk->size, offset, bytes, len,
			   err);
}

/* Read one more piece ahead: 1, at the end 0, -1. */
static int keep_piece(struct overlay_walk *overlay, unsigned char *buf,
		      struct err *err)
{
	struct kept kept = { 0 };
	int got = below_next(overlay, buf, UNIT_LEN_MAX, &kept.piece, err);

	if (got <= 0)
		return got;
	if (kept.piece.stored) {
		kept.bytes = mem_zalloc(kept.piece.stored);
		memcpy(kept.bytes, buf, kept.piece.stored);
	}
	overlay->queue = mem_resize(overlay->queue, overlay->queue_count + 1,
				    sizeof *overlay->queue);
	overlay->queue[overlay->queue_count++] = kept;
	return 1;
}

int overlay_walk_peek(struct walk *walk, const unsigned char **bytes,
		      size_t len, size_t *got, struct err *err)
{
	struct overlay_walk *overlay = (struct overlay_walk *)walk;
	unsigned char *buf AUTO_FREE = mem_buffer(UNIT_LEN_MAX);

	if (len > OVERLAY_MAX || overlay->position || overlay->queue_next)
		return err_set(err, ERR_BUG, "peek of %zu bytes", len);
	/* Ends: each piece moves the walk below on, or it ends. */
	while (overlay->below->position < len) {
		int more = keep_piece(overlay, buf, err);

		if (more < 0)
			return -1;
		if (!more)
			break;
	}
	free(overlay->head);
	overlay->head = mem_zalloc(len);
	for (size_t i = 0; i < overlay->queue_count; i++) {
		const struct kept *kept = &overlay->queue[i];

		if (kept->piece.offset < len && kept->piece.stored)
			memcpy(overlay->head + kept->piece.offset, kept->bytes,
			       min_u64(kept->piece.stored,
				       len - kept->piece.offset));
	}
	*bytes = overlay->head;
	*got = min_u64(len, overlay->below->position);
	return 0;
}

bool overlay_walk_below_size(const struct walk *walk, uint64_t *size)
{
	const struct overlay_walk *overlay = (const struct overlay_walk *)walk;

	*size = overlay->below_size;
	return overlay->below_ended;
}
