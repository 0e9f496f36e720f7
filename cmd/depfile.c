/* SPDX-License-Identifier: MIT */
/* Owns the writing of a dependency file, as GCC's -MD -MP writes them. What
 * was read is known elsewhere. */
#include "cmd/depfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/same_file.h"
#include "io/output.h"

struct depfile {
	char **path;
	unsigned count;
};

struct depfile *depfile_open(void)
{
	return mem_zalloc(sizeof(struct depfile));
}

void depfile_add(struct depfile *depfile, const char *path)
{
	/* As make has it: "./x" is "x". */
	while (!strncmp(path, "./", 2) && path[2])
		path += 2;
	for (unsigned i = 0; i < depfile->count; i++)
		if (!strcmp(depfile->path[i], path))
			return;
	depfile->path = mem_resize(depfile->path, depfile->count + 1,
				   sizeof *depfile->path);
	depfile->path[depfile->count++] = mem_strdup(path);
}

struct depfile *depfile_close(struct depfile *depfile)
{
	if (!depfile)
		return NULL;
	for (unsigned i = 0; i < depfile->count; i++)
		free(depfile->path[i]);
	free(depfile->path);
	free(depfile);
	return NULL;
}

/* A name as make and ninja read it: blanks, '#' and ':' behind a backslash,
 * '$' twice. */
static char *escaped(const char *name)
{
	char *out = mem_zalloc(2 * strlen(name) + 1), *at = out;

	for (const char *c = name; *c; c++) {
		if (strchr(" \t#:", *c))
			*at++ = '\\';
		else if (*c == '$')
			*at++ = '$';
		*at++ = *c;
	}
	return out;
}

/* An assignment, a recipe, a pattern, a list of files, a member of a library:
 * what these would mean, and cannot be kept from meaning in both programs. A
 * name out of an image must not come to be one. */
static bool has_meaning(const char *name)
{
	size_t len = strlen(name);

	return strpbrk(name, "\n\r=;|%*?[\\") || *name == '~' ||
	       (len && name[len - 1] == ')' && strchr(name, '('));
}

static int refuse_own(const char *path, const char *name, struct err *err)
{
	if (!same_file(path, name))
		return 0;
	return err_set(err, ERR_USAGE,
		       "-MF: %s is an image of this command; give another "
		       "file", path);
}

int depfile_check(const struct depfile *depfile, const char *path,
		  const char *target, struct err *err)
{
	for (unsigned i = 0; i <= depfile->count; i++) {
		const char *name = i < depfile->count ? depfile->path[i]
						      : target;

		if (refuse_own(path, name, err) < 0)
			return -1;
		if (has_meaning(name))
			return err_set(err, ERR_USAGE,
				       "-MF: to make the name \"%.200s\" would "
				       "mean something else", name);
	}
	return 0;
}

static char *text_of(const struct depfile *depfile, const char *target)
{
	AUTO_FREE char *name = escaped(target);
	char *text = mem_printf("%s:", name);

	for (unsigned i = 0; i < depfile->count; i++) {
		AUTO_FREE char *file = escaped(depfile->path[i]);
		char *longer = mem_printf("%s \\\n  %s", text, file);

		free(text);
		text = longer;
	}
	for (unsigned i = 0; i < depfile->count; i++) {
		AUTO_FREE char *file = escaped(depfile->path[i]);
		char *longer = mem_printf("%s\n\n%s:", text, file);

		free(text);
		text = longer;
	}
	char *whole = mem_printf("%s\n", text);
	free(text);
	return whole;
}

static int write_all(int fd, const char *text, struct err *err)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_sys(err, ERR_IO, "write");
		text += done;
		len -= (size_t)done;
	}
	return 0;
}

int depfile_write(const struct depfile *depfile, const char *path,
		  const char *target, struct err *err)
{
	const struct output_options options = { .force = true };
	AUTO_FREE char *text = NULL;
	struct output *output;
	int result;

	/* By another name, it can only be seen now. */
	if (refuse_own(path, target, err) < 0)
		return -1;
	text = text_of(depfile, target);
	output = output_open(path, &options, err);
	if (!output)
		return -1;
	result = write_all(output_fd(output), text, err);
	if (!result)
		result = output_commit(output, err);
	output_close(output);
	return result;
}
