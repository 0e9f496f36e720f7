/* SPDX-License-Identifier: MIT */
/*
 * Owns what is said to the kernel about cached pages of our files. Does not
 * read or write.
 *
 * The file is seen in steps; those touched last are in a list, the newest
 * first. A step that falls off its end is done with: parallel units come out
 * of order, and tables are touched again and again. With the list full, a
 * trail holds 128 MiB.
 *
 * Measured: 9 GiB, raw to raw, with 24 GiB of memory and 1.5 GiB of another
 * file in the cache. With a trail that file was still there, nothing of the
 * conversion was, and it took 13 to 24 s; without, the other way round, and 33.
 */
#include "io/page_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

#define ULL(x) ((unsigned long long)(x))

#define STEP ((uint64_t)(8 * MIB))
#define STEPS 16
/* From this place in the list on a step is seldom written to again. */
#define STEPS_BUSY 4
#define NO_STEP UINT64_MAX

/* What was cached before is noted for parts of the file, whole steps. */
#define PART_LEAST ((uint64_t)(32 * MIB))
#define PARTS_MAX ((uint64_t)8192)

struct page_trail {
	int fd;
	bool written;
	uint64_t keep;
	uint64_t part;	     /* its length; 0: nothing was cached */
	unsigned char *warm; /* a bit for each part */
	pthread_mutex_t lock; /* guards what follows */
	uint64_t passed;
	bool dropping;
	unsigned count;
	uint64_t step[STEPS];
};

/* What a touch of a step leads to. */
struct touched {
	uint64_t start, done; /* steps; or NO_STEP */
	bool crossed;	      /* from now on things are dropped */
};

uint64_t page_cache_keep(enum page_cache how)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	if (how != PAGE_CACHE_AUTO)
		return 0;
	if (pages < 0 || page < 0)
		return UINT64_MAX;
	return (uint64_t)pages * (uint64_t)page / 4;
}

static struct page_trail *new_trail(int fd, uint64_t keep)
{
	struct page_trail *trail = mem_zalloc(sizeof *trail);

	trail->fd = fd;
	trail->keep = keep;
	trail->dropping = !keep;
	pthread_mutex_init(&trail->lock, NULL);
	return trail;
}

/* Bytes of [offset, offset + length) that are cached. */
static uint64_t cached(int fd, uint64_t offset, uint64_t length)
{
#ifdef PAGE_CACHE_STAT
	struct {
		uint64_t offset, length;
	} range = { offset, length };
	struct {
		uint64_t cached, dirty, writeback, evicted, recently;
	} found = { 0, 0, 0, 0, 0 };

	if (syscall(PAGE_CACHE_STAT, fd, &range, &found, 0))
		return 0;
	return found.cached * (uint64_t)sysconf(_SC_PAGESIZE);
#else
	(void)fd, (void)offset, (void)length;
	return 0;
#endif
}

/* Marks those of `count` parts from `first` on of which half is cached. Few
 * are of most files: whole ranges are asked about before their halves. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as PARTS_MAX has bits */
static void note_parts(struct page_trail *trail, uint64_t size, uint64_t first,
		       uint64_t count)
{
	uint64_t from = first * trail->part;
	uint64_t length = min_u64(count * trail->part, size - from);

	if (cached(trail->fd, from, length) <
	    min_u64(trail->part, length) / 2)
		return;
	if (count > 1) {
		note_parts(trail, size, first, count / 2);
		note_parts(trail, size, first + count / 2, count - count / 2);
		return;
	}
	if (!trail->warm)
		trail->warm = mem_zalloc(PARTS_MAX / 8);
	trail->warm[first / 8] |= (unsigned char)(1 << first % 8);
}

static void note_warm(struct page_trail *trail, uint64_t size)
{
	trail->part = PART_LEAST;
	/* Ends: it doubles, and sizes have an end. */
	while (div_up(size, trail->part) > PARTS_MAX)
		trail->part *= 2;
	note_parts(trail, size, 0, div_up(size, trail->part));
	if (!trail->warm)
		trail->part = 0;
}

struct page_trail *page_trail_read(int fd, uint64_t size, uint64_t keep)
{
	struct page_trail *trail;

