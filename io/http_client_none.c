/* SPDX-License-Identifier: MIT */
/* Owns what is said without libcurl, in the place of http_client.c. */
#include "io/http_client.h"

#ifndef HAVE_CURL

#include <stddef.h>

bool http_built(void)
{
	return false;
}

struct http_client *http_client_open(const struct http_options *options,
				     struct err *err)
{
	(void)options;
	err_set(err, ERR_UNSUPPORTED,
		"built without libcurl, which reads http and https; download "
		"it first");
	return NULL;
}

/* Nobody has a client, so nobody gets here. */

struct http_client *http_client_close(struct http_client *client)
{
	(void)client;
	return NULL;
}

const char *http_client_url(const struct http_client *client)
{
	(void)client;
	return "";
}

struct http_get *http_client_get(struct http_client *client, const char *url,
				 uint64_t start, uint64_t end,
				 const char *if_range,
				 const struct http_get_ops *ops, void *opaque)
{
	(void)client, (void)url, (void)start, (void)end, (void)if_range;
	(void)ops, (void)opaque;
	return NULL;
}

void http_client_resume(struct http_get *get)
{
	(void)get;
}

struct http_get *http_client_cancel(struct http_get *get)
{
	(void)get;
	return NULL;
}

short http_client_turn(struct http_client *client, int fd, short events,
		       int ms)
{
	(void)client, (void)fd, (void)events, (void)ms;
	return 0;
}

#endif
