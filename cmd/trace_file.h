/* SPDX-License-Identifier: MIT */
/*
 * --trace FILE: what was done when, by the conductor and its workers, for
 * Chrome's trace viewer (io/trace.h). The file appears when the command ends,
 * however it ends; a trace that cannot be written fails a run that had gone
 * well. A NULL is a trace that nobody asked for.
 */
#ifndef CMD_TRACE_FILE_H
#define CMD_TRACE_FILE_H

#include <stdint.h>

#include "cmd/settings.h"
#include "io/trace.h"

struct trace_file;

/* *out is NULL without --trace. Refused: a file that exists (without
 * --force), and one of the command's own. */
int trace_file_open(const struct settings *settings, struct trace_file **out,
		    struct err *err);
/* For the workers' spans; -1 without a trace. Borrowed. */
int trace_file_fd(const struct trace_file *file);
/* A span of the conductor's, from `begin` (trace_now) until now. */
void trace_file_span(struct trace_file *file, const char *name,
		     uint64_t begin);
/* Accepts NULL. Closed after a failure too. */
int trace_file_close(struct trace_file *take_file, struct err *err);

#endif