	if (size <= keep)
		return NULL;
	trail = new_trail(fd, keep);
	if (keep)
		note_warm(trail, size);
	return trail;
}

struct page_trail *page_trail_write(int fd, uint64_t keep)
{
	struct page_trail *trail = new_trail(fd, keep);

	trail->written = true;
	return trail;
}

static void drop(const struct page_trail *trail, uint64_t offset,
		 uint64_t length)
{
	posix_fadvise(trail->fd, (off_t)offset, (off_t)length,
		      POSIX_FADV_DONTNEED);
}

static void drop_all(const struct page_trail *trail)
{
	if (!trail->part) {
		drop(trail, 0, 0);
		return;
	}
	for (uint64_t i = 0; i < PARTS_MAX; i++)
		if (!(trail->warm[i / 8] & 1 << i % 8))
			drop(trail, i * trail->part, trail->part);
}

/* The kernel tells a descriptor of a failed write once: who asks must not
 * keep it to himself, or a later fsync would find everything well. All other
 * failures mean that it takes no such advice. */
static int write_out(const struct page_trail *trail, uint64_t offset,
		     uint64_t length, struct err *err)
{
	const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE |
			     SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (!sync_file_range(trail->fd, (off_t)offset, (off_t)length, all) ||
	    (errno != EIO && errno != ENOSPC && errno != EDQUOT))
		return 0;
	return err_sys(err, ERR_IO, "cannot write at or behind %llu",
		       ULL(offset));
}

static int drop_step(const struct page_trail *trail, uint64_t step,
		     struct err *err)
{
	uint64_t offset = step * STEP, i;

	if (trail->written && write_out(trail, offset, STEP, err) < 0)
		return -1;
	if (trail->part) {
		i = offset / trail->part;
		if (i < PARTS_MAX && trail->warm[i / 8] & 1 << i % 8)
			return 0;
	}
	drop(trail, offset, STEP);
	return 0;
}

static struct touched touch(struct page_trail *trail, uint64_t step,
			    uint64_t length)
{
	struct touched touched = { NO_STEP, NO_STEP, false };
	unsigned at = 0;

	trail->passed += length;
	if (!trail->dropping && trail->passed > trail->keep) {
		trail->dropping = true;
		touched.crossed = true;
	}
	if (!trail->dropping)
		return touched;
	while (at < trail->count && trail->step[at] != step)
		at++;
	if (at == trail->count) {
		if (trail->count == STEPS)
			touched.done = trail->step[--at];
		else
			trail->count++;
	}
	memmove(trail->step + 1, trail->step, at * sizeof *trail->step);
	trail->step[0] = step;
	/* Another one has come to this place. */
	if (trail->written && at >= STEPS_BUSY)
		touched.start = trail->step[STEPS_BUSY];
	return touched;
}

int page_trail_pass(struct page_trail *trail, uint64_t offset, uint64_t length,
		    struct err *err)
{
	uint64_t end = offset + length;

	if (!trail)
		return 0;
	/* Ends: `offset` grows to the next step or to the end. */
	while (offset < end) {
		uint64_t step = offset / STEP;
		uint64_t next = min_u64(end, (step + 1) * STEP);
		struct touched touched;

		pthread_mutex_lock(&trail->lock);
		touched = touch(trail, step, next - offset);
		pthread_mutex_unlock(&trail->lock);
		if (touched.crossed)
			drop_all(trail);
		if (touched.start != NO_STEP)
			sync_file_range(trail->fd,
					(off_t)(touched.start * STEP),
					(off_t)STEP, SYNC_FILE_RANGE_WRITE);
		if (touched.done != NO_STEP &&
		    drop_step(trail, touched.done, err) < 0)
			return -1;
		offset = next;
	}
	return 0;
}

int page_trail_end(struct page_trail *trail, struct err *err)
{
	if (!trail || !trail->dropping)
		return 0;
	if (trail->written && write_out(trail, 0, 0, err) < 0)
		return -1;
	drop_all(trail);
	return 0;
}

struct page_trail *page_trail_free(struct page_trail *trail)
{
	if (!trail)
		return NULL;
	pthread_mutex_destroy(&trail->lock);
	free(trail->warm);
	free(trail);
	return NULL;
}
