/* SPDX-License-Identifier: MIT */
/* XXH64 with seed 0 (xxHash fast digest algorithm, specification 0.1.1): no
 * protection against malice, only against accidents. */
#ifndef FORMATS_XXH64_H
#define FORMATS_XXH64_H

#include <stddef.h>
#include <stdint.h>

struct xxh64 {
	uint64_t lane[4], total;
	unsigned char kept[32]; /* total % 32 of them */
};

void xxh64_start(struct xxh64 *sum);
void xxh64_add(struct xxh64 *sum, const void *bytes, size_t len);
uint64_t xxh64_get(const struct xxh64 *sum);

#endif
