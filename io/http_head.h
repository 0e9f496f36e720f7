/* SPDX-License-Identifier: MIT */
/* The head of an answer, line by line as it comes. */
#ifndef IO_HTTP_HEAD_H
#define IO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_URL_MAX 8192
#define HTTP_VALIDATOR_MAX 256

/* The head of an answer (RFC 9110). */
struct http_head {
	unsigned status;
	char reason[64]; /* "Not Found"; or "" */
	bool has_length; /* Content-Length */
	uint64_t length;
	bool framed; /* by length or chunks: its end can be told from a break */
	/* Content-Range: bytes [start, end) of total; with 416 the total
	 * alone. */
	bool has_range, has_total;
	uint64_t start, end, total;
	char etag[HTTP_VALIDATOR_MAX], modified[HTTP_VALIDATOR_MAX]; /* or "" */
	char location[HTTP_URL_MAX]; /* of a redirect, as it
					came; or "" */
};

/* One line, its end included. True when it ends the head of an answer that is
 * one: interim answers (1xx) are forgotten when the next one begins. */
bool http_head_line(struct http_head *head, const char *bytes, size_t len);

#endif
