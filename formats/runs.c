/* SPDX-License-Identifier: MIT */
/* Owns the list of runs: joining, order, look-up. Does not know any format. */
#include "formats/runs.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

#define ULL(x) ((unsigned long long)(x))

static bool joins(const struct run *last, const struct run *next)
{
	if (last->kind != next->kind ||
	    last->offset + last->length != next->offset)
		return false;
	switch (next->kind) {
	case RUN_DATA:
		return last->place + last->length == next->place;
	case RUN_FILL:
		return last->place == next->place && !(last->length % 4);
	default:
		return true;
	}
}

static int grow(struct runs *runs, struct err *err)
{
	size_t room = runs->room ? 2 * runs->room : 64;
	struct run *list = NULL;

	if (room * sizeof *list <= RUNS_MEMORY)
		list = realloc(runs->list, room * sizeof *list);
	if (!list)
		return err_set(err, ERR_LIMIT,
			       "is in more than %zu pieces, which would take "
			       "more than %zu bytes of memory",
			       runs->count, RUNS_MEMORY);
	runs->list = list;
	runs->room = room;
	return 0;
}

int runs_add(struct runs *runs, const struct run *run, struct err *err)
{
	if (runs->count) {
		struct run *last = &runs->list[runs->count - 1];

		if (joins(last, run)) {
			last->length += run->length;
			return 0;
		}
		if (run->offset < last->offset)
			runs->unsorted = true;
	}
	if (runs->count == runs->room && grow(runs, err))
		return -1;
	runs->list[runs->count++] = *run;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct run *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

int runs_finish(struct runs *runs, bool complete, struct err *err)
{
	uint64_t end = 0;

	if (runs->unsorted)
		qsort(runs->list, runs->count, sizeof *runs->list, by_offset);
	runs->unsorted = false;
	for (size_t i = 0; i < runs->count; i++) {
		const struct run *run = &runs->list[i];

		if (run->offset < end)
			return err_set(err, ERR_DAMAGED,
				       "the disk's bytes at %llu are stored "
				       "twice",
				       ULL(run->offset));
		if (complete && run->offset > end)
			break;
		end = run->offset + run->length;
	}
	if (end > runs->size)
		return err_set(err, ERR_DAMAGED,
			       "%llu bytes are stored of a disk of %llu",
			       ULL(end), ULL(runs->size));
	if (complete && end < runs->size)
		return err_set(err, ERR_DAMAGED,
			       "the disk's bytes at %llu are missing: the "
			       "file is cut short or was not finished",
			       ULL(end));
	return 0;
}

void runs_clear(struct runs *runs)
{
	free(runs->list);
	memset(runs, 0, sizeof *runs);
}

/* The first run that ends behind `offset`, or NULL. Halves the list. */
static const struct run *find(const struct runs *runs, uint64_t offset)
{
	size_t low = 0, high = runs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct run *run = &runs->list[middle];

		if (run->offset + run->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < runs->count ? &runs->list[low] : NULL;
}

void runs_extent(const struct runs *runs, struct source *source,
		 uint64_t offset, uint64_t limit, struct extent *out)
{
	const struct run *run = find(runs, offset);
	uint64_t end = run ? run->offset : runs->size;

	out->kind = EXTENT_HOLE;
	if (run && run->offset <= offset) {
		end = run->offset + run->length;
		out->kind = run->kind == RUN_ZERO ? EXTENT_ZERO : EXTENT_DATA;
	}
	out->length = min_u64(limit, end - offset);
	if (out->kind != EXTENT_DATA || run->kind == RUN_FILL)
		return;
	out->source = source;
	out->place = run->place + (offset - run->offset);
	out->stored = out->length;
}

void runs_fill(void *buf, size_t len, uint64_t skip, uint64_t pattern)
{
	unsigned char *out = buf, bytes[4];

	bytes_put_le32(bytes, (uint32_t)pattern);
	for (size_t i = 0; i < len && i < 4; i++)
		out[i] = bytes[(skip + i) % 4];
	/* Each copy doubles what is there. */
	for (size_t done = 4; done < len; done *= 2)
		memcpy(out + done, out, min_u64(done, len - done));
}

int runs_read(const struct runs *runs, struct source *source, void *buf,
	      size_t len, uint64_t offset, struct err *err)
{
	unsigned char *out = buf;

	/* Ends: each step takes at least a byte. */
	while (len) {
		struct extent extent = { 0 };
		const struct run *run = find(runs, offset);
		size_t part;

		runs_extent(runs, source, offset, len, &extent);
		part = (size_t)extent.length;
		if (extent.kind != EXTENT_DATA)
			memset(out, 0, part);
		else if (!extent.source)
			runs_fill(out, part, offset - run->offset, run->place);
		else if (source_read_all(source, out, part, extent.place,
					 "data", err))
			return -1;
		out += part;
		offset += part;
		len -= part;
	}
	return 0;
}
