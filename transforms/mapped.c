/* SPDX-License-Identifier: MIT */
/* Owns the finding of bytes that are mapped twice. Reads none of them. */
#include "transforms/mapped.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/source.h"

/* Bits of a file, and how many files have any. */
#define BITS_MOST ((uint64_t)64 * MIB)
#define FILES_WITH_BITS 4

static void open_bits(struct mapped *mapped, unsigned i)
{
	uint64_t size = mapped->file[i].source->size;
	uint64_t unit = 512;

	/* Ends: the unit grows up to the size. */
	while (size / unit > BITS_MOST)
		unit *= 2;
	mapped->file[i].unit = unit;
	mapped->file[i].bits = mem_zalloc((size_t)div_up(size / unit + 1, 64) *
					  sizeof(uint64_t));
}

/* Sets bits [first, end); false if one was set before. */
static bool set_bits(uint64_t *bits, uint64_t first, uint64_t end)
{
	bool fresh = true;

	/* Ends: each turn takes the rest of a word. */
	while (first < end) {
		unsigned from = first % 64;
		unsigned count = (unsigned)min_u64(64 - from, end - first);
		uint64_t mask = (UINT64_MAX >> (64 - count)) << from;

		if (bits[first / 64] & mask)
			fresh = false;
		bits[first / 64] |= mask;
		first += count;
	}
	return fresh;
}

int mapped_claim(struct mapped *mapped, const struct extent *extent,
		 uint64_t length, uint64_t slack, struct err *err)
{
	const struct source *source = extent->source;
	uint64_t place = extent->place, end, unit;
	unsigned i = 0;

	if (extent->kind != EXTENT_DATA || !source ||
	    extent->encoding != ENCODING_PLAIN || !source->size_known)
		return 0;
	while (i < LIMIT_CHAIN - 1 && mapped->file[i].source &&
	       mapped->file[i].source != source)
		i++;
	if (!mapped->file[i].source) {
		mapped->file[i].source = source;
		if (i < FILES_WITH_BITS)
			open_bits(mapped, i);
	}
	mapped->file[i].bytes += length;
	if (i < LIMIT_CHAIN - 1 &&
	    mapped->file[i].bytes > source->size + slack)
		return err_set(err, ERR_DAMAGED,
			       "more data is mapped than the file of %" PRIu64
			       " bytes holds: clusters are used twice",
			       source->size);
	if (!mapped->file[i].bits || place >= source->size)
		return 0;
	unit = mapped->file[i].unit;
	end = place + min_u64(length, source->size - place);
	if (!set_bits(mapped->file[i].bits, div_up(place, unit), end / unit))
		return err_set(err, ERR_DAMAGED,
			       "bytes %" PRIu64 " to %" PRIu64 " of the file "
			       "are mapped twice: clusters are used twice",
			       place, end);
	return 0;
}

void mapped_free(struct mapped *mapped)
{
	for (unsigned i = 0; i < LIMIT_CHAIN; i++)
		free(mapped->file[i].bits);
}
