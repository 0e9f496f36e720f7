/* SPDX-License-Identifier: MIT */
/* Owns Zstandard, by libzstd: frames as a stream and as blocks. Does not join
 * frames: that is the adaptor's. */
#include "formats/codecs/rows.h"

#include "base/bytes.h"
#include "formats/codecs/block.h"
#include "formats/codecs/skippable.h"
#include "formats/codecs/zstd_index.h"

#define RESERVED_BIT 0x08 /* of the header's first byte */

static bool zstd_probe(const unsigned char *bytes, size_t len)
{
	size_t at = skippable_end(bytes, len);

	/* Nothing else to be seen: zstd's tools write such frames, lz4's do
	 * not. */
	if (at && at == len)
		return true;
	return len - at > ZSTD_FRAME_MAGIC_LEN &&
	       bytes_le32(bytes + at) == ZSTD_FRAME_MAGIC &&
	       !(bytes[at + ZSTD_FRAME_MAGIC_LEN] & RESERVED_BIT);
}

static bool zstd_member(const unsigned char *bytes, size_t len)
{
	return len >= ZSTD_FRAME_MAGIC_LEN &&
	       (bytes_le32(bytes) == ZSTD_FRAME_MAGIC ||
		skippable_magic(bytes));
}

#ifdef HAVE_ZSTD

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* What the window's size is read from: magic, descriptor, window, or instead
 * of it a dictionary id (4) and the content's size (8). */
#define HEAD_LEN 18

struct zstd_decoder {
	ZSTD_DCtx *dctx;
	uint64_t memory;
	unsigned char head[HEAD_LEN]; /* of this frame, to explain errors */
	size_t have;
};

static int log_of(uint64_t memory)
{
	return 63 - __builtin_clzll(memory | 1);
}

static void *zstd_decoder_open(unsigned threads, uint64_t memory,
			       struct err *err)
{
	(void)threads;
	ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	int window_log;

	memory = max_u64(memory, LIMIT_DECODER_MEMORY);
	window_log = log_of(memory);
	if (window_log > bounds.upperBound)
		window_log = bounds.upperBound;
	if (!dctx || ZSTD_isError(ZSTD_DCtx_setParameter(
			     dctx, ZSTD_d_windowLogMax, window_log))) {
		ZSTD_freeDCtx(dctx);
		err_set(err, ERR_LIMIT, "no memory for a decoder");
		return NULL;
	}
	struct zstd_decoder *decoder = mem_zalloc(sizeof *decoder);
	decoder->dctx = dctx;
	decoder->memory = (uint64_t)1 << window_log;
	return decoder;
}

/* The window a frame's header asks for. It is complete when the library has
 * refused it. */
static uint64_t window_of(const struct zstd_decoder *decoder)
{
	static const size_t id_len[] = { 0, 1, 2, 4 };
	const unsigned char *head = decoder->head;
	unsigned descriptor = head[ZSTD_FRAME_MAGIC_LEN];

	if (!(descriptor & 0x20)) {
		unsigned window = head[ZSTD_FRAME_MAGIC_LEN + 1];
		uint64_t base = (uint64_t)1 << (10 + (window >> 3));

		return base + base / 8 * (window & 7);
	}
	/* A single segment: as large as its content. */
	head += ZSTD_FRAME_MAGIC_LEN + 1 + id_len[descriptor & 3];
	switch (descriptor >> 6) {
	case 2:
		return bytes_le32(head);
	case 3:
		return bytes_le64(head);
	default:
		return 0; /* below 64 KiB: never too large */
	}
}

static int zstd_fail(const struct zstd_decoder *decoder, size_t result,
		     struct err *err)
{
	unsigned long long allowed = decoder->memory;

	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_set(err, ERR_LIMIT,
			       "needs a window of %llu bytes, allowed are "
			       "%llu; allow more with --memory",
			       (unsigned long long)window_of(decoder), allowed);
	case ZSTD_error_memory_allocation:
		return err_set(err, ERR_LIMIT, "no memory for a window");
	case ZSTD_error_dictionary_wrong:
		return err_set(err, ERR_UNSUPPORTED,
			       "needs a dictionary, which is not supported");
	case ZSTD_error_checksum_wrong:
		return err_set(err, ERR_DAMAGED, "the checksum is wrong");
	default:
		return err_set(err, ERR_DAMAGED,
			       "the compressed data is damaged (%s)",
			       ZSTD_getErrorName(result));
	}
}

static int zstd_decoder_step(void *opaque, struct codec_step *step,
			     struct err *err)
{
	struct zstd_decoder *decoder = opaque;
	ZSTD_inBuffer in = { step->in, step->in_len, 0 };
	ZSTD_outBuffer out = { step->out, step->out_len, 0 };
	size_t more = min_u64(HEAD_LEN - decoder->have, step->in_len);

	if (more)
		memcpy(decoder->head + decoder->have, step->in, more);
	size_t result = ZSTD_decompressStream(decoder->dctx, &out, &in);
	if (ZSTD_isError(result)) {
		/* What the library says when nothing is given or taken. */
		if (!step->in_len && !in.pos && !out.pos &&
		    ZSTD_getErrorCode(result) == ZSTD_error_srcSize_wrong)
			return 0;
		decoder->have += more;
		return zstd_fail(decoder, result, err);
	}
	decoder->have += min_u64(more, in.pos);
	step->in_used = in.pos;
	step->out_used = out.pos;
	step->end = !result && (in.pos || out.pos);
	return 0;
}

