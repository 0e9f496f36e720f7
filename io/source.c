/* SPDX-License-Identifier: MIT */
/* Owns the reading gateway: range and order checks, loops over short reads,
 * defaults of optional slots. Does not know what a source is made of. */
#include "io/source.h"

#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/stages.h"

/* How much of a stream is dropped at once: a pipe's usual capacity. */
#define DROP_LEN ((size_t)65536)

#define ULL(x) ((unsigned long long)(x))

void source_init(struct source *source, const struct source_ops *ops)
{
	memset(source, 0, sizeof *source);
	source->ops = ops;
	source->granule = 1;
	source->fd = -1;
}

/* Ends because each call gives at least a byte, or 0 at the end. */
static int read_seekable(struct source *source, unsigned char *buf, size_t len,
			 uint64_t offset, size_t *got, struct err *err)
{
	if (!source->size_known)
		return err_set(err, ERR_BUG,
			       "a seekable source without a known size");
	if (offset >= source->size)
		return 0;
	len = (size_t)min_u64(len, source->size - offset);
	while (*got < len) {
		size_t now = 0;

		if (source->ops->read(source, buf + *got, len - *got,
				      offset + *got, &now, err))
			return -1;
		if (now > len - *got)
			return err_set(err, ERR_BUG,
				       "a source gave %zu bytes of %zu", now,
				       len - *got);
		if (!now)
			return err_set(err, ERR_DAMAGED,
				       "the data ends at %llu, before its "
				       "size of %llu",
				       ULL(offset + *got), ULL(source->size));
		*got += now;
	}
	return 0;
}

static int read_stream(struct source *source, unsigned char *buf, size_t len,
		       size_t *got, struct err *err)
{
	while (*got < len) {
		size_t now = 0;

		if (source->ops->read(source, buf + *got, len - *got,
				      source->position, &now, err))
			return -1;
		if (now > len - *got)
			return err_set(err, ERR_BUG,
				       "a stream gave %zu bytes of %zu", now,
				       len - *got);
		if (!now)
			break;
		*got += now;
		source->position += now;
	}
	return 0;
}

/* Reads on to `offset` or to the end, whichever comes first. */
static int drop_until(struct source *source, uint64_t offset, struct err *err)
{
	AUTO_FREE unsigned char *buf = NULL;
	size_t got = 1;

	if (source->position < offset)
		buf = mem_buffer(DROP_LEN);
	while (got && source->position < offset) {
		size_t len =
			(size_t)min_u64(DROP_LEN, offset - source->position);

		got = 0;
		if (read_stream(source, buf, len, &got, err))
			return -1;
	}
	return 0;
}

static int read_any(struct source *source, void *buf, size_t len,
		    uint64_t offset, size_t *got, struct err *err)
{
	if (source->seekable)
		return read_seekable(source, buf, len, offset, got, err);
	if (offset < source->position)
		return err_set(err, ERR_BUG,
			       "a stream was asked for byte %llu when %llu "
			       "were already read",
			       ULL(offset), ULL(source->position));
	if (drop_until(source, offset, err))
		return -1;
	if (source->position < offset)
		return 0; /* the end came first */
	return read_stream(source, buf, len, got, err);
}

int source_read(struct source *source, void *buf, size_t len, uint64_t offset,
		size_t *got, struct err *err)
{
	uint64_t begin = stages_begin(source->stages);
	int result;

	*got = 0;
	if (!len)
		return 0;
	result = read_any(source, buf, len, offset, got, err);
	stages_end(source->stages, SPAN_READ, begin, *got);
	return result;
}

int source_read_all(struct source *source, void *buf, size_t len,
		    uint64_t offset, const char *what, struct err *err)
{
	size_t got;

	if (source_read(source, buf, len, offset, &got, err))
		return -1;
	if (got == len)
		return 0;
	/* A stream that ended short stands at its end. */
	return err_set(
		err, ERR_DAMAGED,
		"%s at %llu lies past the end of the file (%llu)", what,
		ULL(offset),
		ULL(source->size_known ? source->size : source->position));
}

int source_extent(struct source *source, uint64_t offset, uint64_t limit,
		  struct extent *out, struct err *err)
{
	if (!source->seekable || offset >= source->size || !limit)
		return err_set(err, ERR_BUG,
			       "extent of %llu bytes at %llu asked of a %s of "
			       "%llu bytes",
			       ULL(limit), ULL(offset),
			       source->seekable ? "source" : "stream",
			       ULL(source->size));
	*out = (struct extent){
		.offset = offset,
		.length = source->size - offset,
		.kind = EXTENT_DATA,
		.encoding = ENCODING_PLAIN,
		.source = source,
		.place = offset,
	};
	if (source->ops->extent &&
	    source->ops->extent(source, offset, out, err))
		return -1;
	if (out->offset != offset || !out->length)
		return err_set(err, ERR_BUG,
			       "a source gave an extent of %llu bytes at %llu "
			       "for %llu",
			       ULL(out->length), ULL(out->offset), ULL(offset));
	out->length =
		min_u64(out->length, min_u64(limit, source->size - offset));
	if (out->kind != EXTENT_DATA) {
		out->source = NULL;
		out->place = 0;
		out->stored = 0;
	} else if (out->encoding == ENCODING_PLAIN) {
		out->stored = out->source ? out->length : 0;
	}
	return 0;
}

int source_finish(struct source *source, struct err *err)
{
	if (!source->seekable && drop_until(source, UINT64_MAX, err))
		return -1;
	if (!source->ops->finish)
		return 0;
	return source->ops->finish(source, err);
}

int source_rewind(struct source *source, struct err *err)
{
	if (source->seekable || (!source->position && !source->ops->rewind))
		return 0;
	if (!source->ops->rewind)
		return err_set(err, ERR_BUG, "a stream that cannot be rewound");
	if (source->ops->rewind(source, err))
		return -1;
	source->position = 0;
	return 0;
}

struct source *source_close(struct source *source)
{
	if (source)
		source->ops->close(source);
	return NULL;
}

void source_close_pointer(struct source **source)
{
	*source = source_close(*source);
}
