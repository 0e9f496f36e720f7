/* SPDX-License-Identifier: MIT */
/* Owns the moment an output appears: sync, name, sync of the folder. Does not
 * open anything but what is adopted. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/files.h"
#include "io/output.h"
#include "io/output_private.h"

/* "/proc/self/fd/" and a number */
#define FD_PATH_LEN 32

/* What is compared at a time. */
#define COMPARE_LEN ((size_t)1 << 20)

static int exists_now(struct err *err)
{
	return err_set(err, ERR_CREATE,
		       "appeared meanwhile; use --force to replace it");
}

static int cannot_name(struct err *err)
{
	return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
		       "cannot give the new file its name");
}

/* Once: after a failed fsync the kernel may drop the pages, and the next call
 * says that all is well. */
static int sync_fd(int fd, const char *what, struct err *err)
{
	if (!fsync(fd))
		return 0;
	/* A pipe, or a folder opened without the right to read. */
	if (errno == EINVAL || errno == EROFS || errno == EBADF)
		return 0;
	return err_sys(err, ERR_IO, "%s did not reach the disk", what);
}

static int link_unnamed(const struct output *output, const char *name)
{
	char path[FD_PATH_LEN];

	snprintf(path, sizeof path, "/proc/self/fd/%d", output->fd);
	return linkat(AT_FDCWD, path, output->dir_fd, name, AT_SYMLINK_FOLLOW);
}

/* Give the unnamed file the name of a sibling. */
static int make_sibling(struct output *output, struct err *err)
{
	for (int i = 0; i < SIBLING_TRIES; i++) {
		sibling_name(output->target.name, output->sibling);
		output->has_sibling = 1;
		if (!link_unnamed(output, output->sibling))
			return 0;
		output->has_sibling = 0;
		if (errno != EEXIST)
			return cannot_name(err);
	}
	return err_set(err, ERR_CREATE,
		       "no free name beside it in %s after %d tries",
		       output->target.dir, SIBLING_TRIES);
}

/* Rename where nothing may be in the way. Not every file system can refuse by
 * itself: then by a hard link, which never replaces. */
static int rename_new(int from_fd, const char *from, int dir_fd,
		      const char *name)
{
	if (!renameat2(from_fd, from, dir_fd, name, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from_fd, from, dir_fd, name, 0))
		return -1;
	return unlinkat(from_fd, from, 0);
}

/* The two change places: what was there is kept until the output is closed. */
static int exchange(const struct output *output)
{
	return renameat2(output->dir_fd, output->sibling, output->dir_fd,
			 output->target.name, RENAME_EXCHANGE);
}

/* By a plain rename where nothing is there any more, or the file system
 * cannot exchange. What a rename would refuse is a directory. */
static int replace(struct output *output)
{
	struct stat st;

	if (!exchange(output)) {
		if (fstatat(output->dir_fd, output->sibling, &st,
			    AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode)) {
			output->replaced = true;
			return 0;
		}
		exchange(output);
		errno = EISDIR;
		return -1;
	}
	if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
		return -1;
	return renameat(output->dir_fd, output->sibling, output->dir_fd,
			output->target.name);
}

static int name_sibling(struct output *output, struct err *err)
{
	int result;

	if (output->force)
		result = replace(output);
	else
		result = rename_new(output->dir_fd, output->sibling,
				    output->dir_fd, output->target.name);
	if (result)
		return errno == EEXIST ? exists_now(err) : cannot_name(err);
	if (!output->replaced)
		output->has_sibling = 0;
	return 0;
}

static int name_unnamed(struct output *output, struct err *err)
{
	if (!link_unnamed(output, output->target.name))
		return 0;
	if (errno != EEXIST)
		return cannot_name(err);
	if (!output->force)
		return exists_now(err);
	return make_sibling(output, err) || name_sibling(output, err) ? -1 : 0;
}

/* The folder the adopted file leaves; its entry there is gone for good only
 * when that folder is synced too. */
static int sync_old_dir(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir =
		slash ? mem_printf("%.*s/", (int)(slash - path), path)
		      : mem_strdup(".");
	AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 0 : sync_fd(fd, "the input's folder", err);
}

static int sync_adopted(const char *path, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot open %s", path);
	return sync_fd(fd, "the file", err);
}

