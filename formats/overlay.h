/* SPDX-License-Identifier: MIT */
/*
 * overlay: guest byte ranges laid over an image, and a size of its own. The
 * one way to edit a guest on its way through; the image below is unchanged.
 * Bounded: at most OVERLAY_MAX bytes of edits.
 */
#ifndef FORMATS_OVERLAY_H
#define FORMATS_OVERLAY_H

#include "formats/disk.h"
#include "formats/walk.h"

#define OVERLAY_MAX ((size_t)4 << 20)

/* A disk of `size` bytes over `take_below`: beyond the end of the one below
 * it is a hole. Reading is thread-safe once editing is over. */
struct disk *overlay_disk(struct disk *take_below, uint64_t size);

/* The same over an ordered walk. The size of the walk below need not be
 * known; when it turns out larger than `size` and allow_cut is false, that is
 * ERR_REFUSED at its end. */
struct walk *overlay_walk(struct walk *take_below, uint64_t size,
			  bool allow_cut);

/* Lay bytes over [offset, offset + len); later edits win. Only on what
 * overlay_disk or overlay_walk returned, before the first read of it. */
int overlay_disk_put(struct disk *overlay, uint64_t offset, const void *bytes,
		     size_t len, struct err *err);
int overlay_walk_put(struct walk *overlay, uint64_t offset, const void *bytes,
		     size_t len, struct err *err);

/* The first `len` (at most OVERLAY_MAX) bytes of the walk below, which are
 * kept and yielded later all the same; *got is less at its end. */
int overlay_walk_peek(struct walk *overlay, const unsigned char **bytes,
		      size_t len, size_t *got, struct err *err);

/* Has the walk below ended, and how long was it? For checks at the end. */
bool overlay_walk_below_size(const struct walk *overlay, uint64_t *size);

#endif
