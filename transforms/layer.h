/* SPDX-License-Identifier: MIT */
/*
 * One layer around an image: what is inside a compression, or the member of
 * an archive that is meant. Which member that is, is found here too.
 */
#ifndef TRANSFORMS_LAYER_H
#define TRANSFORMS_LAYER_H

#include "io/source.h"
#include "transforms/protocol.h"

/* Is there anything here that reads such a layer? By its tag. */
bool layer_is_archive(const char *tag);

/* Find the disk in an archive: fills member, number, size, offset and inside
 * of `layer`, whose tag is set. `wanted` is what --member says, or ""; *used:
 * it was needed for this. A seekable source is listed whole; a stream is read
 * up to the disk, to be rewound by the caller. */
int layer_choose(struct image_layer *layer, struct source *source,
		 const char *wanted, bool *used, struct err *err);

/* The bytes inside, over `source`, which is borrowed. `random`: at random, as
 * layer->inside says; else, and for LAYER_STREAM, in order. Threads and bytes
 * of memory are a decoder's. */
struct source *layer_open(const struct image_layer *layer,
			  struct source *source, bool random,
			  unsigned threads, uint64_t memory, struct err *err);

#endif
