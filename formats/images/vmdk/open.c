/* SPDX-License-Identifier: MIT */
/*
 * Owns putting an image together: the descriptor inside or beside, the
 * extents it lists, each held against what the descriptor says of it. Does
 * not decide which references are followed.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

/* For the tables of all extents together, and the least for one. */
#define DEFAULT_MEMORY (16 * MIB)
#define LEAST_MEMORY (64 * KIB)
/* A flat file may be filled up to its file system's block. */
#define FLAT_PADDING (64 * KIB)

/* What is left of "NAME-s001.vmdk" and the like, or 0. */
static size_t stem(const char *name)
{
	static const char *const endings[] = { "-flat", "-delta", "-sesparse",
					       NULL };
	size_t len = strlen(name), digits;

	if (len < 5 || strcasecmp(name + len - 5, ".vmdk"))
		return 0;
	len -= 5;
	for (size_t i = 0; endings[i]; i++) {
		size_t tail = strlen(endings[i]);

		if (len > tail &&
		    !strncasecmp(name + len - tail, endings[i], tail))
			return len - tail;
	}
	for (digits = 0; digits < len; digits++)
		if (!strchr("0123456789", name[len - 1 - digits]))
			break;
	len -= digits;
	if (digits && len > 2 && name[len - 2] == '-' &&
	    strchr("sf", name[len - 1]))
		return len - 2;
	return 0;
}

int vmdk_refuse_part(const char *name, const char *kind, struct err *err)
{
	size_t len = name ? stem(name) : 0;

	if (len)
		return err_set(err, ERR_UNSUPPORTED,
			       "this is one extent (%s) of a split disk: give "
			       "its descriptor, %.*s.vmdk", kind, (int)len,
			       name);
	return err_set(err, ERR_UNSUPPORTED,
		       "this is one extent (%s) of a split disk: give its "
		       "descriptor, the text file that names it", kind);
}

/* A sparse extent that has its descriptor inside. */
static int load_inside(struct vmdk_image *image, struct source *source,
		       const char *name, struct err *err)
{
	const struct vmdk_header *header = &image->header;

	if (vmdk_header_read(source, &image->header, err))
		return -1;
	if (!header->descriptor)
		return vmdk_refuse_part(name, "sparse", err);
	image->has_header = true;
	if (vmdk_descriptor_read(source, header->descriptor,
				 header->descriptor_len, &image->descriptor,
				 err))
		return image->descriptor.empty
			       ? vmdk_refuse_part(name, "sparse", err)
			       : -1;
	/* A capacity of 0: the file holds nothing but the descriptor. */
	image->alone = header->size;
	if (image->alone &&
	    (image->descriptor.count != 1 ||
	     image->descriptor.lines[0].type != VMDK_LINE_SPARSE))
		return err_set(err, ERR_UNSUPPORTED,
			       "the file holds a disk of %" PRIu64 " bytes, "
			       "but the descriptor inside lists %zu extents",
			       header->size, image->descriptor.count);
	return 0;
}

int vmdk_image_load(struct vmdk_image *image, struct source *source,
		    const char *name, struct err *err)
{
	unsigned char start[8];
	enum vmdk_kind kind;
	size_t got;

	if (source_read(source, start, sizeof start, 0, &got, err))
		return -1;
	if (vmdk_header_kind(start, got, &kind)) {
		if (kind == VMDK_HOSTED)
			return load_inside(image, source, name, err);
		return vmdk_refuse_part(
			name, kind == VMDK_COWD ? "COWD" : "seSparse", err);
	}
	if (source->size > VMDK_DESCRIPTOR_MAX)
		return err_set(err, ERR_DAMAGED,
			       "a descriptor of %" PRIu64 " bytes is more "
			       "than the %u that are possible",
			       source->size, VMDK_DESCRIPTOR_MAX);
	return vmdk_descriptor_read(source, 0, source->size,
				    &image->descriptor, err);
}

/* Does any other line take from the same file behind this one? */
static bool is_last_of_file(const struct vmdk_descriptor *descriptor,
			    const struct vmdk_line *line)
{
	for (size_t i = 0; i < descriptor->count; i++) {
		const struct vmdk_line *other = &descriptor->lines[i];

		if (other->name && other->offset > line->offset &&
		    !strcmp(other->name, line->name))
			return false;
	}
	return true;
}

static int check_flat(const struct vmdk_image *image,
		      const struct vmdk_line *line,
		      const struct source *source, struct err *err)
{
	/* All lines but those of zeros have a file: vmdk_line_parse. */
	assert(line->name && source);
	if (!checked_inside(line->offset, line->size, source->size))
		return err_set(err, ERR_DAMAGED,
			       "the descriptor says %" PRIu64 " bytes at "
			       "%" PRIu64 ", but the file has %" PRIu64,
			       line->size, line->offset, source->size);
	if (source->size - line->offset - line->size >= FLAT_PADDING &&
	    is_last_of_file(&image->descriptor, line))
		return err_set(err, ERR_DAMAGED,
			       "the file has %" PRIu64 " bytes, but the "
			       "descriptor uses only %" PRIu64 " of them; "
			       "correct its extent line, or convert the file "
			       "as raw", source->size,
			       line->offset + line->size);
	return 0;
}

