/* SPDX-License-Identifier: MIT */
/*
 * Owns the walk of a fixed VHD: the guest's bytes in order, and a footer that
 * is not known before the end, when it is held against what was seen. Other
 * kinds are read at random.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhd/vhd.h"

struct vhd_walk {
	struct walk walk;
	struct source *source;
	struct log *log;
	uint64_t position; /* yielded so far */
	uint64_t end;	   /* of the guest; valid when `ended` */
	bool ended;	   /* the footer was seen */
};

enum walk_order vhd_walk_order(const unsigned char *head, size_t len)
{
	/* Others begin with a copy of the footer. */
	return len >= VHD_COOKIE_LEN &&
			       !memcmp(head, VHD_COOKIE, VHD_COOKIE_LEN)
		       ? WALK_NONE
		       : WALK_ORDERED;
}

/* The stream knows where it ends, so its last bytes are there. */
static int read_footer(struct vhd_walk *walk, struct err *err)
{
	const struct source *source = walk->source;
	struct vhd_footer footer;
	struct vhd_ends ends;

	vhd_ends_tail(source->tail, source->tail_len, source->size, &ends);
	if (vhd_ends_check(&ends, err) ||
	    vhd_footer_parse(ends.tail, ends.len, ends.place, &footer, err))
		return -1;
	if (footer.type != VHD_FIXED)
		return err_set(err, ERR_UNSUPPORTED,
			       "only a fixed disk can be read in one pass");
	if (vhd_footer_check_state(&footer, err))
		return -1;
	if (footer.size > footer.place)
		return err_set(err, ERR_DAMAGED,
			       "a fixed disk of %" PRIu64 " bytes is cut "
			       "short: %" PRIu64 " came in front of the footer",
			       footer.size, footer.place);
	/* By the geometry the disk may be shorter than what was yielded. */
	if (footer.size < walk->position)
		return err_set(err, ERR_UNSUPPORTED,
			       "the disk of %" PRIu64 " bytes ends long before "
			       "its footer at %" PRIu64 ", which a stream "
			       "tells too late: convert it from a file",
			       footer.size, footer.place);
	vhd_footer_tell(&footer, walk->log);
	walk->end = footer.size;
	walk->ended = true;
	return 0;
}

static int vhd_next(struct walk *base, void *buf, size_t len,
		    struct walk_piece *out, struct err *err)
{
	struct vhd_walk *walk = (struct vhd_walk *)base;
	struct source *source = walk->source;
	size_t got;

	if (walk->ended && walk->position == walk->end)
		return source_finish(source, err);
	if (source_read(source, buf, len, walk->position, &got, err))
		return -1;
	/* The last 512 bytes are known before the first of them is read. */
	if (source->size_known && !walk->ended && read_footer(walk, err))
		return -1;
	if (walk->ended)
		got = (size_t)min_u64(got, walk->end - walk->position);
	if (!got)
		return source_finish(source, err);
	out->offset = walk->position;
	out->length = out->stored = got;
	out->kind = EXTENT_DATA;
	walk->position += got;
	return 1;
}

static void vhd_walk_close(struct walk *walk)
{
	free(walk);
}

static const struct walk_ops vhd_walk_ops = { .next = vhd_next,
					      .close = vhd_walk_close };

struct walk *vhd_walk(struct source *stream, const struct open_options *options,
		      int spool_fd, struct err *err)
{
	(void)spool_fd; /* the bytes come in order: nothing to keep */
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"a VHD has no snapshots, so no %s", options->snapshot);
		return NULL;
	}
	struct vhd_walk *walk = mem_zalloc(sizeof *walk);

	walk_init(&walk->walk, &vhd_walk_ops, "vhd");
	walk->walk.ordered = true;
	walk->source = stream;
	walk->log = options->log;
	return &walk->walk;
}
