/* SPDX-License-Identifier: MIT */
/*
 * Owns writing to descriptors: regular files and block devices at random,
 * everything else in order. Does not open names and does not sync.
 *
 * No room is allocated ahead of the writes (fallocate): 1.1 GiB stored by two
 * to eight threads lies in 1 to 10 extents on ext4 and XFS as it is, for both
 * decide where it goes when pages are written out, and holes would be lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/direct.h"
#include "io/files.h"
#include "io/head_sink.h"
#include "io/zero.h"

#define ULL(x) ((unsigned long long)(x))

/* Zeros written by one system call: 1 MiB of the same 64 KiB. */
#define ZERO_VECTORS 16

/* A device zeroes this much in one call that no signal interrupts. */
#define DEVICE_STEP ((uint64_t)(256 * MIB))

/* Every block device takes ranges of whole pages. */
#define DEVICE_ALIGNMENT ((uint64_t)4096)

struct file_sink {
	struct sink sink;
	int fd;
	int direct; /* another one, around the page cache; or -1 */
	struct page_trail *trail; /* or NULL */
};

static int file_fd(struct sink *sink)
{
	return ((struct file_sink *)sink)->fd;
}

static int cannot_write(uint64_t offset, struct err *err)
{
	return err_sys(err, ERR_IO, "cannot write at %llu", ULL(offset));
}

