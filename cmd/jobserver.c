/* SPDX-License-Identifier: MIT */
/* Owns MAKEFLAGS and the tokens of make's jobserver. What a thread is used for
 * is others'. */
#include "cmd/jobserver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKENS_MOST 1024

/* For the handler of a signal, too. */
static volatile sig_atomic_t tokens;
static unsigned char token[TOKENS_MOST];
static int write_fd = -1;

/* The next word of MAKEFLAGS from *at on, up to the variables behind "--".
 * Ends: *at moves on. */
static bool next_word(const char **at, const char **word, size_t *len)
{
	*at += strspn(*at, " \t");
	*word = *at;
	*len = strcspn(*at, " \t");
	*at += *len;
	return *len && !(*len == 2 && !strncmp(*word, "--", 2));
}

static bool is_word(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && !strncmp(word, text, len);
}

/* Between a token's way and its count no signal may come, or it would be lost,
 * or given back twice. */
static void hold_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, before);
}

bool jobserver_dry_run(const char *makeflags)
{
	const char *at = makeflags, *word;
	size_t len;

	if (!makeflags)
		return false;
	/* Single letters stand first, without a dash; a blank says that there
	 * are none. */
	len = strcspn(at, " \t");
	if (len && *at != '-' && !memchr(at, '=', len) && memchr(at, 'n', len))
		return true;
	while (next_word(&at, &word, &len))
		if (is_word(word, len, "-n") ||
		    is_word(word, len, "--just-print") ||
		    is_word(word, len, "--dry-run") ||
		    is_word(word, len, "--recon"))
			return true;
	return false;
}

/* "R,W" or "fifo:PATH" of the last word that says so; false: none. */
static bool find_auth(const char *makeflags, char *out, size_t room)
{
	static const char *const keys[] = { "--jobserver-auth=",
					    "--jobserver-fds=" };
	const char *at = makeflags, *word;
	bool found = false;
	size_t len;

	while (makeflags && next_word(&at, &word, &len))
		for (size_t i = 0; i < 2; i++) {
			size_t key = strlen(keys[i]);

			if (len <= key || strncmp(word, keys[i], key) ||
			    len - key >= room)
				continue;
			memcpy(out, word + key, len - key);
			out[len - key] = '\0';
			found = true;
		}
	return found;
}

static bool is_fifo(int fd)
{
	struct stat about;

	return fd >= 0 && !fstat(fd, &about) && S_ISFIFO(about.st_mode);
}

/* An open file of our own: make's must stay blocking. */
static int reopen(int fd, int flags)
{
	char path[32];

	if (!is_fifo(fd))
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static bool read_pair(const char *auth, int *reading, int *writing)
{
	/* NOLINTNEXTLINE(cert-err34-c): nine digits fit */
	return sscanf(auth, "%9d,%9d", reading, writing) == 2;
}

static int open_pipes(const char *auth, int *to)
{
	int from = -1, reading, writing;

	if (!strncmp(auth, "fifo:", 5)) {
		from = open(auth + 5, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		*to = open(auth + 5, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	} else if (read_pair(auth, &reading, &writing)) {
		from = reopen(reading, O_RDONLY | O_NONBLOCK);
		*to = reopen(writing, O_WRONLY);
	}
	if (is_fifo(from) && is_fifo(*to))
		return from;
	if (from >= 0)
		close(from);
	if (*to >= 0)
		close(*to);
	*to = -1;
	return -1;
}

unsigned jobserver_take(const char *makeflags, unsigned most)
{
	char auth[4096];
	sigset_t before;
	int from;

	if (!find_auth(makeflags, auth, sizeof auth))
		return 0;
	from = open_pipes(auth, &write_fd);
	if (from < 0)
		return 0;
	hold_signals(&before);
	/* Ends: at `most`, or when there are none at the moment. */
	while ((unsigned)tokens + 1 < most && tokens < TOKENS_MOST) {
		ssize_t n = read(from, &token[tokens], 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		tokens++;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(from);
	return (unsigned)tokens + 1;
}

void jobserver_give_back(void)
{
	sigset_t before;

	hold_signals(&before);
	while (tokens > 0) {
		ssize_t n = write(write_fd, &token[tokens - 1], 1);

		if (n < 0 && errno == EINTR)
			continue;
		/* What cannot be written has nobody to read it. */
		tokens--;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}
