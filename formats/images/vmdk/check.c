/* SPDX-License-Identifier: MIT */
/*
 * Owns the consistency check of an image: the descriptor, each extent it
 * lists, the parent's CID, and the order of a stream-optimized file. Changes
 * nothing; what a sparse extent stores is check_map.c's.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

/* One pass over the whole file, as if it came from a pipe: markers, footer,
 * end, and every grain decoded. False where it cannot be gone through so. */
static bool check_stream(struct source *source, struct check_report *report)
{
	static const struct open_options options;
	AUTO_FREE unsigned char *buf = mem_buffer(UNIT_LEN_MAX);
	AUTO_WALK struct walk *walk = NULL;
	struct walk_piece piece;
	struct err err = { ERR_NONE, 0, "" };
	int got = -1;

	walk = vmdk_walk(source, &options, -1, &err);
	/* Ends with the disk. */
	while (walk && (got = walk_next(walk, buf, UNIT_LEN_MAX, &piece,
					&err)) > 0)
		;
	if (got < 0 && err.kind != ERR_UNSUPPORTED)
		check_corruption(report, "%s", err.message);
	return got == 0;
}

static int check_alone(const struct vmdk_image *image, struct source *source,
		       struct check_report *report, struct err *err)
{
	struct err found = { ERR_NONE, 0, "" };
	bool decoded;

	if (vmdk_line_fits(image->descriptor.lines, &image->header, &found))
		check_corruption(report, "%s", found.message);
	decoded = image->header.markers && check_stream(source, report);
	return vmdk_check_map(&image->header, source, !decoded, report, err);
}

/* One extent in a file of its own. Whatever is wrong with it is a finding. */
static int check_extent(struct vmdk_image *image, size_t index,
			struct source *source, struct check_report *report,
			struct err *err)
{
	const struct vmdk_line *line = &image->descriptor.lines[index];
	struct err found = { ERR_NONE, 0, "" };
	struct vmdk_header header;

	if (line->type == VMDK_LINE_FLAT) {
		if (vmdk_image_extent(image, index, source, false, 0, &found))
			check_corruption(report, "extent %s: %s", line->name,
					 found.message);
		return 0;
	}
	if (vmdk_header_read(source, &header, &found)) {
		check_corruption(report, "extent %s: %s", line->name,
				 found.message);
		return 0;
	}
	if (vmdk_line_fits(line, &header, &found))
		check_corruption(report, "extent %s: %s", line->name,
				 found.message);
	if (!header.size)
		return 0;
	return vmdk_check_map(&header, source, true, report, err)
		       ? err_in(err, "extent %s", line->name)
		       : 0;
}

/* May it not be opened, that is no finding, but is said. */
static void cannot_open(const struct open_options *options,
			const struct err *found, struct check_report *report)
{
	if (found->kind == ERR_REFUSED)
		log_note(options->log, "vmdk: not checked: %s",
			 found->message);
	else
		check_corruption(report, "%s", found->message);
}

static int check_extents(struct vmdk_image *image,
			 const struct open_options *options,
			 struct check_report *report, struct err *err)
{
	struct err found = { ERR_NONE, 0, "" };

	image->extents = mem_zalloc(image->descriptor.count *
				    sizeof *image->extents);
	for (size_t i = 0; i < image->descriptor.count; i++) {
		AUTO_SOURCE struct source *source = NULL;

		if (!image->descriptor.lines[i].name)
			continue;
		source = vmdk_image_reference(image, i, options, &found);
		if (source) {
			if (check_extent(image, i, source, report, err))
				return -1;
			continue;
		}
		cannot_open(options, &found, report);
		/* The others are not allowed either. */
		if (found.kind == ERR_REFUSED)
			break;
	}
	return 0;
}

static void check_descriptor(struct vmdk_image *image,
			     const struct open_options *options,
			     struct check_report *report)
{
	struct err found = { ERR_NONE, 0, "" };
	const char *parent;

	if (!image->descriptor.has_cid)
		check_corruption(report, "the descriptor has no CID");
	if (vmdk_descriptor_parent(&image->descriptor, &parent, &found))
		check_corruption(report, "%s", found.message);
	else if (parent && vmdk_image_parent(image, parent, options, &found))
		cannot_open(options, &found, report);
}

int vmdk_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err)
{
	struct vmdk_image *image = mem_zalloc(sizeof *image);
	int status = vmdk_image_load(image, source, options->name, err);

	if (!status) {
		if (image->has_header && image->header.unclean)
			log_note(options->log,
				 "vmdk: the image was not closed properly");
		check_descriptor(image, options, report);
		status = image->alone
				 ? check_alone(image, source, report, err)
				 : check_extents(image, options, report, err);
	}
	/* Sources are closed where they were opened. */
	vmdk_image_clear(image);
	free(image);
	return status;
}
