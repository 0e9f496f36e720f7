/* SPDX-License-Identifier: MIT */
/* A set of byte ranges, kept sorted and merged, with a ceiling on its size:
 * host bytes already used, guest bytes already seen. */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t offset, length;
};

struct ranges {
	struct range *list; /* ascending, not touching each other */
	size_t count, room;
	size_t most; /* ceiling on count; 0: none */
};

/* Add [offset, offset + length); overlaps are merged. False when the set is
 * full (nothing was added). `length` may be 0. The sum fits 64 bits. */
bool ranges_add(struct ranges *set, uint64_t offset, uint64_t length);
/* The first range that overlaps [offset, offset + length), or NULL. */
const struct range *ranges_find(const struct ranges *set, uint64_t offset,
				uint64_t length);
/* True when all of [offset, offset + length) is in the set. */
bool ranges_cover(const struct ranges *set, uint64_t offset,
		  uint64_t length);
/* The sum of the lengths. */
uint64_t ranges_total(const struct ranges *set);
/* Releases the list; the set is empty afterwards. */
void ranges_clear(struct ranges *set);

#endif
