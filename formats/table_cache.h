/* SPDX-License-Identifier: MIT */
/*
 * A bounded cache of pieces of a file's tables (L2 tables, grain tables,
 * sector bitmaps), keyed by their place in the file. Safe from many threads.
 */
#ifndef FORMATS_TABLE_CACHE_H
#define FORMATS_TABLE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/source.h"

struct table_cache;
struct table_slot;

/* Slices of `slice` bytes of `source` (borrowed), at most `memory` bytes of
 * them; 0: a small default. `what` names a table in messages: "L2 table". */
struct table_cache *table_cache_open(struct source *source, const char *what,
				     size_t slice, uint64_t memory);
/* The slice at `offset`, until it is dropped; other users of the same few
 * slices wait, so be quick. Offsets are the caller's to keep apart: the same
 * slice is always asked for by the same one. NULL: err (ERR_DAMAGED where the
 * file ends within it). */
const unsigned char *table_cache_hold(struct table_cache *cache,
				      uint64_t offset, struct table_slot **slot,
				      struct err *err);
void table_cache_drop(struct table_cache *cache, struct table_slot *slot);
/* Accepts NULL, returns NULL. */
struct table_cache *table_cache_close(struct table_cache *cache);

#endif
