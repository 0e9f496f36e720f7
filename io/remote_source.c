/* SPDX-License-Identifier: MIT */
/*
 * Owns the worker's end of a remote input. There is no thread of its own:
 * whoever waits for bytes and finds nobody at the socket reads from it, for
 * all, until its own are there. Does not know who has the bytes.
 */
#include "io/remote_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "base/printable.h"
#include "io/files.h"

/* Somebody waits for these bytes. */
struct waiting {
	struct waiting *next;
	uint32_t id;
	unsigned char *buf;
	size_t len, got;
	bool failed;
	struct err failure;
};

struct remote {
	struct source source; /* of a seekable one */
	int fd;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	bool reading; /* somebody is at the socket */
	bool broken;  /* `failure` is repeated for ever */
	struct err failure;
	uint32_t last_id;
	struct waiting *waiting;
	/* A stream: bytes of the current DATA still to come. */
	size_t left;
	bool ended;
};

/* ---- the socket ---- */

static int receive_all(int fd, void *buf, size_t len, struct err *err)
{
	unsigned char *at = buf;

	/* Ends: each recv brings something, the end or a failure. */
	while (len) {
		ssize_t n = recv(fd, at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_sys(err, ERR_IO,
				       "cannot read from the network process");
		if (n <= 0)
			return err_set(err, ERR_BUG,
				       "the network process is gone");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_all(int fd, const void *buf, size_t len, struct err *err)
{
	const unsigned char *at = buf;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, ERR_BUG,
				       "the network process is gone");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int nonsense(const struct remote_header *header, struct err *err)
{
	return err_set(err, ERR_BUG, "the network process said %u (%u bytes)",
		       header->type, header->len);
}

/* The error that follows a FAILED. Returns -1 also when it did come. */
static int receive_failure(int fd, const struct remote_header *header,
			   struct err *out)
{
	struct err failure;

	if (header->len != sizeof failure)
		return nonsense(header, out);
	if (receive_all(fd, &failure, sizeof failure, out) < 0)
		return -1;
	*out = failure;
	/* As a number: it may be none of the kinds. */
	if (!out->kind || (unsigned)out->kind >= ERR_INTERRUPTED)
		out->kind = ERR_BUG;
	out->signal = 0;
	out->message[sizeof out->message - 1] = '\0';
	printable(out->message);
	return -1;
}

/* ---- at random ---- */

static struct waiting *find(struct remote *remote, uint32_t id)
{
	struct waiting *waiting = remote->waiting;

	while (waiting && waiting->id != id)
		waiting = waiting->next;
	return waiting;
}

/* One message, without the lock: who waits stays while nothing else happens
 * to it, and its bytes go straight to where they are wanted. */
static int take_message(struct remote *remote, struct err *err)
{
	struct remote_header header;
	struct waiting *waiting;
	struct err failure;
	bool failed;

	if (receive_all(remote->fd, &header, sizeof header, err) < 0)
		return -1;
	pthread_mutex_lock(&remote->lock);
	waiting = header.id ? find(remote, header.id) : NULL;
	pthread_mutex_unlock(&remote->lock);
	failed = header.type == REMOTE_FAILED;
	if (failed) {
		receive_failure(remote->fd, &header, &failure);
		if (!waiting) {
			*err = failure;
			return -1;
		}
	} else if (header.type != REMOTE_DATA || !waiting || !header.len ||
		   header.len > waiting->len - waiting->got) {
		return nonsense(&header, err);
	} else if (receive_all(remote->fd, waiting->buf + waiting->got,
			       header.len, err) < 0) {
		return -1;
	}
	pthread_mutex_lock(&remote->lock);
	if (failed) {
		waiting->failed = true;
		waiting->failure = failure;
	} else {
		waiting->got += header.len;
	}
	pthread_mutex_unlock(&remote->lock);
	return 0;
}

static void unlink_waiting(struct remote *remote, struct waiting *gone)
{
	struct waiting **link = &remote->waiting;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
}

/* With the lock held. Ends: every message serves somebody or breaks it all. */
static void wait_for(struct remote *remote, struct waiting *waiting)
{
	while (!remote->broken && !waiting->failed &&
	       waiting->got < waiting->len) {
		struct err failure;
		int result;

		if (remote->reading) {
			pthread_cond_wait(&remote->changed, &remote->lock);
			continue;
		}
		remote->reading = true;
		pthread_mutex_unlock(&remote->lock);
		result = take_message(remote, &failure);
		pthread_mutex_lock(&remote->lock);
		remote->reading = false;
		if (result < 0) {
			remote->broken = true;
			remote->failure = failure;
		}
		pthread_cond_broadcast(&remote->changed);
	}
}

static int random_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct remote *remote = (struct remote *)source;
	struct waiting waiting = { .buf = buf,
				   .len = min_u64(len, REMOTE_ASK_MAX) };
	struct remote_ask ask = { .offset = offset,
				  .len = (uint32_t)waiting.len };
	int result = 0;

	pthread_mutex_lock(&remote->lock);
	if (!++remote->last_id)
		remote->last_id = 1;
	ask.id = waiting.id = remote->last_id;
	waiting.next = remote->waiting;
	remote->waiting = &waiting;
	/* The other end always reads: this does not take long. */
	if (!remote->broken &&
	    send_all(remote->fd, &ask, sizeof ask, &waiting.failure) < 0)
		waiting.failed = true;
	wait_for(remote, &waiting);
	unlink_waiting(remote, &waiting);
	if (waiting.failed) {
		*err = waiting.failure;
		result = -1;
	} else if (waiting.got < waiting.len) {
		*err = remote->failure;
		result = -1;
	}
	pthread_mutex_unlock(&remote->lock);
	*got = waiting.got;
	return result;
}

static void remote_free(struct remote *remote)
{
	close(remote->fd);
	pthread_cond_destroy(&remote->changed);
	pthread_mutex_destroy(&remote->lock);
	free(remote);
}

static void random_close(struct source *source)
{
	remote_free((struct remote *)source);
}

static const struct source_ops random_ops = {
	.read = random_read,
	.close = random_close,
};

/* ---- in order ---- */

static int stream_pull(void *opaque, void *buf, size_t len, size_t *got,
		       struct err *err)
{
	struct remote *remote = opaque;
	ssize_t n;

	*got = 0;
	while (!remote->left && !remote->ended) {
		struct remote_header header;

		if (receive_all(remote->fd, &header, sizeof header, err) < 0)
			return -1;
		if (header.type == REMOTE_FAILED)
			return receive_failure(remote->fd, &header, err);
		if (header.type == REMOTE_END && !header.len)
			remote->ended = true;
		else if (header.type == REMOTE_DATA && header.len)
			remote->left = header.len;
		else
			return nonsense(&header, err);
	}
	if (remote->ended)
		return 0;
	do
		n = recv(remote->fd, buf, min_u64(len, remote->left), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return err_set(err, ERR_BUG, "the network process is gone");
	*got = (size_t)n;
	remote->left -= (size_t)n;
	return 0;
}

static void stream_close(void *opaque)
{
	remote_free(opaque);
}

static const struct stream_ops stream_ops = {
	.pull = stream_pull,
	.close = stream_close,
};

/* ---- either ---- */

static int receive_hello(int fd, struct remote_hello *hello, struct err *err)
{
	struct remote_header header;

	if (receive_all(fd, &header, sizeof header, err) < 0)
		return -1;
	if (header.type == REMOTE_FAILED)
		return receive_failure(fd, &header, err);
	if (header.type != REMOTE_HELLO || header.len != sizeof *hello)
		return nonsense(&header, err);
	if (receive_all(fd, hello, sizeof *hello, err) < 0)
		return -1;
	if (hello->seekable && !hello->size_known)
		return nonsense(&header, err);
	return 0;
}

struct source *remote_source(int take_fd, struct remote_version *version,
			     struct err *err)
{
	AUTO_FD int fd = take_fd;
	struct remote_hello hello;
	struct remote *remote;

	if (receive_hello(fd, &hello, err) < 0)
		return NULL;
	if (version)
		*version = hello.version;
	remote = mem_zalloc(sizeof *remote);
	remote->fd = STEAL_FD(fd);
	pthread_mutex_init(&remote->lock, NULL);
	pthread_cond_init(&remote->changed, NULL);
	if (!hello.seekable)
		return files_stream(&stream_ops, remote);
	source_init(&remote->source, &random_ops);
	remote->source.seekable = true;
	remote->source.size_known = true;
	remote->source.size = hello.size;
	return &remote->source;
}
