/* SPDX-License-Identifier: MIT */
/* The slots of xz's row that its index fills. */
#ifndef FORMATS_CODECS_XZ_INDEX_H
#define FORMATS_CODECS_XZ_INDEX_H

#include "formats/codecs/codec.h"

struct codec_index *xz_index_open(struct source *inner, struct err *err);
int xz_index_decode(struct codec_index *index, size_t block, unsigned char *out,
		    struct err *err);
void xz_index_close(struct codec_index *index);

#endif
