/* SPDX-License-Identifier: MIT */
/* Owns the answer to "may this named file be opened". */
#include "cmd/policy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/remote.h"

void policy_init(struct policy *policy, const struct settings *settings)
{
	memset(policy, 0, sizeof *policy);
	policy->settings = settings;
	policy->count = PROTOCOL_FIRST_REFERENCE;
}

void policy_input(struct policy *policy, unsigned which, const char *path)
{
	/* Elsewhere there is no folder of ours, nor on standard input. */
	if (strcmp(path, "-") && remote_kind(path) == REMOTE_NONE)
		policy->path[which] = mem_strdup(path);
}

void policy_forget(struct policy *policy)
{
	while (policy->count > PROTOCOL_FIRST_REFERENCE) {
		free(policy->path[--policy->count]);
		policy->path[policy->count] = NULL;
	}
}

void policy_clear(struct policy *policy)
{
	for (unsigned i = 0; i < LIMIT_REFERENCES; i++)
		free(policy->path[i]);
	memset(policy->path, 0, sizeof policy->path);
}

/* "json:", "nbd:", "fat:rw:" and the like mean other things than files to
 * other programs; to us a name out of an image is a file or nothing. */
static bool is_protocol(const char *name)
{
	const char *c = name;

	while (isalnum((unsigned char)*c) || strchr("+-.", *c ? *c : ' '))
		c++;
	return *c == ':' && c > name;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	return mem_printf("%.*s", (int)(slash == path ? 1 : slash - path),
			  path);
}

/* The folder that named files must lie in, with links resolved. */
static char *allowed_root(const struct policy *policy, uint32_t from,
			  struct err *err)
{
	const char *dir = policy->settings->references_dir;
	const char *image;
	AUTO_FREE char *folder = NULL;
	char *root;

	/* Files named by named files lie where the image they began with does.
	 * Ends: a file has a higher number than the one that names it. */
	while (from >= PROTOCOL_FIRST_REFERENCE)
		from = policy->named_by[from];
	image = policy->path[from];
	if (!dir && !image) {
		err_set(err, ERR_REFUSED,
			"the input has no folder to look in; give "
			"--allow-references=DIR");
		return NULL;
	}
	folder = dir ? mem_strdup(dir) : folder_of(image);
	root = realpath(folder, NULL);
	if (!root)
		err_sys(err, ERR_NO_INPUT, "%s", folder);
	return root;
}

static bool is_inside(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (!strcmp(root, "/"))
		return true;
	return !strncmp(path, root, len) && path[len] == '/';
}

/* `real` without any link on the way: since it was resolved, somebody may have
 * put one there. On an older kernel only the last part is looked at. */
static int open_resolved(const char *real, const char *root)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	AUTO_FD int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *rest = real + strlen(root);
	int fd;

	if (folder < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, folder, rest + (*rest == '/'), &how,
			  sizeof how);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd;
}

static int open_inside(const char *full, const char *name, const char *root,
		       struct err *err)
{
	AUTO_FREE char *real = realpath(full, NULL);
	AUTO_FD int fd = -1;
	struct stat about;

	if (!real)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "%s", name);
	if (!is_inside(real, root))
		return err_set(err, ERR_REFUSED,
			       "%s lies outside %s; --allow-references=DIR "
			       "names another folder", name, root);
	fd = open_resolved(real, root);
	if (fd < 0 || fstat(fd, &about) < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "%s", name);
	if (!S_ISREG(about.st_mode))
		return err_set(err, ERR_REFUSED, "%s is not a regular file",
			       name);
	return STEAL_FD(fd);
}

/* Is the file one of those that led to it? Ends: a file has a higher number
 * than the one that names it. */
static bool is_loop(const struct policy *policy, unsigned from, int fd)
{
	struct stat named, about;

	if (fstat(fd, &named) < 0)
		return false;
	for (;;) {
		const char *path = policy->path[from];
		if (path && !stat(path, &about) &&
		    about.st_dev == named.st_dev &&
		    about.st_ino == named.st_ino)
			return true;
		if (from < PROTOCOL_FIRST_REFERENCE)
			return false;
		from = policy->named_by[from];
	}
}

/* How many files lead to this one. Ends as above. */
static unsigned depth_of(const struct policy *policy, unsigned from)
{
	unsigned depth = 1;

	for (; from >= PROTOCOL_FIRST_REFERENCE; from = policy->named_by[from])
		depth++;
	return depth;
}

int policy_open(struct policy *policy, const struct protocol_refer *refer,
		struct err *err)
{
	AUTO_FREE char *root = NULL;
	AUTO_FREE char *full = NULL;
	AUTO_FREE char *folder = NULL;
	const char *name = refer->name;

	if (!policy->settings->allow_references)
		return err_set(err, ERR_REFUSED,
			       "the file %s, which the image names, is not "
			       "opened without --allow-references", name);
	if (refer->from >= policy->count || policy->count == LIMIT_REFERENCES)
		return err_set(err, ERR_LIMIT, "too many files are named");
	if (depth_of(policy, refer->from) >= LIMIT_CHAIN)
		return err_set(err, ERR_LIMIT,
			       "more than %d files are named, one by another",
			       LIMIT_CHAIN);
	if (!*name || is_protocol(name))
		return err_set(err, ERR_REFUSED,
			       "the image names \"%s\", which is not a plain "
			       "file name", name);
	root = allowed_root(policy, refer->from, err);
	if (!root)
		return -1;
	folder = policy->path[refer->from]
			 ? folder_of(policy->path[refer->from])
			 : mem_strdup(root);
	full = *name == '/' ? mem_strdup(name)
			    : mem_printf("%s/%s", folder, name);
	AUTO_FD int fd = open_inside(full, name, root, err);
	if (fd < 0)
		return -1;
	if (is_loop(policy, refer->from, fd))
		return err_set(err, ERR_DAMAGED,
			       "%s leads back to itself: a loop of files that "
			       "name each other", name);
	policy->named_by[policy->count] = refer->from;
	policy->path[policy->count++] = STEAL(full);
	return STEAL_FD(fd);
}
