/* SPDX-License-Identifier: MIT */
/* Owns the list of an output's files and the order in which they appear. How
 * one file appears is io/output's. */
#include "cmd/parts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/files.h"

struct part {
	struct part *next;
	char *name;
	struct output *output;
	struct sink *sink; /* parts_direct's; or NULL */
};

struct parts_list {
	struct parts direct;
	bool sync;
	char *path;
	struct output *main;
	struct output_options options;
	/* In reverse. Grows at the front: a signal sees the old list or the
	 * new one. */
	struct part *volatile first;
};

struct parts_list *parts_open(const char *path, struct output *main,
			      const struct output_options *options)
{
	struct parts_list *parts = mem_zalloc(sizeof *parts);

	parts->path = mem_strdup(path);
	parts->main = main;
	parts->options = *options;
	return parts;
}

/* `name` as seen from the image's folder. */
static char *beside(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	if (*name == '/' || !slash)
		return mem_strdup(name);
	return mem_printf("%.*s%s", (int)(slash - image + 1), image, name);
}

static int refuse_same(const struct parts_list *parts,
		       const struct output *output, const char *name,
		       struct err *err)
{
	if (output_same(output, parts->main))
		return err_set(err, ERR_CREATE,
			       "%s: is the output itself; it needs another "
			       "name", name);
	for (const struct part *part = parts->first; part; part = part->next)
		if (output_same(output, part->output))
			return err_set(err, ERR_BUG, "%s: is asked for twice",
				       name);
	return 0;
}

struct output *parts_add(struct parts_list *parts, const char *name,
			 struct err *err)
{
	AUTO_FREE char *path = beside(parts->path, name);
	/* Before the file: without memory nobody knew of it. */
	AUTO_FREE struct part *made = mem_zalloc(sizeof *made);
	struct output *output = output_open(path, &parts->options, err);
	struct part *part;

	if (!output) {
		err_in(err, "%s", path);
		return NULL;
	}
	if (refuse_same(parts, output, path, err) < 0)
		return output_close(output);
	part = STEAL(made);
	part->name = STEAL(path);
	part->output = output;
	part->next = parts->first;
	parts->first = part;
	return output;
}

/* As far as the image's name goes before its last suffix. */
static size_t stem_len(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

struct output *parts_add_made(struct parts_list *parts, const char *name,
			      struct err *err)
{
	const char *slash = strrchr(parts->path, '/');
	const char *own = slash ? slash + 1 : parts->path;

	if (strchr(name, '/') || strncmp(name, own, stem_len(own)) ||
	    !strcmp(name, own)) {
		err_set(err, ERR_BUG, "\"%s\" is no name for a part of %s",
			name, own);
		return NULL;
	}
	return parts_add(parts, name, err);
}

static struct sink *open_direct(struct parts *direct, const char *name,
				struct err *err)
{
	struct parts_list *parts =
		(struct parts_list *)((char *)direct -
				      offsetof(struct parts_list, direct));
	struct output *output = parts_add_made(parts, name, err);
	int fd = output ? dup(output_fd(output)) : -1;

	if (!output)
		return NULL;
	if (fd < 0) {
		err_sys(err, ERR_IO, "%s", name);
		return NULL;
	}
	parts->first->sink = files_image_sink(
		fd, &(const struct image_sink_options){ .sync = parts->sync,
							.direct = -1 },
		err);
	return parts->first->sink;
}

struct parts *parts_direct(struct parts_list *parts, bool sync)
{
	parts->direct.open = open_direct;
	parts->sync = sync;
	return &parts->direct;
}

/* What is committed last is what fails most rarely: only names are left when
 * the first one is given. */
static int settle(struct parts_list *parts, struct err *err)
{
	for (struct part *part = parts->first; part; part = part->next)
		if (output_settle(part->output, err) < 0)
			return err_in(err, "%s", part->name);
	return parts->first && output_settle(parts->main, err) < 0
		       ? err_in(err, "%s", parts->path)
		       : 0;
}

int parts_commit(struct parts_list *parts, struct err *err)
{
	struct part *part, *done;

	if (settle(parts, err) < 0)
		return -1;
	for (part = parts->first; part; part = part->next)
		if (output_commit(part->output, err) < 0) {
			err_in(err, "%s", part->name);
			break;
		}
	if (!part && !output_commit(parts->main, err))
		return 0;
	if (!part)
		err_in(err, "%s", parts->path);
	for (done = parts->first; done != part; done = done->next)
		output_withdraw(done->output);
	return -1;
}

void parts_withdraw(struct parts_list *parts)
{
	output_withdraw(parts->main);
	for (struct part *part = parts->first; part; part = part->next)
		output_withdraw(part->output);
}

void parts_abandon(const struct parts_list *parts)
{
	const struct part *part = parts ? parts->first : NULL;

	for (; part; part = part->next)
		output_abandon(part->output);
}

struct parts_list *parts_close(struct parts_list *parts)
{
	struct part *part;

	if (!parts)
		return NULL;
	while ((part = parts->first)) {
		parts->first = part->next;
		sink_close(part->sink);
		output_close(part->output);
		free(part->name);
		free(part);
	}
	free(parts->path);
	free(parts);
	return NULL;
}
