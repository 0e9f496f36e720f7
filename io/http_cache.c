/* SPDX-License-Identifier: MIT */
/*
 * Owns segments, what makes room for them, and the reading ahead. Does not
 * know who reads, nor how bytes are fetched.
 *
 * A round trip costs as much time as some hundred KiB, so nothing small is
 * asked for; a table costs one, and a long read has several connections in
 * flight. One connection is kept from reading ahead, so that who jumps need
 * not wait for what was only a guess.
 */
#include "io/http_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* The least that is asked for, and to which it is aligned. */
#define SEGMENT_MIN ((uint64_t)(64 * KIB))
/* The most: a reader waits for its head, others share the connections. */
#define SEGMENT_MAX ((uint64_t)(8 * MIB))

/* As much as was read at a place is fetched ahead there, from so much on: at
 * worst half of what comes was not wanted. */
#define WINDOW_MIN ((uint64_t)(256 * KIB))

/* Threads read units side by side: so far from each other they are still one
 * reader. */
#define NEAR ((uint64_t)(8 * MIB))

#define READERS 8

struct reader {
	uint64_t at;	 /* the furthest read ended here */
	uint64_t run;	 /* bytes that were read on the way */
	uint64_t window; /* fetch so far ahead of it */
	uint64_t used;	 /* when; 0: none */
};

struct http_cache {
	struct http_object *object;
	uint64_t size;
	unsigned connections, coming;
	uint64_t memory, memory_used, segment_max;
	const struct http_cache_events *events;
	void *opaque;
	struct http_segment *segments;
	struct reader reader[READERS];
	uint64_t clock;
};

/* ---- segments ---- */

struct http_segment *http_cache_find(struct http_cache *cache, uint64_t offset)
{
	struct http_segment *segment = cache->segments;

	while (segment && segment->start + segment->len <= offset)
		segment = segment->next;
	return segment && segment->start <= offset ? segment : NULL;
}

/* Where the next segment behind `offset`, which none has, starts. */
static uint64_t gap_end(const struct http_cache *cache, uint64_t offset)
{
	const struct http_segment *segment = cache->segments;

	while (segment && segment->start <= offset)
		segment = segment->next;
	return segment ? segment->start : cache->size;
}

/* Where the one before it ends. */
static uint64_t gap_start(const struct http_cache *cache, uint64_t offset)
{
	uint64_t start = 0;

	for (const struct http_segment *segment = cache->segments;
	     segment && segment->start <= offset; segment = segment->next)
		start = segment->start + segment->len;
	return start;
}

static void drop(struct http_segment *segment)
{
	struct http_cache *cache = segment->cache;
	struct http_segment **link = &cache->segments;

	while (*link != segment)
		link = &(*link)->next;
	*link = segment->next;
	cache->memory_used -= segment->len;
	if (segment->coming)
		cache->coming--;
	segment->gone = true;
	if (!segment->pins)
		free(segment);
}

/* Will a reader get there soon, as far as is known? */
static bool is_ahead(const struct http_cache *cache,
		     const struct http_segment *segment)
{
	for (unsigned i = 0; i < READERS; i++) {
		const struct reader *reader = &cache->reader[i];

		if (reader->window &&
		    segment->start < reader->at + reader->window &&
		    segment->start + segment->len > reader->at)
			return true;
	}
	return false;
}

/* What goes first: 0 read to its end, 1 not, 2 expected to be read. */
static unsigned worth(const struct http_cache *cache,
		      const struct http_segment *segment)
{
	if (segment->sent >= segment->len)
		return 0;
	return is_ahead(cache, segment) ? 2 : 1;
}

/* Room for `len` bytes, at the cost of what is worth less than `spared`. Ends:
 * each turn drops a segment. */
static bool make_room(struct http_cache *cache, uint64_t len, unsigned spared)
{
	while (cache->memory_used + len > cache->memory) {
		struct http_segment *victim = NULL;
		unsigned least = spared;

		for (struct http_segment *segment = cache->segments; segment;
		     segment = segment->next) {
			unsigned now = worth(cache, segment);

			if (segment->coming || segment->pins || now > least ||
			    now >= spared ||
			    cache->events->wanted(cache->opaque,
						  segment->start,
						  segment->start +
							  segment->len))
				continue;
			if (victim && now == least &&
			    segment->used >= victim->used)
				continue;
			victim = segment;
			least = now;
		}
		if (!victim)
			return false;
		drop(victim);
	}
	return true;
}

static struct http_segment *add(struct http_cache *cache, uint64_t start,
				size_t len)
{
	struct http_segment *segment = malloc(sizeof *segment + len);
	struct http_segment **link = &cache->segments;

	if (!segment)
		return NULL;
	memset(segment, 0, sizeof *segment);
	segment->cache = cache;
	segment->start = start;
	segment->len = len;
	segment->used = ++cache->clock;
	segment->coming = true;
	while (*link && (*link)->start < start)
		link = &(*link)->next;
	segment->next = *link;
	*link = segment;
	cache->memory_used += len;
	cache->coming++;
	return segment;
}

void http_segment_add(struct http_segment *segment, const unsigned char *bytes,
		      size_t len)
{
	/* Not more than was asked for: http_object.c sees to it. */
	len = min_u64(len, segment->len - segment->have);
	memcpy(segment->bytes + segment->have, bytes, len);
	segment->have += len;
}

