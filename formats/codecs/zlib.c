/* SPDX-License-Identifier: MIT */
/* Owns the use of zlib: deflate of any window, as blocks and as a stream.
 * Does not know gzip's header and trailer, nor when another library is the
 * better choice. */
#include "formats/codecs/block.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

/* The strongest setting: more memory than the default costs nothing here. */
#define MEMORY_LEVEL 8

static uInt clamp(size_t len)
{
	return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

/* As zlib has it: `bits` negative for raw deflate, else a zlib stream. */
static void *open_encoder(int level, int bits, struct err *err)
{
	z_stream *z = mem_zalloc(sizeof *z);

	if (deflateInit2(z, level, Z_DEFLATED, bits, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		err_set(err, ERR_LIMIT, "zlib has no memory for an encoder");
		return NULL;
	}
	return z;
}

static void *zlib_encoder_open(int level, int window_log, struct err *err)
{
	return open_encoder(level, -window_log, err);
}

static void *wrapped_encoder_open(int level, int window_log, struct err *err)
{
	return open_encoder(level, window_log, err);
}

static int zlib_encode(void *encoder, const void *in, size_t len, void *out,
		       size_t room, size_t *out_len)
{
	z_stream *z = encoder;

	*out_len = 0;
	if (len > UINT_MAX || deflateReset(z) != Z_OK)
		return -1;
	z->next_in = (Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = clamp(room);
	int result = deflate(z, Z_FINISH);
	if (result == Z_STREAM_END)
		*out_len = (size_t)(z->next_out - (Bytef *)out);
	return result == Z_STREAM_ERROR ? -1 : 0;
}

static void zlib_encoder_close(void *encoder)
{
	deflateEnd(encoder);
	free(encoder);
}

static void *open_decoder(int bits, struct err *err)
{
	z_stream *z = mem_zalloc(sizeof *z);

	if (inflateInit2(z, bits) != Z_OK) {
		free(z);
		err_set(err, ERR_LIMIT, "zlib has no memory for a decoder");
		return NULL;
	}
	return z;
}

static void *zlib_inflate_open(struct err *err)
{
	return open_decoder(-15, err);
}

static void *wrapped_decoder_open(struct err *err)
{
	return open_decoder(15, err);
}

static int zlib_decode(void *decoder, const void *in, size_t len, void *out,
		       size_t out_len)
{
	z_stream *z = decoder;

	if (out_len > UINT_MAX || inflateReset(z) != Z_OK)
		return -1;
	z->next_in = (Bytef *)(uintptr_t)in;
	z->avail_in = clamp(len);
	z->next_out = out;
	z->avail_out = (uInt)out_len;
	int result = inflate(z, Z_FINISH);
	return result == Z_STREAM_END && !z->avail_out ? 0 : -1;
}

static int zlib_inflate_step(void *state, struct inflate_step *step)
{
	z_stream *z = state;
	uInt in_len = clamp(step->in_len), out_len = clamp(step->out_len);

	z->next_in = (Bytef *)(uintptr_t)step->in;
	z->avail_in = in_len;
	z->next_out = step->out;
	z->avail_out = out_len;
	int result = inflate(z, Z_NO_FLUSH);
	step->in_used = in_len - z->avail_in;
	step->out_used = out_len - z->avail_out;
	step->end = result == Z_STREAM_END;
	step->back_len = 0;
	/* Z_BUF_ERROR: it needs more of either; the caller sees no progress. */
	return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR
		       ? 0
		       : -1;
}

static void zlib_inflate_reset(void *state)
{
	inflateReset(state);
}

static void zlib_inflate_close(void *state)
{
	inflateEnd(state);
	free(state);
}

static uint32_t zlib_crc(uint32_t crc, const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, bytes, len);
}

const struct block_library block_zlib = {
	.name = "zlib",
	.encoder_open = zlib_encoder_open,
	.encode = zlib_encode,
	.encoder_close = zlib_encoder_close,
	.decoder_open = zlib_inflate_open,
	.decode = zlib_decode,
	.decoder_close = zlib_inflate_close,
	.crc = zlib_crc,
};

const struct block_library block_zlib_wrapped = {
	.name = "zlib",
	.encoder_open = wrapped_encoder_open,
	.encode = zlib_encode,
	.encoder_close = zlib_encoder_close,
	.decoder_open = wrapped_decoder_open,
	.decode = zlib_decode,
	.decoder_close = zlib_inflate_close,
};

const struct inflate_library inflate_zlib = {
	.open = zlib_inflate_open,
	.step = zlib_inflate_step,
	.reset = zlib_inflate_reset,
	.close = zlib_inflate_close,
	.crc = zlib_crc,
};
