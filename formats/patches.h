/* SPDX-License-Identifier: MIT */
/* Bytes laid over a range of offsets: what overlays of disks and of walks
 * have in common. Bounded by OVERLAY_MAX bytes in all. */
#ifndef FORMATS_PATCHES_H
#define FORMATS_PATCHES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct patch {
	uint64_t offset;
	size_t len; /* > 0 */
	unsigned char *bytes;
};

struct patches {
	struct patch *list; /* ascending, disjoint */
	size_t count;
	size_t total; /* bytes in all */
};

/* Lay a copy of `bytes` over what is there; later ones win. ERR_LIMIT above
 * OVERLAY_MAX bytes, ERR_BUG past `size`. */
int patches_put(struct patches *patches, uint64_t size, uint64_t offset,
		const void *bytes, size_t len, struct err *err);
/* The first patch that ends after `offset`, or NULL. */
const struct patch *patches_next(const struct patches *patches,
				 uint64_t offset);
/* Copy what is laid over [offset, offset + len) into buf. */
void patches_apply(const struct patches *patches, unsigned char *buf,
		   uint64_t offset, size_t len);
void patches_clear(struct patches *patches);

#endif
