/* SPDX-License-Identifier: MIT */
/* What a walk expects further on in the stream, in the order of the file; and
 * which guest clusters have been promised to arrive. */
#ifndef FORMATS_IMAGES_QCOW2_PENDING_H
#define FORMATS_IMAGES_QCOW2_PENDING_H

#include "formats/images/qcow2/qcow2.h"

enum pending_kind { PENDING_L1, PENDING_L2, PENDING_PLAIN, PENDING_PACKED };

struct pending_item {
	uint64_t host, length; /* bytes of the file */
	uint64_t guest;	       /* bytes of the disk; PENDING_L2: index in L1 */
	enum pending_kind kind;
};

/* A heap: the item with the lowest host offset is the first. */
struct pending {
	struct pending_item *heap;
	size_t count, room, most;
};

void pending_init(struct pending *pending, size_t most);
/* False when full: nothing was added. */
bool pending_add(struct pending *pending, const struct pending_item *item);
/* The first, or NULL. */
const struct pending_item *pending_first(const struct pending *pending);
/* Take `length` bytes off the first's start; all of it removes it. */
void pending_advance(struct pending *pending, uint64_t length);
void pending_clear(struct pending *pending);

/* Guest clusters promised, a bit each, in a leaf an L2 table that is made
 * when it is first needed. */
struct claims {
	unsigned char **leaf;
	uint64_t leaves;
	uint64_t leaf_bits;
	uint64_t memory, most; /* bytes */
};

int claims_init(struct claims *claims, uint64_t leaves, uint64_t leaf_bits,
		uint64_t most, struct err *err);
/* False when there is no memory left for it. */
bool claims_set(struct claims *claims, uint64_t cluster);
bool claims_has(const struct claims *claims, uint64_t cluster);
void claims_clear(struct claims *claims);

#endif
