/* SPDX-License-Identifier: MIT */
/* Owns the trace's file: its place, its brackets, its name. What is in it is
 * written by those who did it. */
#include "cmd/trace_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/same_file.h"
#include "io/output.h"

struct trace_file {
	const char *path;
	struct output *output;
	struct trace *trace;
	uint64_t opened;
};

/* --force must not cost an image. */
static int refuse_own(const struct settings *settings, struct err *err)
{
	for (unsigned i = 0; i < settings->argument_count; i++)
		if (same_file(settings->trace, settings->argument[i]))
			return err_set(err, ERR_USAGE,
				       "--trace: %s is an image of this "
				       "command; give another file",
				       settings->trace);
	return 0;
}

static int put(int fd, const char *text, struct err *err)
{
	size_t len = strlen(text);

	/* The trace's own events follow: nothing is written in two halves. */
	if (write(fd, text, len) == (ssize_t)len)
		return 0;
	return err_sys(err, ERR_IO, "write");
}

int trace_file_open(const struct settings *settings, struct trace_file **out,
		    struct err *err)
{
	const struct output_options options = { .force = settings->force };
	struct output *output;

	*out = NULL;
	if (!settings->trace)
		return 0;
	if (refuse_own(settings, err) < 0)
		return -1;
	output = output_open(settings->trace, &options, err);
	if (!output || put(output_fd(output), "[\n", err) < 0) {
		output_close(output);
		return err_in(err, "%s", settings->trace);
	}
	*out = mem_zalloc(sizeof **out);
	(*out)->path = settings->trace;
	(*out)->output = output;
	(*out)->trace = trace_open(output_fd(output), "conductor");
	(*out)->opened = trace_now();
	return 0;
}

int trace_file_fd(const struct trace_file *file)
{
	return file ? output_fd(file->output) : -1;
}

void trace_file_span(struct trace_file *file, const char *name, uint64_t begin)
{
	if (file)
		trace_span(file->trace, name, begin, trace_now(), 0);
}

int trace_file_close(struct trace_file *file, struct err *err)
{
	int fd = trace_file_fd(file);
	int result;

	if (!file)
		return 0;
	trace_file_span(file, "command", file->opened);
	trace_close(file->trace);
	/* Every event ends in a comma: the last one is nothing. */
	result = put(fd, "{}]\n", err);
	if (!result)
		result = output_commit(file->output, err);
	if (result < 0)
		err_in(err, "%s", file->path);
	output_close(file->output);
	free(file);
	return result;
}
