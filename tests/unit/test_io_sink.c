/* SPDX-License-Identifier: MIT */
/* Units for sinks: order and gaps of append-only ones, sparseness of files,
 * zeros over old content, capacity, failures. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files.h"
#include "io/spool.h"
#include "io/zero.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

#define MEBI ((uint64_t)1 << 20)

static int temporary(void)
{
	const char *dir = getenv("TMPDIR");
	struct err err;
	int fd = spool_open_fd(dir ? dir : "/tmp", &err);

	CHECK(fd >= 0);
	return fd;
}

static void check_bytes(struct sink *sink, const void *bytes, size_t len)
{
	size_t have;
	const unsigned char *got = files_memory_bytes(sink, &have);

	CHECK_EQ(have, len);
	if (have == len && len)
		CHECK(!memcmp(got, bytes, len));
}

static void test_memory(void)
{
	struct sink *sink = files_memory_sink();
	struct err err;

	CHECK(sink->seekable && sink->fresh);
	CHECK(!sink_write(sink, "def", 3, 3, &err));
	CHECK(!sink_write(sink, "abc", 3, 0, &err));
	CHECK(!sink_zero(sink, 4, 1, SINK_ZERO_WRITE, &err));
	CHECK(!sink_zero(sink, 6, 100, SINK_ZERO_SPARSE, &err));
	CHECK(!sink_finish(sink, 8, &err));
	check_bytes(sink, "abcd\0f\0", 8);
	CHECK(sink_write(sink, "x", 1, 0, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(!sink_close(sink));
	sink = files_memory_sink();
	CHECK(sink_write(sink, "x", 1, (uint64_t)1 << 50, &err));
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK(sink_write(sink, "x", 1, UINT64_MAX, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	sink_close(sink);
}

/* What reaches an append-only sink: everything once, in order. */
static void test_append_order(void)
{
	struct sink *memory = files_memory_sink();
	struct fake_sink *fake = fake_sink_open(memory);
	struct sink *sink = &fake->sink;
	uint64_t next = 0;
	struct err err;

	sink->seekable = false;
	CHECK(!sink_write(sink, "ab", 2, 0, &err));
	CHECK(!sink_write(sink, "cd", 2, 4, &err)); /* a gap of 2 */
	CHECK(!sink_zero(sink, 8, 2, SINK_ZERO_SPARSE, &err));
	CHECK_EQ(sink->position, 10);
	CHECK(sink_write(sink, "x", 1, 9, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(sink_zero(sink, 0, 1, SINK_ZERO_SPARSE, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(sink_finish(sink, 9, &err)); /* shorter than written */
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(!sink_finish(sink, 12, &err));
	for (unsigned i = 0; i + 1 < fake->count; i++) {
		CHECK_EQ(fake->ops[i].offset, next);
		next += fake->ops[i].length;
	}
	CHECK_EQ(next, 12);
	CHECK_EQ(fake->ops[fake->count - 1].kind, FAKE_FINISH);
	CHECK_EQ(fake->ops[fake->count - 1].length, 12);
	check_bytes(memory, "ab\0\0cd\0\0\0\0\0", 12);
	sink_close(sink);
}

static void *drain(void *opaque)
{
	struct sink *sink = files_memory_sink();
	static unsigned char buf[4096];
	uint64_t at = 0;
	struct err err;
	ssize_t n;
	int fd = *(int *)opaque;

	while ((n = read(fd, buf, sizeof buf)) > 0) {
		sink_write(sink, buf, (size_t)n, at, &err);
		at += (uint64_t)n;
	}
	close(fd);
	return sink;
}

/* A pipe gets real zeros, more of them than its buffer holds. */
static void test_pipe(void)
{
	unsigned char *expect = calloc(1, 2 * MEBI + 4);
	pthread_t thread;
	struct sink *sink;
	struct err err;
	void *got;
	int ends[2];

	CHECK(!pipe(ends) && !fcntl(ends[1], F_SETFL, O_NONBLOCK));
	CHECK(!pthread_create(&thread, NULL, drain, &ends[0]));
	sink = files_sink(ends[1], &err);
	CHECK(sink && !sink->seekable && sink->fd == -1);
	CHECK(!sink_write(sink, "ab", 2, 0, &err));
	CHECK(!sink_zero(sink, 2, MEBI, SINK_ZERO_SPARSE, &err));
	CHECK(!sink_write(sink, "cd", 2, 2 * MEBI, &err));
	CHECK(!sink_finish(sink, 2 * MEBI + 4, &err));
	sink_close(sink);
	pthread_join(thread, &got);
	memcpy(expect, "ab", 2);
	memcpy(expect + 2 * MEBI, "cd", 2);
	check_bytes(got, expect, 2 * MEBI + 4);
	sink_close(got);
	free(expect);
}

static void test_pipe_closed(void)
{
	struct sink *sink;
	struct err err;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe(ends));
	close(ends[0]);
	sink = files_sink(ends[1], &err);
	CHECK(sink_write(sink, "x", 1, 0, &err));
	CHECK_EQ(err.kind, ERR_IO);
	CHECK(strstr(err.message, "Broken pipe"));
	sink_close(sink);
}

static void test_no_space(void)
{
	int fd = open("/dev/full", O_WRONLY);
	struct sink *sink;
	struct err err;

	if (fd < 0) {
		printf("no /dev/full: not checked\n");
		return;
	}
	sink = files_sink(fd, &err);
	CHECK(sink_write(sink, "x", 1, 0, &err));
	CHECK_EQ(err.kind, ERR_IO);
	CHECK(strstr(err.message, "No space left"));
	sink_close(sink);
}

static uint64_t room_of(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return (uint64_t)st.st_blocks * 512;
}

/* Nothing but data is stored in a new file, whatever ranges are zeroed. */
static void test_file_fresh(void)
{
	int fd = temporary(), mine = dup(fd);
	struct sink *sink;
	struct stat st;
	struct err err;
	char byte;

	sink = files_sink(fd, &err);
	CHECK(sink && sink->seekable && sink->fresh && sink->fd >= 0);
	CHECK(!sink_write(sink, "x", 1, 8 * MEBI, &err));
	CHECK(!sink_zero(sink, 0, 8 * MEBI, SINK_ZERO_SPARSE, &err));
	CHECK(!sink_finish(sink, 64 * MEBI, &err));
	CHECK(!fstat(mine, &st));
	CHECK_EQ(st.st_size, 64 * MEBI);
	CHECK(room_of(mine) < MEBI);
	CHECK(pread(mine, &byte, 1, 8 * MEBI) == 1 && byte == 'x');
	sink_close(sink);
	close(mine);

	fd = temporary();
	mine = dup(fd);
	sink = files_sink(fd, &err);
	CHECK(!sink_zero(sink, 0, 2 * MEBI, SINK_ZERO_ALLOCATE, &err));
	CHECK(!sink_zero(sink, 2 * MEBI, 2 * MEBI + 1, SINK_ZERO_WRITE, &err));
	CHECK(!sink_finish(sink, 4 * MEBI + 1, &err));
	CHECK(room_of(mine) >= 4 * MEBI);
	sink_close(sink);
	close(mine);
}

/* Old content never shows through, in any of the three ways, and what lies
 * around it stays. */
static void test_file_old(void)
{
	static const enum sink_zero ways[] = { SINK_ZERO_SPARSE,
					       SINK_ZERO_ALLOCATE,
					       SINK_ZERO_WRITE };
	const size_t len = MEBI;
	unsigned char *bytes = malloc(len);
	struct sink *sink;
	struct err err;

	for (int i = 0; i < 3; i++) {
		int fd = temporary(), mine = dup(fd);

		memset(bytes, 0xaa, len);
		CHECK(write(fd, bytes, len) == (ssize_t)len);
		sink = files_sink(fd, &err);
		CHECK(sink && !sink->fresh);
		CHECK(!sink_zero(sink, 1000, 500000, ways[i], &err));
		CHECK(!sink_finish(sink, len, &err));
		CHECK(pread(mine, bytes, len, 0) == (ssize_t)len);
		CHECK(bytes[999] == 0xaa && bytes[501000] == 0xaa);
		CHECK(zero_is(bytes + 1000, 500000));
		sink_close(sink);
		close(mine);
	}
	free(bytes);
}

static void test_kinds(void)
{
	int fd = temporary();
	struct sink *sink;
	struct err err;
	char text[8] = "";

	/* A file as standard output: after what is there already. */
	CHECK(write(fd, "head", 4) == 4);
	sink = files_stream_sink(dup(fd));
	CHECK(!sink->seekable);
	CHECK(!sink_write(sink, "ab", 2, 0, &err));
	CHECK(!sink_finish(sink, 2, &err));
	sink_close(sink);
	CHECK(pread(fd, text, 7, 0) == 6);
	CHECK_STR(text, "headab");
	close(fd);
	CHECK(!files_sink(open("/dev/null", O_RDONLY), &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	CHECK(!files_sink(-1, &err));
	CHECK(!sink_close(NULL));
}

static void test_capacity(void)
{
	struct sink *memory = files_memory_sink();
	struct err err;

	memory->capacity = 100;
	CHECK(!sink_write(memory, "x", 1, 99, &err));
	CHECK(sink_write(memory, "xy", 2, 99, &err));
	CHECK_EQ(err.kind, ERR_IO);
	CHECK_STR(err.message,
		  "101 bytes do not fit: the output has room for 100");
	CHECK(sink_zero(memory, 0, 101, SINK_ZERO_SPARSE, &err));
	CHECK(sink_finish(memory, 101, &err));
	sink_close(memory);
}

static void test_failing(void)
{
	for (unsigned nth = 1; nth <= 3; nth++) {
		struct fake_sink *fake = fake_sink_open(files_memory_sink());
		struct err err;
		unsigned done = 0;

		fake->fail_at = nth;
		done += !sink_write(&fake->sink, "x", 1, 0, &err);
		done += !sink_zero(&fake->sink, 1, 1, SINK_ZERO_WRITE, &err);
		done += !sink_finish(&fake->sink, 2, &err);
		CHECK_EQ(done, nth - 1);
		CHECK_EQ(err.kind, ERR_IO);
		sink_close(&fake->sink);
	}
}

/* The length that is announced is there at once, and gives way to the one in
 * the end; what has bytes already is left alone. */
static void test_expected(void)
{
	int fd = temporary();
	struct sink *sink;
	struct stat st;
	struct err err;

	sink = files_sink(dup(fd), &err);
	CHECK(sink != NULL);
	sink_expect(sink, 3 * MEBI);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * MEBI);
	CHECK_EQ(st.st_blocks, 0);
	CHECK(!sink_write(sink, "abc", 3, 0, &err));
	CHECK(!sink_finish(sink, 2 * MEBI, &err));
	sink_close(sink);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 2 * MEBI);
	sink = files_sink(dup(fd), &err);
	sink_expect(sink, MEBI);
	sink_close(sink);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 2 * MEBI);
	close(fd);
	/* Where there is no such thing nothing happens. */
	sink = files_memory_sink();
	sink_expect(sink, MEBI);
	check_bytes(sink, "", 0);
	sink_close(sink);
}

int main(void)
{
	test_expected();
	test_memory();
	test_append_order();
	test_pipe();
	test_pipe_closed();
	test_no_space();
	test_file_fresh();
	test_file_old();
	test_kinds();
	test_capacity();
	test_failing();
	return check_result();
}
