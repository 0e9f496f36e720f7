/* SPDX-License-Identifier: MIT */
/* Owns the view of an export as a sink. The requests are nbd.c's. */
#include "io/nbd_sink.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* Zeros that are really written, where the server has no way of its own. */
#define ZEROS_LEN ((size_t)MIB)

struct nbd_output {
	struct sink sink;
	struct nbd *nbd;
};

static struct nbd *of(struct sink *sink)
{
	return ((struct nbd_output *)sink)->nbd;
}

static int output_write(struct sink *sink, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	return nbd_write_at(of(sink), buf, len, offset, err);
}

static int write_zeros(struct sink *sink, uint64_t offset, uint64_t length,
		       struct err *err)
{
	AUTO_FREE unsigned char *zeros = mem_zalloc(ZEROS_LEN);

	while (length) {
		size_t len = (size_t)min_u64(length, ZEROS_LEN);

		if (nbd_write_at(of(sink), zeros, len, offset, err) < 0)
			return -1;
		offset += len;
		length -= len;
	}
	return 0;
}

/* Blocks that are zero only in part are written. */
static int output_zero(struct sink *sink, uint64_t offset, uint64_t length,
		       enum sink_zero how, struct err *err)
{
	uint64_t block = nbd_block(of(sink));
	uint64_t from = round_up(offset, block);
	uint64_t to = round_down(offset + length, block);
	int done;

	if (how == SINK_ZERO_WRITE || from >= to)
		return write_zeros(sink, offset, length, err);
	if (from > offset &&
	    write_zeros(sink, offset, from - offset, err) < 0)
		return -1;
	done = nbd_zero_at(of(sink), from, to - from,
			   how == SINK_ZERO_ALLOCATE, err);
	if (done < 0 ||
	    (!done && write_zeros(sink, from, to - from, err) < 0))
		return -1;
	return write_zeros(sink, to, offset + length - to, err);
}

static int output_read(struct sink *sink, void *buf, size_t len,
		       uint64_t offset, struct err *err)
{
	return nbd_read_at(of(sink), buf, len, offset, err);
}

static int output_sync(struct sink *sink, struct err *err)
{
	return nbd_flush_all(of(sink), err);
}

static int output_finish(struct sink *sink, uint64_t size, struct err *err)
{
	(void)size;
	return nbd_flush_all(of(sink), err);
}

static void output_close(struct sink *sink)
{
	nbd_close_all(of(sink));
	free(sink);
}

static const struct sink_ops output_ops = {
	.write = output_write,
	.zero = output_zero,
	.read = output_read,
	.sync = output_sync,
	.finish = output_finish,
	.close = output_close,
};

struct sink *nbd_sink(int take_fd, const struct nbd_terms *terms,
		      const struct nbd_more *more, struct err *err)
{
	struct nbd *nbd = nbd_open(take_fd, terms, more, err);
	struct nbd_output *output;

	if (!nbd)
		return NULL;
	if (nbd_read_only(nbd)) {
		nbd_close_all(nbd);
		err_set(err, ERR_CREATE, "nbd: the export is read-only");
		return NULL;
	}
	output = mem_zalloc(sizeof *output);
	sink_init(&output->sink, &output_ops);
	output->sink.seekable = true;
	output->sink.capacity = nbd_size(nbd);
	output->nbd = nbd;
	return &output->sink;
}