void http_segment_done(struct http_segment *segment, const struct err *err)
{
	struct http_cache *cache = segment->cache;

	if (!err && segment->have == segment->len) {
		segment->coming = false;
		cache->coming--;
		return;
	}
	/* A guess that failed is not repeated before somebody asks. */
	for (unsigned i = 0; i < READERS; i++)
		cache->reader[i].window = 0;
	cache->events->failed(cache->opaque, segment->start,
			      segment->start + segment->len, err);
	drop(segment);
}

void http_segment_pin(struct http_segment *segment)
{
	segment->pins++;
}

void http_segment_unpin(struct http_segment *segment, size_t sent)
{
	segment->sent += sent;
	segment->pins--;
	if (!segment->gone)
		segment->used = ++segment->cache->clock;
	else if (!segment->pins)
		free(segment);
}

/* ---- fetching ---- */

static enum http_wish on_bytes(void *opaque, const unsigned char *bytes,
			       size_t len)
{
	http_segment_add(opaque, bytes, len);
	return HTTP_GO_ON;
}

static void on_done(void *opaque, const struct err *err)
{
	http_segment_done(opaque, err);
}

static const struct http_fetch_ops fetch_ops = { .bytes = on_bytes,
						 .done = on_done };

static bool fetch(struct http_cache *cache, uint64_t start, uint64_t end)
{
	struct http_segment *segment =
		add(cache, start, (size_t)(end - start));

	if (!segment)
		return false;
	http_object_fetch(cache->object, start, end, &fetch_ops, segment);
	return true;
}

struct http_segment *http_cache_begin(struct http_cache *cache, size_t len)
{
	return add(cache, 0, len);
}

/* How much is asked for at once where reads go on. */
static uint64_t stride(const struct http_cache *cache,
		       const struct reader *reader)
{
	return max_u64(SEGMENT_MIN,
		       min_u64(reader->window / 2, cache->segment_max));
}

void http_cache_demand(struct http_cache *cache, uint64_t offset,
		       uint64_t end)
{
	/* Ends: each turn goes on by a segment. */
	while (offset < end) {
		struct http_segment *there = http_cache_find(cache, offset);
		uint64_t start, stop;

		if (there) {
			offset = there->start + there->len;
			continue;
		}
		if (cache->coming >= cache->connections)
			return;
		start = max_u64(gap_start(cache, offset),
				round_down(offset, SEGMENT_MIN));
		stop = min_u64(round_up(end, SEGMENT_MIN),
			       start + cache->segment_max);
		stop = min_u64(stop, gap_end(cache, offset));
		if (!make_room(cache, stop - start, 3) ||
		    !fetch(cache, start, stop))
			return;
		offset = stop;
	}
}

static void fetch_ahead(struct http_cache *cache, const struct reader *reader)
{
	uint64_t most = cache->connections > 1 ? cache->connections - 1 : 1;
	uint64_t offset = reader->at;
	uint64_t end = min_u64(cache->size, reader->at + reader->window);

	/* Ends: each turn goes on by a segment. */
	while (offset < end && cache->coming < most) {
		struct http_segment *there = http_cache_find(cache, offset);
		uint64_t stop;

		if (there) {
			offset = there->start + there->len;
			continue;
		}
		stop = round_up(offset + stride(cache, reader), SEGMENT_MIN);
		stop = min_u64(stop, gap_end(cache, offset));
		if (!make_room(cache, stop - offset, 2) ||
		    !fetch(cache, offset, stop))
			return;
		offset = stop;
	}
}

void http_cache_ahead(struct http_cache *cache)
{
	for (unsigned i = 0; i < READERS; i++)
		if (cache->reader[i].window)
			fetch_ahead(cache, &cache->reader[i]);
}

/* ---- readers ---- */

static bool is_near(const struct reader *reader, uint64_t offset)
{
	return reader->used && offset + NEAR >= reader->at &&
	       offset <= reader->at + NEAR;
}

void http_cache_note(struct http_cache *cache, uint64_t offset, uint64_t len)
{
	struct reader *oldest = &cache->reader[0];

	for (unsigned i = 0; i < READERS; i++) {
		struct reader *reader = &cache->reader[i];

		if (reader->used < oldest->used)
			oldest = reader;
		if (!is_near(reader, offset))
			continue;
		reader->used = ++cache->clock;
		if (offset + len <= reader->at)
			return;
		reader->run += min_u64(len, offset + len - reader->at);
		reader->at = offset + len;
		if (reader->run >= WINDOW_MIN)
			reader->window =
				min_u64(reader->run, cache->memory / 2);
		return;
	}
	*oldest = (struct reader){ .at = offset + len,
				   .run = len,
				   .used = ++cache->clock };
}

/* ---- the cache ---- */

struct http_cache *http_cache_open(struct http_object *object, uint64_t size,
				   const struct http_options *options,
				   const struct http_cache_events *events,
				   void *opaque)
{
	struct http_cache *cache = mem_zalloc(sizeof *cache);

	cache->object = object;
	cache->size = size;
	cache->connections = options->connections;
	/* Four segments at the least: the one being sent, the one wanted
	 * next, and what is on its way meanwhile. */
	cache->memory = max_u64(options->memory, 4 * MIB);
	cache->segment_max =
		min_u64(SEGMENT_MAX,
			max_u64(cache->memory / 4 / options->connections,
				SEGMENT_MIN));
	cache->segment_max = round_down(cache->segment_max, SEGMENT_MIN);
	cache->events = events;
	cache->opaque = opaque;
	return cache;
}

struct http_cache *http_cache_close(struct http_cache *cache)
{
	if (!cache)
		return NULL;
	while (cache->segments)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): of this list */
		drop(cache->segments);
	free(cache);
	return NULL;
}
