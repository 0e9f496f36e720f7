/* SPDX-License-Identifier: MIT */
/*
 * Owns the decoder of Apple Data Compression, of old disk images. A byte says
 * what follows:
 *
 *   1nnnnnnn                     n + 1 bytes as they are
 *   01nnnnnn dddddddd dddddddd   n + 4 bytes, from d + 1 back
 *   00nnnndd dddddddd            n + 3 bytes, from d + 1 back
 *
 * (hdiutil calls such images UDCO.)
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "formats/codecs/block.h"

struct copy {
	size_t length, back; /* back 0: as they are */
	size_t used;	     /* bytes of the instruction itself */
};

static bool next_copy(const unsigned char *in, size_t len, struct copy *out)
{
	unsigned char first = in[0];

	if (first & 0x80) {
		*out = (struct copy){ (first & 0x7fu) + 1u, 0, 1 };
		return out->length <= len - 1;
	}
	if (first & 0x40) {
		if (len < 3)
			return false;
		*out = (struct copy){ (first & 0x3fu) + 4u,
				      ((size_t)in[1] << 8 | in[2]) + 1, 3 };
		return true;
	}
	if (len < 2)
		return false;
	*out = (struct copy){ (first >> 2) + 3u,
			      ((first & 3u) << 8 | in[1]) + 1u, 2 };
	return true;
}

static int adc_decode(void *decoder, const void *bytes, size_t len, void *out,
		      size_t out_len)
{
	const unsigned char *in = bytes;
	unsigned char *to = out;
	size_t made = 0;
	struct copy copy;

	(void)decoder;
	/* Ends: each instruction makes at least a byte. */
	while (made < out_len) {
		if (!len || !next_copy(in, len, &copy) ||
		    copy.length > out_len - made || copy.back > made)
			return -1;
		in += copy.used;
		len -= copy.used;
		if (!copy.back) {
			memcpy(to + made, in, copy.length);
			in += copy.length;
			len -= copy.length;
			made += copy.length;
			continue;
		}
		/* Byte by byte: it may overlap itself. */
		for (size_t i = 0; i < copy.length; i++, made++)
			to[made] = to[made - copy.back];
	}
	return 0;
}

static void *adc_open(struct err *err)
{
	(void)err;
	return mem_zalloc(1); /* nothing is kept from block to block */
}

const struct block_library block_adc = {
	.name = "built in",
	.decoder_open = adc_open,
	.decode = adc_decode,
	.decoder_close = free,
};
