/* SPDX-License-Identifier: MIT */
/* Owns the reading of URLs and the choice of who serves one. Does not talk to
 * anybody itself. */
#include "cmd/remote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/child.h"
#include "cmd/planning.h"
#include "cmd/nbd_uri.h"
#include "cmd/remote_ssh.h"
#include "cmd/signals.h"
#include "io/channel.h"
#include "io/http.h"

static const struct {
	const char *scheme; /* with what follows it in every such name */
	enum remote_kind kind;
} schemes[] = {
	{ "http://", REMOTE_HTTP },	 { "https://", REMOTE_HTTP },
	{ "nbd://", REMOTE_NBD },	 { "nbds://", REMOTE_NBD },
	{ "nbd+unix://", REMOTE_NBD },	 { "nbds+unix://", REMOTE_NBD },
	{ "ssh://", REMOTE_SSH },	 { "sftp://", REMOTE_SSH },
};

enum remote_kind remote_kind(const char *name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (!strncasecmp(name, schemes[i].scheme,
				 strlen(schemes[i].scheme)))
			return schemes[i].kind;
	return REMOTE_NONE;
}

char *remote_shown(const char *name)
{
	const char *authority, *at, *colon;
	size_t end;

	if (remote_kind(name) == REMOTE_NONE)
		return mem_strdup(name);
	authority = strstr(name, "://") + 3;
	end = strcspn(name, "?#");
	at = memrchr(authority, '@', strcspn(authority, "/?#"));
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (!colon)
		return mem_printf("%.*s", (int)end, name);
	return mem_printf("%.*s%.*s", (int)(colon - name), name,
			  (int)(name + end - at), at);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = c ? strchr(digits, c | 0x20) : NULL;

	return found ? (int)(found - digits) : -1;
}

