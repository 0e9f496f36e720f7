/* SPDX-License-Identifier: MIT */
/* Owns the way from an output's name to the folder and name it means. Opens
 * and changes nothing. */
#include "io/target.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* As many as the kernel follows. */
#define LINKS_MAX 40

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	if (slash == path)
		return mem_strdup("/");
	return mem_printf("%.*s", (int)(slash - path), path);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Replaces *path by what the link there says. */
static int follow(char **path, struct err *err)
{
	char text[PATH_MAX];
	ssize_t len = readlink(*path, text, sizeof text - 1);
	char *next;

	if (len < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot read the symbolic link %s", *path);
	text[len] = '\0';
	if (text[0] == '/') {
		next = mem_strdup(text);
	} else {
		AUTO_FREE char *dir = dir_of(*path);

		next = mem_printf("%s/%s", dir, text);
	}
	free(*path);
	*path = next;
	return 0;
}

static int follow_all(char **path, struct err *err)
{
	struct stat st;

	for (int i = 0; i < LINKS_MAX; i++) {
		if (lstat(*path, &st) || !S_ISLNK(st.st_mode))
			return 0;
		if (follow(path, err))
			return -1;
	}
	return err_set(err, ERR_CREATE,
		       "more than %d symbolic links; is it a loop?", LINKS_MAX);
}

int target_resolve(const char *path, struct target *out, struct err *err)
{
	struct stat end;

	memset(out, 0, sizeof *out);
	if (!*path)
		return err_set(err, ERR_CREATE, "the output has no name");
	out->path = mem_strdup(path);
	out->exists = !stat(path, &out->st);
	if (!out->exists && errno != ENOENT && errno != ELOOP)
		return err_sys(err, err_kind_of_errno(errno, ERR_CREATE),
			       "cannot ask what is there");
	/* Only files get replaced; /dev/stdout and its like lead to things
	 * that have no name. */
	if (!out->exists || S_ISREG(out->st.st_mode)) {
		if (follow_all(&out->path, err))
			return -1;
		if (out->exists &&
		    (lstat(out->path, &end) || end.st_dev != out->st.st_dev ||
		     end.st_ino != out->st.st_ino))
			return err_set(err, ERR_CREATE,
				       "leads to a file without a name, which "
				       "cannot be replaced");
	}
	out->dir = dir_of(out->path);
	out->name = mem_strdup(name_of(out->path));
	return 0;
}

void target_clear(struct target *target)
{
	free(target->path);
	free(target->dir);
	free(target->name);
	memset(target, 0, sizeof *target);
}
