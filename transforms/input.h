/* SPDX-License-Identifier: MIT */
/*
 * The worker's input: bytes that the conductor hands over on request (NEED /
 * BYTES) until it passes the descriptor itself, so that a probe touches
 * nothing but what it asked for. A stream goes on across that change. A remote
 * input has a socket from the start, and its source for as long as it lives.
 */
#ifndef TRANSFORMS_INPUT_H
#define TRANSFORMS_INPUT_H

#include "io/page_cache.h"
#include "io/source.h"
#include "transforms/protocol.h"

struct input;

/* `channel` is borrowed; `number` is the input's in NEED. For one thread.
 * `take_fd`: of a remote one, the socket that serves it, else -1. */
struct input *input_open(int channel, unsigned number,
			 const struct protocol_input *about, int take_fd);

/* Ask the server of a remote input what it has: `about` gets its sizes. To be
 * called before anything else; again does nothing, as for a local input. */
int input_reach(struct input *input, struct protocol_input *about,
		struct err *err);

/* The bytes; borrowed. A stream may be rewound as far as it is replayed. */
struct source *input_source(struct input *input);

/* The descriptor has come (taken). A seekable input becomes a file source,
 * and the one before is gone; a stream is rewound and reads from it. -1 for a
 * remote input: there is none, and the source stays. `take_direct`: the same
 * file around the page cache, or -1. */
int input_attach(struct input *input, int take_fd, int take_direct,
		 enum page_cache cache, struct err *err);

/* Accepts NULL, returns NULL. */
struct input *input_close(struct input *input);

#endif
