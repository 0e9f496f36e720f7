/* SPDX-License-Identifier: MIT */
/* Owns the reading of URLs and the choice of who serves one. Does not talk to
 * anybody itself. */
#include "cmd/remote.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/remote_ssh.h"
#include "cmd/signals.h"

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

int remote_open(const char *name, const struct settings *settings,
		struct remote *out, struct err *err)
{
	*out = (struct remote){ .socket = -1 };
	switch (remote_kind(name)) {
	case REMOTE_HTTP:
		return err_set(err, ERR_UNSUPPORTED,
			       "HTTP is not spoken; download it first");
	case REMOTE_NBD:
		return err_set(err, ERR_UNSUPPORTED,
			       "NBD is not spoken; copy it to a file first");
	case REMOTE_SSH:
		return remote_ssh_open(name, settings, out, err);
	default:
		return err_set(err, ERR_BUG, "%s is no URL", name);
	}
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
	kill(remote->process, SIGKILL);
	waitpid(remote->process, NULL, 0);
	signals_unwatch_worker(remote->process);
	remote->process = 0;
}

void remote_explain(struct remote *remote, struct err *err)
{
	char words[4096];
	struct err found = { .kind = ERR_NONE };
	ssize_t n;

	/* Only what can come of a server: not that an image is damaged. */
	if (remote->words <= 0 || err->kind != ERR_IO)
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
