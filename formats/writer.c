/* SPDX-License-Identifier: MIT */
/* Owns the gateway to writers: range, order and state of every call. Does not
 * know any format, and moves no bytes. */
#include "formats/writer.h"

#include <string.h>

#include "base/checked.h"
#include "base/limits.h"

void writer_init(struct writer *writer, const struct writer_ops *ops,
		 const char *format, struct sink *sink)
{
	memset(writer, 0, sizeof *writer);
	writer->ops = ops;
	writer->format = format;
	writer->sink = sink;
	writer->data = sink;
	writer->granule = 4096;
	writer->unit_len = UNIT_LEN;
}

/* The first range of a writer that allows it may come last. */
static bool in_order(struct writer *writer, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	if (!writer->started) {
		writer->started = true;
		writer->head_end = writer->head_last ? offset : 0;
		writer->position = offset;
	}
	if (offset >= writer->position) {
		/* After a last, partial granule nothing can follow. */
		if (writer->position % writer->granule)
			return false;
		writer->position = end;
		return true;
	}
	if (offset < writer->head_position || end > writer->head_end)
		return false;
	writer->head_position = end;
	return true;
}

static int check_range(struct writer *writer, uint64_t offset, uint64_t length,
		       struct err *err)
{
	uint64_t end;

	if (writer->finished)
		return err_set(err, ERR_BUG, "%s: written after its end",
			       writer->format);
	if (!length || (!writer->any_order && offset % writer->granule) ||
	    !checked_add(offset, length, &end) || end > LIMIT_DISK_SIZE)
		return err_set(err, ERR_BUG,
			       "%s: %llu bytes at %llu are not whole granules",
			       writer->format, (unsigned long long)length,
			       (unsigned long long)offset);
	if (writer->any_order) {
		writer->position = max_u64(writer->position, end);
		return 0;
	}
	if (!in_order(writer, offset, length))
		return err_set(err, ERR_BUG,
			       "%s: range at %llu is out of order (next: %llu)",
			       writer->format, (unsigned long long)offset,
			       (unsigned long long)writer->position);
	return 0;
}

static int check_unit(const struct writer *writer, const struct unit *unit,
		      struct err *err)
{
	if (unit->len > unit->room || unit->room > UNIT_LEN_MAX ||
	    unit->granule_count != div_up(unit->len, writer->granule))
		return err_set(err, ERR_BUG,
			       "%s: unit of %zu bytes with %zu granules",
			       writer->format, unit->len, unit->granule_count);
	return 0;
}

int writer_encode(struct writer *writer, void *context, struct unit *unit,
		  struct err *err)
{
	if (check_unit(writer, unit, err))
		return -1;
	for (size_t i = 0; i < unit->granule_count; i++)
		unit->granules[i].coded_len = unit->granules[i].coded_at = 0;
	if (!writer->ops->encode)
		return 0;
	return writer->ops->encode(writer, context, unit, err);
}

int writer_place(struct writer *writer, struct unit *unit, struct err *err)
{
	if (check_unit(writer, unit, err) ||
	    check_range(writer, unit->offset, unit->len, err))
		return -1;
	return writer->ops->place(writer, unit, err);
}

int writer_zero(struct writer *writer, uint64_t offset, uint64_t length,
		enum extent_kind kind, struct err *err)
{
	if (!length)
		return 0;
	if (kind == EXTENT_DATA)
		return err_set(err, ERR_BUG, "%s: data given as zeros",
			       writer->format);
	if (check_range(writer, offset, length, err))
		return -1;
	return writer->ops->zero(writer, offset, length, kind, err);
}

bool writer_can_reserve(const struct writer *writer)
{
	return writer->ops->reserve && writer->sink->seekable;
}

int writer_reserve(struct writer *writer, uint64_t offset, uint64_t length,
		   uint64_t *place, struct err *err)
{
	if (!writer_can_reserve(writer))
		return err_set(err, ERR_BUG, "%s: nothing can be reserved",
			       writer->format);
	if (check_range(writer, offset, length, err))
		return -1;
	return writer->ops->reserve(writer, offset, length, place, err);
}

int writer_finish(struct writer *writer, uint64_t size, struct err *err)
{
	if (writer->finished)
		return err_set(err, ERR_BUG, "%s: finished twice",
			       writer->format);
	if (size < writer->position || size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_BUG,
			       "%s: %llu bytes were written of a disk of %llu",
			       writer->format,
			       (unsigned long long)writer->position,
			       (unsigned long long)size);
	writer->finished = true;
	return writer->ops->finish(writer, size, err);
}

void *writer_context_open(struct writer *writer, struct err *err)
{
	if (writer->ops->context_open)
		return writer->ops->context_open(writer, err);
	return writer; /* not NULL: that would be an error */
}

void writer_context_close(struct writer *writer, void *context)
{
	if (context && writer->ops->context_close)
		writer->ops->context_close(context);
}

struct writer *writer_close(struct writer *writer)
{
	if (writer)
		writer->ops->close(writer);
	return NULL;
}

void writer_close_pointer(struct writer **writer)
{
	*writer = writer_close(*writer);
}
