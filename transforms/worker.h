/* SPDX-License-Identifier: MIT */
/*
 * The worker: the only process that parses image bytes. Forked by the
 * conductor before any thread exists; it holds one socket and what is passed
 * over it.
 */
#ifndef TRANSFORMS_WORKER_H
#define TRANSFORMS_WORKER_H

#include "io/sandbox.h"

/* What a worker is before it hears of any input. */
struct worker_terms {
	unsigned libraries; /* to have loaded: LIBRARY_* */
	struct sandbox sandbox;
};

/* Close itself in, tell the posture, serve requests until the conductor closes
 * the socket: where it could not be closed in as demanded, by refusing each.
 * Returns the exit status of the process: 0, whatever was answered, or that of
 * the failure of the socket itself. To be called by the process's one thread,
 * unless the sandbox is off. */
int worker_main(int channel, const struct worker_terms *terms);

#endif
