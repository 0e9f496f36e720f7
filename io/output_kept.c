/* SPDX-License-Identifier: MIT */
/* Owns the two files that an interrupted run leaves under --resume: the partial
 * output and its journal, found or made, locked, removed. Does not look into
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/output_private.h"

/* How long a lock is waited for: two seconds. */
#define LOCK_STEPS 40
#define LOCK_STEP_NS 50000000

/* Whoever wants to write here could have put it there. */
static int check_ours(const struct stat *st, const char *name, struct err *err)
{
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	    st->st_nlink == 1)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "%s beside it is no file that an earlier run left; "
		       "remove it", name);
}

/* A run that was killed is gone only when its worker is. */
static int lock(int fd, struct err *err)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_NS };

	for (int i = 0; i < LOCK_STEPS; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&step, NULL);
	}
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_TEMPORARY,
			       "another run is making it; wait for it, or "
			       "leave out --resume");
	return err_sys(err, ERR_CREATE,
		       "--resume needs locks, which this file system does not "
		       "give");
}

/* One try: a descriptor, or -1: where *again, somebody else's run ended in the
 * moment before it was locked, and took it away. */
static int try_kept(const struct output *output, const char *name, mode_t mode,
		    struct stat *st, bool *again, struct err *err)
{
	AUTO_FD int fd = openat(output->dir_fd, name,
				O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
					O_NOCTTY | O_CLOEXEC,
				mode);

	*again = false;
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_REFUSED,
			       "%s beside it is a symbolic link; remove it",
			       name);
	if (fd < 0 || fstat(fd, st))
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot create %s in %s", name,
			       output->target.dir);
	*again = !st->st_nlink;
	if (*again || check_ours(st, name, err) || lock(fd, err))
		return -1;
	*again = !sibling_is(output->dir_fd, name, st->st_dev, st->st_ino);
	return *again ? -1 : STEAL_FD(fd);
}

static int open_kept(const struct output *output, const char *name,
		     mode_t mode, struct stat *st, struct err *err)
{
	for (int i = 0; i < SIBLING_TRIES; i++) {
		bool again;
		int fd = try_kept(output, name, mode, st, &again, err);

		if (fd >= 0 || !again)
			return fd;
	}
	return err_set(err, ERR_TEMPORARY, "%s comes and goes", name);
}

int output_kept_open(struct output *output, struct err *err)
{
	struct stat st, journal;

	sibling_kept_name(output->target.name, SIBLING_PARTIAL,
			  output->sibling);
	output->fd = open_kept(output, output->sibling, 0666, &st, err);
	if (output->fd < 0)
		return -1;
	output->dev = st.st_dev;
	output->ino = st.st_ino;
	output->has_sibling = 1;
	output->kept = true;
	sibling_kept_name(output->target.name, SIBLING_JOURNAL,
			  output->journal);
	output->journal_fd =
		open_kept(output, output->journal, 0600, &journal, err);
	if (output->journal_fd < 0)
		return -1;
	/* A new file: a journal that is there speaks of another one. */
	if (!st.st_size && journal.st_size && ftruncate(output->journal_fd, 0))
		return err_sys(err, ERR_IO, "cannot empty its journal");
	return 0;
}

int output_journal(const struct output *output)
{
	return output->journal_fd;
}

bool output_keeps(const struct output *output)
{
	return output->kept;
}

void output_discard(struct output *output)
{
	output->kept = false;
}

/* Its lock is ours until it is closed: it is nobody else's. */
void output_kept_remove(const struct output *output)
{
	if (output->journal_fd >= 0)
		unlinkat(output->dir_fd, output->journal, 0);
}
