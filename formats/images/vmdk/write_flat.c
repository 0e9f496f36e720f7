/* SPDX-License-Identifier: MIT */
/* Owns the writing of flat extents, one or many: the guest's bytes as they
 * are, each where the guest has it. */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/write.h"

/* The extent of `offset`; with preallocation=falloc all of it at once, so
 * that no room is found out early. */
static struct vmdk_file *file_at(struct vmdk_writer *w, uint64_t offset,
				 uint64_t *start, struct err *err)
{
	unsigned before = w->file_count;
	struct vmdk_file *file = vmdk_file_at(w, offset, start, err);

	if (!file || w->config.zero != SINK_ZERO_ALLOCATE || !w->size_known)
		return file;
	for (unsigned i = before; i < w->file_count; i++) {
		if (sink_zero(w->files[i].sink, 0, w->files[i].size,
			      SINK_ZERO_ALLOCATE, err))
			return NULL;
		w->files[i].allocated = true;
	}
	return file;
}

static int flat_zero(struct writer *writer, uint64_t offset, uint64_t length,
		     enum extent_kind kind, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;
	uint64_t end = offset + length, start, len;

	(void)kind;
	for (; offset < end; offset += len) {
		struct vmdk_file *file = file_at(w, offset, &start, err);

		if (!file)
			return -1;
		len = end - offset;
		if (vmdk_is_split(&w->config))
			len = min_u64(len, start + SPLIT_LEN - offset);
		if (!file->allocated && sink_zero(file->sink, offset - start,
						  len, w->config.zero, err))
			return -1;
	}
	return 0;
}

static int flat_place(struct writer *writer, struct unit *unit, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;

	identity_unit(w->identity, unit, writer->granule);
	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * writer->granule;
		uint64_t len = min_u64(writer->granule, unit->len - at), start;
		struct vmdk_file *file;

		if (unit->granules[i].kind != EXTENT_DATA &&
		    w->config.zero != SINK_ZERO_WRITE) {
			if (flat_zero(writer, unit->offset + at, len,
				      EXTENT_ZERO, err))
				return -1;
			continue;
		}
		/* A granule never lies in two extents: both are whole ones. */
		file = file_at(w, unit->offset + at, &start, err);
		if (!file)
			return -1;
		unit_store(unit, file->sink, unit->offset + at - start,
			   unit->data + at, len);
	}
	return 0;
}

static int flat_reserve(struct writer *writer, uint64_t offset, uint64_t length,
			uint64_t *place, struct err *err)
{
	(void)writer, (void)length, (void)err;
	*place = offset;
	return 0;
}

static int flat_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;
	uint64_t seen = writer->position;

	/* What was never mentioned: all of it when an empty image is made. */
	if (size > seen &&
	    flat_zero(writer, seen, size - seen, EXTENT_HOLE, err))
		return -1;
	if (vmdk_writer_settle(w, size, err))
		return -1;
	for (unsigned i = 0; i < w->file_count; i++)
		if (sink_finish(w->files[i].sink, w->files[i].size, err))
			return -1;
	return vmdk_text_store(w, err);
}

static void flat_close(struct writer *writer)
{
	vmdk_writer_close((struct vmdk_writer *)writer);
	free(writer);
}

static const struct writer_ops single_ops = {
	.place = flat_place,
	.zero = flat_zero,
	.reserve = flat_reserve,
	.finish = flat_finish,
	.close = flat_close,
};

/* A run may go from one file into the next: none is told. */
static const struct writer_ops split_ops = {
	.place = flat_place,
	.zero = flat_zero,
	.finish = flat_finish,
	.close = flat_close,
};

struct writer *vmdk_flat_create(struct sink *sink,
				const struct create_options *options,
				struct err *err)
{
	struct vmdk_writer *w = mem_zalloc(sizeof *w);
	struct vmdk_file *first;
	uint64_t start;

	writer_init(&w->writer, &split_ops, "vmdk", sink);
	w->writer.any_order = true;
	w->writer.head_last = true;
	first = vmdk_writer_init(w, options, err) ? NULL
						  : file_at(w, 0, &start, err);
	if (!first) {
		flat_close(&w->writer);
		return NULL;
	}
	if (!vmdk_is_split(&w->config)) {
		w->writer.ops = &single_ops;
		w->writer.data = first->sink;
	}
	return &w->writer;
}
