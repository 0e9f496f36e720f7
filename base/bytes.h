/* SPDX-License-Identifier: MIT */
/* Numbers out of and into byte strings of either order, one field at a time.
 * No alignment is needed; nothing is cast. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#define BYTES_DEFINE(bits)                                                  \
	static inline uint##bits##_t bytes_le##bits(const void *p)          \
	{                                                                   \
		uint##bits##_t v;                                           \
		memcpy(&v, p, sizeof v);                                    \
		return BYTES_HOST_LE##bits(v);                              \
	}                                                                   \
	static inline uint##bits##_t bytes_be##bits(const void *p)          \
	{                                                                   \
		uint##bits##_t v;                                           \
		memcpy(&v, p, sizeof v);                                    \
		return BYTES_HOST_BE##bits(v);                              \
	}                                                                   \
	static inline void bytes_put_le##bits(void *p, uint##bits##_t v)    \
	{                                                                   \
		v = BYTES_HOST_LE##bits(v);                                 \
		memcpy(p, &v, sizeof v);                                    \
	}                                                                   \
	static inline void bytes_put_be##bits(void *p, uint##bits##_t v)    \
	{                                                                   \
		v = BYTES_HOST_BE##bits(v);                                 \
		memcpy(p, &v, sizeof v);                                    \
	}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_HOST_LE16(v) (v)
#define BYTES_HOST_LE32(v) (v)
#define BYTES_HOST_LE64(v) (v)
#define BYTES_HOST_BE16(v) __builtin_bswap16(v)
#define BYTES_HOST_BE32(v) __builtin_bswap32(v)
#define BYTES_HOST_BE64(v) __builtin_bswap64(v)
#else
#define BYTES_HOST_LE16(v) __builtin_bswap16(v)
#define BYTES_HOST_LE32(v) __builtin_bswap32(v)
#define BYTES_HOST_LE64(v) __builtin_bswap64(v)
#define BYTES_HOST_BE16(v) (v)
#define BYTES_HOST_BE32(v) (v)
#define BYTES_HOST_BE64(v) (v)
#endif

BYTES_DEFINE(16)
BYTES_DEFINE(32)
BYTES_DEFINE(64)

#endif
