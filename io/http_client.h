/* SPDX-License-Identifier: MIT */
/*
 * GET requests, many at a time, in one thread: all that the rest of HTTP sees
 * of libcurl. An answer is taken as it comes: no redirect is followed, nothing
 * is decoded, nothing is tried again (http_object.h does that).
 */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/http.h"
#include "io/http_head.h"

struct http_client;
struct http_get;

/* How a request ended. */
enum http_result {
	HTTP_DONE,	  /* the whole answer came */
	HTTP_STOPPED,	  /* as `head` or `body` wished */
	HTTP_UNRESOLVED,  /* the host's name means nothing, now */
	HTTP_BROKEN,	  /* no connection, or it broke: may work again */
	HTTP_UNTRUSTED,	  /* TLS: not who it should be */
	HTTP_WRONG	  /* not HTTP, or nothing we can do */
};

/* What a body callback wishes. */
enum http_wish {
	HTTP_GO_ON,
	HTTP_STOP,
	HTTP_PAUSE /* these bytes again after http_client_resume */
};

struct http_get_ops {
	/* Status is 200 or more. HTTP_GO_ON or HTTP_STOP. */
	enum http_wish (*head)(void *opaque, const struct http_head *head);
	enum http_wish (*body)(void *opaque, const unsigned char *bytes,
			       size_t len);
	/* The last call: the get is gone afterwards. `wait` is Retry-After in
	 * seconds, 0 without; `text` says why where it is not DONE. */
	void (*done)(void *opaque, enum http_result result, unsigned wait,
		     const char *text);
};

/* ERR_UNSUPPORTED when libcurl is not there; ERR_USAGE for a URL that is
 * none. */
struct http_client *http_client_open(const struct http_options *options,
				     struct err *err);
/* Gets still in flight are cancelled. Accepts NULL, returns NULL. */
struct http_client *http_client_close(struct http_client *client);

/* The URL of the options without the name and password in it, which are only
 * ever sent to its own host. */
const char *http_client_url(const struct http_client *client);

/* Ask for bytes [start, end) of `url`; `end` 0: for all of it. `if_range` (or
 * "") is the validator of the version wanted. NULL only when out of handles.
 * Not to be called by the callbacks head and body. */
struct http_get *http_client_get(struct http_client *client, const char *url,
				 uint64_t start, uint64_t end,
				 const char *if_range,
				 const struct http_get_ops *ops, void *opaque);
void http_client_resume(struct http_get *get);
/* Without a call of `done`. Accepts NULL, returns NULL. */
struct http_get *http_client_cancel(struct http_get *get);

/* Wait until something can be moved, for `fd` (poll's events) or for `ms`
 * milliseconds; move it and call back. Returns what is ready at `fd`. */
short http_client_turn(struct http_client *client, int fd, short events,
		       int ms);

#endif
