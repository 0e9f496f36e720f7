/* SPDX-License-Identifier: MIT */
/* Owns the names of unfinished outputs and the removal of what killed runs
 * left. Does not know how an output is made. */
#include "io/sibling.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MARK ".imgconv-"
#define RANDOM_LEN 6
#define SUFFIX_LEN 7 /* the longest: of what is kept */

static const char letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static const char *const kept[] = {
	[SIBLING_PARTIAL] = "partial",
	[SIBLING_JOURNAL] = "journal",
};

/* All but the random letters. A name too long for a prefix and a suffix is
 * cut; two such names may then share strays, which their locks keep apart. */
static size_t prefix_of(const char *name, char out[SIBLING_NAME_LEN])
{
	int most = SIBLING_NAME_LEN - 1 - 1 - (int)strlen(MARK) - SUFFIX_LEN;
	int len = snprintf(out, SIBLING_NAME_LEN, ".%.*s" MARK, most, name);

	return (size_t)len;
}

void sibling_name(const char *name, char out[SIBLING_NAME_LEN])
{
	size_t at = prefix_of(name, out);
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
		struct timespec now;

		/* Only a first guess: a name in use is not taken. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		bits = (uint64_t)now.tv_nsec * 0x9e3779b9u;
		bits ^= (uint64_t)getpid() << 20;
	}
	for (int i = 0; i < RANDOM_LEN; i++) {
		out[at++] = letters[bits % (sizeof letters - 1)];
		bits /= sizeof letters - 1;
	}
	out[at] = '\0';
}

void sibling_kept_name(const char *name, enum sibling_kept what,
		       char out[SIBLING_NAME_LEN])
{
	size_t at = prefix_of(name, out);

	memcpy(out + at, kept[what], SUFFIX_LEN + 1);
}

static bool is_sibling(const char *entry, const char *prefix, size_t len,
		       bool with_kept)
{
	const char *suffix;

	if (strncmp(entry, prefix, len))
		return false;
	suffix = entry + len;
	if (!strcmp(suffix, kept[SIBLING_PARTIAL]) ||
	    !strcmp(suffix, kept[SIBLING_JOURNAL]))
		return with_kept;
	return strlen(suffix) == RANDOM_LEN &&
	       strspn(suffix, letters) == RANDOM_LEN;
}

bool sibling_is(int dir_fd, const char *name, dev_t dev, ino_t ino)
{
	struct stat st;

	return !fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       st.st_dev == dev && st.st_ino == ino;
}

void sibling_remove(int dir_fd, const char *name, dev_t dev, ino_t ino)
{
	if (sibling_is(dir_fd, name, dev, ino))
		unlinkat(dir_fd, name, 0);
}

static void remove_stray(int dir_fd, const char *name)
{
	/* Not blocking: it could be a FIFO of that name. */
	int fd = openat(dir_fd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    (st.st_uid == geteuid() || !geteuid()) &&
	    !flock(fd, LOCK_EX | LOCK_NB))
		sibling_remove(dir_fd, name, st.st_dev, st.st_ino);
	close(fd);
}

void sibling_remove_strays(int dir_fd, const char *name, bool with_kept)
{
	char prefix[SIBLING_NAME_LEN];
	size_t len = prefix_of(name, prefix);
	/* A descriptor of its own: closedir closes it. */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
	while ((entry = readdir(dir)))
		if (is_sibling(entry->d_name, prefix, len, with_kept))
			remove_stray(dir_fd, entry->d_name);
	closedir(dir);
}
