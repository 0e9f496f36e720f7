/* SPDX-License-Identifier: MIT */
/*
 * Owns the network process's end of the socket: who asked for what, and what
 * is said next. What is fetched, and when, is http_cache.c's where the server
 * gives ranges; a stream goes through a ring here, which pauses it when the
 * worker does not keep up. Never blocks but in one place, for all there is to
 * wait for.
 */
#include "io/http.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/http_cache.h"
#include "io/http_client.h"
#include "io/http_object.h"
#include "io/remote_source.h"

/* The first request: most headers, so that a look at a file is one trip. */
#define FIRST_LEN ((size_t)(256 * KIB))

/* Of a stream. */
#define RING_LEN ((size_t)(4 * MIB))

/* Pieces are not sent before they are so long, or all there is to come. */
#define PIECE_MIN ((size_t)(128 * KIB))

/* As many as threads may read (--threads), for each a read. */
#define ASKS_MAX 4096

/* The shortest --timeout: what is begun in a turn has no earlier alarm. */
#define TURN_MS 1000

struct asked {
	struct asked *next;
	struct remote_ask ask;
	uint32_t sent;
	bool failed;
	struct err failure;
};

struct service {
	int fd;
	struct http_object *object;
	const struct http_options *options;
	struct http_cache *cache;   /* with ranges */
	struct http_segment *first; /* while it is coming */
	struct asked *asked;	    /* the oldest first */
	unsigned asks;
	/* Without: */
	struct http_fetch *stream; /* while it is coming */
	unsigned char *ring;
	uint64_t put, taken; /* bytes; ring[x % RING_LEN] */
	bool paused, ended;
	/* What is being said: header, then body. */
	struct remote_header header;
	union {
		struct remote_hello hello;
		struct err err;
	} words;
	const unsigned char *body;
	size_t header_left, body_left;
	struct http_segment *pinned;
	size_t piece; /* bytes of it that are being sent */
	bool greeted, hello_due, failed, failure_due;
	struct err failure; /* for good */
	bool over;
	/* What came of an ask. */
	struct remote_ask incoming;
	size_t incoming_len;
};

/* ---- what is said ---- */

static void say(struct service *service, enum remote_type type, uint32_t id,
		const void *body, size_t len)
{
	service->header = (struct remote_header){ type, id, (uint32_t)len };
	service->header_left = sizeof service->header;
	service->body = body;
	service->body_left = len;
}

static void say_failure(struct service *service, uint32_t id,
			const struct err *err)
{
	service->words.err = *err;
	say(service, REMOTE_FAILED, id, &service->words.err, sizeof *err);
}

static void fail(struct service *service, const struct err *err)
{
	if (service->failed)
		return;
	service->failed = service->failure_due = true;
	service->failure = *err;
}

/* A piece of the ring, if there is one. */
static bool say_stream(struct service *service)
{
	uint64_t have = service->put - service->taken;
	size_t at = (size_t)(service->taken % RING_LEN);
	size_t len = min_u64(min_u64(have, RING_LEN - at), REMOTE_DATA_MAX);

	if (!have && service->ended) {
		say(service, REMOTE_END, 0, NULL, 0);
		service->ended = false;
		return true;
	}
	if (!have || (have < PIECE_MIN && service->stream))
		return false;
	service->piece = len;
	say(service, REMOTE_DATA, 0, service->ring + at, len);
	return true;
}

static void forget(struct service *service, struct asked *gone)
{
	struct asked **link = &service->asked;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	service->asks--;
	free(gone);
}

/* The next piece for this one, if it is there. */
static bool say_piece(struct service *service, struct asked *asked)
{
	uint64_t offset = asked->ask.offset + asked->sent;
	struct http_segment *segment = http_cache_find(service->cache, offset);
	size_t wanted = asked->ask.len - asked->sent, inside, have;

	if (!segment)
		return false;
	inside = (size_t)(offset - segment->start);
	have = segment->have > inside ? segment->have - inside : 0;
	if (!have || (segment->coming && have < wanted && have < PIECE_MIN))
		return false;
	have = min_u64(min_u64(have, wanted), REMOTE_DATA_MAX);
	http_segment_pin(segment);
	service->pinned = segment;
	service->piece = have;
	say(service, REMOTE_DATA, asked->ask.id, segment->bytes + inside,
	    have);
	asked->sent += (uint32_t)have;
	if (asked->sent == asked->ask.len)
		forget(service, asked);
	return true;
}

