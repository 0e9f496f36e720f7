/* SPDX-License-Identifier: MIT */
/* Owns the use of libdeflate: deflate of whole buffers, raw or as zlib
 * streams, where it is the fastest decoder and the best encoder. Does not
 * stream. */
#include "formats/codecs/block.h"

#ifdef HAVE_DEFLATE

#include <libdeflate.h>

static void *libdeflate_encoder_open(int level, int window_log, struct err *err)
{
	(void)window_log; /* always 15 */
	void *encoder = libdeflate_alloc_compressor(level);
	if (!encoder)
		err_set(err, ERR_LIMIT,
			"libdeflate has no memory for an encoder");
	return encoder;
}

static int libdeflate_encode(void *encoder, const void *in, size_t len,
			     void *out, size_t room, size_t *out_len)
{
	*out_len = libdeflate_deflate_compress(encoder, in, len, out, room);
	return 0;
}

static int libdeflate_encode_wrapped(void *encoder, const void *in, size_t len,
				     void *out, size_t room, size_t *out_len)
{
	*out_len = libdeflate_zlib_compress(encoder, in, len, out, room);
	return 0;
}

static void libdeflate_encoder_close(void *encoder)
{
	libdeflate_free_compressor(encoder);
}

static void *libdeflate_decoder_open(struct err *err)
{
	void *decoder = libdeflate_alloc_decompressor();

	if (!decoder)
		err_set(err, ERR_LIMIT,
			"libdeflate has no memory for a decoder");
	return decoder;
}

static int libdeflate_decode(void *decoder, const void *in, size_t len,
			     void *out, size_t out_len)
{
	size_t used;

	/* Without a place for the decoded length only `out_len` is success;
	 * the _ex form lets other bytes follow. */
	return libdeflate_deflate_decompress_ex(decoder, in, len, out, out_len,
						&used,
						NULL) == LIBDEFLATE_SUCCESS
		       ? 0
		       : -1;
}

static int libdeflate_decode_wrapped(void *decoder, const void *in, size_t len,
				     void *out, size_t out_len)
{
	size_t used;

	return libdeflate_zlib_decompress_ex(decoder, in, len, out, out_len,
					     &used,
					     NULL) == LIBDEFLATE_SUCCESS
		       ? 0
		       : -1;
}

static void libdeflate_decoder_close(void *decoder)
{
	libdeflate_free_decompressor(decoder);
}

static uint32_t libdeflate_crc(uint32_t crc, const void *bytes, size_t len)
{
	return libdeflate_crc32(crc, bytes, len);
}

const struct block_library block_libdeflate = {
	.name = "libdeflate",
	.encoder_open = libdeflate_encoder_open,
	.encode = libdeflate_encode,
	.encoder_close = libdeflate_encoder_close,
	.decoder_open = libdeflate_decoder_open,
	.decode = libdeflate_decode,
	.decoder_close = libdeflate_decoder_close,
	.crc = libdeflate_crc,
};

const struct block_library block_libdeflate_wrapped = {
	.name = "libdeflate",
	.encoder_open = libdeflate_encoder_open,
	.encode = libdeflate_encode_wrapped,
	.encoder_close = libdeflate_encoder_close,
	.decoder_open = libdeflate_decoder_open,
	.decode = libdeflate_decode_wrapped,
	.decoder_close = libdeflate_decoder_close,
};

#else

const struct block_library block_libdeflate = { .name = "libdeflate" };
const struct block_library block_libdeflate_wrapped = { .name = "libdeflate" };

#endif
