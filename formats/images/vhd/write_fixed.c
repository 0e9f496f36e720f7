/* SPDX-License-Identifier: MIT */
/* Owns the writer of fixed VHDs: the guest's bytes where the guest has them,
 * and the footer behind. */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhd/write.h"

struct vhd_fixed {
	struct writer writer;
	struct vhd_config config;
	struct identity *identity;
	bool allocated; /* all of it, when it was made */
};

static int fixed_zero(struct writer *writer, uint64_t offset, uint64_t length,
		      enum extent_kind kind, struct err *err)
{
	struct vhd_fixed *fixed = (struct vhd_fixed *)writer;

	(void)kind;
	/* An append-only sink fills the gap when what comes after it is
	 * written; there may be units still to be stored. */
	if (!writer->sink->seekable || fixed->allocated)
		return 0;
	return sink_zero(writer->sink, offset, length, fixed->config.zeros,
			 err);
}

/* Data is stored where it is; runs are joined by unit_store. */
static int fixed_place(struct writer *writer, struct unit *unit,
		       struct err *err)
{
	struct vhd_fixed *fixed = (struct vhd_fixed *)writer;
	bool full = fixed->config.zeros == SINK_ZERO_WRITE;

	identity_unit(fixed->identity, unit, writer->granule);
	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * writer->granule;
		size_t len = min_u64(writer->granule, unit->len - at);

		if (unit->granules[i].kind == EXTENT_DATA || full)
			unit_store(unit, writer->sink, unit->offset + at,
				   unit->data + at, len);
		else if (fixed_zero(writer, unit->offset + at, len, EXTENT_ZERO,
				    err))
			return -1;
	}
	return 0;
}

static int fixed_reserve(struct writer *writer, uint64_t offset,
			 uint64_t length, uint64_t *place, struct err *err)
{
	(void)writer, (void)length, (void)err;
	*place = offset;
	return 0;
}

static int fixed_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vhd_fixed *fixed = (struct vhd_fixed *)writer;
	unsigned char footer[VHD_FOOTER_LEN];
	uint64_t seen = writer->position;

	if (vhd_check_size(size, err))
		return -1;
	/* What was never mentioned: all of it when an empty image is made. */
	if (size > seen &&
	    fixed_zero(writer, seen, size - seen, EXTENT_HOLE, err))
		return -1;
	vhd_put_footer(&fixed->config, fixed->identity, size, footer);
	if (sink_write(writer->sink, footer, sizeof footer, size, err))
		return -1;
	return sink_finish(writer->sink, size + sizeof footer, err);
}

static void fixed_close(struct writer *writer)
{
	struct vhd_fixed *fixed = (struct vhd_fixed *)writer;

	identity_close(fixed->identity);
	free(fixed);
}

static const struct writer_ops fixed_ops = {
	.place = fixed_place,
	.zero = fixed_zero,
	.reserve = fixed_reserve,
	.finish = fixed_finish,
	.close = fixed_close,
};

struct writer *vhd_fixed_create(struct sink *sink,
				const struct vhd_config *config,
				const struct create_options *options,
				struct err *err)
{
	struct vhd_fixed *fixed = mem_zalloc(sizeof *fixed);

	writer_init(&fixed->writer, &fixed_ops, "vhd", sink);
	fixed->writer.any_order = sink->seekable;
	fixed->writer.head_last = sink->seekable;
	fixed->config = *config;
	fixed->identity = identity_open(&fixed->writer, options);
	if (options->size_known)
		sink_expect(sink, options->size + VHD_FOOTER_LEN);
	/* Room for all of it at once: no room is found out before any work. */
	if (config->zeros == SINK_ZERO_ALLOCATE && sink->seekable &&
	    options->size_known) {
		if (sink_zero(sink, 0, options->size, SINK_ZERO_ALLOCATE,
			      err)) {
			fixed_close(&fixed->writer);
			return NULL;
		}
		fixed->allocated = true;
	}
	return &fixed->writer;
}
