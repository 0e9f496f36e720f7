/* SPDX-License-Identifier: MIT */
/* A guest of known bytes behind every face the pump takes: a disk that
 * reports what it likes, a walk in order with pieces of odd lengths, a walk in
 * any order with encoded pieces. */
#ifndef TESTS_PUMP_TOYS_H
#define TESTS_PUMP_TOYS_H

#include "base/checked.h"
#include "fakes.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"
#include "sequence.h"

#define TOY_CLUSTER ((size_t)65536)

/* Bytes that compress a little, with ranges of zeros on no bounds at all. */
static inline unsigned char *toy_guest(size_t len)
{
	unsigned char *bytes = mem_buffer(len + 1);
	uint32_t state = 12345;

	for (size_t i = 0; i < len; i++) {
		state = sequence32(state);
		bytes[i] = 'a' + (state >> 24) % 7;
	}
	for (size_t at = 70001; at < len; at += 700013)
		memset(bytes + at, 0, min_u64(len - at, 300007));
	return bytes;
}

/* ---- a disk ---- */

enum toy_report { TOY_ALL_DATA, TOY_HOLES, TOY_ZEROS, TOY_MIXED };

struct toy_disk {
	struct disk disk;
	struct source *source; /* borrowed; the same bytes */
	const unsigned char *bytes;
	enum toy_report report;
	bool placed;  /* say where the data lies */
	bool twice;   /* ... and always at 0 */
	unsigned finishes;
};

static inline int toy_read(struct disk *disk, void *buf, size_t len,
			   uint64_t offset, struct err *err)
{
	struct toy_disk *toy = (struct toy_disk *)disk;

	return source_read_all(toy->source, buf, len, offset, "data", err);
}

static inline int toy_extent(struct disk *disk, uint64_t offset,
			     uint64_t limit, struct extent *out,
			     struct err *err)
{
	struct toy_disk *toy = (struct toy_disk *)disk;
	uint64_t end = offset + min_u64(limit, disk->size - offset), at;
	bool zero = !toy->bytes[offset];

	(void)err;
	*out = (struct extent){ .offset = offset, .length = end - offset,
				.kind = EXTENT_DATA };
	if (toy->report != TOY_ALL_DATA) {
		for (at = offset; at < end && !toy->bytes[at] == zero; at++)
			;
		out->length = at - offset;
		if (zero)
			out->kind = toy->report == TOY_HOLES ? EXTENT_HOLE
								: EXTENT_ZERO;
	}
	/* Two neighbours of one kind are allowed. */
	if (toy->report == TOY_MIXED)
		out->length = min_u64(out->length, 12345);
	if (toy->placed && out->kind == EXTENT_DATA) {
		out->source = toy->source;
		out->place = toy->twice ? 0 : offset;
		out->stored = out->length;
	}
	return 0;
}

static inline int toy_finish(struct disk *disk, struct err *err)
{
	struct toy_disk *toy = (struct toy_disk *)disk;

	toy->finishes++;
	return source_finish(toy->source, err);
}

static inline void toy_close(struct disk *disk)
{
	(void)disk;
}

/* On the caller's stack. */
static inline void toy_disk_init(struct toy_disk *toy,
				 const unsigned char *bytes,
				 struct source *source)
{
	static const struct disk_ops ops = { .read = toy_read,
					     .extent = toy_extent,
					     .finish = toy_finish,
					     .close = toy_close };

	memset(toy, 0, sizeof *toy);
	disk_init(&toy->disk, &ops, "toy");
	toy->disk.size = source->size;
	toy->disk.sector_size = 512;
	toy->disk.granule = TOY_CLUSTER;
	toy->source = source;
	toy->bytes = bytes;
}

/* ---- walks ---- */

struct toy_walk {
	struct walk walk;
	const unsigned char *bytes;
	size_t len, at;
	uint32_t state;	  /* of the lengths' generator */
	size_t most;	  /* the longest piece of an ordered walk */
	bool zeros;	  /* zeros are pieces of their own */
	unsigned fail_at; /* this piece, from 1; 0: never */
	unsigned pieces;
	size_t *order;	  /* clusters of a scattered walk */
	size_t count;
	enum block_codec_id codec;
	struct block_encoder *encoder; /* NULL: plain */
};

