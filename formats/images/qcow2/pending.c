/* SPDX-License-Identifier: MIT */
/*
 * Owns two bounded memories of a walk: the items it waits for, as a binary
 * heap, and the guest clusters those items promise. Does not read or decide.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/pending.h"

void pending_init(struct pending *pending, size_t most)
{
	*pending = (struct pending){ .most = most };
}

void pending_clear(struct pending *pending)
{
	free(pending->heap);
	*pending = (struct pending){ 0 };
}

static void swap(struct pending *pending, size_t a, size_t b)
{
	struct pending_item item = pending->heap[a];

	pending->heap[a] = pending->heap[b];
	pending->heap[b] = item;
}

static bool before(const struct pending *pending, size_t a, size_t b)
{
	const struct pending_item *x = &pending->heap[a];
	const struct pending_item *y = &pending->heap[b];

	if (x->host != y->host)
		return x->host < y->host;
	return x->length < y->length;
}

/* Let the item at `at` fall to its place. */
static void sink_down(struct pending *pending, size_t at)
{
	size_t child;

	while ((child = 2 * at + 1) < pending->count) {
		if (child + 1 < pending->count &&
		    before(pending, child + 1, child))
			child++;
		if (!before(pending, child, at))
			return;
		swap(pending, child, at);
		at = child;
	}
}

bool pending_add(struct pending *pending, const struct pending_item *item)
{
	size_t at = pending->count;

	if (at == pending->most)
		return false;
	if (at == pending->room) {
		pending->room = pending->room ? pending->room * 2 : 64;
		pending->heap = mem_resize(pending->heap, pending->room,
					   sizeof *pending->heap);
	}
	pending->heap[at] = *item;
	pending->count++;
	while (at && before(pending, at, (at - 1) / 2)) {
		swap(pending, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	return true;
}

const struct pending_item *pending_first(const struct pending *pending)
{
	return pending->count ? &pending->heap[0] : NULL;
}

void pending_advance(struct pending *pending, uint64_t length)
{
	struct pending_item *first = &pending->heap[0];

	if (length < first->length) {
		first->host += length;
		first->guest += length;
		first->length -= length;
	} else {
		*first = pending->heap[--pending->count];
	}
	sink_down(pending, 0);
}

int claims_init(struct claims *claims, uint64_t leaves, uint64_t leaf_bits,
		uint64_t most, struct err *err)
{
	*claims = (struct claims){ .leaves = leaves,
				   .leaf_bits = leaf_bits,
				   .most = most };
	claims->leaf = mem_capped(leaves + 1, sizeof *claims->leaf,
				  LIMIT_TABLE_LEN + sizeof *claims->leaf,
				  "table of guest ranges", err);
	return claims->leaf ? 0 : -1;
}

void claims_clear(struct claims *claims)
{
	if (claims->leaf)
		for (uint64_t i = 0; i < claims->leaves; i++)
			free(claims->leaf[i]);
	free(claims->leaf);
	*claims = (struct claims){ 0 };
}

bool claims_set(struct claims *claims, uint64_t cluster)
{
	unsigned char **leaf = &claims->leaf[cluster / claims->leaf_bits];
	uint64_t bit = cluster % claims->leaf_bits;
	uint64_t len = claims->leaf_bits / 8;

	if (!*leaf) {
		if (claims->memory + len > claims->most)
			return false;
		*leaf = mem_zalloc((size_t)len);
		claims->memory += len;
	}
	(*leaf)[bit / 8] |= (unsigned char)(1 << bit % 8);
	return true;
}

bool claims_has(const struct claims *claims, uint64_t cluster)
{
	const unsigned char *leaf = claims->leaf[cluster / claims->leaf_bits];
	uint64_t bit = cluster % claims->leaf_bits;

	return leaf && leaf[bit / 8] >> bit % 8 & 1;
}
