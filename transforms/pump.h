/* SPDX-License-Identifier: MIT */
/*
 * The pump: moves guest blocks from a disk or a walk into a writer.
 *
 *   fetch   what comes next: a unit of data or a range without        (1)
 *   work    read, decode, find zeros, encode                          (N)
 *   place   digest, output offsets and tables, in the order of fetch  (1)
 *   store   write; in order too where the sink cannot seek            (N)
 *
 * Threads take whatever of these can be done next; a ring of 2N + 1 slots
 * bounds memory and keeps order. Output bytes depend on the content alone.
 */
#ifndef TRANSFORMS_PUMP_H
#define TRANSFORMS_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/disk.h"
#include "formats/walk.h"
#include "formats/writer.h"
#include "io/digest.h"
#include "io/journal.h"
#include "io/stages.h"

struct pump {
	/* In: one of disk and walk, both borrowed, as is the writer. */
	struct disk *disk;
	struct walk *walk;
	struct writer *writer;
	unsigned threads; /* at least 1 */
	/* Take plain runs over inside the kernel where files share a file
	 * system: by sharing extents only. */
	bool clone;
	uint64_t max_size; /* that may come in, bytes; 0: any number */
	/* The size that the writer is told, from `size` on; NULL: `size`. */
	uint64_t (*pad)(void *opaque, uint64_t size);
	void *pad_opaque;
	/* Called when everything was read and before the writer makes the
	 * output valid: last checks of the input; NULL: none. */
	int (*check)(void *opaque, struct err *err);
	void *check_opaque;
	/* Called with the disk's first bytes when they pass, unless they are
	 * zeros; NULL: nobody wants to see them. */
	void (*head)(void *opaque, const unsigned char *bytes, size_t len);
	void *head_opaque;
	struct digest *digest; /* of the guest's bytes, unpadded; or NULL */
	/* What is stored is noted there, and what it has of an earlier run is
	 * placed again but not stored; the writer's sink seeks. Borrowed; NULL:
	 * none. */
	struct journal *journal;
	/* The writer was not told the size: finishing may move what is stored,
	 * and cannot be done twice. */
	bool finish_once;
	struct stages *stages; /* borrowed; NULL: nobody wants to know */
	/* Called from one thread at a time; `total` 0 when unknown. */
	void (*progress)(void *opaque, uint64_t done, uint64_t total);
	void *opaque;
	/* Out. */
	uint64_t size;	 /* guest bytes that came in */
	uint64_t padded; /* what the writer was told */
};

/* Move everything and finish the writer. On failure the writer is in no
 * usable state and is to be closed. */
int pump_run(struct pump *pump, struct err *err);

#endif
