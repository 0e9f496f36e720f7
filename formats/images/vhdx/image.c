/* SPDX-License-Identifier: MIT */
/* Owns opening an image up to its BAT, in the order that the log demands:
 * headers, log, and only then the structures that the log may have changed. */
#include <string.h>

#include "formats/images/vhdx/vhdx.h"

static int open_view(struct vhdx_image *image, struct log *log, struct err *err)
{
	struct vhdx_log entries;

	image->view = image->source;
	if (vhdx_guid_is_zero(image->header.log_guid))
		return 0;
	if (vhdx_log_read(image->source, &image->header, &entries, err))
		return -1;
	image->replayed = entries.entries;
	image->replay = vhdx_replay_open(image->source, &entries);
	image->view = image->replay;
	log_note(log,
		 "vhdx: the image was not closed properly: its log is "
		 "replayed in memory (entries: %u)",
		 image->replayed);
	return 0;
}

static void note_damage(struct log *log, const char *what, char damage[2][160])
{
	for (unsigned i = 0; i < 2; i++)
		if (*damage[i])
			log_note(log,
				 "vhdx: %s %u is damaged (%s); the other one "
				 "is used",
				 what, i + 1, damage[i]);
}

int vhdx_image_open(struct vhdx_image *image, struct source *source,
		    struct log *log, struct err *err)
{
	memset(image, 0, sizeof *image);
	image->source = source;
	if (vhdx_header_read(source, &image->header, err))
		return -1;
	note_damage(log, "header", image->header.damage);
	if (open_view(image, log, err))
		return -1;
	if (vhdx_regions_read(image->view, &image->header, &image->regions,
			      err) ||
	    vhdx_metadata_read(image->view, &image->regions, &image->metadata,
			       err)) {
		vhdx_image_clear(image);
		return -1;
	}
	note_damage(log, "region table", image->regions.damage);
	return 0;
}

void vhdx_image_clear(struct vhdx_image *image)
{
	image->replay = source_close(image->replay);
}
