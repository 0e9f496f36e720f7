/* SPDX-License-Identifier: MIT */
/* Units for the page cache: what a trail leaves there, and reading and
 * writing around it at every alignment. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/direct.h"
#include "io/files.h"
#include "io/page_cache.h"
#include "io/spool.h"
#include "tests/unit/check.h"

#define MEBI ((uint64_t)1 << 20)
#define LEN (160 * MEBI)
#define PAGE ((size_t)4096)

#define TMPFS 0x01021994
#define RAMFS 0x858458f6

/* On a disk: what has no other place cannot leave the cache. */
static int temporary(void)
{
	static const char *const dirs[] = { ".", "/var/tmp", "/tmp" };

	for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		struct statfs fs;
		struct err err;

		if (statfs(dirs[i], &fs) || fs.f_type == TMPFS ||
		    (unsigned long)fs.f_type == RAMFS)
			continue;
		int fd = spool_open_fd(dirs[i], &err);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static size_t cached_pages(int fd, uint64_t offset, uint64_t length)
{
	size_t pages = (size_t)length / PAGE, count = 0;
	unsigned char *in = mem_zalloc(pages);
	void *map = mmap(NULL, (size_t)length, PROT_READ, MAP_SHARED, fd,
			 (off_t)offset);

	CHECK(map != MAP_FAILED && !mincore(map, (size_t)length, in));
	for (size_t i = 0; i < pages; i++)
		count += in[i] & 1;
	munmap(map, (size_t)length);
	free(in);
	return count;
}

static void fill(int fd, struct page_trail *trail, uint64_t from, uint64_t end)
{
	unsigned char *bytes = mem_buffer(MEBI);
	struct err err;

	memset(bytes, 'x', MEBI);
	for (uint64_t at = from; at < end; at += MEBI) {
		CHECK_EQ(pwrite(fd, bytes, MEBI, (off_t)at), MEBI);
		CHECK(!page_trail_pass(trail, at, MEBI, &err));
	}
	free(bytes);
}

/* In an order as units of several threads come in. */
static void read_through(int fd, struct page_trail *trail)
{
	unsigned char *bytes = mem_buffer(MEBI);
	struct err err;

	for (uint64_t i = 0; i < LEN / MEBI; i++) {
		uint64_t at = (i ^ 1) * MEBI;

		CHECK_EQ(pread(fd, bytes, MEBI, (off_t)at), MEBI);
		CHECK(!page_trail_pass(trail, at, MEBI, &err));
	}
	free(bytes);
}

static void forget(int fd)
{
	CHECK(!fsync(fd));
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void test_written(int fd)
{
	struct page_trail *trail = page_trail_write(fd, 0);
	struct err err;

	fill(fd, trail, 0, LEN);
	/* Behind: gone. Where work is going on: not yet. */
	CHECK_EQ(cached_pages(fd, 0, 24 * MEBI), 0);
	CHECK_EQ(cached_pages(fd, LEN - 64 * MEBI, 64 * MEBI),
		 64 * MEBI / PAGE);
	CHECK(!page_trail_end(trail, &err));
	CHECK_EQ(cached_pages(fd, 0, LEN), 0);
	CHECK(!page_trail_free(trail));

	/* Up to `keep` all stays, also in the end. */
	trail = page_trail_write(fd, LEN);
	fill(fd, trail, 0, LEN);
	CHECK(!page_trail_end(trail, &err));
	CHECK_EQ(cached_pages(fd, 0, LEN), LEN / PAGE);
	/* One byte more, and nothing does. */
	CHECK(!page_trail_pass(trail, 0, 1, &err));
	CHECK(!page_trail_end(trail, &err));
	CHECK_EQ(cached_pages(fd, 0, LEN), 0);
	page_trail_free(trail);
}

static bool has_cachestat(int fd)
{
#if defined(__x86_64__) || defined(__aarch64__)
	uint64_t range[2] = { 0, PAGE }, found[5];

	return !syscall(451, fd, range, found, 0);
#else
	(void)fd;
	return false;
#endif
}

static void test_read(int fd)
{
	struct page_trail *trail;
	struct err err;

	CHECK(!page_trail_read(fd, LEN, LEN));
	CHECK(!page_trail_pass(NULL, 0, LEN, &err));
	CHECK(!page_trail_end(NULL, &err));
	CHECK(!page_trail_free(NULL));

	forget(fd);
	trail = page_trail_read(fd, LEN, 0);
	read_through(fd, trail);
	CHECK_EQ(cached_pages(fd, 0, 24 * MEBI), 0);
	CHECK(!page_trail_end(trail, &err));
	CHECK_EQ(cached_pages(fd, 0, LEN), 0);
	page_trail_free(trail);

	/* What was warm stays warm, but for 0: nothing does. */
	CHECK_EQ(readahead(fd, 64 * MEBI, 32 * MEBI), 0);
	fill(fd, NULL, 64 * MEBI, 96 * MEBI);
	CHECK(!fsync(fd));
	trail = page_trail_read(fd, LEN, MEBI);
	read_through(fd, trail);
	CHECK(!page_trail_end(trail, &err));
	page_trail_free(trail);
	if (has_cachestat(fd)) {
		CHECK_EQ(cached_pages(fd, 64 * MEBI, 32 * MEBI),
			 32 * MEBI / PAGE);
		CHECK_EQ(cached_pages(fd, 0, 64 * MEBI), 0);
		CHECK_EQ(cached_pages(fd, 96 * MEBI, LEN - 96 * MEBI), 0);
	}
	trail = page_trail_read(fd, LEN, 0);
	CHECK(!page_trail_end(trail, &err));
	CHECK_EQ(cached_pages(fd, 0, LEN), 0);
	page_trail_free(trail);
}

/* Every case of where a range begins, in the file and in memory. */
static void test_direct(int fd)
{
	const size_t len = 3 * MEBI;
	unsigned char *bytes = mem_buffer(len + PAGE);
	unsigned char *again = mem_buffer(len + PAGE);
	struct err err;
	int direct = direct_open(fd, O_RDWR, ERR_CREATE, &err);

	if (direct < 0) {
		printf("no O_DIRECT here: not checked\n");
		goto out;
	}
	CHECK(fcntl(direct, F_GETFL) & O_DIRECT);
	CHECK(!(fcntl(fd, F_GETFL) & O_DIRECT));
	for (unsigned i = 0; i < 64; i++) {
		size_t skew = (i & 3) * 511, start = (i >> 2 & 3) * 1365;
		size_t end = len - (i >> 4) * 777;

		for (size_t k = 0; k < len; k++)
			bytes[skew + k] = (unsigned char)(k * 31 + k / 4096 + i);
		CHECK(!ftruncate(fd, 0));
		for (size_t at = start; at < end;) {
			ssize_t n = direct_pwrite(direct, fd,
						  bytes + skew + at, end - at,
						  at);
			CHECK(n > 0);
			if (n <= 0)
				goto out;
			at += (size_t)n;
		}
		memset(again, 0xee, len + PAGE);
		for (size_t at = start; at < end;) {
			ssize_t n = direct_pread(direct, fd, again + skew + at,
						 end - at, at);
			CHECK(n > 0);
			if (n <= 0)
				goto out;
			at += (size_t)n;
		}
		CHECK(!memcmp(bytes + skew + start, again + skew + start,
			      end - start));
		CHECK(!skew || again[skew - 1] == 0xee);
		CHECK_EQ(again[skew + end], 0xee);
	}
	close(direct);
	direct = -1;
	/* Without one, all goes the usual way. */
	CHECK_EQ(direct_pread(-1, fd, again, len, 0), len - 3 * 777);
	CHECK_EQ(direct_pwrite(-1, fd, bytes, len, 0), len);
out:
	if (direct >= 0)
		close(direct);
	free(bytes);
	free(again);
}

static void test_keep(void)
{
	CHECK_EQ(page_cache_keep(PAGE_CACHE_NONE), 0);
	CHECK_EQ(page_cache_keep(PAGE_CACHE_DIRECT), 0);
	CHECK(page_cache_keep(PAGE_CACHE_AUTO) >= 16 * MEBI);
}

int main(void)
{
	int fd = temporary();

	test_keep();
	if (fd < 0) {
		printf("no file system on a disk: not checked\n");
		return 77;
	}
	test_written(fd);
	test_read(fd);
	test_direct(fd);
	close(fd);
	return check_result();
}
