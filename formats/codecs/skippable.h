/* SPDX-License-Identifier: MIT */
/* Skippable frames, which zstd and lz4 share: a magic number of sixteen, a
 * length of four bytes, and that many bytes of no meaning to a decoder. */
#ifndef FORMATS_CODECS_SKIPPABLE_H
#define FORMATS_CODECS_SKIPPABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SKIPPABLE_HEADER_LEN ((size_t)8)

static inline bool skippable_magic(const unsigned char *bytes)
{
	return (bytes_le32(bytes) & 0xfffffff0) == 0x184d2a50;
}

/* The bytes behind skippable frames: their offset, at most `len`. Ends
 * because each turn goes on by 8 bytes at least. */
static inline size_t skippable_end(const unsigned char *bytes, size_t len)
{
	size_t at = 0;

	while (len - at >= SKIPPABLE_HEADER_LEN &&
	       skippable_magic(bytes + at)) {
		uint32_t skip = bytes_le32(bytes + at + 4);

		at += SKIPPABLE_HEADER_LEN;
		if (skip > len - at)
			return len;
		at += skip;
	}
	return at;
}

#endif
