/* SPDX-License-Identifier: MIT */
/* Owns windows: a part of a seekable source as a source of its own. Does not
 * own the source below. */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/files.h"

struct window {
	struct source source;
	struct source *inner;
	uint64_t base;
};

/* A window that reaches past its inner source reads nothing there, which the
 * gateway reports as damage: it is what a truncated container looks like. */
static int window_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct window *window = (struct window *)source;
	uint64_t place;

	if (!checked_add(window->base, offset, &place))
		return 0;
	return source_read(window->inner, buf, len, place, got, err);
}

static int window_extent(struct source *source, uint64_t offset,
			 struct extent *out, struct err *err)
{
	struct window *window = (struct window *)source;
	struct extent inner;
	uint64_t place;

	if (!checked_add(window->base, offset, &place) ||
	    place >= window->inner->size)
		return 0; /* data, which cannot be read: damage then */
	if (source_extent(window->inner, place, out->length, &inner, err))
		return -1;
	out->length = inner.length;
	out->kind = inner.kind;
	return 0;
}

static int window_finish(struct source *source, struct err *err)
{
	return source_finish(((struct window *)source)->inner, err);
}

static void window_close(struct source *source)
{
	free(source);
}

static const struct source_ops window_ops = {
	.read = window_read,
	.extent = window_extent,
	.finish = window_finish,
	.close = window_close,
};

struct source *files_window(struct source *inner, uint64_t offset,
			    uint64_t length)
{
	struct window *window = mem_zalloc(sizeof *window);

	source_init(&window->source, &window_ops);
	window->inner = inner;
	window->base = offset;
	window->source.seekable = true;
	window->source.size_known = true;
	window->source.size = length;
	window->source.granule = inner->granule;
	if (inner->fd >= 0 &&
	    checked_add(inner->fd_base, offset, &window->source.fd_base))
		window->source.fd = inner->fd;
	return &window->source;
}
