/* SPDX-License-Identifier: MIT */
/* Owns the reading of ssh:// URLs (draft-ietf-secsh-scp-sftp-ssh-uri-04).
 * Does not reach any. */
#include "cmd/remote_ssh_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* `len` bytes of `text`, %XX decoded; NULL when a control character comes out,
 * which would end a line of sftp's. */
static char *decode(const char *text, size_t len)
{
	AUTO_FREE char *out = mem_zalloc(len + 1);
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? digit(text[i + 1])
							 : -1;
		int low = high < 0 ? -1 : digit(text[i + 2]);

		out[used] = text[i];
		if (low >= 0) {
			out[used] = (char)(high << 4 | low);
			i += 2;
		}
		if ((unsigned char)out[used] < ' ' || out[used] == 127)
			return NULL;
		used++;
	}
	return STEAL(out);
}

/* A name of a host or user; such a one is no option of a program. */
static int take(const char *text, size_t len, const char *what, char **out,
		struct err *err)
{
	*out = decode(text, len);
	if (!*out || !**out || **out == '-' || strpbrk(*out, "/ @"))
		return err_set(err, ERR_USAGE,
			       "the URL's %s is none (ssh://[USER@]HOST"
			       "[:PORT]/PATH)",
			       what);
	return 0;
}

static int take_port(const char *text, size_t len, struct ssh_url *out,
		     struct err *err)
{
	char *end;
	unsigned long number;

	out->port = mem_printf("%.*s", (int)len, text);
	number = strtoul(out->port, &end, 10);
	if (!len || *end || len > 5 || digit(*text) < 0 || !number ||
	    number > 65535)
		return err_set(err, ERR_USAGE,
			       "the URL's port %s is none (1..65535)",
			       out->port);
	return 0;
}

static int take_authority(const char *text, size_t len, struct ssh_url *out,
			  struct err *err)
{
	const char *at = memrchr(text, '@', len), *host = at ? at + 1 : text;
	const char *end = text + len, *colon;

	if (at && memchr(text, ':', (size_t)(at - text)))
		return err_set(err, ERR_USAGE,
			       "a password in a URL is not taken: use a key, "
			       "or the agent");
	if (at && take(text, (size_t)(at - text), "user", &out->user, err))
		return -1;
	if (*host == '[') {
		const char *close = memchr(host, ']', (size_t)(end - host));

		if (!close || (close + 1 < end && close[1] != ':'))
			return err_set(err, ERR_USAGE,
				       "the URL's host has no end");
		colon = close + 1 < end ? close + 1 : NULL;
		return take(host + 1, (size_t)(close - host - 1), "host",
			    &out->host, err) ||
				       (colon &&
					take_port(colon + 1,
						  (size_t)(end - colon - 1),
						  out, err))
			       ? -1
			       : 0;
	}
	colon = memchr(host, ':', (size_t)(end - host));
	if (colon &&
	    take_port(colon + 1, (size_t)(end - colon - 1), out, err))
		return -1;
	return take(host, (size_t)((colon ? colon : end) - host), "host",
		    &out->host, err);
}

int ssh_url_parse(const char *text, struct ssh_url *out, struct err *err)
{
	const char *authority = strstr(text, "://") + 3;
	const char *path = authority + strcspn(authority, "/?#");

	memset(out, 0, sizeof *out);
	if (strpbrk(path, "?#"))
		return err_set(err, ERR_USAGE,
			       "a URL of SSH has no '?' or '#': write %%3F, "
			       "%%23");
	if (take_authority(authority, (size_t)(path - authority), out, err))
		return -1;
	if (!strncmp(path, "/~/", 3))
		path += 3;
	out->path = decode(path, strlen(path));
	if (!out->path || !*out->path || !strcmp(out->path, "/"))
		return err_set(err, ERR_USAGE,
			       "the URL's path is none "
			       "(ssh://[USER@]HOST[:PORT]/PATH)");
	return 0;
}

void ssh_url_clear(struct ssh_url *url)
{
	free(url->host);
	free(url->user);
	free(url->port);
	free(url->path);
	memset(url, 0, sizeof *url);
}

char *ssh_url_quoted_path(const struct ssh_url *url)
{
	/* "./": so that a path that begins with '-' is no option. */
	const char *before = *url->path == '/' ? "" : "./";
	char *out = mem_zalloc(2 * strlen(url->path) + 8);
	char *next = out + sprintf(out, "\"%s", before);

	for (const char *in = url->path; *in; in++) {
		if (*in == '"' || *in == '\\')
			*next++ = '\\';
		*next++ = *in;
	}
	*next = '"';
	return out;
}
