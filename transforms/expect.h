/* SPDX-License-Identifier: MIT */
/* Expected digests of an input, by layer: which sources have to be digested.
 * How that is done is io/digest_source.h's. */
#ifndef TRANSFORMS_EXPECT_H
#define TRANSFORMS_EXPECT_H

#include "transforms/protocol.h"

/* A source over the bytes at `depth`, if something is expected there, else
 * NULL; *count grows by the number of expectations. `tag` names the layer
 * around them in messages, "" for none. `source` is borrowed. */
struct source *expect_over(const struct expectations *expect, unsigned depth,
			   const char *tag, struct source *source,
			   uint32_t *count);

/* The tag for them at the start of a plan. */
void expect_tag(const struct expectations *expect, struct state *start);

/* The largest depth; 0 without expectations. */
unsigned expect_deepest(const struct expectations *expect);

#endif
