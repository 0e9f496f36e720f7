/* SPDX-License-Identifier: MIT */
/*
 * What an answer is good for: a function of what was asked, what is known of
 * the object, and the head of the answer (RFC 9110, "Range Requests",
 * "Validator Fields"). Pure; what follows from it is http_object.c's.
 */
#ifndef IO_HTTP_CHECK_H
#define IO_HTTP_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/http_client.h"

/* The version that was found first. */
struct http_version {
	bool known;
	uint64_t size; /* where it gives ranges */
	char etag[HTTP_VALIDATOR_MAX], modified[HTTP_VALIDATOR_MAX];
	char if_range[HTTP_VALIDATOR_MAX]; /* the one that proves, or "" */
};

struct http_wanted {
	bool first; /* nothing is known yet */
	bool whole; /* without a range; else [start, end) */
	uint64_t start, end;
};

enum http_what {
	HTTP_NOTHING,	/* there was no head */
	HTTP_TAKE,	/* the bytes are what is wanted, or a first part of it */
	HTTP_EMPTY,	/* the object has no bytes */
	HTTP_REDIRECT,	/* at another place */
	HTTP_ASK_WHOLE, /* ranges make no sense to it: ask without */
	HTTP_LATER,	/* `err`, but another time it may be better */
	HTTP_GONE,	/* `err`: forbidden or not there (any more) */
	HTTP_FAIL	/* `err` */
};

struct http_verdict {
	enum http_what what;
	struct err err;
	/* First answer, HTTP_TAKE or HTTP_EMPTY. */
	bool ranges, size_known;
	uint64_t size;
};

void http_version_set(struct http_version *version,
		      const struct http_head *head);
void http_check(const struct http_version *version,
		const struct http_wanted *wanted, const struct http_head *head,
		struct http_verdict *out);

#endif