char *remote_base(const char *name)
{
	const char *path = strstr(name, "://");
	char *base, *out;

	path = path ? path + 3 : name;
	path += strcspn(path, "/?#");
	base = mem_printf("%.*s", (int)strcspn(path, "?#"), path);
	if (strrchr(base, '/'))
		memmove(base, strrchr(base, '/') + 1,
			strlen(strrchr(base, '/')));
	out = base;
	for (const char *in = base; *in; in++) {
		int high = *in == '%' ? hex_digit(in[1]) : -1;
		int low = high >= 0 ? hex_digit(in[2]) : -1;
		if (low >= 0 && (high || low)) {
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return base;
}

/* Of the memory of a run; the rest is the worker's. */
#define HTTP_MEMORY_PART 4

#define HTTP_CONNECTIONS 4
#define HTTP_TIMEOUT 30
#define HTTP_RETRIES 5

/* The network process: forked like the worker, before any thread. */
static void become_network(int socket, const char *url,
			   const struct settings *settings)
{
	const struct remote_settings *remote = &settings->remote;
	const struct http_options options = {
		.url = url,
		.agent = "imgconv/" IMGCONV_VERSION,
		.connections = remote->connections ? remote->connections
						   : HTTP_CONNECTIONS,
		.timeout = remote->timeout ? remote->timeout : HTTP_TIMEOUT,
		.retries = remote->has_retries ? remote->retries
					       : HTTP_RETRIES,
		.memory = planning_memory(settings) / HTTP_MEMORY_PART,
		.ca_file = remote->ca_file,
		.cert_file = remote->cert_file,
		.key_file = remote->key_file,
		.netrc = remote->netrc,
		.netrc_file = remote->netrc_file,
		.proxy = remote->proxy,
	};

	http_serve(child_become(socket), &options);
	exit(0);
}

static int open_http(const char *url, const struct settings *settings,
		     struct remote *out, struct err *err)
{
	int pair[2];

	if (!http_built())
		return err_set(err, ERR_UNSUPPORTED,
			       "built without libcurl, which reads http and "
			       "https; download it first");
	if (channel_pair(pair, err) < 0)
		return -1;
	fflush(NULL); /* or the child's exit would say it again */
	out->process = fork();
	if (!out->process)
		become_network(pair[1], url, settings);
	close(pair[1]);
	out->socket = pair[0];
	out->place = PROTOCOL_PLACE_REMOTE;
	if (out->process < 0)
		return err_sys(err, ERR_TEMPORARY,
			       "start the network process");
	signals_watch_worker(out->process);
	return 0;
}

static int open_nbd(const char *url, const struct settings *settings,
		    struct remote *out, struct err *err)
{
	if (!nbd_built())
		return err_set(err, ERR_UNSUPPORTED,
			       "built without libnbd, which speaks NBD; copy "
			       "it to a file first");
	out->place = PROTOCOL_PLACE_NBD;
	if (nbd_uri_read(url, settings, &out->nbd, err) < 0)
		return -1;
	return nbd_uri_connect(&out->nbd, settings->remote.timeout,
			       &out->socket, err);
}

int remote_again(const struct remote *remote, const struct settings *settings,
		 struct err *err)
{
	int fd;

	if (remote->place != PROTOCOL_PLACE_NBD || remote->nbd.tls)
		return err_set(err, ERR_BUG, "one connection is all there is");
	return nbd_uri_connect(&remote->nbd, settings->remote.timeout, &fd,
			       err) < 0
		       ? -1
		       : fd;
}

int remote_open(const char *name, const struct settings *settings,
		struct remote *out, struct err *err)
{
	*out = (struct remote){ .socket = -1 };
	switch (remote_kind(name)) {
	case REMOTE_HTTP:
		return open_http(name, settings, out, err);
	case REMOTE_NBD:
		return open_nbd(name, settings, out, err);
	case REMOTE_SSH:
		return remote_ssh_open(name, settings, out, err);
	default:
		return err_set(err, ERR_BUG, "%s is no URL", name);
	}
}

/* One that serves nobody any more ends by itself, at once unless it waits for
 * its server: no reason to wait for that as well. */
static void end_process(pid_t process)
{
	const struct timespec pause = { 0, 2000000 };

	for (unsigned i = 0; i < 50; i++) {
		if (waitpid(process, NULL, WNOHANG))
			return;
		nanosleep(&pause, NULL);
	}
	kill(process, SIGKILL);
	waitpid(process, NULL, 0);
}

void remote_close(struct remote *remote)
{
	if (remote->socket >= 0)
		close(remote->socket);
	remote->socket = -1;
	if (remote->words > 0)
		close(remote->words);
	if (remote->file > 0)
		close(remote->file);
	remote->words = remote->file = 0;
	if (remote->process <= 0)
		return;
	end_process(remote->process);
	signals_unwatch_worker(remote->process);
	remote->process = 0;
}

void remote_explain(struct remote *remote, struct err *err)
{
	char words[4096];
	struct err found = { .kind = ERR_NONE };
	ssize_t n;

	/* Only what can come of a server: not that an image is damaged. */
	if (remote->words <= 0 ||
	    (err->kind != ERR_IO && err->kind != ERR_TEMPORARY))
		return;
	/* It has said all when it is gone; one that serves nobody ends. */
	if (remote->process > 0) {
		kill(remote->process, SIGTERM);
		waitpid(remote->process, NULL, 0);
		signals_unwatch_worker(remote->process);
		remote->process = 0;
	}
	n = pread(remote->words, words, sizeof words - 1, 0);
	words[n > 0 ? n : 0] = '\0';
	if (remote_ssh_judge("nbdkit", words, &found))
		*err = found;
}

int remote_unchanged(const struct remote *remote,
		     const struct settings *settings, uint64_t size,
		     struct err *err)
{
	uint64_t now;

	if (!remote->url || !remote_ssh_size(remote->url, settings, &now) ||
	    now == size)
		return 0;
	return err_set(err, ERR_TEMPORARY,
		       "the input had %llu bytes and has %llu now; try again "
		       "when nothing writes to it",
		       (unsigned long long)size, (unsigned long long)now);
}
