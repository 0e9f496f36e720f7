/* SPDX-License-Identifier: MIT */
/* Owns lz4's frame format, by liblz4. Does not join frames: that is the
 * adaptor's. The legacy format has no checks at all and is refused. */
#include "formats/codecs/rows.h"

#include "base/bytes.h"
#include "formats/codecs/skippable.h"

#define MAGIC 0x184d2204
#define LEGACY_MAGIC 0x184c2102
#define MAGIC_LEN 4

static bool lz4_magic(const unsigned char *bytes)
{
	uint32_t magic = bytes_le32(bytes);

	/* Legacy is recognised, to be refused by name. */
	return magic == MAGIC || magic == LEGACY_MAGIC;
}

static bool lz4_probe(const unsigned char *bytes, size_t len)
{
	size_t at = skippable_end(bytes, len);

	return len - at >= MAGIC_LEN && lz4_magic(bytes + at);
}

static bool lz4_member(const unsigned char *bytes, size_t len)
{
	/* Less than a magic number is a cut frame or garbage: both begin a
	 * frame that does not end. */
	return len >= MAGIC_LEN && (lz4_magic(bytes) || skippable_magic(bytes));
}

#ifdef HAVE_LZ4

#include <lz4frame.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

struct lz4_decoder {
	LZ4F_dctx *dctx;
	unsigned char magic[MAGIC_LEN]; /* of this frame, to name it */
	size_t have;
};

static void *lz4_decoder_open(unsigned threads, uint64_t memory,
			      struct err *err)
{
	(void)threads;
	(void)memory; /* two blocks of 4 MiB at most */
	struct lz4_decoder *decoder = mem_zalloc(sizeof *decoder);
	if (LZ4F_isError(LZ4F_createDecompressionContext(&decoder->dctx,
							 LZ4F_VERSION))) {
		free(decoder);
		err_set(err, ERR_LIMIT, "no memory for a decoder");
		return NULL;
	}
	return decoder;
}

static int check_magic(struct lz4_decoder *decoder,
		       const struct codec_step *step, struct err *err)
{
	for (size_t i = 0; decoder->have < MAGIC_LEN && i < step->in_len; i++)
		decoder->magic[decoder->have++] = step->in[i];
	if (decoder->have < MAGIC_LEN ||
	    bytes_le32(decoder->magic) != LEGACY_MAGIC)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "this is the legacy lz4 format (lz4 -l), which has no "
		       "checks; decode it with lz4 first");
}

static int lz4_decoder_step(void *opaque, struct codec_step *step,
			    struct err *err)
{
	struct lz4_decoder *decoder = opaque;
	size_t in_len = step->in_len, out_len = step->out_len;

	if (check_magic(decoder, step, err))
		return -1;
	size_t result = LZ4F_decompress(decoder->dctx, step->out, &out_len,
					step->in, &in_len, NULL);
	if (LZ4F_isError(result))
		return err_set(err, ERR_DAMAGED,
			       "the compressed data is damaged (%s)",
			       LZ4F_getErrorName(result));
	step->in_used = in_len;
	step->out_used = out_len;
	/* 0 without having taken anything is no end but no input. */
	step->end = !result && (in_len || out_len);
	return 0;
}

static int lz4_decoder_next(void *opaque, struct err *err)
{
	struct lz4_decoder *decoder = opaque;

	(void)err;
	LZ4F_resetDecompressionContext(decoder->dctx);
	decoder->have = 0;
	return 0;
}

static void lz4_decoder_close(void *opaque)
{
	struct lz4_decoder *decoder = opaque;

	LZ4F_freeDecompressionContext(decoder->dctx);
	free(decoder);
}

/* ---- encoding: one frame a block ---- */

#define BLOCK_LEN ((size_t)4 << 20)

/* Tables of a quarter of it; measured. */
static uint64_t lz4_encoder_memory(int level)
{
	(void)level;
	return MIB;
}

static size_t lz4_block_len(int level)
{
	(void)level;
	return BLOCK_LEN;
}

static LZ4F_preferences_t preferences(int level, size_t len)
{
	LZ4F_preferences_t preferences = {
		.frameInfo = {
			.blockSizeID = LZ4F_max4MB,
			.blockMode = LZ4F_blockIndependent,
			.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			.contentSize = len,
		},
		.compressionLevel = level,
	};

	return preferences;
}

static size_t lz4_encode_bound(size_t len)
{
	LZ4F_preferences_t worst = preferences(1, len);

	return LZ4F_compressFrameBound(len, &worst);
}

static void *lz4_encoder_open(int level, struct err *err)
{
	(void)err;
	int *encoder = mem_zalloc(sizeof *encoder);
	*encoder = level;
	return encoder;
}

static int lz4_encode_block(void *encoder, const unsigned char *in, size_t len,
			    unsigned char *out, size_t room, size_t *out_len,
			    struct err *err)
{
	const int *level = encoder;
	LZ4F_preferences_t wanted = preferences(*level, len);

	size_t result = LZ4F_compressFrame(out, room, in, len, &wanted);
	if (LZ4F_isError(result))
		return err_set(err, ERR_BUG, "liblz4 answers %s",
			       LZ4F_getErrorName(result));
	*out_len = result;
	return 0;
}

#endif

const struct codec codec_lz4 = {
	.name = "lz4",
	.tag = "lz4",
	.suffix = ".lz4",
	.library = "liblz4",
	.probe = lz4_probe,
	.member = lz4_member,
#ifdef HAVE_LZ4
	.decoder_open = lz4_decoder_open,
	.decoder_step = lz4_decoder_step,
	.decoder_next = lz4_decoder_next,
	.decoder_close = lz4_decoder_close,
	.level_min = 1,
	.level_max = 12,
	.level_default = 1,
	.block_len = lz4_block_len,
	.encoder_memory = lz4_encoder_memory,
	.encode_bound = lz4_encode_bound,
	.encoder_open = lz4_encoder_open,
	.encode_block = lz4_encode_block,
	.encoder_close = free,
#endif
};
