/* SPDX-License-Identifier: MIT */
/*
 * Owns the decoding of Apple Data Compression, as chunks of a DMG. Does not
 * encode. The scheme, as the descriptions of UDIF's "UDCO" chunks have it, is
 * bytes and copies of what was decoded before:
 *
 *   1nnnnnnn              n + 1 bytes follow
 *   00nnnndd dddddddd     n + 3 bytes from d + 1 bytes back
 *   01nnnnnn d16 (be)     n + 4 bytes from d + 1 bytes back
 */
#include "formats/codecs/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

/* Nothing is kept between two calls; a context must not be NULL. */
static void *adc_open(struct err *err)
{
	(void)err;
	return mem_zalloc(1);
}

/* How long the token at `in` is, without its plain bytes. */
static size_t token_len(unsigned char first)
{
	if (first & 0x80)
		return 1;
	return first & 0x40 ? 3 : 2;
}

/* Byte by byte: a copy may read what it has just written. */
static void repeat(unsigned char *to, size_t back, size_t count)
{
	const unsigned char *from = to - back;

	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

static int adc_decode(void *decoder, const void *stored, size_t len, void *out,
		      size_t out_len)
{
	const unsigned char *in = stored, *end = in + len;
	unsigned char *to = out;
	size_t made = 0, count, back;

	(void)decoder;
	/* Each turn takes a token and makes a byte or more. */
	while (made < out_len) {
		if (in == end || (size_t)(end - in) < token_len(*in))
			return -1;
		if (*in & 0x80) {
			count = (*in++ & 0x7f) + 1u;
			if (count > (size_t)(end - in) ||
			    count > out_len - made)
				return -1;
			memcpy(to + made, in, count);
			in += count;
			made += count;
			continue;
		}
		if (*in & 0x40) {
			count = (*in & 0x3f) + 4u;
			back = bytes_be16(in + 1) + (size_t)1;
		} else {
			count = (*in >> 2) + 3u;
			back = (((size_t)*in & 3) << 8 | in[1]) + 1;
		}
		in += token_len(*in);
		if (back > made || count > out_len - made)
			return -1;
		repeat(to + made, back, count);
		made += count;
	}
	return 0;
}

const struct block_library block_adc = {
	.name = "imgconv",
	.decoder_open = adc_open,
	.decode = adc_decode,
	.decoder_close = free,
};
