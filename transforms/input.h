/* SPDX-License-Identifier: MIT */
/*
 * The worker's input: bytes that the conductor hands over on request (NEED /
 * BYTES) until it passes the descriptor itself, so that a probe touches
 * nothing but what it asked for. A stream goes on across that change.
 */
#ifndef TRANSFORMS_INPUT_H
#define TRANSFORMS_INPUT_H

#include "io/source.h"
#include "transforms/protocol.h"

struct input;

/* `channel` is borrowed; `number` is the input's in NEED. For one thread. */
struct input *input_open(int channel, unsigned number,
			 const struct protocol_input *about);

/* The bytes; borrowed. A stream may be rewound as far as it is replayed. */
struct source *input_source(struct input *input);

/* The descriptor has come (taken). A seekable input becomes a file source,
 * and the one before is gone; a stream is rewound and reads from it. */
int input_attach(struct input *input, int take_fd, struct err *err);

/* Accepts NULL, returns NULL. */
struct input *input_close(struct input *input);

#endif
