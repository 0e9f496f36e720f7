/* SPDX-License-Identifier: MIT */
/* Owns the sorted set of byte ranges. Appending at the end, the usual case,
 * takes constant time; elsewhere a search and a move. */
#include "base/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

static uint64_t range_end(const struct range *range)
{
	return range->offset + range->length;
}

/* The index of the first range that ends at or after `offset`. */
static size_t ranges_search(const struct ranges *set, uint64_t offset)
{
	size_t low = 0, high = set->count;

	if (high && range_end(&set->list[high - 1]) < offset)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (range_end(&set->list[middle]) < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool ranges_add(struct ranges *set, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	if (!length)
		return true;
	size_t first = ranges_search(set, offset), last = first;
	while (last < set->count && set->list[last].offset <= end)
		last++;
	if (first == last) {
		if (set->most && set->count >= set->most)
			return false;
		if (set->count == set->room) {
			set->room = set->room ? 2 * set->room : 16;
			set->list = mem_resize(set->list, set->room,
					       sizeof *set->list);
		}
		memmove(&set->list[first + 1], &set->list[first],
			(set->count - first) * sizeof *set->list);
		set->list[first] = (struct range){ offset, length };
		set->count++;
		return true;
	}
	offset = min_u64(offset, set->list[first].offset);
	end = max_u64(end, range_end(&set->list[last - 1]));
	set->list[first] = (struct range){ offset, end - offset };
	memmove(&set->list[first + 1], &set->list[last],
		(set->count - last) * sizeof *set->list);
	set->count -= last - first - 1;
	return true;
}

const struct range *ranges_find(const struct ranges *set, uint64_t offset,
				uint64_t length)
{
	size_t at = ranges_search(set, offset);

	/* The search also finds a range that only touches. */
	if (at < set->count && range_end(&set->list[at]) == offset)
		at++;
	if (!length || at == set->count ||
	    set->list[at].offset >= offset + length)
		return NULL;
	return &set->list[at];
}

bool ranges_cover(const struct ranges *set, uint64_t offset, uint64_t length)
{
	const struct range *range = ranges_find(set, offset, length);

	return !length || (range && range->offset <= offset &&
			   range_end(range) >= offset + length);
}

uint64_t ranges_total(const struct ranges *set)
{
	uint64_t total = 0;

	for (size_t i = 0; i < set->count; i++)
		total += set->list[i].length;
	return total;
}

void ranges_clear(struct ranges *set)
{
	free(set->list);
	set->list = NULL;
	set->count = set->room = 0;
}
