/* SPDX-License-Identifier: MIT */
/* Owns the writing gateway: order, capacity, gaps, zeros where a sink has no
 * way of its own. Does not know where bytes end up. */
#include "io/sink.h"

#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/stages.h"
#include "io/zero.h"

#define ULL(x) ((unsigned long long)(x))

/* Moved at once, and looked at for zeros. */
#define MOVE_LEN ((size_t)(64 * KIB))

void sink_init(struct sink *sink, const struct sink_ops *ops)
{
	memset(sink, 0, sizeof *sink);
	sink->ops = ops;
	sink->fd = -1;
	sink->capacity = UINT64_MAX;
}

/* Whether [offset, offset + length) may be written now. */
static int check_range(const struct sink *sink, uint64_t offset,
		       uint64_t length, struct err *err)
{
	uint64_t end;

	if (sink->finished)
		return err_set(err, ERR_BUG,
			       "write at %llu to an output already finished",
			       ULL(offset));
	if (!checked_add(offset, length, &end))
		return err_set(err, ERR_BUG,
			       "write of %llu bytes at %llu is out of range",
			       ULL(length), ULL(offset));
	if (end > sink->capacity)
		return err_set(err, ERR_IO,
			       "%llu bytes do not fit: the output has room "
			       "for %llu",
			       ULL(end), ULL(sink->capacity));
	if (!sink->seekable && offset < sink->position)
		return err_set(err, ERR_BUG,
			       "write at %llu to a stream that is at %llu",
			       ULL(offset), ULL(sink->position));
	return 0;
}

static int write_zeros(struct sink *sink, uint64_t offset, uint64_t length,
		       struct err *err)
{
	while (length) {
		size_t len = (size_t)min_u64(length, ZERO_BYTES_LEN);

		if (sink->ops->write(sink, zero_bytes, len, offset, err))
			return -1;
		offset += len;
		length -= len;
	}
	return 0;
}

static int put_zeros(struct sink *sink, uint64_t offset, uint64_t length,
		     enum sink_zero how, struct err *err)
{
	if (sink->ops->zero)
		return sink->ops->zero(sink, offset, length, how, err);
	return write_zeros(sink, offset, length, err);
}

/* Moves an append-only sink to `offset`; the gap reads as zero. */
static int fill_gap(struct sink *sink, uint64_t offset, struct err *err)
{
	uint64_t gap;

	if (sink->seekable || offset <= sink->position)
		return 0;
	gap = offset - sink->position;
	if (put_zeros(sink, sink->position, gap, SINK_ZERO_SPARSE, err))
		return -1;
	sink->position = offset;
	return 0;
}

int sink_write(struct sink *sink, const void *buf, size_t len, uint64_t offset,
	       struct err *err)
{
	uint64_t begin = stages_begin(sink->stages);
	int result;

	if (!len)
		return 0;
	if (check_range(sink, offset, len, err) || fill_gap(sink, offset, err))
		return -1;
	if (sink->replay)
		return 0;
	result = sink->ops->write(sink, buf, len, offset, err);
	stages_end(sink->stages, SPAN_WRITE, begin, len);
	if (!result && !sink->seekable)
		sink->position = offset + len;
	return result;
}

int sink_zero(struct sink *sink, uint64_t offset, uint64_t length,
	      enum sink_zero how, struct err *err)
{
	uint64_t begin = stages_begin(sink->stages);
	int result;

	if (!length)
		return 0;
	if (check_range(sink, offset, length, err) ||
	    fill_gap(sink, offset, err))
		return -1;
	if (sink->replay ||
	    (sink->seekable && sink->fresh && how == SINK_ZERO_SPARSE))
		return 0;
	result = put_zeros(sink, offset, length, how, err);
	/* Not bytes: a hole of a TiB would be the fastest disk there is. */
	stages_end(sink->stages, SPAN_WRITE, begin, 0);
	if (!result && !sink->seekable)
		sink->position = offset + length;
	return result;
}

int sink_read(struct sink *sink, void *buf, size_t len, uint64_t offset,
	      struct err *err)
{
	if (!len)
		return 0;
	if (!sink->seekable || !sink->ops->read)
		return err_set(err, ERR_UNSUPPORTED,
			       "what was written cannot be read again: this "
			       "needs a file");
	if (check_range(sink, offset, len, err))
		return -1;
	return sink->ops->read(sink, buf, len, offset, err);
}

/* Zeros stay holes. */
static int move_part(struct sink *sink, unsigned char *bytes, size_t len,
		     uint64_t from, uint64_t to, struct err *err)
{
	if (sink_read(sink, bytes, len, from, err))
		return -1;
	return zero_is(bytes, len)
		       ? sink_zero(sink, to, len, SINK_ZERO_SPARSE, err)
		       : sink_write(sink, bytes, len, to, err);
}

int sink_move(struct sink *sink, uint64_t from, uint64_t length, uint64_t to,
	      struct err *err)
{
	AUTO_FREE unsigned char *bytes = mem_buffer(MOVE_LEN);

	if (!length)
		return 0;
	if (to < from + length)
		return err_set(err, ERR_BUG,
			       "move of %llu bytes from %llu to %llu",
			       ULL(length), ULL(from), ULL(to));
	for (uint64_t at = 0; at < length; at += MOVE_LEN)
		if (move_part(sink, bytes, (size_t)min_u64(MOVE_LEN, length - at),
			      from + at, to + at, err))
			return -1;
	/* Fresh as the sink is, this range is no more. */
	return put_zeros(sink, from, length, SINK_ZERO_SPARSE, err);
}

void sink_expect(struct sink *sink, uint64_t size)
{
	if (sink->ops->expect && !sink->finished && !sink->replay)
		sink->ops->expect(sink, size);
}

int sink_finish(struct sink *sink, uint64_t size, struct err *err)
{
	if (check_range(sink, size, 0, err) || fill_gap(sink, size, err))
		return -1;
	sink->finished = true;
	return sink->ops->finish(sink, size, err);
}

struct sink *sink_close(struct sink *sink)
{
	if (sink)
		sink->ops->close(sink);
	return NULL;
}

void sink_close_pointer(struct sink **sink)
{
	*sink = sink_close(*sink);
}
