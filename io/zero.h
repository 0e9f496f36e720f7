/* SPDX-License-Identifier: MIT */
/* Finding zeros. */
#ifndef IO_ZERO_H
#define IO_ZERO_H

#include <stdbool.h>
#include <stddef.h>

/* Zeros to write from. */
#define ZERO_BYTES_LEN ((size_t)65536)
extern const unsigned char zero_bytes[ZERO_BYTES_LEN];

/* True when all `len` bytes are zero (true for none). Any alignment. */
bool zero_is(const void *bytes, size_t len);

/* The length of the run of equal kind (zero or not, as said in *is_zero) at
 * the start of `bytes`, in whole granules; a shorter last granule counts. */
size_t zero_run(const void *bytes, size_t len, size_t granule, bool *is_zero);

/* The ways there are to look, the best first, the last one usable everywhere;
 * then one without a name. For tests: zero_is takes the first that is usable.
 * `steps` says whether `count` times ZERO_STEP bytes are all zero. */
#define ZERO_STEP ((size_t)256)
struct zero_way {
	const char *name;
	bool (*usable)(void);
	bool (*steps)(const unsigned char *bytes, size_t count);
};
extern const struct zero_way zero_ways[];

#endif
