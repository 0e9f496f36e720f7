/* SPDX-License-Identifier: MIT */
/*
 * Owns the output transaction: opening what will become the output. Does not
 * write a byte of it. Giving it its name is output_commit.c's.
 *
 * States of a file: *unnamed* (O_TMPFILE), *sibling* (it has the name in
 * `sibling`), *committed*. `sibling` is filled in before the name is made and
 * `has_sibling` is cleared after it is gone, and removal compares the inode:
 * so a signal at any moment removes what is there, and nothing else. What a
 * committed output replaced has the sibling's name until the end.
 */
#include "io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/output_private.h"

/* What `target` is, for messages. */
static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFIFO:
		return "a FIFO";
	default:
		return "a file";
	}
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return (S_ISREG(a->st_mode) || S_ISBLK(a->st_mode)) &&
	       a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int refuse_input(const struct output_options *options,
			const struct stat *st, struct err *err)
{
	if (options->input && same_file(options->input, st))
		return err_set(err, ERR_CREATE,
			       "is the input itself; give another name");
	return 0;
}

static int cannot_open(struct err *err)
{
	if (errno == EBUSY)
		return err_set(err, ERR_CREATE,
			       "is in use; unmount it or stop what uses it");
	return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
		       "cannot be opened for writing");
}

static int open_stdout(struct output *output,
		       const struct output_options *options, struct err *err)
{
	struct stat st;

	output->kind = OUTPUT_STREAM;
	if (options->in_place)
		return err_set(err, ERR_USAGE,
			       "standard output cannot be changed in place");
	output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (output->fd < 0 || fstat(output->fd, &st))
		return err_sys(err, ERR_CREATE,
			       "standard output cannot be used");
	if (isatty(output->fd))
		return err_set(err, ERR_USAGE,
			       "standard output is a terminal; redirect it or "
			       "name a file");
	return refuse_input(options, &st, err);
}

/* FIFOs and character devices; never removed, never replaced. */
static int open_stream(struct output *output, struct err *err)
{
	output->kind = OUTPUT_STREAM;
	output->fd = open(output->target.path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (output->fd < 0)
		return cannot_open(err);
	if (isatty(output->fd))
		return err_set(err, ERR_USAGE,
			       "is a terminal; name a file or a pipe");
	return 0;
}

/* O_EXCL: not while it is mounted or otherwise in use. */
static int open_device(struct output *output, struct err *err)
{
	output->kind = OUTPUT_DEVICE;
	output->fd = open(output->target.path, O_RDWR | O_EXCL | O_CLOEXEC);
	return output->fd < 0 ? cannot_open(err) : 0;
}

static int open_in_place(struct output *output, struct err *err)
{
	output->kind = OUTPUT_FILE;
	output->in_place = true;
	output->fd = open(output->target.path, O_RDWR | O_CLOEXEC);
	return output->fd < 0 ? cannot_open(err) : 0;
}

static int open_dir(struct output *output, struct err *err)
{
	const char *dir = output->target.dir;

	output->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder one may write into but not list. */
	if (output->dir_fd < 0 && errno == EACCES)
		output->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (output->dir_fd < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot open the folder %s", dir);
	return 0;
}

static bool can_link_unnamed(void)
{
	return !access("/proc/self/fd", X_OK);
}

/* The inode, and the lock that says somebody works on it. A file system
 * without locks goes without; its strays stay. */
static int note_inode(struct output *output, struct err *err)
{
	struct stat st;

	if (fstat(output->fd, &st))
		return err_sys(err, ERR_CREATE, "cannot ask for its inode");
	output->dev = st.st_dev;
	output->ino = st.st_ino;
	while (flock(output->fd, LOCK_EX | LOCK_NB) && errno == EINTR)
		;
	return 0;
}

/* 1: open; 0: this file system has no unnamed files; -1: failed. */
static int open_unnamed(struct output *output, struct err *err)
{
	if (!can_link_unnamed())
		return 0;
	output->fd = openat(output->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			    0666);
	if (output->fd >= 0)
		return note_inode(output, err) ? -1 : 1;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ||
	    errno == ENOENT || errno == ENOSYS)
		return 0;
	return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
		       "cannot create a file in %s", output->target.dir);
}

/* One try. Another run may take the new file for a stray in the moment before
 * it is locked: 0 then, as for a name in use. */
static int try_named(struct output *output, struct err *err)
{
	sibling_name(output->target.name, output->sibling);
	output->fd = openat(output->dir_fd, output->sibling,
			    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0666);
	if (output->fd < 0 && errno == EEXIST)
		return 0;
	if (output->fd < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot create a file in %s",
			       output->target.dir);
	if (note_inode(output, err)) {
		unlinkat(output->dir_fd, output->sibling, 0);
		return -1;
	}
	output->has_sibling = 1;
	if (sibling_is(output->dir_fd, output->sibling, output->dev,
		       output->ino))
		return 1;
	output->has_sibling = 0;
	mem_close_fd(&output->fd);
	return 0;
}

static int open_named(struct output *output, struct err *err)
{
	for (int i = 0; i < SIBLING_TRIES; i++) {
		int result = try_named(output, err);

		if (result)
			return result < 0 ? -1 : 0;
	}
	return err_set(err, ERR_CREATE,
		       "no free name beside it in %s after %d tries",
		       output->target.dir, SIBLING_TRIES);
}

/* As the file that is replaced. Its owner too where we may: a run as root
 * shall not take a user's file away. */