static bool say_answer(struct service *service)
{
	for (struct asked *asked = service->asked; asked; asked = asked->next) {
		if (asked->failed) {
			say_failure(service, asked->ask.id, &asked->failure);
			forget(service, asked);
			return true;
		}
		if (say_piece(service, asked))
			return true;
	}
	return false;
}

/* Something to say: true. */
static bool say_next(struct service *service)
{
	if (service->hello_due) {
		service->hello_due = false;
		say(service, REMOTE_HELLO, 0, &service->words.hello,
		    sizeof service->words.hello);
		return true;
	}
	if (service->cache)
		return say_answer(service);
	if (service->ring && say_stream(service))
		return true;
	if (!service->failure_due)
		return false;
	service->failure_due = false;
	say_failure(service, 0, &service->failure);
	return true;
}

static void said(struct service *service)
{
	if (service->pinned) {
		http_segment_unpin(service->pinned, service->piece);
		service->pinned = NULL;
	} else if (service->ring) {
		service->taken += service->piece;
	}
	service->piece = 0;
}

static size_t step(size_t *left, size_t sent)
{
	size_t now = min_u64(*left, sent);

	*left -= now;
	return sent - now;
}

/* As much as the socket takes. False: it is full. */
static bool send_some(struct service *service)
{
	struct iovec part[2] = {
		{ (char *)&service->header + sizeof service->header -
			  service->header_left, service->header_left },
		{ (void *)(uintptr_t)service->body, service->body_left }
	};
	struct msghdr message = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t n = sendmsg(service->fd, &message,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	size_t rest;

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0) {
		service->over = errno != EAGAIN && errno != EWOULDBLOCK;
		return false;
	}
	rest = step(&service->header_left, (size_t)n);
	service->body += service->body_left ? rest : 0;
	step(&service->body_left, rest);
	if (!service->header_left && !service->body_left)
		said(service);
	return true;
}

static bool saying(const struct service *service)
{
	return service->header_left || service->body_left;
}

/* Ends: with a full socket, or when there is nothing to say: what is here to
 * be said is bounded. */
static void send_all(struct service *service)
{
	while (!service->over && (saying(service) || say_next(service)))
		if (!send_some(service))
			return;
}

/* ---- what is asked ---- */

static void take_ask(struct service *service)
{
	const struct remote_ask *ask = &service->incoming;
	struct asked **link = &service->asked, *asked;

	if (!service->cache || !ask->id || !ask->len ||
	    ask->len > REMOTE_ASK_MAX || service->asks == ASKS_MAX ||
	    !checked_inside(ask->offset, ask->len,
			    service->words.hello.size)) {
		service->over = true; /* no worker of ours */
		return;
	}
	asked = mem_zalloc(sizeof *asked);
	asked->ask = *ask;
	while (*link)
		link = &(*link)->next;
	*link = asked;
	service->asks++;
	http_cache_note(service->cache, ask->offset, ask->len);
}

/* Ends: with what the socket has. */
static void receive_asks(struct service *service)
{
	while (!service->over) {
		ssize_t n = recv(service->fd,
				 (char *)&service->incoming +
					 service->incoming_len,
				 sizeof service->incoming -
					 service->incoming_len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			service->over = true;
			return;
		}
		service->incoming_len += (size_t)n;
		if (service->incoming_len < sizeof service->incoming)
			continue;
		service->incoming_len = 0;
		take_ask(service);
	}
}

static bool on_wanted(void *opaque, uint64_t start, uint64_t end)
{
	struct service *service = opaque;

	for (struct asked *asked = service->asked; asked; asked = asked->next)
		if (asked->ask.offset + asked->sent < end &&
		    asked->ask.offset + asked->ask.len > start)
			return true;
	return false;
}

static void on_failed(void *opaque, uint64_t start, uint64_t end,
		      const struct err *err)
{
	struct service *service = opaque;
	static const struct err none = { .kind = ERR_BUG,
					 .message = "bytes are missing" };

	for (struct asked *asked = service->asked; asked; asked = asked->next)
		if (!asked->failed &&
		    asked->ask.offset + asked->sent < end &&
		    asked->ask.offset + asked->ask.len > start) {
			asked->failed = true;
			asked->failure = err ? *err : none;
			err_in(&asked->failure, "http");
		}
}

