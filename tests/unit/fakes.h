/* SPDX-License-Identifier: MIT */
/*
 * Endpoints for tests that assert on operations, not only on bytes. All of
 * them wrap another source or sink, which they close, and are thread-safe
 * where that one is.
 *
 *   recording source   counts reads, bytes, the largest read, reads in flight
 *   failing source     the nth read fails (ERR_IO "injected")
 *   recording sink     a list of operations in the order they came
 *   failing sink       the nth operation fails (ERR_IO "injected")
 *   chunk stream       a stream that gives at most so many bytes a pull
 */
#ifndef TESTS_FAKES_H
#define TESTS_FAKES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "io/files.h"

static inline void fake_sleep(unsigned microseconds)
{
	struct timespec time = { microseconds / 1000000,
				 (long)(microseconds % 1000000) * 1000 };

	if (microseconds)
		nanosleep(&time, NULL);
}

/* Keeps the largest value ever seen in `peak`. */
static inline void fake_peak(atomic_ullong *peak, unsigned long long value)
{
	unsigned long long old = atomic_load(peak);

	while (value > old && !atomic_compare_exchange_weak(peak, &old, value))
		;
}

/* ---- a source that counts, waits and fails ---- */

struct fake_source {
	struct source source;
	struct source *inner;
	/* What the test sets (0: never). */
	unsigned delay;	  /* microseconds in each read */
	unsigned fail_at; /* this read, counted from 1, and all after it */
	/* What the test looks at. */
	atomic_ullong reads, bytes, largest;
	atomic_ullong in_flight, peak;
	atomic_ullong lowest, highest; /* first byte, end of what was read */
	atomic_ullong extents, finishes;
};

static inline int fake_source_read(struct source *source, void *buf, size_t len,
				   uint64_t offset, size_t *got,
				   struct err *err)
{
	struct fake_source *fake = (struct fake_source *)source;
	unsigned long long nth = atomic_fetch_add(&fake->reads, 1) + 1;
	unsigned long long low = atomic_load(&fake->lowest);
	int result;

	fake_peak(&fake->peak, atomic_fetch_add(&fake->in_flight, 1) + 1);
	fake_peak(&fake->largest, len);
	fake_peak(&fake->highest, offset + len);
	while (offset < low &&
	       !atomic_compare_exchange_weak(&fake->lowest, &low, offset))
		;
	fake_sleep(fake->delay);
	if (fake->fail_at && nth >= fake->fail_at)
		result = err_set(err, ERR_IO, "injected failure of read %llu",
				 nth);
	else
		result = source_read(fake->inner, buf, len, offset, got, err);
	if (!result)
		atomic_fetch_add(&fake->bytes, *got);
	if (!source->seekable) {
		source->size = fake->inner->size;
		source->size_known = fake->inner->size_known;
		source->tail_len = fake->inner->tail_len;
		memcpy(source->tail, fake->inner->tail, source->tail_len);
	}
	atomic_fetch_sub(&fake->in_flight, 1);
	return result;
}

static inline int fake_source_extent(struct source *source, uint64_t offset,
				     struct extent *out, struct err *err)
{
	struct fake_source *fake = (struct fake_source *)source;
	struct extent inner;

	atomic_fetch_add(&fake->extents, 1);
	if (source_extent(fake->inner, offset, out->length, &inner, err))
		return -1;
	out->length = inner.length;
	out->kind = inner.kind;
	return 0;
}

static inline int fake_source_finish(struct source *source, struct err *err)
{
	struct fake_source *fake = (struct fake_source *)source;

	atomic_fetch_add(&fake->finishes, 1);
	return source_finish(fake->inner, err);
}

static inline int fake_source_rewind(struct source *source, struct err *err)
{
	return source_rewind(((struct fake_source *)source)->inner, err);
}

static inline void fake_source_close(struct source *source)
{
	source_close(((struct fake_source *)source)->inner);
	free(source);
}

/* Takes `inner`; the result is a source of the same abilities. It is closed
 * by source_close(&fake->source), which frees `fake`. */
static inline struct fake_source *fake_source_open(struct source *inner)
{
	static const struct source_ops ops = {
		.read = fake_source_read,
		.extent = fake_source_extent,
		.finish = fake_source_finish,
		.rewind = fake_source_rewind,
		.close = fake_source_close,
	};
	struct fake_source *fake = mem_zalloc(sizeof *fake);

	source_init(&fake->source, &ops);
	fake->inner = inner;
	fake->source.size = inner->size;
	fake->source.size_known = inner->size_known;
	fake->source.seekable = inner->seekable;
	fake->source.granule = inner->granule;
	atomic_store(&fake->lowest, ~0ULL);
	return fake;
}

/* ---- a stream of the test's own bytes, in small pulls ---- */

struct fake_chunks {
	const unsigned char *bytes;
	size_t len, at, most;
	unsigned pulls, fail_at; /* as in struct fake_source */
	unsigned finishes, closes;
};

static inline int fake_chunks_pull(void *opaque, void *buf, size_t len,
				   size_t *got, struct err *err)
{
	struct fake_chunks *chunks = opaque;

	chunks->pulls++;
	if (chunks->fail_at && chunks->pulls >= chunks->fail_at)
		return err_set(err, ERR_IO, "injected failure of pull %u",
			       chunks->pulls);
	if (len > chunks->most)
		len = chunks->most;
	if (len > chunks->len - chunks->at)
		len = chunks->len - chunks->at;
	if (len)
		memcpy(buf, chunks->bytes + chunks->at, len);
	chunks->at += len;
	*got = len;
	return 0;
}

