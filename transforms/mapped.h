/* SPDX-License-Identifier: MIT */
/*
 * Which bytes of the containers have been mapped as plain data. An image whose
 * tables map the same bytes again and again claims terabytes with kilobytes,
 * and one that maps them twice is damaged, whoever reads it; compressed data
 * is not counted, for it may share its last sector.
 *
 * Exact to a sector for containers of up to 32 GiB, beyond that to 1/2^26 of
 * their length; what escapes is found by the sum, and by `check`. For each of
 * the first files at most 8 MiB, of which what is used becomes memory.
 */
#ifndef TRANSFORMS_MAPPED_H
#define TRANSFORMS_MAPPED_H

#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "io/extent.h"

struct mapped {
	struct {
		const struct source *source;
		uint64_t bytes;
		uint64_t *bits; /* one a unit, of those all mapped */
		uint64_t unit;
	} file[LIMIT_CHAIN];
};

/* `length` bytes from where `extent` begins are mapped; `slack`: a last block
 * may reach past the end of the file by so much. ERR_DAMAGED if some were
 * before. Other extents than plain data in a file of known size are nothing. */
int mapped_claim(struct mapped *mapped, const struct extent *extent,
		 uint64_t length, uint64_t slack, struct err *err);
void mapped_free(struct mapped *mapped);

#endif