static const struct http_cache_events cache_events = { .wanted = on_wanted,
						       .failed = on_failed };

static void fetch_all(struct service *service)
{
	if (!service->cache)
		return;
	for (struct asked *asked = service->asked; asked; asked = asked->next)
		if (!asked->failed)
			http_cache_demand(service->cache,
					  asked->ask.offset + asked->sent,
					  asked->ask.offset + asked->ask.len);
	http_cache_ahead(service->cache);
}

/* ---- the first fetch, and a stream ---- */

static void on_shape(void *opaque, bool ranges, bool size_known, uint64_t size)
{
	struct service *service = opaque;

	service->words.hello = (struct remote_hello){ .size = size,
						      .size_known = size_known,
						      .seekable = ranges };
	http_object_version(service->object, &service->words.hello.version);
	service->greeted = service->hello_due = true;
	if (!ranges) {
		service->ring = mem_buffer(RING_LEN);
		return;
	}
	service->cache = http_cache_open(service->object, size,
					 service->options, &cache_events,
					 service);
	if (size)
		service->first = http_cache_begin(service->cache,
						  min_u64(size, FIRST_LEN));
}

static enum http_wish on_bytes(void *opaque, const unsigned char *bytes,
			       size_t len)
{
	struct service *service = opaque;

	if (service->first) {
		http_segment_add(service->first, bytes, len);
		return HTTP_GO_ON;
	}
	if (RING_LEN - (service->put - service->taken) < len) {
		service->paused = true;
		return HTTP_PAUSE;
	}
	while (len) {
		size_t at = (size_t)(service->put % RING_LEN);
		size_t now = min_u64(len, RING_LEN - at);

		memcpy(service->ring + at, bytes, now);
		service->put += now;
		bytes += now;
		len -= now;
	}
	return HTTP_GO_ON;
}

static void on_done(void *opaque, const struct err *err)
{
	struct service *service = opaque;
	struct http_segment *first = STEAL(service->first);
	struct err failure;

	service->stream = NULL;
	if (first) {
		http_segment_done(first, err);
	} else if (err) {
		failure = *err;
		err_in(&failure, "http");
		fail(service, &failure);
	} else {
		service->ended = service->ring != NULL;
	}
}

static const struct http_fetch_ops first_ops = { .shape = on_shape,
						 .bytes = on_bytes,
						 .done = on_done };

/* Half of the ring is free: the stream may go on. */
static void resume(struct service *service)
{
	if (!service->paused || !service->stream ||
	    service->put - service->taken > RING_LEN / 2)
		return;
	service->paused = false;
	http_object_resume(service->stream);
}

/* ---- the run ---- */

static void serve(struct service *service, struct http_client *client)
{
	service->object = http_object_open(client, service->options);
	service->stream = http_object_first(service->object, FIRST_LEN,
					    &first_ops, service);
	/* Ends when the worker closes its end, which it does when it ends. */
	while (!service->over) {
		int ms = http_object_turn(service->object, TURN_MS);
		short events, ready;

		fetch_all(service);
		send_all(service);
		resume(service);
		events = saying(service) ? POLLIN | POLLOUT : POLLIN;
		ready = http_client_turn(client, service->fd, events, ms);
		if (ready & (POLLIN | POLLHUP | POLLERR))
			receive_asks(service);
	}
	if (service->pinned)
		http_segment_unpin(service->pinned, 0);
	http_object_close(service->object);
	http_cache_close(service->cache);
	while (service->asked)
		forget(service, service->asked);
	free(service->ring);
}

void http_serve(int take_fd, const struct http_options *options)
{
	struct service service = { .fd = take_fd, .options = options };
	struct http_client *client = http_client_open(options,
						      &service.failure);

	if (client) {
		serve(&service, client);
	} else {
		err_in(&service.failure, "http");
		say_failure(&service, 0, &service.failure);
		/* It fits an empty socket. */
		send_some(&service);
	}
	http_client_close(client);
	close(take_fd);
}
