/* SPDX-License-Identifier: MIT */
/* The codecs' rows, for the registry alone. */
#ifndef FORMATS_CODECS_ROWS_H
#define FORMATS_CODECS_ROWS_H

#include "formats/codecs/codec.h"

extern const struct codec codec_gzip;
extern const struct codec codec_xz;
extern const struct codec codec_zstd;
extern const struct codec codec_bzip2;
extern const struct codec codec_lz4;

#endif
