/* SPDX-License-Identifier: MIT */
/* One contiguous range that is all of one kind, and where its bytes lie. */
#ifndef IO_EXTENT_H
#define IO_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

struct source;

enum extent_kind {
	EXTENT_DATA,
	EXTENT_ZERO, /* known to read as zero */
	EXTENT_HOLE  /* nothing was ever stored: reads as zero, "don't care" */
};

enum encoding { ENCODING_PLAIN, ENCODING_DEFLATE, ENCODING_ZSTD, ENCODING_ZLIB };

struct extent {
	uint64_t offset, length; /* bytes; length > 0 */
	enum extent_kind kind;
	enum encoding encoding;	 /* of stored data */
	/* EXTENT_DATA: where it is stored, or source NULL when there is no
	 * one place. `stored` bytes at `place`; for plain data equal to
	 * `length`. Borrowed: lives as long as the disk. */
	struct source *source;
	uint64_t place, stored;
};

/* Append `next`, which starts where `run` ends, if that makes one run; for
 * plain extents of one source. */
static inline bool extent_join(struct extent *run, const struct extent *next)
{
	if (run->kind != next->kind ||
	    (run->kind == EXTENT_DATA &&
	     run->place + run->length != next->place))
		return false;
	run->length += next->length;
	return true;
}

#endif