static inline int fake_chunks_finish(void *opaque, struct err *err)
{
	(void)err;
	((struct fake_chunks *)opaque)->finishes++;
	return 0;
}

static inline void fake_chunks_close(void *opaque)
{
	((struct fake_chunks *)opaque)->closes++;
}

/* `chunks` is the caller's and outlives the stream: it is where to look. Set
 * bytes, len and most (bytes a pull, at least 1). */
static inline struct source *fake_chunks_open(struct fake_chunks *chunks)
{
	static const struct stream_ops ops = {
		.pull = fake_chunks_pull,
		.finish = fake_chunks_finish,
		.close = fake_chunks_close,
	};

	return files_stream(&ops, chunks);
}

/* ---- a sink that records, waits and fails ---- */

enum fake_op_kind { FAKE_WRITE, FAKE_ZERO, FAKE_FINISH };

struct fake_op {
	enum fake_op_kind kind;
	uint64_t offset, length; /* of FAKE_FINISH: 0, size */
	enum sink_zero how;	 /* of FAKE_ZERO */
};

struct fake_sink {
	struct sink sink;
	struct sink *inner;
	/* What the test sets (0: never). */
	unsigned delay;	   /* microseconds in each operation */
	unsigned delay_at; /* only in this one, from 1; 0: in all */
	unsigned fail_at;  /* this operation and all after it */
	/* What the test looks at; the list under the lock. */
	pthread_mutex_t lock;
	struct fake_op *ops;
	unsigned count;
	atomic_ullong in_flight, peak, bytes;
};

/* Also counts those that fail. */
static inline int fake_sink_note(struct fake_sink *fake, struct fake_op op,
				 struct err *err)
{
	unsigned nth;

	fake_peak(&fake->peak, atomic_fetch_add(&fake->in_flight, 1) + 1);
	pthread_mutex_lock(&fake->lock);
	fake->ops = mem_resize(fake->ops, fake->count + 1, sizeof op);
	fake->ops[fake->count] = op;
	nth = ++fake->count;
	pthread_mutex_unlock(&fake->lock);
	if (!fake->delay_at || fake->delay_at == nth)
		fake_sleep(fake->delay);
	if (fake->fail_at && nth >= fake->fail_at)
		return err_set(err, ERR_IO, "injected failure of operation %u",
			       nth);
	return 0;
}

static inline int fake_sink_write(struct sink *sink, const void *buf,
				  size_t len, uint64_t offset, struct err *err)
{
	struct fake_sink *fake = (struct fake_sink *)sink;
	struct fake_op op = { FAKE_WRITE, offset, len, SINK_ZERO_SPARSE };
	int result = fake_sink_note(fake, op, err);

	if (!result)
		result = sink_write(fake->inner, buf, len, offset, err);
	if (!result)
		atomic_fetch_add(&fake->bytes, len);
	atomic_fetch_sub(&fake->in_flight, 1);
	return result;
}

static inline int fake_sink_zero(struct sink *sink, uint64_t offset,
				 uint64_t length, enum sink_zero how,
				 struct err *err)
{
	struct fake_sink *fake = (struct fake_sink *)sink;
	struct fake_op op = { FAKE_ZERO, offset, length, how };
	int result = fake_sink_note(fake, op, err);

	if (!result)
		result = sink_zero(fake->inner, offset, length, how, err);
	atomic_fetch_sub(&fake->in_flight, 1);
	return result;
}

static inline int fake_sink_read(struct sink *sink, void *buf, size_t len,
				 uint64_t offset, struct err *err)
{
	return sink_read(((struct fake_sink *)sink)->inner, buf, len, offset,
			 err);
}

static inline int fake_sink_finish(struct sink *sink, uint64_t size,
				   struct err *err)
{
	struct fake_sink *fake = (struct fake_sink *)sink;
	struct fake_op op = { FAKE_FINISH, 0, size, SINK_ZERO_SPARSE };
	int result = fake_sink_note(fake, op, err);

	if (!result)
		result = sink_finish(fake->inner, size, err);
	atomic_fetch_sub(&fake->in_flight, 1);
	return result;
}

static inline void fake_sink_close(struct sink *sink)
{
	struct fake_sink *fake = (struct fake_sink *)sink;

	sink_close(fake->inner);
	pthread_mutex_destroy(&fake->lock);
	free(fake->ops);
	free(fake);
}

/* Takes `inner` (files_memory_sink() is the usual one). Closed, and freed, by
 * sink_close(&fake->sink). To see an append-only one, clear
 * fake->sink.seekable before the first write; to see sparse zeros, which the
 * gateway swallows on a fresh sink, clear fake->sink.fresh. */
static inline struct fake_sink *fake_sink_open(struct sink *inner)
{
	static const struct sink_ops ops = {
		.write = fake_sink_write,
		.zero = fake_sink_zero,
		.read = fake_sink_read,
		.finish = fake_sink_finish,
		.close = fake_sink_close,
	};
	struct fake_sink *fake = mem_zalloc(sizeof *fake);

	sink_init(&fake->sink, &ops);
	fake->inner = inner;
	fake->sink.seekable = inner->seekable;
	fake->sink.fresh = inner->fresh;
	inner->fresh = false;
	fake->sink.capacity = inner->capacity;
	pthread_mutex_init(&fake->lock, NULL);
	return fake;
}

#endif
