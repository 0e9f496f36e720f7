/* SPDX-License-Identifier: MIT */
/* Owns the asking for further output files. Where they lie and when they
 * appear is the conductor's. */
#include "transforms/worker_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/count_sink.h"
#include "transforms/worker_ask.h"

static struct sink *open_part(struct parts *base, const char *name,
			      struct err *err)
{
	struct worker_parts *parts = (struct worker_parts *)base;
	struct sink *sink;
	int fd = -1;

	if (parts->count == WORKER_PARTS_MAX) {
		err_set(err, ERR_LIMIT, "more than %d files are needed",
			WORKER_PARTS_MAX);
		return NULL;
	}
	if (parts->measured) {
		sink = count_sink(parts->measured);
	} else {
		pthread_mutex_lock(parts->sending);
		int result = worker_ask_part(parts->channel, name, &fd, err);
		pthread_mutex_unlock(parts->sending);
		if (result < 0)
			return NULL;
		sink = files_image_sink(fd, &parts->options, err);
	}
	if (sink)
		sink->stages = parts->stages;
	if (sink)
		parts->sink[parts->count++] = sink;
	return sink;
}

void worker_parts_init(struct worker_parts *parts, int channel,
		       pthread_mutex_t *sending)
{
	memset(parts, 0, sizeof *parts);
	parts->base.open = open_part;
	parts->channel = channel;
	parts->sending = sending;
}

void worker_parts_clear(struct worker_parts *parts)
{
	while (parts->count)
		sink_close(parts->sink[--parts->count]);
}
