/* SPDX-License-Identifier: MIT */
/*
 * From bytes to the tags' raw material: peel the layers, name what is inside,
 * ask its driver for sizes. Reads little; in a worker. The state of a plan is
 * made of the result by tagging_state.
 */
#ifndef TRANSFORMS_TAGGING_H
#define TRANSFORMS_TAGGING_H

#include "base/log.h"
#include "io/source.h"
#include "planner/state.h"
#include "transforms/protocol.h"

/* What is in `source` (borrowed; a stream is rewound afterwards)? What cannot
 * be converted by anybody fails here, by name. `references` NULL: files that
 * the image names are not looked at. */
int tagging_probe(struct source *source, const struct protocol_input *about,
		  struct references *references, struct log *log,
		  struct image *out, struct err *err);

/* The tags of an image (the image's groups, place, access, native): the rest
 * is circumstance, which the caller adds. */
void tagging_state(const struct image *image, struct state *out);

/* Open the layers again for `info`, `map`, `check`, `compare` and --verify:
 * bytes inside all compressions, seekable. Layers without an index go to
 * `spool_fd`; with tagging_open they stay a stream. The decoders are appended
 * to stack[], bottom first; *depth counts them. `expect` (NULL: nothing) puts a
 * digest_source over each layer of which something is expected, for the caller
 * to finish. ERR_LIMIT where more than `max_size` bytes pass from one layer to
 * the next, or would go into the spool. */
#define TAGGING_STACK (3 * (LIMIT_COMPRESSIONS + 1) + 1)
int tagging_open(struct source *source, const struct image *image,
		 const struct expectations *expect, uint64_t max_size,
		 struct source *stack[TAGGING_STACK], unsigned *depth,
		 struct err *err);
int tagging_unwrap(struct source *source, const struct image *image,
		   const struct expectations *expect, uint64_t max_size,
		   int spool_fd, struct source *stack[TAGGING_STACK],
		   unsigned *depth, struct err *err);

#endif
