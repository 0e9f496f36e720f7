/* SPDX-License-Identifier: MIT */
/* Units for seekable sources: files with holes, memory, windows, the
 * gateway's checks, and files that change meanwhile. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files.h"
#include "io/spool.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"
#include "tests/unit/sequence.h"

static const char *tmp_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir ? dir : "/tmp";
}

static int temporary(void)
{
	struct err err;
	int fd = spool_open_fd(tmp_dir(), &err);

	CHECK(fd >= 0);
	return fd;
}

static void put(int fd, const char *text, off_t offset)
{
	CHECK(pwrite(fd, text, strlen(text), offset) == (ssize_t)strlen(text));
}

static void test_file(void)
{
	int fd = temporary(), mine = dup(fd);
	struct source *source;
	char buf[100] = "";
	struct err err;
	size_t got;

	put(fd, "0123456789", 0);
	source = files_source(fd, &err);
	CHECK(source && source->seekable && source->size_known);
	CHECK_EQ(source->size, 10);
	CHECK_EQ(source->granule, 1);
	CHECK(source->fd >= 0 && source->fd_base == 0);
	CHECK(!source_read(source, buf, 100, 7, &got, &err));
	CHECK_EQ(got, 3);
	CHECK_STR(buf, "789");
	CHECK(!source_read(source, buf, 1, 10, &got, &err));
	CHECK_EQ(got, 0);
	CHECK(!source_read(source, buf, 1, UINT64_MAX, &got, &err));
	CHECK_EQ(got, 0);
	CHECK(!source_read_all(source, buf, 10, 0, "header", &err));
	CHECK(source_read_all(source, buf, 11, 0, "header", &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK_STR(err.message,
		  "header at 0 lies past the end of the file (10)");
	CHECK(!source_rewind(source, &err));
	CHECK(!source_finish(source, &err));

	/* It grows. */
	put(mine, "x", 10);
	CHECK(source_finish(source, &err));
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	/* It shrinks. */
	CHECK(!ftruncate(mine, 4));
	CHECK(source_read(source, buf, 10, 0, &got, &err));
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	CHECK(source_finish(source, &err));
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	CHECK(strstr(err.message, "changed meanwhile"));
	source_close(source);
	close(mine);
}

/* The same size, another mtime, by a nanosecond. */
static void test_touched(void)
{
	struct timespec times[2] = { { 1000, 0 }, { 1000, 5 } };
	int fd = temporary(), mine = dup(fd);
	struct source *source;
	struct err err;

	put(fd, "0123456789", 0);
	CHECK(!futimens(fd, times));
	source = files_source(fd, &err);
	CHECK(!source_finish(source, &err));
	times[1].tv_nsec = 6;
	CHECK(!futimens(mine, times));
	CHECK(source_finish(source, &err));
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	source_close(source);
	close(mine);
}

/* Extents cover the file in order, say the truth, and never differ from what
 * is read. A file system without holes says "data" throughout. */
