/* SPDX-License-Identifier: MIT */
/* Owns bzip2, by libbz2. Does not join streams: that is the adaptor's. */
#include "formats/codecs/block.h"
#include "formats/codecs/rows.h"

#include <string.h>

#define STREAM_HEADER_LEN 4
#define BLOCK_MAGIC_LEN 6

/* "BZh", a level, and then a block or (in an empty stream) the end: digits of
 * pi or of its square root. */
static bool bzip2_probe(const unsigned char *bytes, size_t len)
{
	static const unsigned char block[] = "\x31\x41\x59\x26\x53\x59";
	static const unsigned char end[] = "\x17\x72\x45\x38\x50\x90";

	if (len < STREAM_HEADER_LEN + BLOCK_MAGIC_LEN ||
	    memcmp(bytes, "BZh", 3) || bytes[3] < '1' || bytes[3] > '9')
		return false;
	bytes += STREAM_HEADER_LEN;
	return !memcmp(bytes, block, BLOCK_MAGIC_LEN) ||
	       !memcmp(bytes, end, BLOCK_MAGIC_LEN);
}

/* After a stream a short rest may be a cut one: as much as there is. */
static bool bzip2_member(const unsigned char *bytes, size_t len)
{
	return !memcmp(bytes, "BZh", len < 3 ? len : 3);
}

#ifdef HAVE_BZIP2

#include <bzlib.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

static unsigned clamp(size_t len)
{
	return len < UINT_MAX ? (unsigned)len : UINT_MAX;
}

static void *bzip2_decoder_open(unsigned threads, uint64_t memory,
				struct err *err)
{
	(void)threads;
	(void)memory; /* 4 MiB at most */
	bz_stream *bz = mem_zalloc(sizeof *bz);
	if (BZ2_bzDecompressInit(bz, 0, 0) != BZ_OK) {
		free(bz);
		err_set(err, ERR_LIMIT, "no memory for a decoder");
		return NULL;
	}
	return bz;
}

static int bzip2_decoder_step(void *decoder, struct codec_step *step,
			      struct err *err)
{
	bz_stream *bz = decoder;
	unsigned in_len = clamp(step->in_len), out_len = clamp(step->out_len);

	bz->next_in = (char *)(uintptr_t)step->in;
	bz->avail_in = in_len;
	bz->next_out = (char *)step->out;
	bz->avail_out = out_len;
	int result = BZ2_bzDecompress(bz);
	step->in_used = in_len - bz->avail_in;
	step->out_used = out_len - bz->avail_out;
	step->end = result == BZ_STREAM_END;
	if (result == BZ_OK || result == BZ_STREAM_END)
		return 0;
	if (result == BZ_MEM_ERROR)
		return err_set(err, ERR_LIMIT, "no memory for a block");
	return err_set(err, ERR_DAMAGED,
		       "the compressed data is damaged or its checksum is "
		       "wrong");
}

static int bzip2_decoder_next(void *decoder, struct err *err)
{
	bz_stream *bz = decoder;

	BZ2_bzDecompressEnd(bz);
	memset(bz, 0, sizeof *bz);
	if (BZ2_bzDecompressInit(bz, 0, 0) != BZ_OK)
		return err_set(err, ERR_LIMIT, "no memory for a decoder");
	return 0;
}

static void bzip2_decoder_close(void *decoder)
{
	BZ2_bzDecompressEnd(decoder);
	free(decoder);
}

/* A stream holds one block, a little smaller than the level's unit, so that
 * the first run-length pass, which may add a quarter in the worst case but
 * nothing usually, seldom spills into a second one. */
/* Some 400 KiB and eight times the block, by its manual. */
static uint64_t bzip2_encoder_memory(int level)
{
	(void)level;
	return 8 * MIB;
}

static size_t bzip2_block_len(int level)
{
	return (size_t)level * 100000 - 20;
}

/* The library's own rule is 1 % and 600 bytes. */
static size_t bzip2_encode_bound(size_t len)
{
	return len + len / 64 + 1024;
}

static void *bzip2_encoder_open(int level, struct err *err)
{
	(void)err;
	int *encoder = mem_zalloc(sizeof *encoder);
	*encoder = level;
	return encoder;
}

static int bzip2_encode_block(void *encoder, const unsigned char *in,
			      size_t len, unsigned char *out, size_t room,
			      size_t *out_len, struct err *err)
{
	const int *level = encoder;
	unsigned used = clamp(room);

	int result = BZ2_bzBuffToBuffCompress((char *)out, &used,
					      (char *)(uintptr_t)in, clamp(len),
					      *level, 0, 0);
	if (result == BZ_MEM_ERROR)
		return err_set(err, ERR_LIMIT, "no memory for an encoder");
	if (result != BZ_OK)
		return err_set(err, ERR_BUG, "libbz2 answers %d", result);
	*out_len = used;
	return 0;
}

static void *bzip2_block_open(struct err *err)
{
	(void)err;
	return mem_zalloc(1); /* nothing is kept from block to block */
}

static int bzip2_block_decode(void *decoder, const void *in, size_t len,
			      void *out, size_t out_len)
{
	unsigned got = clamp(out_len);
	int result = BZ2_bzBuffToBuffDecompress(
		out, &got, (char *)(uintptr_t)in, clamp(len), 0, 0);

	(void)decoder;
	return result == BZ_OK && got == out_len ? 0 : -1;
}

const struct block_library block_bzip2 = {
	.name = "libbz2",
	.decoder_open = bzip2_block_open,
	.decode = bzip2_block_decode,
	.decoder_close = free,
};

#else

const struct block_library block_bzip2 = { .name = "libbz2" };

#endif

const struct codec codec_bzip2 = {
	.name = "bzip2",
	.tag = "bz2",
	.suffix = ".bz2",
	.library = "libbz2",
	.probe = bzip2_probe,
	.member = bzip2_member,
#ifdef HAVE_BZIP2
	.decoder_open = bzip2_decoder_open,
	.decoder_step = bzip2_decoder_step,
	.decoder_next = bzip2_decoder_next,
	.decoder_close = bzip2_decoder_close,
	.level_min = 1,
	.level_max = 9,
	.level_default = 9,
	.block_len = bzip2_block_len,
	.encoder_memory = bzip2_encoder_memory,
	.encode_bound = bzip2_encode_bound,
	.encoder_open = bzip2_encoder_open,
	.encode_block = bzip2_encode_block,
	.encoder_close = free,
#endif
};
