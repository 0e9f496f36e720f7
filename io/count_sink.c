/* SPDX-License-Identifier: MIT */
/* Owns the sink that only counts. */
#include "io/count_sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct count_sink {
	struct sink sink;
	uint64_t *total;
};

static int count_write(struct sink *sink, const void *buf, size_t len,
		       uint64_t offset, struct err *err)
{
	(void)sink, (void)buf, (void)len, (void)offset, (void)err;
	return 0;
}

static int count_zero(struct sink *sink, uint64_t offset, uint64_t length,
		      enum sink_zero how, struct err *err)
{
	(void)sink, (void)offset, (void)length, (void)how, (void)err;
	return 0;
}

static int count_read(struct sink *sink, void *buf, size_t len, uint64_t offset,
		      struct err *err)
{
	(void)sink, (void)offset, (void)err;
	memset(buf, 0, len);
	return 0;
}

static int count_finish(struct sink *sink, uint64_t size, struct err *err)
{
	(void)err;
	*((struct count_sink *)sink)->total += size;
	return 0;
}

static void count_close(struct sink *sink)
{
	free(sink);
}

static const struct sink_ops count_ops = { .write = count_write,
					   .zero = count_zero,
					   .read = count_read,
					   .finish = count_finish,
					   .close = count_close };

struct sink *count_sink(uint64_t *total)
{
	struct count_sink *count = mem_zalloc(sizeof *count);

	sink_init(&count->sink, &count_ops);
	count->sink.seekable = true;
	count->sink.fresh = true;
	count->total = total;
	return &count->sink;
}
