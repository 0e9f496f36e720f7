/* SPDX-License-Identifier: MIT */
/* Units for the worker's end of a remote input: threads whose answers come in
 * pieces and in any order, streams, failures, an end that talks nonsense. */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/channel.h"
#include "io/remote_source.h"
#include "tests/unit/check.h"
#include "tests/unit/sequence.h"

#define SIZE ((uint64_t)5 * 1000 * 1000 + 7)
#define THREADS 6
#define READS 60

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 7 + offset / 251);
}

static void put(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static void say(int fd, uint32_t type, uint32_t id, const void *body,
		size_t len)
{
	struct remote_header header = { type, id, (uint32_t)len };

	put(fd, &header, sizeof header);
	put(fd, body, len);
}

static void say_hello(int fd, uint64_t size, bool seekable)
{
	struct remote_hello hello = { .size = size,
				      .size_known = 1,
				      .seekable = seekable };

	say(fd, REMOTE_HELLO, 0, &hello, sizeof hello);
}

static void say_failed(int fd, uint32_t id, enum err_kind kind,
		       const char *text)
{
	struct err err;

	err_set(&err, kind, "%s", text);
	say(fd, REMOTE_FAILED, id, &err, sizeof err);
}

/* ---- a server ---- */

/* Collects some asks, then answers them in pieces, the last asked first. An
 * ask at `bad` fails. Ends with the connection. */
struct server {
	int fd;
	uint64_t bad;
	unsigned most; /* asks that were waiting at once */
};

#define HELD 3

static bool answer_piece(struct server *server, struct remote_ask *ask)
{
	unsigned char piece[60000];
	size_t len = ask->len < sizeof piece ? ask->len : sizeof piece;

	if (ask->offset == server->bad) {
		say_failed(server->fd, ask->id, ERR_TEMPORARY, "bad place");
		return true;
	}
	for (size_t i = 0; i < len; i++)
		piece[i] = byte_at(ask->offset + i);
	say(server->fd, REMOTE_DATA, ask->id, piece, len);
	ask->offset += len;
	ask->len -= (uint32_t)len;
	return !ask->len;
}

static void *serve(void *opaque)
{
	struct server *server = opaque;
	struct remote_ask held[HELD];
	unsigned count = 0;

	for (;;) {
		bool wait = count < HELD;
		ssize_t n = wait ? recv(server->fd, &held[count],
					sizeof *held,
					count ? MSG_DONTWAIT : MSG_WAITALL)
				 : -1;

		if (!n || (n < 0 && !count))
			break;
		if (n == (ssize_t)sizeof *held) {
			count++;
			if (count > server->most)
				server->most = count;
			continue;
		}
		if (answer_piece(server, &held[count - 1]))
			count--;
		/* The first one's turn: pieces of several mix. */
		if (count > 1 && answer_piece(server, &held[0])) {
			held[0] = held[count - 1];
			count--;
		}
	}
	close(server->fd);
	return NULL;
}

struct reading {
	struct source *source;
	unsigned seed, wrong, failed;
};

static void *read_much(void *opaque)
{
	struct reading *reading = opaque;
	unsigned char *buf = malloc(300000);
	struct err err;
	size_t got;

	for (unsigned i = 0; i < READS; i++) {
		uint64_t offset;
		size_t len;

		reading->seed = sequence32(reading->seed);
		offset = reading->seed / 8 % SIZE;
		len = reading->seed / 64 % 300000 + 1;
		if (source_read(reading->source, buf, len, offset, &got,
				&err)) {
			reading->failed++;
			continue;
		}
		reading->wrong += got != (len < SIZE - offset ? len
						: (size_t)(SIZE - offset));
		for (size_t j = 0; j < got; j++)
			reading->wrong += buf[j] != byte_at(offset + j);
	}
	free(buf);
	return NULL;
}

static struct source *connect_to(struct server *server, pthread_t *thread)
{
	struct source *source;
	struct err err;
	int pair[2];

	CHECK(!channel_pair(pair, &err));
	server->fd = pair[1];
	say_hello(server->fd, SIZE, true);
	CHECK(!pthread_create(thread, NULL, serve, server));
	source = remote_source(pair[0], NULL, &err);
	CHECK(source != NULL);
	return source;
}

static void test_threads(void)
{
	struct server server = { .bad = UINT64_MAX };
	struct reading reading[THREADS];
	pthread_t serving, thread[THREADS];
	struct source *source = connect_to(&server, &serving);

	CHECK(source->seekable && source->size_known);
	CHECK_EQ(source->size, SIZE);
	for (unsigned i = 0; i < THREADS; i++) {
		reading[i] = (struct reading){ source, i + 1, 0, 0 };
		CHECK(!pthread_create(&thread[i], NULL, read_much,
				      &reading[i]));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		CHECK_EQ(reading[i].wrong, 0);
		CHECK_EQ(reading[i].failed, 0);
	}
	source_close(source);
	pthread_join(serving, NULL);
	CHECK(server.most > 1);
}

static void test_one_failure(void)
{
	struct server server = { .bad = 4096 };
	pthread_t serving;
	struct source *source = connect_to(&server, &serving);
	unsigned char buf[100];
	struct err err;
	size_t got;

	CHECK(source_read(source, buf, sizeof buf, 4096, &got, &err) < 0);
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	CHECK_STR(err.message, "bad place");
	/* The others go on. */
	CHECK(!source_read(source, buf, sizeof buf, 4097, &got, &err));
	CHECK_EQ(buf[3], byte_at(4100));
	source_close(source);
	pthread_join(serving, NULL);
}

/* ---- words said before anybody listens ---- */

static struct source *open_said(int pair[2], struct err *err)
{
	shutdown(pair[1], SHUT_WR);
	return remote_source(pair[0], NULL, err);
}

static void test_stream(void)
{
	unsigned char sent[3000], buf[4000];
	struct source *source;
	struct err err;
	int pair[2];
	size_t got;

	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = byte_at(i);
	CHECK(!channel_pair(pair, &err));
	say_hello(pair[1], sizeof sent, false);
	say(pair[1], REMOTE_DATA, 0, sent, 1);
	say(pair[1], REMOTE_DATA, 0, sent + 1, sizeof sent - 1);
	say(pair[1], REMOTE_END, 0, NULL, 0);
	source = open_said(pair, &err);
	CHECK(source && !source->seekable);
	CHECK(!source_read(source, buf, sizeof buf, 0, &got, &err));
	CHECK_EQ(got, sizeof sent);
	CHECK(!memcmp(buf, sent, sizeof sent));
	CHECK(!source_finish(source, &err));
	source_close(source);
	close(pair[1]);
}

/* However a stream breaks, it has not ended. */
static void test_broken_stream(void)
{
	static const unsigned char sent[2000];
	unsigned char buf[4000];
	struct err err;
	size_t got;

	for (unsigned how = 0; how < 4; how++) {
		struct source *source;
		int pair[2];

		CHECK(!channel_pair(pair, &err));
		say_hello(pair[1], 3000, false);
		say(pair[1], REMOTE_DATA, 0, sent, sizeof sent);
		if (how == 1)
			say_failed(pair[1], 0, ERR_TEMPORARY, "broke");
		if (how == 2)
			say(pair[1], REMOTE_END, 0, sent, 1);
		if (how == 3)
			put(pair[1], sent, 5); /* half a header */
		source = open_said(pair, &err);
		CHECK(source != NULL);
		CHECK(source_read(source, buf, sizeof buf, 0, &got, &err) <
		      0);
		CHECK_EQ(err.kind, how == 1 ? ERR_TEMPORARY : ERR_BUG);
		/* For good. */
		CHECK(source_finish(source, &err) < 0);
		source_close(source);
		close(pair[1]);
	}
}

static void test_no_hello(void)
{
	struct remote_hello without_size = { .seekable = 1 };
	struct err err;

	for (unsigned how = 0; how < 5; how++) {
		int pair[2];

		CHECK(!channel_pair(pair, &err));
		if (how == 1)
			say_failed(pair[1], 0, ERR_NO_INPUT, "404\033[2J");
		if (how == 2)
			say(pair[1], REMOTE_DATA, 0, "x", 1);
		if (how == 3)
			say(pair[1], REMOTE_HELLO, 0, &without_size,
			    sizeof without_size);
		if (how == 4)
			say(pair[1], REMOTE_FAILED, 0, "x", 1);
		CHECK(!open_said(pair, &err));
		CHECK_EQ(err.kind, how == 1 ? ERR_NO_INPUT : ERR_BUG);
		CHECK(!strchr(err.message, '\033'));
		close(pair[1]);
	}
}

/* More than was asked for, for nobody, without an end: ERR_BUG, and no byte
 * outside the buffer. */
static void test_nonsense(void)
{
	static const unsigned char junk[200];
	struct err err;

	for (unsigned how = 0; how < 5; how++) {
		unsigned char buf[100];
		struct source *source;
		int pair[2];
		size_t got;

		CHECK(!channel_pair(pair, &err));
		say_hello(pair[1], 1000, true);
		if (how == 0)
			say(pair[1], REMOTE_DATA, 1, junk, sizeof junk);
		if (how == 1)
			say(pair[1], REMOTE_DATA, 77, junk, 10);
		if (how == 2)
			say(pair[1], REMOTE_DATA, 1, junk, 0);
		if (how == 3)
			say(pair[1], REMOTE_END, 1, junk, 0);
		source = open_said(pair, &err);
		CHECK(source != NULL);
		CHECK(source_read(source, buf, sizeof buf, 0, &got, &err) <
		      0);
		CHECK_EQ(err.kind, ERR_BUG);
		CHECK(source_read(source, buf, sizeof buf, 500, &got, &err) <
		      0);
		source_close(source);
		close(pair[1]);
	}
}

int main(void)
{
	test_threads();
	test_one_failure();
	test_stream();
	test_broken_stream();
	test_no_hello();
	test_nonsense();
	return check_result();
}
