/* SPDX-License-Identifier: MIT */
/* Owns how spans are written. Does not know what they mean, nor the file. */
#include "io/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

/* Longer than any event. */
#define EVENT_LEN 256
#define HELD_LEN ((size_t)(64 * KIB))

struct trace {
	int fd;
	pthread_mutex_t mutex; /* guards what follows */
	size_t used;
	char held[HELD_LEN];
};

uint64_t trace_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void flush(struct trace *trace)
{
	const char *next = trace->held;

	/* Ends: each write writes something or is the last. */
	while (trace->used) {
		ssize_t n = write(trace->fd, next, trace->used);

		if (n <= 0)
			break;
		next += n;
		trace->used -= (size_t)n;
	}
	trace->used = 0;
}

static void add(struct trace *trace, const char *event, int len)
{
	if (len <= 0 || len >= EVENT_LEN)
		return;
	pthread_mutex_lock(&trace->mutex);
	if (trace->used + (size_t)len > sizeof trace->held)
		flush(trace);
	memcpy(trace->held + trace->used, event, (size_t)len);
	trace->used += (size_t)len;
	pthread_mutex_unlock(&trace->mutex);
}

struct trace *trace_open(int fd, const char *process)
{
	struct trace *trace = mem_zalloc(sizeof *trace);
	char event[EVENT_LEN];

	trace->fd = fd;
	pthread_mutex_init(&trace->mutex, NULL);
	add(trace, event,
	    snprintf(event, sizeof event,
		     "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%ld,"
		     "\"args\":{\"name\":\"%s\"}},\n",
		     (long)getpid(), process));
	return trace;
}

void trace_span(struct trace *trace, const char *name, uint64_t begin,
		uint64_t end, uint64_t bytes)
{
	char event[EVENT_LEN], args[64] = "";

	if (bytes)
		snprintf(args, sizeof args,
			 ",\"args\":{\"bytes\":%" PRIu64 "}", bytes);
	add(trace, event,
	    snprintf(event, sizeof event,
		     "{\"name\":\"%s\",\"ph\":\"X\",\"pid\":%ld,\"tid\":%ld,"
		     "\"ts\":%" PRIu64 ".%03u,\"dur\":%" PRIu64 ".%03u%s},\n",
		     name, (long)getpid(), (long)gettid(), begin / 1000,
		     (unsigned)(begin % 1000), (end - begin) / 1000,
		     (unsigned)((end - begin) % 1000), args));
}

struct trace *trace_close(struct trace *trace)
{
	if (!trace)
		return NULL;
	flush(trace);
	pthread_mutex_destroy(&trace->mutex);
	free(trace);
	return NULL;
}