static inline int toy_fail(struct toy_walk *toy, struct err *err)
{
	return toy->fail_at && ++toy->pieces >= toy->fail_at
		       ? err_set(err, ERR_IO, "injected failure of piece %u",
				 toy->pieces)
		       : 0;
}

static inline int toy_ordered_next(struct walk *walk, void *buf, size_t room,
				   struct walk_piece *out, struct err *err)
{
	struct toy_walk *toy = (struct toy_walk *)walk;
	bool zero = toy->at < toy->len && !toy->bytes[toy->at];
	size_t end, most;

	if (toy_fail(toy, err))
		return -1;
	if (toy->at == toy->len)
		return 0;
	toy->state = sequence32(toy->state);
	most = 1 + (toy->state >> 8) % toy->most;
	end = toy->at;
	while (end < toy->len && end - toy->at < most &&
	       !toy->bytes[end] == zero)
		end++;
	out->offset = toy->at;
	out->kind = !zero || !toy->zeros	? EXTENT_DATA
		    : toy->state & 0x10000 ? EXTENT_HOLE
					   : EXTENT_ZERO;
	if (out->kind == EXTENT_DATA) {
		end = min_u64(end, toy->at + room);
		out->stored = end - toy->at;
		memcpy(buf, toy->bytes + toy->at, out->stored);
	}
	out->length = end - toy->at;
	toy->at = end;
	return 1;
}

static inline int toy_scattered_next(struct walk *walk, void *buf, size_t room,
				     struct walk_piece *out, struct err *err)
{
	struct toy_walk *toy = (struct toy_walk *)walk;
	size_t at, len, coded = 0;

	if (toy_fail(toy, err))
		return -1;
	if (toy->at == toy->count)
		return 0;
	at = toy->order[toy->at++] * TOY_CLUSTER;
	len = min_u64(TOY_CLUSTER, toy->len - at);
	*out = (struct walk_piece){ at, len, EXTENT_DATA, ENCODING_PLAIN,
				    len };
	/* Every second one stays plain: both in one file are usual. */
	if (toy->encoder && toy->at % 2 &&
	    block_encode(toy->encoder, toy->bytes + at, len, buf,
			 min_u64(room, len), &coded, err))
		return -1;
	if (!coded) {
		memcpy(buf, toy->bytes + at, len);
		return 1;
	}
	out->stored = coded;
	out->encoding = toy->codec == BLOCK_ZSTD   ? ENCODING_ZSTD
			: toy->codec == BLOCK_ZLIB ? ENCODING_ZLIB
						   : ENCODING_DEFLATE;
	return 1;
}

static inline void toy_walk_close(struct walk *walk)
{
	struct toy_walk *toy = (struct toy_walk *)walk;

	free(toy->order);
	block_encoder_close(toy->encoder);
}

static inline void toy_walk_init(struct toy_walk *toy,
				 const unsigned char *bytes, size_t len,
				 bool ordered)
{
	static const struct walk_ops in_order = { toy_ordered_next,
						  toy_walk_close };
	static const struct walk_ops scattered = { toy_scattered_next,
						   toy_walk_close };

	memset(toy, 0, sizeof *toy);
	walk_init(&toy->walk, ordered ? &in_order : &scattered, "toy");
	toy->walk.ordered = ordered;
	toy->walk.size_known = !ordered;
	toy->walk.size = ordered ? 0 : len;
	toy->walk.sector_size = 512;
	toy->walk.granule = TOY_CLUSTER;
	toy->bytes = bytes;
	toy->len = len;
	toy->most = 3000;
}

/* All clusters that are not zero, shuffled. */
static inline void toy_walk_shuffle(struct toy_walk *toy)
{
	size_t clusters = div_up(toy->len, TOY_CLUSTER);

	toy->order = mem_zalloc((clusters + 1) * sizeof *toy->order);
	for (size_t i = 0; i < clusters; i++) {
		size_t at = i * TOY_CLUSTER;
		size_t len = min_u64(TOY_CLUSTER, toy->len - at), used = 0;

		while (used < len && !toy->bytes[at + used])
			used++;
		if (used < len)
			toy->order[toy->count++] = i;
	}
	for (size_t i = toy->count; i > 1; i--) {
		size_t j = (i * 7919 + 13) % i, other = toy->order[j];

		toy->order[j] = toy->order[i - 1];
		toy->order[i - 1] = other;
	}
}

#endif
