/* SPDX-License-Identifier: MIT */
/* Owns the registry of codecs and the look-ups in it. Does not know any
 * format. */
#include "formats/codecs/codec.h"

#include <string.h>
#include <strings.h>

#include "formats/codecs/rows.h"

static const struct codec *const rows[CODEC_COUNT] = {
	[CODEC_GZIP] = &codec_gzip, [CODEC_XZ] = &codec_xz,
	[CODEC_ZSTD] = &codec_zstd, [CODEC_BZIP2] = &codec_bzip2,
	[CODEC_LZ4] = &codec_lz4,
};

const struct codec *codec_get(enum codec_id id)
{
	return rows[id];
}

bool codec_built(const struct codec *codec)
{
	return codec->decoder_open || codec->encode_block;
}

int codec_by_suffix(const char *name)
{
	const char *dot = strrchr(name, '.');

	/* ".gz" alone, or "dir/.gz", is a name without a suffix. */
	if (!dot || dot == name || dot[-1] == '/')
		return -1;
	for (int id = 0; id < CODEC_COUNT; id++)
		if (!strcasecmp(dot, rows[id]->suffix))
			return id;
	return -1;
}

int codec_by_name(const char *name)
{
	for (int id = 0; id < CODEC_COUNT; id++)
		if (!strcasecmp(name, rows[id]->name) ||
		    !strcasecmp(name, rows[id]->tag) ||
		    !strcasecmp(name, rows[id]->suffix + 1))
			return id;
	return -1;
}

int codec_by_bytes(const unsigned char *bytes, size_t len)
{
	for (int id = 0; id < CODEC_COUNT; id++)
		if (rows[id]->probe(bytes, len))
			return id;
	return -1;
}
