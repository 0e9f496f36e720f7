/* SPDX-License-Identifier: MIT */
/* Units for streams: the end known 512 bytes ahead, the tail, replay, and all
 * of it whatever the size of pulls and reads. */
#include <fcntl.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "io/files.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

static unsigned char pattern_byte(uint64_t at)
{
	return (unsigned char)(at * 2654435761u >> 11 ^ at);
}

static unsigned char *pattern(size_t len)
{
	unsigned char *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern_byte(i);
	return bytes;
}

/* Read all in reads of `step`; whenever a byte of the last 512 is out, the
 * size and the tail must be known. */
static void read_through(struct source *source, const unsigned char *bytes,
			 size_t len, size_t step)
{
	unsigned char *buf = malloc(step);
	size_t at = 0, got = 1;
	struct err err;

	while (got) {
		if (source_read(source, buf, step, at, &got, &err)) {
			CHECK_STR(err.message, "");
			break;
		}
		CHECK(got <= len - at);
		if (got > len - at || memcmp(buf, bytes + at, got)) {
			CHECK(!"the bytes are the stream's");
			break;
		}
		at += got;
		if (at + SOURCE_TAIL_LEN > len)
			CHECK(source->size_known);
	}
	CHECK_EQ(at, len);
	CHECK(source->size_known);
	CHECK_EQ(source->size, len);
	CHECK_EQ(source->tail_len, len < 512 ? len : 512);
	CHECK(!memcmp(source->tail, bytes + len - source->tail_len,
		      source->tail_len));
	CHECK(!source_finish(source, &err));
	free(buf);
}

static void test_all_sizes(void)
{
	static const size_t lens[] = { 0,     1,      511,   512,   513,
				       1024,  4096,   65535, 65536, 66048,
				       66049, 131072, 300001 };
	static const size_t mosts[] = { 1, 511, 512, 513, 65536, 1 << 20 };
	static const size_t steps[] = { 1, 512, 4096, 131072, 1 << 20 };

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		for (size_t j = 0; j < sizeof mosts / sizeof *mosts; j++)
			for (size_t k = 0; k < 2 * sizeof steps / sizeof *steps;
			     k++) {
				unsigned char *bytes = pattern(lens[i]);
				struct fake_chunks chunks = {
					.bytes = bytes,
					.len = lens[i],
					.most = mosts[j],
				};
				struct source *source =
					fake_chunks_open(&chunks);

				if (k & 1)
					files_stream_forget(source);
				read_through(source, bytes, lens[i],
					     steps[k / 2]);
				source_close(source);
				CHECK_EQ(chunks.finishes, 1);
				CHECK_EQ(chunks.closes, 1);
				free(bytes);
			}
}

/* The size is known as soon as the byte before the last 512 is out, and not
 * by having looked further than needed. */
static void test_hold_back(void)
{
	unsigned char *bytes = pattern(2000), buf[2000];
	struct fake_chunks chunks = { .bytes = bytes, .len = 2000, .most = 1 };
	struct source *source = fake_chunks_open(&chunks);
	struct err err;
	size_t got;

	CHECK(!source_read(source, buf, 1000, 0, &got, &err));
	CHECK_EQ(got, 1000);
	CHECK(!source->size_known);
	CHECK(!source_read(source, buf, 488, 1000, &got, &err));
	CHECK(chunks.at >= 2000);
	CHECK(!source_read(source, buf, 1, 1488, &got, &err));
	CHECK_EQ(got, 1);
	CHECK(source->size_known);
	CHECK_EQ(source->size, 2000);
	CHECK_EQ(source->tail_len, 512);
	CHECK(!memcmp(source->tail, bytes + 1488, 512));
	CHECK(!source_close(source));
	free(bytes);
}

