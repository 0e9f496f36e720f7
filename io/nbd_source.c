/* SPDX-License-Identifier: MIT */
/* Owns the view of an export as a source. The requests are nbd.c's. */
#include "io/nbd_source.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"

struct nbd_input {
	struct source source;
	struct nbd *nbd;
};

static int input_read(struct source *source, void *buf, size_t len,
		      uint64_t offset, size_t *got, struct err *err)
{
	*got = 0;
	if (offset >= source->size)
		return 0;
	len = (size_t)min_u64(len, source->size - offset);
	if (nbd_read_at(((struct nbd_input *)source)->nbd, buf, len, offset,
			err) < 0)
		return -1;
	*got = len;
	return 0;
}

static int input_extent(struct source *source, uint64_t offset,
			struct extent *out, struct err *err)
{
	return nbd_extent_at(((struct nbd_input *)source)->nbd, offset, out,
			     err);
}

static void input_close(struct source *source)
{
	nbd_close_all(((struct nbd_input *)source)->nbd);
	free(source);
}

static const struct source_ops input_ops = { .read = input_read,
					     .extent = input_extent,
					     .close = input_close };

struct source *nbd_source(int take_fd, const struct nbd_terms *terms,
			  const struct nbd_more *more, struct err *err)
{
	struct nbd *nbd = nbd_open(take_fd, terms, more, err);
	struct nbd_input *input;

	if (!nbd)
		return NULL;
	input = mem_zalloc(sizeof *input);
	source_init(&input->source, &input_ops);
	input->source.seekable = true;
	input->source.size_known = true;
	input->source.size = nbd_size(nbd);
	input->nbd = nbd;
	return &input->source;
}
