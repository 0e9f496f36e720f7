/* SPDX-License-Identifier: MIT */
/*
 * The bytes of an object that are here or on their way, in bounded memory, and
 * the guess which will be wanted next. A *segment* is a run of bytes with one
 * fetch; segments do not overlap. A *reader* is a place that reads have come
 * near to lately: the longer they go on there, the further ahead is fetched.
 * For one thread.
 */
#ifndef IO_HTTP_CACHE_H
#define IO_HTTP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/http.h"
#include "io/http_object.h"

struct http_cache;

struct http_segment {
	struct http_segment *next; /* in order of start */
	struct http_cache *cache;
	uint64_t start;
	size_t len, have; /* bytes [0, have) are there */
	size_t sent;	  /* bytes handed out, for eviction */
	uint64_t used;	  /* when, for eviction */
	unsigned pins;	  /* somebody holds a pointer into it */
	bool coming;	  /* the fetch is not over */
	bool gone;	  /* out of the cache, waits for the last pin */
	unsigned char bytes[];
};

/* What the cache asks and tells its owner. */
struct http_cache_events {
	/* Does anybody wait for bytes of [start, end)? */
	bool (*wanted)(void *opaque, uint64_t start, uint64_t end);
	/* They will not come: whoever waits for any of them is to be told. */
	void (*failed)(void *opaque, uint64_t start, uint64_t end,
		       const struct err *err);
};

/* `object` is borrowed; it gives ranges and has `size` bytes. */
struct http_cache *http_cache_open(struct http_object *object, uint64_t size,
				   const struct http_options *options,
				   const struct http_cache_events *events,
				   void *opaque);
/* After the object was closed. Accepts NULL, returns NULL. */
struct http_cache *http_cache_close(struct http_cache *cache);

/* The segment of a fetch that others began, [0, len): its bytes, its end. */
struct http_segment *http_cache_begin(struct http_cache *cache, size_t len);
void http_segment_add(struct http_segment *segment, const unsigned char *bytes,
		      size_t len);
void http_segment_done(struct http_segment *segment, const struct err *err);

/* A read of these was asked for: what does that say of the next ones? */
void http_cache_note(struct http_cache *cache, uint64_t offset, uint64_t len);

/* The segment that has `offset` or will have it; NULL: none. */
struct http_segment *http_cache_find(struct http_cache *cache,
				     uint64_t offset);

/* Fetch at least [offset, end), as far as connections and memory allow now;
 * nothing of what is there or coming is fetched again. */
void http_cache_demand(struct http_cache *cache, uint64_t offset,
		       uint64_t end);
/* Fetch what will be wanted soon. After the demands. */
void http_cache_ahead(struct http_cache *cache);

/* Its bytes stay where they are in between; `sent` of them were handed out
 * then. */
void http_segment_pin(struct http_segment *segment);
void http_segment_unpin(struct http_segment *segment, size_t sent);

#endif
