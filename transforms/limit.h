/* SPDX-License-Identifier: MIT */
/* --max-size: sizes that are told, and streams of which no more than so many
 * bytes may come. */
#ifndef TRANSFORMS_LIMIT_H
#define TRANSFORMS_LIMIT_H

#include "io/source.h"

/* Over a stream (borrowed): what it gives, and ERR_LIMIT where it would give
 * more than `most` bytes. For layers that are taken off on the way to what is
 * counted elsewhere: a few bytes can unpack to any number, which unpack to few
 * again. */
struct source *limit_stream(struct source *inner, uint64_t most);

/* Are `size` bytes more than --max-size allows? ERR_LIMIT. */
int limit_check(uint64_t size, uint64_t most, struct err *err);

#endif
