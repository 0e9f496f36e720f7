/* SPDX-License-Identifier: MIT */
/* Owns the files that an image consists of: their names, their number, what
 * part of the disk is in which. Does not write to them. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/write.h"

/* The name of an image that has none: it goes to a pipe. */
#define NAME_OF_NONE "disk.vmdk"

static bool is_single(const struct vmdk_writer *w)
{
	return w->config.subformat <= VMDK_STREAM_OPTIMIZED;
}

/* A name stands between quotes on a line of its own. */
static bool is_writable(const char *name)
{
	for (; *name; name++)
		if (*name == '"' || (unsigned char)*name < ' ')
			return false;
	return true;
}

/* "disk.vmdk" -> "disk-s001.vmdk", as QEMU and VMware name them. */
static char *part_name(const struct vmdk_writer *w, unsigned index)
{
	const char *name = w->options.name;
	const char *dot = strrchr(name, '.');
	size_t stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);

	if (!vmdk_is_split(&w->config))
		return mem_printf("%.*s-flat%s", (int)stem, name, name + stem);
	return mem_printf("%.*s-%c%03u%s", (int)stem, name,
			  vmdk_is_flat(&w->config) ? 'f' : 's', index + 1,
			  name + stem);
}

/* The one file's own. A stream's bytes must not depend on where it goes. */
static char *single_name(const struct vmdk_writer *w)
{
	bool own = w->config.subformat == VMDK_MONOLITHIC_SPARSE &&
		   *w->options.name && is_writable(w->options.name);

	return mem_strdup(own ? w->options.name : NAME_OF_NONE);
}

static uint64_t file_len(const struct vmdk_writer *w)
{
	return vmdk_is_split(&w->config) ? SPLIT_LEN : LIMIT_DISK_SIZE;
}

static int check_names(const struct vmdk_writer *w, struct err *err)
{
	if (is_single(w))
		return 0;
	if (!w->options.parts || !*w->options.name)
		return err_set(err, ERR_UNSUPPORTED,
			       "needs a file: subformat=%s is several; use "
			       "streamOptimized or monolithicSparse",
			       w->config.type);
	if (!is_writable(w->options.name))
		return err_set(err, ERR_UNSUPPORTED,
			       "the name %s cannot stand in a descriptor",
			       w->options.name);
	return 0;
}

static int check_count(const struct vmdk_writer *w, uint64_t count,
		       struct err *err)
{
	if (count > PARTS_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "subformat=%s would take %llu files, at most "
			       "%d are possible; use monolithicSparse or "
			       "monolithicFlat",
			       w->config.type, (unsigned long long)count,
			       PARTS_MAX);
	return 0;
}

static int add_file(struct vmdk_writer *w, struct err *err)
{
	unsigned index = w->file_count;
	struct vmdk_file *file;

	if (check_count(w, index + 1, err))
		return -1;
	w->files = mem_resize(w->files, index + 1, sizeof *w->files);
	file = &w->files[index];
	memset(file, 0, sizeof *file);
	file->size = file_len(w);
	if (w->size_known)
		file->size = min_u64(file->size, w->size - index * file_len(w));
	w->file_count++;
	if (is_single(w)) {
		file->name = single_name(w);
		file->sink = w->writer.sink;
		return 0;
	}
	file->name = part_name(w, index);
	file->sink = w->options.parts->open(w->options.parts, file->name, err);
	return file->sink ? 0 : -1;
}

struct vmdk_file *vmdk_file_at(struct vmdk_writer *w, uint64_t offset,
			       uint64_t *start, struct err *err)
{
	uint64_t index = offset / file_len(w);

	/* An empty disk has one extent, too. */
	while (w->file_count <= index)
		if (add_file(w, err))
			return NULL;
	*start = index * file_len(w);
	return &w->files[index];
}

/* All that the size takes, at least one. */
static int settle_files(struct vmdk_writer *w, struct err *err)
{
	uint64_t start;

	if (!vmdk_file_at(w, w->size ? w->size - 1 : 0, &start, err))
		return -1;
	for (unsigned i = 0; i < w->file_count; i++)
		w->files[i].size =
			min_u64(file_len(w), w->size - i * file_len(w));
	return 0;
}

int vmdk_writer_init(struct vmdk_writer *w,
		     const struct create_options *options, struct err *err)
{
	w->options = *options;
	w->size_known = options->size_known;
	w->size = options->size_known ? options->size : 0;
	if (vmdk_config_parse(&w->options, &w->config, err) ||
	    check_names(w, err))
		return -1;
	if (vmdk_is_split(&w->config) &&
	    check_count(w, div_up(w->size, SPLIT_LEN), err))
		return -1;
	if (!vmdk_is_flat(&w->config) && vmdk_check_directory(w->size, err))
		return -1;
	w->identity = identity_open(&w->writer, options);
	return 0;
}

int vmdk_writer_settle(struct vmdk_writer *w, uint64_t size, struct err *err)
{
	if (size % VMDK_SECTOR)
		return err_set(err, ERR_BUG, "size %llu is not whole sectors",
			       (unsigned long long)size);
	if (w->size_known && size != w->size)
		return err_set(
			err, ERR_BUG, "size was announced as %llu and is %llu",
			(unsigned long long)w->size, (unsigned long long)size);
	w->size = size;
	return settle_files(w, err);
}

void vmdk_writer_close(struct vmdk_writer *w)
{
	for (unsigned i = 0; i < w->file_count; i++) {
		for (size_t k = 0; k < w->files[i].table_count; k++)
			free(w->files[i].table[k]);
		free(w->files[i].table);
		free(w->files[i].name);
	}
	free(w->files);
	identity_close(w->identity);
}
