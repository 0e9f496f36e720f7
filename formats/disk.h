/* SPDX-License-Identifier: MIT */
/*
 * disk: the guest's view of an image, at random.
 *
 *   source -> driver->open -> [disk] -> (overlay) -> pump
 *
 * Reads and extent queries are safe from many threads at once. This file's
 * functions are the gateway: range checks, looping over extents, zero fill.
 */
#ifndef FORMATS_DISK_H
#define FORMATS_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/facts.h"
#include "io/extent.h"
#include "io/source.h"

struct disk;

struct disk_ops {
	/* Required: all of `len` bytes; the range lies inside the disk. */
	int (*read)(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err);
	/* Required: the extent that starts at `offset` (< size), at most
	 * `limit` bytes (> 0): kind, length, and its place where it has one.
	 * Should join neighbours of one kind as far as that is cheap. A
	 * compressed cluster is an extent of its own. */
	int (*extent)(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err);
	/* Optional: the format's own facts, for `info`. */
	void (*info)(struct disk *disk, struct facts *facts);
	/* Optional: all that can be known only after everything was read. */
	int (*finish)(struct disk *disk, struct err *err);
	void (*close)(struct disk *disk);
};

/* Implementations embed this as their first member. */
struct disk {
	const struct disk_ops *ops;
	const char *format;   /* the driver's name */
	uint64_t size;	      /* bytes, as the guest sees it */
	uint32_t sector_size; /* logical, 512 or 4096 */
	uint32_t granule;     /* cluster size: aligned reads are cheapest */
};

void disk_init(struct disk *disk, const struct disk_ops *ops,
	       const char *format);

/* All of [offset, offset + len), which must lie inside (ERR_BUG). */
int disk_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
	      struct err *err);
int disk_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		struct extent *out, struct err *err);
void disk_info(struct disk *disk, struct facts *facts);
int disk_finish(struct disk *disk, struct err *err);

/* Accepts NULL, returns NULL. The source below is the opener's to close. */
struct disk *disk_close(struct disk *disk);

void disk_close_pointer(struct disk **disk);
#define AUTO_DISK __attribute__((cleanup(disk_close_pointer)))

#endif
