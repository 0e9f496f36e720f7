/* SPDX-License-Identifier: MIT */
/* Owns random access into .zst files of many frames: their list, from frame
 * and block headers alone (RFC 8878), and the decoding of one of them. Does
 * not know the library, nor keep what it decoded. */
#include "formats/codecs/zstd_index.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/block.h"
#include "formats/codecs/skippable.h"

/* Each header costs a read. A million blocks of 128 KiB are 128 GiB. */
#define HEADERS_MAX ((size_t)1 << 20)

/* Magic, descriptor, window, dictionary id, content size. */
#define FRAME_HEADER_MAX 18
#define BLOCK_HEADER_LEN 3
#define CHECKSUM_LEN 4

enum block_type { BLOCK_RAW, BLOCK_RLE, BLOCK_COMPRESSED, BLOCK_RESERVED };

struct frame {
	uint64_t place, total; /* in the file */
};

struct zstd_index {
	struct codec_index index;
	struct source *inner;
	struct frame *frames;
	size_t room;
	size_t headers; /* read so far */
};

static int unusable(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "the frames do not tell their sizes, or are too many");
}

/* The header's length and the content's size; false when it has none. */
static bool parse_header(const unsigned char *bytes, size_t len,
			 size_t *header_len, uint64_t *content)
{
	static const size_t id_len[] = { 0, 1, 2, 4 };
	static const size_t size_len[] = { 0, 2, 4, 8 };
	unsigned descriptor = bytes[ZSTD_FRAME_MAGIC_LEN];
	bool single = descriptor & 0x20;
	size_t field = size_len[descriptor >> 6];
	size_t at = ZSTD_FRAME_MAGIC_LEN + 1 + !single + id_len[descriptor & 3];

	if (!field && single)
		field = 1;
	*header_len = at + field;
	if (!field || *header_len > len)
		return false;
	switch (field) {
	case 1:
		*content = bytes[at];
		break;
	case 2:
		*content = (uint64_t)bytes_le16(bytes + at) + 256;
		break;
	case 4:
		*content = bytes_le32(bytes + at);
		break;
	default:
		*content = bytes_le64(bytes + at);
	}
	return true;
}

/* From the first block header at *place to behind the last block. Ends
 * because the place grows and HEADERS_MAX bounds the turns. */
static int skip_blocks(struct zstd_index *zstd, uint64_t *place,
		       struct err *err)
{
	unsigned char bytes[BLOCK_HEADER_LEN];
	bool last = false;

	while (!last) {
		if (zstd->headers++ >= HEADERS_MAX)
			return unusable(err);
		if (source_read_all(zstd->inner, bytes, sizeof bytes, *place,
				    "zstd: block header", err))
			return -1;
		uint32_t header = bytes_le16(bytes) | (uint32_t)bytes[2] << 16;
		enum block_type type = (header >> 1) & 3;
		if (type == BLOCK_RESERVED)
			return unusable(err);
		last = header & 1;
		*place += BLOCK_HEADER_LEN +
			  (type == BLOCK_RLE ? 1 : header >> 3);
	}
	return 0;
}

static int add_frame(struct zstd_index *zstd, const struct frame *frame,
		     uint64_t content, struct err *err)
{
	struct codec_index *index = &zstd->index;

	/* The sizes together are those of a disk; and more compressed bytes
	 * than any encoder makes of the content are not worth the memory. */
	if (content > LIMIT_DISK_SIZE - index->size ||
	    frame->total / 2 > content + 64 * KIB)
		return unusable(err);
	if (!content)
		return 0;
	if (index->count == zstd->room) {
		zstd->room = zstd->room ? 2 * zstd->room : 64;
		zstd->frames = mem_resize(zstd->frames, zstd->room,
					  sizeof *zstd->frames);
		index->start = mem_resize(index->start, zstd->room + 1,
					  sizeof *index->start);
	}
	zstd->frames[index->count] = *frame;
	index->start[index->count++] = index->size;
	index->size += content;
	index->start[index->count] = index->size;
	index->largest = max_u64(index->largest, content);
	return 0;
}

/* One frame of either kind at *place. */
static int walk_frame(struct zstd_index *zstd, uint64_t *place, struct err *err)
{
	unsigned char bytes[FRAME_HEADER_MAX];
	struct frame frame = { .place = *place };
	size_t len, header_len;
	uint64_t content;

	if (zstd->headers++ >= HEADERS_MAX)
		return unusable(err);
	if (source_read(zstd->inner, bytes, sizeof bytes, *place, &len, err))
		return -1;
	if (len < SKIPPABLE_HEADER_LEN)
		return unusable(err);
	if (skippable_magic(bytes)) {
		*place += SKIPPABLE_HEADER_LEN +
			  bytes_le32(bytes + ZSTD_FRAME_MAGIC_LEN);
		return 0;
	}
	if (bytes_le32(bytes) != ZSTD_FRAME_MAGIC ||
	    !parse_header(bytes, len, &header_len, &content))
		return unusable(err);
	*place += header_len;
	if (skip_blocks(zstd, place, err))
		return -1;
	*place += bytes[ZSTD_FRAME_MAGIC_LEN] & 4 ? CHECKSUM_LEN : 0;
	frame.total = *place - frame.place;
	return add_frame(zstd, &frame, content, err);
}

struct codec_index *zstd_index_open(struct source *inner, struct err *err)
{
	struct zstd_index *zstd = mem_zalloc(sizeof *zstd);
	uint64_t place = 0;
	int result = 0;

	zstd->inner = inner;
	/* Ends because each frame moves on. */
	while (!result && place < inner->size)
		result = walk_frame(zstd, &place, err);
	/* A cut file is found by who reads it, with a better message. */
	if (!result && (place != inner->size || !zstd->index.count))
		result = unusable(err);
	if (result) {
		err->kind =
			err->kind == ERR_DAMAGED ? ERR_UNSUPPORTED : err->kind;
		zstd_index_close(&zstd->index);
		return NULL;
	}
	return &zstd->index;
}

int zstd_index_decode(struct codec_index *index, size_t number,
		      unsigned char *out, struct err *err)
{
	struct zstd_index *zstd = (struct zstd_index *)index;
	const struct frame *frame = &zstd->frames[number];
	uint64_t out_len = index->start[number + 1] - index->start[number];
	/* Not more than what add_frame allows. */
	AUTO_FREE unsigned char *in = mem_buffer(frame->total);

	if (source_read_all(zstd->inner, in, frame->total, frame->place,
			    "zstd: frame", err))
		return -1;
	void *decoder = block_zstd.decoder_open(err);
	if (!decoder)
		return -1;
	int result = block_zstd.decode(decoder, in, frame->total, out, out_len);
	block_zstd.decoder_close(decoder);
	if (result)
		return err_set(err, ERR_DAMAGED,
			       "zstd: the frame at %llu is damaged or its "
			       "checksum is wrong",
			       (unsigned long long)frame->place);
	return 0;
}

void zstd_index_close(struct codec_index *index)
{
	struct zstd_index *zstd = (struct zstd_index *)index;

	if (!zstd)
		return;
	free(index->start);
	free(zstd->frames);
	free(zstd);
}
