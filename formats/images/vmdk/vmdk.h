/* SPDX-License-Identifier: MIT */
/*
 * The inside of the VMDK driver, seen by its own files alone.
 *
 *   descriptor.c, line.c   the descriptor: keys and extent lines, out of text
 *   header.c, sesparse.c   headers of the three kinds of sparse extent
 *   map.c                  one sparse extent: guest offset -> place
 *   open.c, disk.c         the disk face: extents side by side, a parent
 *   info.c                 facts, and what a stream's head tells
 *   walk.c, walk_tables.c  stream-optimized images in one pass
 *   check.c, check_map.c   consistency
 *   write*.c, write.h      the writer
 *
 * layout.h holds the format's numbers; driver.c the row of the registry.
 */
#ifndef FORMATS_IMAGES_VMDK_VMDK_H
#define FORMATS_IMAGES_VMDK_VMDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/images/vmdk/layout.h"
#include "formats/packed.h"
#include "formats/table_cache.h"

/* ---- the driver's faces: reading ---- */

/* driver->open, ->peek, ->walk, ->walk_order and ->check. The walk takes
 * stream-optimized images whose grains ascend and that have no parent;
 * anything else is ERR_UNSUPPORTED: store it in a file first. */
struct disk *vmdk_open(struct source *source,
		       const struct open_options *options, struct err *err);
int vmdk_peek(const unsigned char *head, size_t len, uint64_t *size,
	      struct facts *facts, struct err *err);
struct walk *vmdk_walk(struct source *stream,
		       const struct open_options *options, int spool_fd,
		       struct err *err);
enum walk_order vmdk_walk_order(const unsigned char *head, size_t len);
int vmdk_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

#endif
