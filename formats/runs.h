/* SPDX-License-Identifier: MIT */
/*
 * Where the guest's ranges lie in a container that was written as one long
 * stream: a list made once, when it is opened, then looked up from many
 * threads. Neighbours are joined, so that it grows with fragmentation, not
 * with size; RUNS_MEMORY bounds it. What no run covers is a hole.
 */
#ifndef FORMATS_RUNS_H
#define FORMATS_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "io/extent.h"
#include "io/source.h"

#define RUNS_MEMORY ((size_t)(256 * MIB))

enum run_kind {
	RUN_DATA, /* stored as it is, at `place` */
	RUN_ZERO,
	RUN_FILL /* four bytes again and again: `place` is their number, the
		    first byte lowest; the run begins with the first */
};

struct run {
	uint64_t offset; /* guest bytes */
	uint64_t length : 62, kind : 2;
	uint64_t place;
};

/* All zero: an empty list. Set `size` before runs_finish. */
struct runs {
	struct run *list;
	size_t count, room;
	uint64_t size; /* of the guest, bytes */
	bool unsorted;
};

/* One more; length > 0. ERR_LIMIT when there are too many. */
int runs_add(struct runs *runs, const struct run *run, struct err *err);
/* All are there: sorted from here on. ERR_DAMAGED when two overlap, one lies
 * past the guest's end or, with `complete`, any range is missing. */
int runs_finish(struct runs *runs, bool complete, struct err *err);
void runs_clear(struct runs *runs);

/* As disk_ops.extent and disk_ops.read want it; `source` has the bytes. */
void runs_extent(const struct runs *runs, struct source *source,
		 uint64_t offset, uint64_t limit, struct extent *out);
int runs_read(const struct runs *runs, struct source *source, void *buf,
	      size_t len, uint64_t offset, struct err *err);
/* The bytes of a fill from `skip` bytes behind its beginning on. */
void runs_fill(void *buf, size_t len, uint64_t skip, uint64_t pattern);

#endif