static int file_write(struct sink *sink, const void *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	const struct file_sink *file = (const struct file_sink *)sink;
	const unsigned char *next = buf;
	const uint64_t start = offset;

	/* Ends: each pwrite writes something or fails. */
	while (len) {
		ssize_t n = direct_pwrite(file->direct, file->fd, next, len,
					  offset);

		if (!n) /* not an answer for len > 0 */
			errno = EIO;
		if (n <= 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write(offset, err);
		next += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return page_trail_pass(file->trail, start, offset - start, err);
}

static int file_read(struct sink *sink, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	unsigned char *next = buf;

	/* Ends: each pread reads something or is the last. */
	while (len) {
		ssize_t n = pread(file_fd(sink), next, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_IO, "cannot read again at %llu",
				       ULL(offset));
		if (!n) /* the end of the file so far */
			break;
		next += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	memset(next, 0, len);
	return 0;
}

static int write_zeros(struct sink *sink, uint64_t offset, uint64_t length,
		       struct err *err)
{
	struct iovec vector[ZERO_VECTORS];

	while (length) {
		uint64_t left = length;
		int count = 0;
		ssize_t n;

		for (; left && count < ZERO_VECTORS; count++) {
			size_t len = (size_t)min_u64(left, ZERO_BYTES_LEN);

			/* Only read from; the type has no const. */
			vector[count].iov_base = (void *)(uintptr_t)zero_bytes;
			vector[count].iov_len = len;
			left -= len;
		}
		n = pwritev(file_fd(sink), vector, count, (off_t)offset);
		if (!n)
			errno = EIO;
		if (n <= 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write(offset, err);
		if (page_trail_pass(((struct file_sink *)sink)->trail, offset,
				    (size_t)n, err) < 0)
			return -1;
		offset += (size_t)n;
		length -= (size_t)n;
	}
	return 0;
}

/* 1: done; 0: this file cannot; -1: failed. */
static int try_fallocate(struct sink *sink, int mode, uint64_t offset,
			 uint64_t length, struct err *err)
{
	int result;

	do
		result = fallocate(file_fd(sink), mode, (off_t)offset,
				   (off_t)length);
	while (result && errno == EINTR);
	if (!result)
		return 1;
	if (errno == ENOSPC || errno == EFBIG || errno == EIO ||
	    errno == EDQUOT)
		return err_sys(err, ERR_IO,
			       "cannot make %llu bytes at %llu zero",
			       ULL(length), ULL(offset));
	return 0;
}

static int file_zero(struct sink *sink, uint64_t offset, uint64_t length,
		     enum sink_zero how, struct err *err)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int done = 0;

	if (how == SINK_ZERO_SPARSE)
		done = try_fallocate(sink, punch, offset, length, err);
	if (how == SINK_ZERO_ALLOCATE) {
		done = try_fallocate(sink, 0, offset, length, err);
		if (done > 0 && !sink->fresh)
			done = try_fallocate(sink, FALLOC_FL_ZERO_RANGE, offset,
					     length, err);
	}
	if (done)
		return done < 0 ? -1 : 0;
	return write_zeros(sink, offset, length, err);
}

int files_flush(int fd, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy >= 0 && close(copy) && errno != EINTR)
		return err_sys(err, ERR_IO, "cannot be written");
	return 0;
}

/* XFS gives writes that make a file longer more room than they need, which
 * stays where holes should be: of 1.5 GiB a quarter of which is holes, nearly
 * all was taken, and 1.1 GiB with the length set before. */
static void file_expect(struct sink *sink, uint64_t size)
{
	/* What it says is said again, and heard, in the end. */
	if (sink->fresh && ftruncate(file_fd(sink), (off_t)size))
		errno = 0;
}

/* What was written leaves the page cache, if it is to. */
static int leave_cache(struct sink *sink, struct err *err)
{
	return page_trail_end(((struct file_sink *)sink)->trail, err);
}

/* The close that comes later cannot say any more what went wrong. */
static int file_finish(struct sink *sink, uint64_t size, struct err *err)
{
	int result;

	do
		result = ftruncate(file_fd(sink), (off_t)size);
	while (result && errno == EINTR);
	if (result)
		return err_sys(err, ERR_IO, "cannot set the size to %llu bytes",
			       ULL(size));
	return leave_cache(sink, err) ? -1 : files_flush(file_fd(sink), err);
}

static void file_close(struct sink *sink)
{
	struct file_sink *file = (struct file_sink *)sink;

	page_trail_free(file->trail);
	mem_close_fd(&file->direct);
	close(file->fd);
	free(sink);
}

static const struct sink_ops file_ops = {
	.write = file_write,
	.zero = file_zero,
	.read = file_read,
	.expect = file_expect,
	.finish = file_finish,
	.close = file_close,
};

/*
 * Whole pages of a device. Discarding alone promises nothing about what is
 * read afterwards; these two do. Punching is only tried where no room needs
 * to be kept: a thin device gives its blocks back then.
 */
static int zero_pages(struct sink *sink, uint64_t offset, uint64_t length,
		      enum sink_zero how, struct err *err)
{
	uint64_t range[2] = { offset, length };

	if (how == SINK_ZERO_SPARSE) {
		int done = try_fallocate(
			sink, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			offset, length, err);

		if (done)
			return done < 0 ? -1 : 0;
	}
	if (how != SINK_ZERO_WRITE && !ioctl(file_fd(sink), BLKZEROOUT, range))
		return 0;
	return write_zeros(sink, offset, length, err);
}

static int device_zero(struct sink *sink, uint64_t offset, uint64_t length,
		       enum sink_zero how, struct err *err)
{
	uint64_t end = offset + length;
	uint64_t from, to = round_down(end, DEVICE_ALIGNMENT);

	if (!checked_round_up(offset, DEVICE_ALIGNMENT, &from) || from >= to)
		return write_zeros(sink, offset, length, err);
	if (write_zeros(sink, offset, from - offset, err))
		return -1;
	while (from < to) {
		uint64_t step = min_u64(to - from, DEVICE_STEP);

		if (zero_pages(sink, from, step, how, err))
			return -1;
		from += step;
	}
	return write_zeros(sink, to, end - to, err);
}

static int device_finish(struct sink *sink, uint64_t size, struct err *err)
{
	(void)size;
	return leave_cache(sink, err);
}

static const struct sink_ops device_ops = {
	.write = file_write,
	.zero = device_zero,
	.read = file_read,
	.finish = device_finish,
	.close = file_close,
};

static int append_write(struct sink *sink, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	const unsigned char *next = buf;

	/* Ends: each write writes something, waits or fails. */
	while (len) {
		ssize_t n = write(file_fd(sink), next, len);

		if (n > 0) {
			next += n;
			offset += (size_t)n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd ready = { file_fd(sink), POLLOUT, 0 };

			poll(&ready, 1, -1);
		} else if (!n || errno != EINTR) {
			return cannot_write(offset, err);
		}
	}
	return 0;
}

static int append_finish(struct sink *sink, uint64_t size, struct err *err)
{
	(void)size;
	return leave_cache(sink, err) ? -1 : files_flush(file_fd(sink), err);
}

static const struct sink_ops append_ops = {
	.write = append_write,
	.finish = append_finish,
	.close = file_close,
};

static struct file_sink *new_sink(const struct sink_ops *ops, int fd)
{
	struct file_sink *file = mem_zalloc(sizeof *file);

	sink_init(&file->sink, ops);
	file->fd = fd;
	file->direct = -1;
	return file;
}

struct sink *files_stream_sink(int take_fd)
{
	/* Fewer wake-ups; not a pipe, or not allowed: as it is. */
	fcntl(take_fd, F_SETPIPE_SZ, (int)MIB);
	return &new_sink(&append_ops, take_fd)->sink;
}

struct sink *files_sink(int take_fd, struct err *err)
{
	AUTO_FD int fd = take_fd;
	struct file_sink *file;
	struct stat st;
	uint64_t capacity = UINT64_MAX;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st)) {
		err_sys(err, ERR_CREATE, "cannot ask what it is");
		return NULL;
	}
	if ((flags & O_ACCMODE) == O_RDONLY) {
		err_set(err, ERR_CREATE, "is not open for writing");
		return NULL;
	}
	if (!S_ISBLK(st.st_mode) &&
	    (!S_ISREG(st.st_mode) || (flags & O_ACCMODE) != O_RDWR ||
	     (flags & O_APPEND)))
		return files_stream_sink(STEAL_FD(fd));
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &capacity)) {
		err_sys(err, ERR_CREATE, "the device has no size");
		return NULL;
	}
	file = new_sink(S_ISBLK(st.st_mode) ? &device_ops : &file_ops, fd);
	file->sink.seekable = true;
	file->sink.fresh = S_ISREG(st.st_mode) && !st.st_size;
	file->sink.capacity = capacity;
	file->sink.fd = STEAL_FD(fd);
	return &file->sink;
}

/* A file or device, before anything is written to it. A device that is synced
 * in the end is written out from the start: 1.5 GiB onto a loop device took
 * 0.9 s and 0.35 s of processor time so, 5 to 9 s and 2.5 s where the kernel
 * chose the moment, and 2 s and 0.2 s around the cache. A file gains nothing
 * by it. */
static void set_cache(struct sink *sink,
		      const struct image_sink_options *options)
{
	struct file_sink *file = (struct file_sink *)sink;

	file->direct = options->direct;
	file->trail = page_trail_write(
		file->fd, sink->ops == &device_ops && options->sync
				  ? 0
				  : page_cache_keep(options->cache));
}

struct sink *files_image_sink(int take_fd,
			      const struct image_sink_options *options,
			      struct err *err)
{
	struct sink *sink = files_sink(take_fd, err);

	if (!sink || !sink->seekable) {
		if (options->direct >= 0)
			close(options->direct);
		return sink;
	}
	set_cache(sink, options);
	return sink->ops == &device_ops ? head_sink(sink, options->sync)
					: sink;
}