static int keep_mode(struct output *output, struct err *err)
{
	const struct stat *st = &output->target.st;

	if ((st->st_uid != geteuid() || st->st_gid != getegid()) &&
	    fchown(output->fd, st->st_uid, st->st_gid))
		errno = 0; /* stays ours */
	/* Other content does not get the rights of a program. */
	if (fchmod(output->fd, st->st_mode & 0777))
		return err_sys(err, ERR_CREATE, "cannot set its mode");
	return 0;
}

static int check_existing(const struct output *output,
			  const struct output_options *options, struct err *err)
{
	if (!options->force)
		return err_set(err, ERR_CREATE,
			       "exists; use --force to replace it");
	if (faccessat(AT_FDCWD, output->target.path, W_OK, AT_EACCESS))
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "is write-protected");
	return 0;
}

/* In a folder like /tmp only the owner may take a name away; better said now
 * than by the rename after hours. */
static int check_sticky(const struct output *output, struct err *err)
{
	struct stat dir;
	uid_t me = geteuid();

	if (!me || fstat(output->dir_fd, &dir) || !(dir.st_mode & S_ISVTX) ||
	    dir.st_uid == me || output->target.st.st_uid == me)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "belongs to somebody else, and in %s only the owner "
		       "may replace it",
		       output->target.dir);
}

static int open_file(struct output *output,
		     const struct output_options *options, struct err *err)
{
	const struct target *target = &output->target;
	int result;

	output->kind = OUTPUT_FILE;
	if (target->exists && check_existing(output, options, err))
		return -1;
	if (!*target->name || !strcmp(target->name, ".") ||
	    !strcmp(target->name, ".."))
		return err_set(err, ERR_CREATE,
			       "is the name of a directory; name a file");
	if (open_dir(output, err) ||
	    (target->exists && check_sticky(output, err)))
		return -1;
	sibling_remove_strays(output->dir_fd, target->name, !options->resume);
	if (options->resume) {
		result = output_kept_open(output, err);
	} else {
		result = open_unnamed(output, err);
		if (!result)
			result = open_named(output, err);
	}
	if (result < 0)
		return -1;
	return target->exists ? keep_mode(output, err) : 0;
}

static int open_path(struct output *output, const char *path,
		     const struct output_options *options, struct err *err)
{
	const struct target *target = &output->target;
	mode_t type;

	if (target_resolve(path, &output->target, err))
		return -1;
	type = target->exists ? target->st.st_mode & S_IFMT : S_IFREG;
	if (type == S_IFDIR || type == S_IFSOCK)
		return err_set(err, ERR_CREATE,
			       "is %s; name a file, a device or a FIFO",
			       type_name(type));
	if (options->in_place && !target->exists)
		return err_set(err, ERR_NO_INPUT, "does not exist");
	if (options->in_place && type != S_IFREG && type != S_IFBLK)
		return err_set(err, ERR_CREATE,
			       "is %s and cannot be changed in place",
			       type_name(type));
	if (target->exists && !options->in_place &&
	    refuse_input(options, &target->st, err))
		return -1;
	if (type == S_IFBLK)
		return open_device(output, err);
	if (type != S_IFREG)
		return open_stream(output, err);
	return options->in_place ? open_in_place(output, err)
				 : open_file(output, options, err);
}

struct output *output_open(const char *path,
			   const struct output_options *options,
			   struct err *err)
{
	struct output *output = mem_zalloc(sizeof *output);
	int result;

	output->fd = -1;
	output->dir_fd = -1;
	output->journal_fd = -1;
	output->force = options->force;
	output->if_changed = options->if_changed;
	output->sync = options->sync;
	if (!strcmp(path, "-"))
		result = open_stdout(output, options, err);
	else
		result = open_path(output, path, options, err);
	return result ? output_close(output) : output;
}

struct output *output_elsewhere(void)
{
	struct output *output = mem_zalloc(sizeof *output);

	output->kind = OUTPUT_EXPORT;
	output->fd = -1;
	output->dir_fd = -1;
	output->journal_fd = -1;
	return output;
}

bool output_same(const struct output *a, const struct output *b)
{
	struct stat one, other;

	if (a->kind == OUTPUT_DEVICE && b->kind == OUTPUT_DEVICE)
		return a->target.st.st_rdev == b->target.st.st_rdev;
	if (a->kind != OUTPUT_FILE || b->kind != OUTPUT_FILE ||
	    a->dir_fd < 0 || b->dir_fd < 0 || fstat(a->dir_fd, &one) ||
	    fstat(b->dir_fd, &other))
		return false;
	return one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
	       !strcmp(a->target.name, b->target.name);
}

enum output_kind output_kind(const struct output *output)
{
	return output->kind;
}

int output_fd(const struct output *output)
{
	return output->fd;
}

const char *output_dir(const struct output *output)
{
	return output->kind == OUTPUT_FILE ? output->target.dir : ".";
}

struct output *output_close(struct output *output)
{
	if (!output)
		return NULL;
	output_abandon(output);
	mem_close_fd(&output->fd);
	mem_close_fd(&output->journal_fd);
	mem_close_fd(&output->dir_fd);
	target_clear(&output->target);
	free(output->adopted);
	free(output);
	return NULL;
}

void output_abandon(struct output *output)
{
	if (output->kept)
		return;
	output_kept_remove(output);
	if (!output->has_sibling)
		return;
	sibling_remove(output->dir_fd, output->sibling, output->dev,
		       output->ino);
	/* Where the name is ours already they have changed places. */
	if (sibling_is(output->dir_fd, output->target.name, output->dev,
		       output->ino))
		unlinkat(output->dir_fd, output->sibling, 0);
}
