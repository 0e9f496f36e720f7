/* SPDX-License-Identifier: MIT */
/*
 * The further files of an output of several: the worker asks for each by its
 * name, the conductor makes it and gives it its name when all are complete.
 */
#ifndef TRANSFORMS_WORKER_PARTS_H
#define TRANSFORMS_WORKER_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "io/files.h"

/* More are a mistake, or VMware's numbering is at its end. */
#define WORKER_PARTS_MAX 1000

struct worker_parts {
	struct parts base;
	int channel; /* borrowed */
	/* Held while asking: other threads may be telling of progress. */
	pthread_mutex_t *sending;
	/* Not NULL: nothing is asked for, only added up here. */
	uint64_t *measured;
	struct stages *stages; /* times the writing; borrowed */
	struct image_sink_options options; /* how they are written */
	unsigned count;
	struct sink *sink[WORKER_PARTS_MAX];
};

void worker_parts_init(struct worker_parts *parts, int channel,
		       pthread_mutex_t *sending);
/* Closes the sinks: after the writer that asked for them. */
void worker_parts_clear(struct worker_parts *parts);

#endif