static int name_adopted(struct output *output, struct err *err)
{
	const char *path = output->adopted, *name = output->target.name;
	int result;

	if (output->sync && sync_adopted(path, err))
		return -1;
	if (output->force)
		result = renameat(AT_FDCWD, path, output->dir_fd, name);
	else
		result = rename_new(AT_FDCWD, path, output->dir_fd, name);
	if (result && errno == EEXIST)
		return exists_now(err);
	if (result)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot rename %s", path);
	return 0;
}

/* Names are there when their folders are. */
static int sync_dirs(const struct output *output, struct err *err)
{
	if (output->adopted && sync_old_dir(output->adopted, err))
		return -1;
	return sync_fd(output->dir_fd, "its folder", err);
}

static int commit_file(struct output *output, struct err *err)
{
	int result;

	if (output->adopted)
		result = name_adopted(output, err);
	else if (output->has_sibling)
		result = name_sibling(output, err);
	else
		result = name_unnamed(output, err);
	if (result)
		return -1;
	output->named = !output->replaced && !output->target.exists;
	if (!output->sync || !sync_dirs(output, err))
		return 0;
	output_withdraw(output);
	return -1;
}

int output_adopt(struct output *output, const char *path, struct err *err)
{
	struct stat st;

	if (output->kind != OUTPUT_FILE || output->in_place)
		return err_set(err, ERR_BUG,
			       "only a new file can be had by renaming");
	if (lstat(path, &st))
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot rename %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CREATE,
			       "cannot rename %s: it is not a regular file",
			       path);
	if (st.st_dev != output->dev)
		return err_set(err, ERR_CREATE,
			       "cannot rename %s: it is on another file system",
			       path);
	free(output->adopted);
	output->adopted = mem_strdup(path);
	return 0;
}

/* Up to `len` bytes of each at `offset`. */
static int read_both(int a, int b, unsigned char *one, unsigned char *other,
		     size_t len, off_t offset)
{
	return pread(a, one, len, offset) == (ssize_t)len &&
	       pread(b, other, len, offset) == (ssize_t)len &&
	       !memcmp(one, other, len);
}

/* Does the file that is there have the same bytes? What cannot be read is
 * another one. */
static bool same_content(const struct output *output)
{
	AUTO_FREE unsigned char *buf = mem_buffer(2 * COMPARE_LEN);
	AUTO_FD int fd = open(output->target.path, O_RDONLY | O_CLOEXEC);
	struct stat now, then;
	off_t at = 0;

	if (fd < 0 || fstat(fd, &then) || fstat(output->fd, &now) ||
	    !S_ISREG(then.st_mode) || then.st_size != now.st_size)
		return false;
	/* Ends: each turn moves on, by what is left at the end. */
	while (at < now.st_size) {
		size_t len = COMPARE_LEN;

		if (now.st_size - at < (off_t)len)
			len = (size_t)(now.st_size - at);
		if (!read_both(fd, output->fd, buf, buf + COMPARE_LEN, len, at))
			return false;
		at += (off_t)len;
	}
	return true;
}

int output_settle(struct output *output, struct err *err)
{
	if (!output->settled && output->if_changed && !output->adopted &&
	    output->kind == OUTPUT_FILE && output->target.exists &&
	    same_content(output)) {
		output->unchanged = true;
		output->settled = true;
	}
	/* What is elsewhere was settled by whoever wrote it. */
	if (output->settled || output->adopted ||
	    output->kind == OUTPUT_EXPORT)
		return 0;
	if (output->sync && sync_fd(output->fd, "the output", err))
		return -1;
	if (files_flush(output->fd, err))
		return -1;
	output->settled = true;
	return 0;
}

int output_commit(struct output *output, struct err *err)
{
	if (output->tried)
		return err_set(err, ERR_BUG, "an output was committed twice");
	output->tried = true;
	if (output_settle(output, err))
		return -1;
	if (output->kind == OUTPUT_FILE && !output->in_place &&
	    !output->unchanged && commit_file(output, err))
		return -1;
	output_discard(output); /* what is left is of no use any more */
	return 0;
}

void output_withdraw(struct output *output)
{
	const char *name = output->target.name;

	if (output->named && output->adopted)
		rename_new(output->dir_fd, name, AT_FDCWD, output->adopted);
	else if (output->named)
		sibling_remove(output->dir_fd, name, output->dev, output->ino);
	else if (output->replaced)
		exchange(output);
	/* What there was to go on with is gone, or has changed places back. */
	if (output->named)
		output_discard(output);
	output->named = output->replaced = false;
}
