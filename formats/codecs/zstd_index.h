/* SPDX-License-Identifier: MIT */
/* The slots of zstd's row that the walk over its frames fills, and the facts
 * of the format both files need. */
#ifndef FORMATS_CODECS_ZSTD_INDEX_H
#define FORMATS_CODECS_ZSTD_INDEX_H

#include "formats/codecs/codec.h"

#define ZSTD_FRAME_MAGIC 0xfd2fb528
#define ZSTD_FRAME_MAGIC_LEN 4

struct codec_index *zstd_index_open(struct source *inner, struct err *err);
int zstd_index_decode(struct codec_index *index, size_t block,
		      unsigned char *out, struct err *err);
void zstd_index_close(struct codec_index *index);

#endif
