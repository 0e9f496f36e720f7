/* SPDX-License-Identifier: MIT */
/* Owns O_DIRECT and its alignment. Does not loop: its callers do. */
#include "io/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* Of offset, length and memory: what all disks and most file systems take. */
#define ALIGNMENT ((size_t)4096)

/* Shorter ones are cheaper through the cache, which reads ahead and joins
 * writes. */
#define LEAST ((size_t)(64 * KIB))

/* Copied at once where the caller's memory is not aligned. */
#define BOUNCE_LEN ((size_t)MIB)

int direct_open(int fd, int flags, enum err_kind kind, struct err *err)
{
	char path[64];
	int direct;

	/* Anew, by what it is and not by its name: O_DIRECT is a flag of the
	 * open file, which others share. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	direct = open(path, flags | O_DIRECT | O_CLOEXEC);
	if (direct >= 0)
		return direct;
	if (errno == EINVAL)
		return err_set(err, kind,
			       "cannot be had around the page cache: its file "
			       "system has no O_DIRECT; leave out "
			       "--cache=direct");
	return err_sys(err, kind, "cannot be opened again for O_DIRECT");
}

/* How much of the range goes in one call, and on which way. */
static size_t next_part(size_t len, uint64_t offset, bool *around)
{
	size_t head = (size_t)(offset % ALIGNMENT);

	*around = false;
	if (len < LEAST)
		return len;
	if (head)
		return ALIGNMENT - head;
	*around = true;
	return round_down(len, ALIGNMENT);
}

static bool is_aligned(const void *buf)
{
	return !((uintptr_t)buf % ALIGNMENT);
}

static ssize_t read_around(int direct, void *buf, size_t len, uint64_t offset)
{
	AUTO_FREE void *bounce = NULL;
	ssize_t n;

	if (is_aligned(buf))
		return pread(direct, buf, len, (off_t)offset);
	len = (size_t)min_u64(len, BOUNCE_LEN);
	bounce = mem_buffer(len);
	n = pread(direct, bounce, len, (off_t)offset);
	if (n > 0)
		memcpy(buf, bounce, (size_t)n);
	return n;
}

static ssize_t write_around(int direct, const void *buf, size_t len,
			    uint64_t offset)
{
	AUTO_FREE void *bounce = NULL;

	if (is_aligned(buf))
		return pwrite(direct, buf, len, (off_t)offset);
	len = (size_t)min_u64(len, BOUNCE_LEN);
	bounce = mem_buffer(len);
	memcpy(bounce, buf, len);
	return pwrite(direct, bounce, len, (off_t)offset);
}

ssize_t direct_pread(int direct, int fd, void *buf, size_t len,
		     uint64_t offset)
{
	bool around = false;
	ssize_t n;

	if (direct >= 0)
		len = next_part(len, offset, &around);
	if (around) {
		n = read_around(direct, buf, len, offset);
		/* A file system that wants more than this alignment. */
		if (n >= 0 || errno != EINVAL)
			return n;
	}
	return pread(fd, buf, len, (off_t)offset);
}

ssize_t direct_pwrite(int direct, int fd, const void *buf, size_t len,
		      uint64_t offset)
{
	bool around = false;
	ssize_t n;

	if (direct >= 0)
		len = next_part(len, offset, &around);
	if (around) {
		n = write_around(direct, buf, len, offset);
		if (n >= 0 || errno != EINVAL)
			return n;
	}
	return pwrite(fd, buf, len, (off_t)offset);
}