int vmdk_line_fits(const struct vmdk_line *line,
		   const struct vmdk_header *header, struct err *err)
{
	static const char *const names[] = { "hosted sparse", "COWD",
					     "seSparse" };
	/* Old descriptors call COWD extents SPARSE, too. */
	bool suits = line->type == VMDK_LINE_SPARSE
			     ? header->kind != VMDK_SESPARSE
			     : header->kind == (line->type == VMDK_LINE_COWD
							? VMDK_COWD
							: VMDK_SESPARSE);

	if (!suits)
		return err_set(err, ERR_DAMAGED,
			       "the file is a %s extent, not what the "
			       "descriptor says", names[header->kind]);
	if (line->size > header->size ||
	    header->size - line->size >= header->grain)
		return err_set(err, ERR_DAMAGED,
			       "the descriptor says %" PRIu64 " bytes, but "
			       "the extent has %" PRIu64, line->size,
			       header->size);
	return 0;
}

int vmdk_image_extent(struct vmdk_image *image, size_t index,
		      struct source *source, bool own, uint64_t memory,
		      struct err *err)
{
	const struct vmdk_line *line = &image->descriptor.lines[index];
	struct vmdk_extent *extent = &image->extents[index];
	struct vmdk_header header = image->header;

	extent->type = line->type;
	extent->size = line->size;
	extent->start = index ? extent[-1].start + extent[-1].size : 0;
	extent->offset = line->offset;
	extent->source = source;
	extent->own = own;
	image->opened = index + 1;
	if (line->type == VMDK_LINE_ZERO)
		return 0;
	if (line->type == VMDK_LINE_FLAT)
		return check_flat(image, line, source, err);
	if ((!image->alone && vmdk_header_read(source, &header, err)) ||
	    vmdk_line_fits(line, &header, err))
		return -1;
	return vmdk_map_open(&extent->map, &header, source, memory, err);
}

struct source *vmdk_image_reference(const struct vmdk_image *image,
				    size_t index,
				    const struct open_options *options,
				    struct err *err)
{
	const char *name = image->descriptor.lines[index].name;
	struct source *source;

	if (!options->references) {
		err_set(err, ERR_REFUSED,
			"extent %s is not followed without "
			"--allow-references", name);
		return NULL;
	}
	source = options->references->open_source(options->references, name,
						  err);
	if (!source) {
		err_in(err, "extent %s", name);
		return NULL;
	}
	if (source->seekable)
		return source;
	err_set(err, ERR_UNSUPPORTED, "extent %s cannot be read at random",
		name);
	return source_close(source);
}

static int open_one(struct vmdk_image *image, size_t index,
		    const struct open_options *options, uint64_t memory,
		    struct err *err)
{
	const char *name = image->descriptor.lines[index].name;
	struct source *source = NULL;

	if (name) {
		source = vmdk_image_reference(image, index, options, err);
		if (!source)
			return -1;
	}
	if (vmdk_image_extent(image, index, source, name, memory, err))
		return err_in(err, "extent %s", name);
	return 0;
}

int vmdk_image_extents(struct vmdk_image *image, struct source *source,
		       const struct open_options *options, struct err *err)
{
	size_t count = image->descriptor.count;
	uint64_t memory = options->memory ? options->memory : DEFAULT_MEMORY;

	memory = max_u64(memory / count, LEAST_MEMORY);
	image->extents = mem_zalloc(count * sizeof *image->extents);
	if (image->alone)
		return vmdk_image_extent(image, 0, source, false, memory, err);
	for (size_t i = 0; i < count; i++)
		if (open_one(image, i, options, memory, err))
			return -1;
	return 0;
}

/* The parent as it was when this image was begun: its CID has changed if it
 * was written since. */
static int check_parent(struct vmdk_image *image, struct err *err)
{
	AUTO_FREE struct facts *facts = mem_zalloc(sizeof *facts);
	const char *found = "none";
	char wanted[16];

	disk_info(image->parent, facts);
	for (unsigned i = 0; i < facts->count; i++)
		if (!strcmp(facts->fact[i].name, "cid"))
			found = facts->fact[i].text;
	snprintf(wanted, sizeof wanted, "%08" PRIx32,
		 image->descriptor.parent_cid);
	if (!strcmp(found, wanted))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "parent %s has the CID %s, not %s: it was changed "
		       "since, or is another disk", image->descriptor.parent,
		       found, wanted);
}

int vmdk_image_parent(struct vmdk_image *image, const char *name,
		      const struct open_options *options, struct err *err)
{
	if (!options->references)
		return err_set(err, ERR_REFUSED,
			       "parent %s is not followed without "
			       "--allow-references", name);
	image->parent = options->references->open_disk(
		options->references, name, "vmdk", &image->parent_source, err);
	if (!image->parent)
		return err_in(err, "parent %s", name);
	return check_parent(image, err);
}

void vmdk_image_clear(struct vmdk_image *image)
{
	for (size_t i = 0; i < image->opened; i++) {
		vmdk_map_close(&image->extents[i].map);
		if (image->extents[i].own)
			source_close(image->extents[i].source);
	}
	free(image->extents);
	disk_close(image->parent);
	source_close(image->parent_source);
	vmdk_descriptor_clear(&image->descriptor);
}
