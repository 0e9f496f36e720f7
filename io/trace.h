/* SPDX-License-Identifier: MIT */
/*
 * A trace of what was done when, as the JSON array of Chrome's trace viewer
 * ("Trace Event Format"): one complete event ("ph":"X") a span, times in
 * microseconds of CLOCK_MONOTONIC, which all processes of a run share. The
 * array's brackets are the file's owner's: every event here ends in a comma.
 *
 * Safe to use from many threads. Writing a trace never fails a run: what
 * cannot be written is left out.
 */
#ifndef IO_TRACE_H
#define IO_TRACE_H

#include <stdint.h>

struct trace;

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t trace_now(void);

/* `process` names this process in the viewer; `fd` is borrowed. */
struct trace *trace_open(int fd, const char *process);
/* A span from `begin` to `end` (trace_now) on this thread. `name` is shown as
 * it is: letters, digits, spaces; bytes 0: none to be shown. */
void trace_span(struct trace *trace, const char *name, uint64_t begin,
		uint64_t end, uint64_t bytes);
/* Writes what is held back. Accepts NULL, returns NULL. */
struct trace *trace_close(struct trace *trace);

#endif