static void test_order(void)
{
	unsigned char *bytes = pattern(200000), buf[100];
	struct fake_chunks chunks = { .bytes = bytes,
				      .len = 200000,
				      .most = 7777 };
	struct source *source = fake_chunks_open(&chunks);
	struct err err;
	size_t got;

	CHECK(!source_read(source, buf, 100, 150000, &got, &err));
	CHECK_EQ(got, 100);
	CHECK(!memcmp(buf, bytes + 150000, 100));
	CHECK(source_read(source, buf, 1, 150099, &got, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(source_read_all(source, buf, 100, 199950, "header", &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK_STR(err.message, "header at 199950 lies past the end of the "
			       "file (200000)");
	CHECK(!source_read(source, buf, 1, 1 << 30, &got, &err));
	CHECK_EQ(got, 0);
	source_close(source);
	free(bytes);
}

static void test_rewind(void)
{
	const size_t len = 300000;
	unsigned char *bytes = pattern(len), buf[70000];
	struct fake_chunks chunks = { .bytes = bytes,
				      .len = len,
				      .most = 5000 };
	struct source *source = fake_chunks_open(&chunks);
	struct err err;
	size_t got;

	CHECK(!source_rewind(source, &err)); /* nothing was read */
	for (size_t end = 1; end <= 70000; end += 9999) {
		CHECK(!source_read(source, buf, end, 0, &got, &err));
		CHECK_EQ(got, end);
		CHECK(!memcmp(buf, bytes, end));
		CHECK(!source_rewind(source, &err));
	}
	CHECK(!source_read(source, buf, 300, 0, &got, &err));
	CHECK(!source_rewind(source, &err));
	files_stream_forget(source);
	read_through(source, bytes, len, 131072);
	CHECK(source_rewind(source, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	source_close(source);
	free(bytes);
}

/* All read, the end included, then once more. */
static void test_rewind_at_end(void)
{
	unsigned char *bytes = pattern(3000);
	struct fake_chunks chunks = { .bytes = bytes,
				      .len = 3000,
				      .most = 100 };
	struct source *source = fake_chunks_open(&chunks);
	struct err err;
	unsigned pulls;

	read_through(source, bytes, 3000, 999);
	CHECK(!source_rewind(source, &err));
	pulls = chunks.pulls;
	read_through(source, bytes, 3000, 17);
	CHECK_EQ(chunks.pulls, pulls);
	CHECK_EQ(chunks.finishes, 1);
	source_close(source);
	free(bytes);
}

static int count_pull(void *opaque, void *buf, size_t len, size_t *got,
		      struct err *err)
{
	uint64_t *at = opaque;

	(void)err;
	len = min_u64(len, 2 * LIMIT_REPLAY_LEN - *at);
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = pattern_byte(*at + i);
	*at += len;
	*got = len;
	return 0;
}

/* Exactly LIMIT_REPLAY_LEN bytes can be had again, one more cannot. */
static void test_replay_limit(void)
{
	static const struct stream_ops ops = { .pull = count_pull };
	uint64_t at = 0;
	struct source *source = files_stream(&ops, &at);
	unsigned char *buf = malloc(LIMIT_REPLAY_LEN);
	struct err err;
	size_t got;
	unsigned wrong = 0;

	for (int turn = 0; turn < 2; turn++) {
		CHECK(!source_read(source, buf, LIMIT_REPLAY_LEN, 0, &got,
				   &err));
		CHECK_EQ(got, LIMIT_REPLAY_LEN);
		for (size_t i = 0; i < got; i++)
			wrong += buf[i] != pattern_byte(i);
		CHECK(!source_rewind(source, &err));
	}
	CHECK(!source_read(source, buf, LIMIT_REPLAY_LEN, 0, &got, &err));
	CHECK(!source_read(source, buf, 1, LIMIT_REPLAY_LEN, &got, &err));
	CHECK_EQ(got, 1);
	wrong += buf[0] != pattern_byte(LIMIT_REPLAY_LEN);
	CHECK(source_rewind(source, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(!source_read(source, buf, LIMIT_REPLAY_LEN, LIMIT_REPLAY_LEN + 1,
			   &got, &err));
	CHECK_EQ(got, LIMIT_REPLAY_LEN - 1);
	for (size_t i = 0; i < got; i++)
		wrong += buf[i] != pattern_byte(LIMIT_REPLAY_LEN + 1 + i);
	CHECK_EQ(wrong, 0);
	free(buf);
	source_close(source);
}

/* A failure is said again and not tried again. */
static void test_failure_stays(void)
{
	unsigned char *bytes = pattern(5000), buf[5000];
	struct fake_chunks chunks = {
		.bytes = bytes, .len = 5000, .most = 1000, .fail_at = 3
	};
	struct source *source = fake_chunks_open(&chunks);
	struct err err;
	size_t got;

	CHECK(source_read(source, buf, 5000, 0, &got, &err));
	CHECK(source_finish(source, &err));
	CHECK_EQ(err.kind, ERR_IO);
	CHECK_EQ(chunks.pulls, 3);
	CHECK_EQ(chunks.finishes, 0);
	source_close(source);
	free(bytes);
}

struct feeder {
	int fd;
	const unsigned char *bytes;
	size_t len;
};

static void *feed(void *opaque)
{
	struct feeder *feeder = opaque;

	for (size_t i = 0; i < feeder->len; i++)
		if (write(feeder->fd, feeder->bytes + i, 1) != 1)
			break;
	close(feeder->fd);
	return NULL;
}

static void test_pipe(void)
{
	const size_t len = 20000;
	unsigned char *bytes = pattern(len);
	pthread_t thread;
	struct err err;
	int ends[2];

	CHECK(!pipe(ends));
	struct feeder feeder = { ends[1], bytes, len };
	CHECK(!fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK(!pthread_create(&thread, NULL, feed, &feeder));
	struct source *source = files_source(ends[0], &err);
	CHECK(source && !source->seekable && source->fd == -1);
	read_through(source, bytes, len, 100);
	pthread_join(thread, NULL);
	source_close(source);
	free(bytes);
}

int main(void)
{
	test_all_sizes();
	test_hold_back();
	test_order();
	test_rewind();
	test_rewind_at_end();
	test_replay_limit();
	test_failure_stays();
	test_pipe();
	return check_result();
}