static int zstd_decoder_next(void *opaque, struct err *err)
{
	struct zstd_decoder *decoder = opaque;

	decoder->have = 0;
	if (ZSTD_isError(
		    ZSTD_DCtx_reset(decoder->dctx, ZSTD_reset_session_only)))
		return err_set(err, ERR_BUG, "the decoder cannot be reset");
	return 0;
}

static void zstd_decoder_close(void *opaque)
{
	struct zstd_decoder *decoder = opaque;

	ZSTD_freeDCtx(decoder->dctx);
	free(decoder);
}

/* ---- encoding: one frame a block ---- */

#define BLOCK_LEN ((size_t)4 << 20)
#define LEVEL_MAX 19 /* beyond it the memory needed explodes */
#define LEVEL_DEFAULT 3

static size_t zstd_block_len(int level)
{
	(void)level;
	return BLOCK_LEN;
}

/* As measured: libzstd has no stable function that tells. */
static uint64_t zstd_encoder_memory(int level)
{
	return (level < 5 ? 8 : level < 10 ? 24 : 56) * MIB;
}

static void *new_encoder(int level, bool checksum, struct err *err)
{
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	if (!cctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel,
						level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag,
						checksum))) {
		ZSTD_freeCCtx(cctx);
		err_set(err, ERR_LIMIT, "no memory for an encoder");
		return NULL;
	}
	return cctx;
}

static void *zstd_encoder_open(int level, struct err *err)
{
	return new_encoder(level, true, err);
}

static int zstd_encode_block(void *encoder, const unsigned char *in, size_t len,
			     unsigned char *out, size_t room, size_t *out_len,
			     struct err *err)
{
	size_t result = ZSTD_compress2(encoder, out, room, in, len);

	if (ZSTD_isError(result))
		return err_set(err, ERR_BUG, "libzstd answers %s",
			       ZSTD_getErrorName(result));
	*out_len = result;
	return 0;
}

static void zstd_encoder_close(void *encoder)
{
	ZSTD_freeCCtx(encoder);
}

/* ---- the block face ---- */

static void *zstd_block_encoder_open(int level, int window_log, struct err *err)
{
	(void)window_log;
	/* Containers of blocks have had no checksums in them so far. */
	return new_encoder(level, false, err);
}

static int zstd_block_encode(void *encoder, const void *in, size_t len,
			     void *out, size_t room, size_t *out_len)
{
	size_t result = ZSTD_compress2(encoder, out, room, in, len);

	*out_len = 0;
	if (!ZSTD_isError(result))
		*out_len = result;
	else if (ZSTD_getErrorCode(result) != ZSTD_error_dstSize_tooSmall)
		return -1;
	return 0;
}

static void *zstd_block_decoder_open(struct err *err)
{
	ZSTD_DCtx *dctx = ZSTD_createDCtx();

	if (!dctx)
		err_set(err, ERR_LIMIT, "libzstd has no memory for a decoder");
	return dctx;
}

static int zstd_block_decode(void *decoder, const void *in, size_t len,
			     void *out, size_t out_len)
{
	/* What follows the frame is not part of it. */
	size_t used = ZSTD_findFrameCompressedSize(in, len);

	if (ZSTD_isError(used))
		return -1;
	/* Straight into `out`: no window, whatever the header claims. */
	size_t result = ZSTD_decompressDCtx(decoder, out, out_len, in, used);
	return result == out_len ? 0 : -1;
}

static void zstd_block_decoder_close(void *decoder)
{
	ZSTD_freeDCtx(decoder);
}

#endif

const struct codec codec_zstd = {
	.name = "zstd",
	.tag = "zst",
	.suffix = ".zst",
	.library = "libzstd",
	.probe = zstd_probe,
	.member = zstd_member,
#ifdef HAVE_ZSTD
	.decoder_open = zstd_decoder_open,
	.decoder_step = zstd_decoder_step,
	.decoder_next = zstd_decoder_next,
	.decoder_close = zstd_decoder_close,
	.index_open = zstd_index_open,
	.index_decode = zstd_index_decode,
	.index_close = zstd_index_close,
	.level_min = 1,
	.level_max = LEVEL_MAX,
	.level_default = LEVEL_DEFAULT,
	.block_len = zstd_block_len,
	.encoder_memory = zstd_encoder_memory,
	.encode_bound = ZSTD_compressBound,
	.encoder_open = zstd_encoder_open,
	.encode_block = zstd_encode_block,
	.encoder_close = zstd_encoder_close,
#endif
};

const struct block_library block_zstd = {
	.name = "libzstd",
#ifdef HAVE_ZSTD
	.encoder_open = zstd_block_encoder_open,
	.encode = zstd_block_encode,
	.encoder_close = zstd_encoder_close,
	.decoder_open = zstd_block_decoder_open,
	.decode = zstd_block_decode,
	.decoder_close = zstd_block_decoder_close,
#endif
};
