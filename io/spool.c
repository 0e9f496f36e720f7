/* SPDX-License-Identifier: MIT */
/* Owns temporary files. Does not choose the folder. */
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "base/units.h"

static int cannot_create(const char *dir, struct err *err)
{
	return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
		       "cannot create a temporary file in %s; see --tmpdir",
		       dir);
}

/* For file systems without O_TMPFILE: a name for a moment. */
static int open_and_unlink(const char *dir, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/.imgconv-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return cannot_create(dir, err);
	unlink(path);
	return fd;
}

int spool_open_fd(const char *dir, struct err *err)
{
	int fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return open_and_unlink(dir, err);
	return cannot_create(dir, err);
}

int spool_check_room(int fd, uint64_t needed, struct err *err)
{
	char free_text[32], needed_text[32];
	uint64_t room, blocks;
	struct statvfs fs;

	/* Some file systems do not say: the writes will. */
	if (fstatvfs(fd, &fs) || !fs.f_blocks)
		return 0;
	blocks = geteuid() ? fs.f_bavail : fs.f_bfree;
	if (!checked_mul(blocks, fs.f_frsize, &room) || room >= needed)
		return 0;
	return err_set(err, ERR_CREATE,
		       "%s are needed, but only %s are free there",
		       units_about(needed, needed_text, sizeof needed_text),
		       units_about(room, free_text, sizeof free_text));
}
