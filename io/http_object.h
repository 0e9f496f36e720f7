/* SPDX-License-Identifier: MIT */
/*
 * One version of one object, whatever it takes to get it: redirects, waiting
 * and asking again, going on where a transfer broke. What is handed out is of
 * the version that was found first (RFC 9110, "Validators" and "If-Range"), or
 * there is an error.
 */
#ifndef IO_HTTP_OBJECT_H
#define IO_HTTP_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/http_client.h"
#include "io/remote_source.h"

struct http_object;
struct http_fetch;

struct http_fetch_ops {
	/* Of the first fetch only, before anything else: what the object is.
	 * Without `ranges` the fetch brings all of it. */
	void (*shape)(void *opaque, bool ranges, bool size_known,
		      uint64_t size);
	/* The next bytes. HTTP_GO_ON, or HTTP_PAUSE where there is but one. */
	enum http_wish (*bytes)(void *opaque, const unsigned char *bytes,
				size_t len);
	/* The last call; the fetch is gone afterwards. `err` NULL: everything
	 * was there. */
	void (*done)(void *opaque, const struct err *err);
};

/* `client` is borrowed. */
struct http_object *http_object_open(struct http_client *client,
				     const struct http_options *options);
/* The version, when the first fetch has told the shape. */
void http_object_version(const struct http_object *object,
			 struct remote_version *out);
/* Fetches still in flight are forgotten. Accepts NULL, returns NULL. */
struct http_object *http_object_close(struct http_object *object);

/* The first `len` bytes, to learn what it is. One call, before all others. */
struct http_fetch *http_object_first(struct http_object *object, size_t len,
				     const struct http_fetch_ops *ops,
				     void *opaque);
/* Bytes [start, end) of one that gives ranges; end > start. */
struct http_fetch *http_object_fetch(struct http_object *object,
				     uint64_t start, uint64_t end,
				     const struct http_fetch_ops *ops,
				     void *opaque);
/* After HTTP_PAUSE. */
void http_object_resume(struct http_fetch *fetch);

/* Ask again where it is time to. Returns the milliseconds until this is to be
 * called next, at most `most`. Calls `done`. */
int http_object_turn(struct http_object *object, int most);

#endif
