/* SPDX-License-Identifier: MIT */
/*
 * An object of a web server, served to a worker: what the network process
 * does. The parts:
 *
 *   worker <- io/remote_source.h -> http.c (who waits for what)
 *                                     http_cache.h (what is there, what next)
 *                                       http_object.h (retries, one version)
 *                                         http_client.h (libcurl) <-> server
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* All text is borrowed and outlives the run; NULL where there is none. */
struct http_options {
	const char *url;
	const char *agent;	/* "imgconv/1.0" */
	unsigned connections;	/* at a time, at least 1 */
	unsigned timeout;	/* seconds: to connect, and of silence */
	unsigned retries;	/* of one request that gets nowhere */
	uint64_t memory;	/* for bytes read ahead */
	const char *ca_file;	/* NULL: those of the system */
	const char *cert_file, *key_file;
	bool netrc;		/* ~/.netrc, or the file below */
	const char *netrc_file;
	const char *proxy;	/* NULL: what the environment says */
};

/* Is it built in? */
bool http_built(void);

/* Serve the object on `fd` (taken) until the other end closes it. What goes
 * wrong is told there. */
void http_serve(int take_fd, const struct http_options *options);

#endif
