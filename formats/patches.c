/* SPDX-License-Identifier: MIT */
/* Owns the sorted list of patches. Does not know what is below them. */
#include "formats/patches.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/overlay.h"

static struct patch make_patch(uint64_t offset, const unsigned char *bytes,
			       size_t len)
{
	struct patch patch = { offset, len, mem_zalloc(len) };

	memcpy(patch.bytes, bytes, len);
	return patch;
}

/* What is left of `old` beside [offset, end): up to two pieces. */
static size_t cut_patch(const struct patch *old, uint64_t offset, uint64_t end,
			struct patch *out)
{
	uint64_t old_end = old->offset + old->len;
	size_t count = 0;

	if (old->offset < offset)
		out[count++] = make_patch(
			old->offset, old->bytes,
			(size_t)(min_u64(old_end, offset) - old->offset));
	if (old_end > end) {
		uint64_t from = max_u64(old->offset, end);

		out[count++] =
			make_patch(from, old->bytes + (from - old->offset),
				   (size_t)(old_end - from));
	}
	return count;
}

static int by_offset(const void *a, const void *b)
{
	const struct patch *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int patches_put(struct patches *patches, uint64_t size, uint64_t offset,
		const void *bytes, size_t len, struct err *err)
{
	if (!checked_inside(offset, len, size))
		return err_set(err, ERR_BUG,
			       "%zu bytes laid over %llu of a disk of %llu",
			       len, (unsigned long long)offset,
			       (unsigned long long)size);
	if (len > OVERLAY_MAX - min_u64(patches->total, OVERLAY_MAX))
		return err_set(err, ERR_LIMIT, "edits of more than %zu bytes",
			       OVERLAY_MAX);
	if (!len)
		return 0;
	/* Each old one leaves at most one piece more than it was, and only
	 * one of them can leave two: one is inside at most. */
	struct patch *list = mem_resize(NULL, patches->count + 2, sizeof *list);
	size_t count = 0;

	patches->total = 0;
	for (size_t i = 0; i < patches->count; i++) {
		count += cut_patch(&patches->list[i], offset, offset + len,
				   list + count);
		free(patches->list[i].bytes);
	}
	list[count++] = make_patch(offset, bytes, len);
	qsort(list, count, sizeof *list, by_offset);
	free(patches->list);
	patches->list = list;
	patches->count = count;
	for (size_t i = 0; i < count; i++)
		patches->total += list[i].len;
	return 0;
}

const struct patch *patches_next(const struct patches *patches, uint64_t offset)
{
	size_t low = 0, high = patches->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct patch *patch = &patches->list[middle];

		if (patch->offset + patch->len > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low < patches->count ? &patches->list[low] : NULL;
}

void patches_apply(const struct patches *patches, unsigned char *buf,
		   uint64_t offset, size_t len)
{
	const struct patch *patch = patches_next(patches, offset);
	uint64_t end = offset + len;

	if (!patch)
		return;
	const struct patch *last = patches->list + patches->count;
	for (; patch < last && patch->offset < end; patch++) {
		uint64_t from = max_u64(patch->offset, offset);
		uint64_t to = min_u64(patch->offset + patch->len, end);

		memcpy(buf + (from - offset),
		       patch->bytes + (from - patch->offset), to - from);
	}
}

void patches_clear(struct patches *patches)
{
	for (size_t i = 0; i < patches->count; i++)
		free(patches->list[i].bytes);
	free(patches->list);
	memset(patches, 0, sizeof *patches);
}
