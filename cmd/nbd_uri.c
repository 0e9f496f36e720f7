/* SPDX-License-Identifier: MIT */
/* Owns the reading of NBD URLs and the connecting of sockets. What is said on
 * them is the worker's. */
#include "cmd/nbd_uri.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define NBD_PORT "10809"
#define NBD_CONNECTIONS 4
#define NBD_TIMEOUT 30

static int hex(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* `len` bytes of the URL, decoded; -1: they do not fit, or have a NUL. */
static int decode(const char *text, size_t len, char *out, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(text[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(text[i + 2]);
			if (low < 0)
				return -1;
			c = high << 4 | low;
			i += 2;
		}
		if (!c || used + 1 >= room)
			return -1;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return 0;
}

static int bad(const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, "nbd: the URL's %s makes no sense",
		       what);
}

/* [USER@]HOST[:PORT], [IPv6]. */
static int read_authority(const char *text, size_t len, struct nbd_terms *out,
			  struct err *err)
{
	const char *at = memchr(text, '@', len), *colon, *close;
	size_t host_len;

	if (at) {
		if (decode(text, (size_t)(at - text), out->user,
			   sizeof out->user) < 0)
			return bad("user", err);
		len -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	close = len && *text == '[' ? memchr(text, ']', len) : NULL;
	colon = memchr(close ? close : text, ':',
		       len - (size_t)(close ? close - text : 0));
	host_len = colon ? (size_t)(colon - text) : len;
	if (colon && colon + 1 < text + len &&
	    decode(colon + 1, (size_t)(text + len - colon - 1), out->port,
		   sizeof out->port) < 0)
		return bad("port", err);
	if (close && host_len < 2)
		return bad("host", err);
	if (close)
		return decode(text + 1, host_len - 2, out->host,
			      sizeof out->host) < 0
			       ? bad("host", err)
			       : 0;
	return decode(text, host_len, out->host, sizeof out->host) < 0
		       ? bad("host", err)
		       : 0;
}

static int read_parameter(const char *text, size_t len, struct nbd_terms *out,
			  struct err *err)
{
	static const char certificates[] = "tls-certificates=";
	static const char psk[] = "tls-psk-file=", path[] = "socket=";
	static const char verify[] = "tls-verify-peer=";
	int result = -1;

#define IS(key) \
	(len >= sizeof(key) - 1 && !strncmp(text, key, sizeof(key) - 1))
#define REST(key) text + sizeof(key) - 1, len - (sizeof(key) - 1)
	if (IS(path))
		result = decode(REST(path), out->socket, sizeof out->socket);
	else if (IS(certificates))
		result = decode(REST(certificates), out->certificates,
				sizeof out->certificates);
	else if (IS(psk))
		result = decode(REST(psk), out->psk_file,
				sizeof out->psk_file);
	else if (IS(verify)) {
		out->verify_peer = strncmp(text + sizeof verify - 1, "false",
					   5) != 0 &&
				   text[sizeof verify - 1] != '0';
		result = 0;
	}
#undef IS
#undef REST
	if (result < 0)
		return err_set(err, ERR_USAGE,
			       "nbd: the URL's parameter %.*s is not known",
			       (int)len, text);
	return 0;
}

static int read_query(const char *text, struct nbd_terms *out, struct err *err)
{
	/* Ends: each turn goes behind the next '&'. */
	while (*text && *text != '#') {
		size_t len = strcspn(text, "&;#");

		if (len && read_parameter(text, len, out, err) < 0)
			return -1;
		text += len;
		text += *text == '&' || *text == ';';
	}
	return 0;
}

int nbd_uri_read(const char *url, const struct settings *settings,
		 struct nbd_terms *out, struct err *err)
{
	const char *at = strstr(url, "://");
	bool local = !strncasecmp(url, "nbd+unix", 8) ||
		     !strncasecmp(url, "nbds+unix", 9);
	size_t len;

	memset(out, 0, sizeof *out);
	out->tls = !strncasecmp(url, "nbds", 4);
	out->verify_peer = true;
	out->connections = settings->remote.connections
				   ? settings->remote.connections
				   : NBD_CONNECTIONS;
	out->timeout = settings->remote.timeout ? settings->remote.timeout
						: NBD_TIMEOUT;
	snprintf(out->port, sizeof out->port, NBD_PORT);
	at += 3;
	len = strcspn(at, "/?#");
	if (read_authority(at, len, out, err) < 0)
		return -1;
	at += len;
	at += *at == '/';
	len = strcspn(at, "?#");
	if (decode(at, len, out->export, sizeof out->export) < 0)
		return bad("export", err);
	at += len;
	if (*at == '?' && read_query(at + 1, out, err) < 0)
		return -1;
	if (local != (*out->socket != '\0') || local == (*out->host != '\0'))
		return err_set(err, ERR_USAGE,
			       local ? "nbd: such a URL is nbd+unix:///EXPORT?"
				       "socket=PATH"
				     : "nbd: such a URL is nbd://HOST/EXPORT");
	return 0;
}

bool nbd_uri_same(const struct nbd_terms *a, const struct nbd_terms *b)
{
	return !strcmp(a->socket, b->socket) && !strcasecmp(a->host, b->host) &&
	       (*a->socket || !strcmp(a->port, b->port)) &&
	       !strcmp(a->export, b->export);
}

/* ---- connecting ---- */

static int gone(const char *whom, struct err *err)
{
	return err_sys(err, errno == ENOENT ? ERR_NO_INPUT : ERR_TEMPORARY,
		       "nbd: %s", whom);
}

/* 0: connected. errno says why not. */
static int connect_until(int fd, const struct sockaddr *name, socklen_t len,
			 unsigned seconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t room = sizeof error;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, name, len) < 0) {
		if (errno != EINPROGRESS)
			return -1;
		if (poll(&poll_fd, 1, (int)seconds * 1000) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &room);
		if (error) {
			errno = error;
			return -1;
		}
	}
	return fcntl(fd, F_SETFL, 0);
}

static int connect_unix(const char *path, unsigned seconds, struct err *err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof name.sun_path)
		return err_set(err, ERR_USAGE,
			       "nbd: a socket's name has at most %zu bytes",
			       sizeof name.sun_path - 1);
	strcpy(name.sun_path, path);
	if (fd < 0 || connect_until(fd, (const struct sockaddr *)&name,
				    sizeof name, seconds) < 0)
		return gone(path, err);
	return STEAL_FD(fd);
}

static int connect_host(const struct nbd_terms *terms, unsigned seconds,
			struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int code = getaddrinfo(terms->host, terms->port, &hints, &list);
	int fd = -1;

	if (code)
		return err_set(err, ERR_TEMPORARY, "nbd: %s: %s", terms->host,
			       gai_strerror(code));
	for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect_until(fd, at->ai_addr, at->ai_addrlen,
					     seconds) < 0) {
			int kept = errno;
			close(fd);
			errno = kept;
			fd = -1;
		}
	}
	if (fd < 0)
		gone(terms->host, err);
	freeaddrinfo(list);
	return fd;
}

int nbd_uri_connect(const struct nbd_terms *terms, unsigned timeout, int *fd,
		    struct err *err)
{
	unsigned seconds = timeout ? timeout : NBD_TIMEOUT;

	*fd = -1;
	if (terms->tls)
		return 0;
	*fd = *terms->socket ? connect_unix(terms->socket, seconds, err)
			     : connect_host(terms, seconds, err);
	return *fd < 0 ? -1 : 0;
}
