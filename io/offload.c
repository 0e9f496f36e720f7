/* SPDX-License-Identifier: MIT */
/*
 * Owns copying inside the kernel. Does not decide whether it pays.
 *
 * Sharing does. Copying within a file system that cannot share does not: on
 * ext4, 1.1 GiB in pieces of a MiB by two threads took 0.57 s and 0.36 s of
 * processor time by copy_file_range, 0.42 s and 0.31 s by pread and pwrite;
 * from the disk 1.5 s and 0.67 s, against 1.1 s and 0.42 s. And nobody sees
 * the zeros. So the pump does not use it.
 */
#include "io/offload.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/spool.h"

/* One call copies at most this much: signals are looked at in between. */
#define COPY_STEP ((uint64_t)(128 * MIB))

/* A full or broken disk is the same for every other way to copy; all other
 * answers mean that this way is closed. */
static int unable_or_failed(const char *what, uint64_t to, struct err *err)
{
	if (errno == EIO || errno == ENOSPC || errno == EDQUOT ||
	    errno == EFBIG)
		return err_sys(err, ERR_IO, "cannot %s to %llu", what,
			       (unsigned long long)to);
	return OFFLOAD_UNABLE;
}

int offload_clone(int in, uint64_t from, int out, uint64_t to, uint64_t length,
		  struct err *err)
{
	struct file_clone_range range = {
		.src_fd = in,
		.src_offset = from,
		.src_length = length,
		.dest_offset = to,
	};
	int result;

	do
		result = ioctl(out, FICLONERANGE, &range);
	while (result && errno == EINTR);
	return result ? unable_or_failed("share blocks", to, err)
		      : OFFLOAD_DONE;
}

int offload_copy(int in, uint64_t from, int out, uint64_t to, uint64_t length,
		 struct err *err)
{
	off_t in_at = (off_t)from, out_at = (off_t)to;

	while (length) {
		ssize_t n =
			copy_file_range(in, &in_at, out, &out_at,
					(size_t)min_u64(length, COPY_STEP), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return unable_or_failed("copy", (uint64_t)out_at, err);
		/* The input became shorter, or the file system pretends:
		 * plain reading finds out and says so. */
		if (!n)
			return OFFLOAD_UNABLE;
		length -= (uint64_t)n;
	}
	return OFFLOAD_DONE;
}

bool offload_can_clone(int in, const char *dir)
{
	struct stat st;
	struct err err;
	uint64_t block;

	if (fstat(in, &st) || !S_ISREG(st.st_mode))
		return false;
	AUTO_FD int fd = spool_open_fd(dir, &err);
	if (fd < 0)
		return false;
	block = (uint64_t)st.st_blksize;
	/* Less than a block can only be shared "to the end". */
	if ((uint64_t)st.st_size < block)
		block = 0;
	return offload_clone(in, 0, fd, 0, block, &err) == OFFLOAD_DONE;
}