static void test_extents(void)
{
	enum { MEBI = 1 << 20, SIZE = 5 * MEBI + 100 };
	int fd = temporary();
	static char zeros[MEBI], buf[MEBI];
	uint64_t at = 0, holes = 0;
	struct source *source;
	struct extent extent;
	struct err err;

	put(fd, "start", 0);
	put(fd, "middle", 3 * MEBI);
	CHECK(!ftruncate(fd, SIZE));
	source = files_source(fd, &err);
	while (at < SIZE) {
		size_t got;

		CHECK(!source_extent(source, at, MEBI, &extent, &err));
		CHECK_EQ(extent.offset, at);
		CHECK(extent.length && extent.length <= MEBI &&
		      at + extent.length <= SIZE);
		if (!extent.length)
			break;
		if (extent.kind == EXTENT_DATA) {
			CHECK(extent.source == source && extent.place == at &&
			      extent.stored == extent.length &&
			      extent.encoding == ENCODING_PLAIN);
		} else {
			CHECK(extent.kind == EXTENT_HOLE && !extent.source);
			CHECK(!source_read(source, buf, extent.length, at, &got,
					   &err));
			CHECK(!memcmp(buf, zeros, extent.length));
			holes += extent.length;
		}
		at += extent.length;
	}
	CHECK_EQ(at, SIZE);
	if (holes)
		CHECK(holes > 4 * MEBI);
	else
		printf("no holes here: not checked\n");
	CHECK(source_extent(source, SIZE, 1, &extent, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(source_extent(source, 0, 0, &extent, &err));

	/* A window begins inside a hole and ends inside data. */
	struct source *window = files_window(source, 2 * MEBI, MEBI + 3);
	CHECK_EQ(window->fd_base, 2 * MEBI);
	CHECK(!source_extent(window, 0, UINT64_MAX, &extent, &err));
	if (holes)
		CHECK(extent.kind == EXTENT_HOLE && extent.length == MEBI);
	CHECK(!source_extent(window, MEBI, UINT64_MAX, &extent, &err));
	CHECK(extent.kind == EXTENT_DATA && extent.length == 3 &&
	      extent.source == window && extent.place == MEBI);
	source_close(window);
	source_close(source);
}

static void test_window(void)
{
	struct source *memory = files_memory_source("0123456789", 10);
	struct source *window = files_window(memory, 3, 4);
	struct source *past = files_window(memory, 8, 4);
	struct source *outside = files_window(memory, UINT64_MAX - 1, 4);
	struct extent extent;
	char buf[11] = "";
	struct err err;
	size_t got;

	CHECK(!source_read(window, buf, 10, 0, &got, &err));
	CHECK_EQ(got, 4);
	CHECK_STR(buf, "3456");
	CHECK_EQ(window->fd, -1);
	CHECK(!source_extent(window, 1, 100, &extent, &err));
	CHECK(extent.length == 3 && extent.kind == EXTENT_DATA);
	CHECK(!source_finish(window, &err));
	/* A window past the end is a truncated container. */
	CHECK(source_read(past, buf, 4, 0, &got, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(!source_extent(past, 3, 100, &extent, &err));
	CHECK_EQ(extent.length, 1);
	CHECK(source_read(outside, buf, 4, 0, &got, &err));
	CHECK(source_read(outside, buf, 1, 3, &got, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	source_close(outside);
	source_close(past);
	source_close(window);
	source_close(memory);
}

static void test_refused(void)
{
	struct err err;

	CHECK(!files_source(open(tmp_dir(), O_RDONLY), &err));
	CHECK_EQ(err.kind, ERR_NO_INPUT);
	CHECK(strstr(err.message, "directory"));
	CHECK(!files_source(-1, &err));
	CHECK_EQ(err.kind, ERR_NO_INPUT);
	CHECK(!source_close(NULL));
}

struct reader {
	struct source *source;
	unsigned seed, wrong;
};

static void *read_here_and_there(void *opaque)
{
	struct reader *reader = opaque;
	struct err err;
	size_t got;

	for (int i = 0; i < 300; i++) {
		uint32_t words[64];
		uint64_t at;

		reader->seed = sequence32(reader->seed);
		at = reader->seed % 1000000 / 256 * 256;
		if (source_read(reader->source, words, sizeof words, at, &got,
				&err) ||
		    words[0] != at / 4 || words[63] != at / 4 + 63)
			reader->wrong++;
	}
	return NULL;
}

/* Many threads read one file; the recording source sees them side by side. */
static void test_threads(void)
{
	enum { WORDS = 1 << 18, THREADS = 4 };
	uint32_t *words = malloc(WORDS * sizeof *words);
	struct reader readers[THREADS];
	pthread_t threads[THREADS];
	struct fake_source *fake;
	struct err err;
	int fd = temporary();

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = i;
	CHECK(write(fd, words, WORDS * sizeof *words) == WORDS * 4);
	free(words);
	fake = fake_source_open(files_source(fd, &err));
	fake->delay = 50;
	for (int i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ &fake->source, (unsigned)i, 0 };
		CHECK(!pthread_create(&threads[i], NULL, read_here_and_there,
				      &readers[i]));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(readers[i].wrong, 0);
	}
	CHECK_EQ(fake->reads, 300 * THREADS);
	CHECK_EQ(fake->bytes, 300 * THREADS * 256);
	CHECK_EQ(fake->largest, 256);
	CHECK(fake->peak >= 1 && fake->peak <= THREADS);
	CHECK_EQ(fake->in_flight, 0);
	fake->fail_at = (unsigned)fake->reads + 2;
	uint32_t word;
	size_t got;
	CHECK(!source_read(&fake->source, &word, 4, 0, &got, &err));
	CHECK(source_read(&fake->source, &word, 4, 0, &got, &err));
	CHECK_EQ(err.kind, ERR_IO);
	source_close(&fake->source);
}

int main(void)
{
	test_file();
	test_touched();
	test_extents();
	test_window();
	test_refused();
	test_threads();
	return check_result();
}
