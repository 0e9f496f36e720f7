/* SPDX-License-Identifier: MIT */
/* Owns sources and sinks whose bytes lie in memory, for tests, tables and
 * small images. Does not touch a descriptor. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/files.h"

/* A sink in memory is for small things; a wrong offset must not become an
 * allocation that the kernel kills us for. */
#define SINK_LEN_MAX ((uint64_t)(1 * GIB))

struct memory_source {
	struct source source;
	const unsigned char *bytes;
};

static int memory_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct memory_source *memory = (struct memory_source *)source;

	(void)err;
	memcpy(buf, memory->bytes + offset, len);
	*got = len;
	return 0;
}

static void memory_close(struct source *source)
{
	free(source);
}

static const struct source_ops memory_source_ops = {
	.read = memory_read,
	.close = memory_close,
};

struct source *files_memory_source(const void *bytes, size_t len)
{
	struct memory_source *memory = mem_zalloc(sizeof *memory);

	source_init(&memory->source, &memory_source_ops);
	memory->bytes = bytes;
	memory->source.seekable = true;
	memory->source.size_known = true;
	memory->source.size = len;
	return &memory->source;
}

/* `lock` guards everything below it: a write may move the bytes. */
struct memory_sink {
	struct sink sink;
	pthread_mutex_t lock;
	unsigned char *bytes;
	size_t len, room;
};

/* With the lock held. Bytes between the old and the new end are zero. */
static int grow(struct memory_sink *memory, uint64_t len, struct err *err)
{
	if (len > SINK_LEN_MAX)
		return err_set(err, ERR_LIMIT,
			       "an image of %llu bytes in memory is larger "
			       "than %llu",
			       (unsigned long long)len,
			       (unsigned long long)SINK_LEN_MAX);
	if (len <= memory->len)
		return 0;
	if (len > memory->room) {
		memory->room = max_u64(len, 2 * memory->room);
		memory->bytes = mem_resize(memory->bytes, memory->room, 1);
	}
	memset(memory->bytes + memory->len, 0, len - memory->len);
	memory->len = len;
	return 0;
}

static int memory_write(struct sink *sink, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct memory_sink *memory = (struct memory_sink *)sink;
	int result;

	pthread_mutex_lock(&memory->lock);
	result = grow(memory, offset + len, err);
	if (!result)
		memcpy(memory->bytes + offset, buf, len);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

static int memory_zero(struct sink *sink, uint64_t offset, uint64_t length,
		       enum sink_zero how, struct err *err)
{
	struct memory_sink *memory = (struct memory_sink *)sink;
	int result;

	(void)how;
	pthread_mutex_lock(&memory->lock);
	result = grow(memory, offset + length, err);
	if (!result)
		memset(memory->bytes + offset, 0, length);
	pthread_mutex_unlock(&memory->lock);
	return result;
}

static int memory_reread(struct sink *sink, void *buf, size_t len,
		       uint64_t offset, struct err *err)
{
	struct memory_sink *memory = (struct memory_sink *)sink;
	size_t there = 0;

	(void)err;
	pthread_mutex_lock(&memory->lock);
	if (offset < memory->len)
		there = (size_t)min_u64(len, memory->len - offset);
	if (there)
		memcpy(buf, memory->bytes + offset, there);
	pthread_mutex_unlock(&memory->lock);
	memset((unsigned char *)buf + there, 0, len - there);
	return 0;
}

static int memory_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct memory_sink *memory = (struct memory_sink *)sink;
	int result;

	pthread_mutex_lock(&memory->lock);
	result = grow(memory, size, err);
	if (!result)
		memory->len = size;
	pthread_mutex_unlock(&memory->lock);
	return result;
}

static void memory_sink_close(struct sink *sink)
{
	struct memory_sink *memory = (struct memory_sink *)sink;

	pthread_mutex_destroy(&memory->lock);
	free(memory->bytes);
	free(memory);
}

static const struct sink_ops memory_sink_ops = {
	.write = memory_write,
	.zero = memory_zero,
	.read = memory_reread,
	.finish = memory_finish,
	.close = memory_sink_close,
};

struct sink *files_memory_sink(void)
{
	struct memory_sink *memory = mem_zalloc(sizeof *memory);

	sink_init(&memory->sink, &memory_sink_ops);
	memory->sink.seekable = true;
	memory->sink.fresh = true;
	pthread_mutex_init(&memory->lock, NULL);
	return &memory->sink;
}

const unsigned char *files_memory_bytes(struct sink *sink, size_t *len)
{
	struct memory_sink *memory = (struct memory_sink *)sink;

	*len = memory->len;
	return memory->bytes;
}
