/* SPDX-License-Identifier: MIT */
/*
 * Owns the requests to an export: those who ask cut into small ones, hand them
 * to the connections in turns, and wait for their own answers only.
 */
#include "io/nbd.h"

#ifdef HAVE_NBD

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/nbd_private.h"

/* Called by whoever moves bytes, with the handle's own lock held: nobody asks
 * the handle for anything while holding ours. */
static int on_done(void *opaque, int *error)
{
	struct batch *batch = opaque;
	struct nbd *nbd = batch->nbd;

	pthread_mutex_lock(&nbd->lock);
	if (*error && !batch->error)
		batch->error = *error;
	if (!--batch->open)
		pthread_cond_broadcast(&batch->answered);
	pthread_mutex_unlock(&nbd->lock);
	return 1; /* nobody will ask for this command again */
}

static int on_status(void *opaque, const char *context, uint64_t offset,
		     uint32_t *entries, size_t count, int *error)
{
	struct status *answer = ((struct batch *)opaque)->answer;

	(void)error;
	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION))
		return 0;
	answer->offset = offset;
	answer->count = min_u64(count / 2, STATUS_ENTRIES);
	memcpy(answer->pair, entries,
	       answer->count * 2 * sizeof answer->pair[0]);
	return 0;
}

/* A connection that lives, in turns; the first one when none does. */
static struct connection *pick(struct nbd *nbd)
{
	unsigned turn;

	pthread_mutex_lock(&nbd->lock);
	turn = nbd->next++;
	pthread_mutex_unlock(&nbd->lock);
	return &nbd->connection[turn % nbd->count];
}

static void enter(struct batch *batch)
{
	pthread_mutex_lock(&batch->nbd->lock);
	batch->open++;
	pthread_mutex_unlock(&batch->nbd->lock);
}

/* A request was handed over (its cookie), or refused (-1). */
static void sent(struct batch *batch, struct connection *connection,
		 int64_t cookie)
{
	const struct libnbd *lib = &batch->nbd->lib;

	/* The mover waits for answers in any case; what could not be sent at
	 * once is news to it. */
	if (cookie >= 0) {
		if (lib->nbd_aio_get_direction(connection->handle) &
			    LIBNBD_AIO_DIRECTION_WRITE ||
		    lib->nbd_aio_in_flight(connection->handle) == 1)
			nbd_wake(connection);
		return;
	}
	/* The callback is not called for what was never sent. */
	int error = EIO;
	if (nbd_is_gone(batch->nbd, connection->handle))
		error = ENOTCONN;
	on_done(batch, &error);
}

static int failed(const struct batch *batch, const char *what,
		  uint64_t offset, struct err *err)
{
	errno = batch->error;
	if (errno == ENOTCONN || errno == ESHUTDOWN)
		return err_set(err, ERR_TEMPORARY,
			       "nbd: %s at %" PRIu64 ": the server is gone",
			       what, offset);
	return err_sys(err, ERR_IO, "nbd: %s at %" PRIu64, what, offset);
}

/* All that were entered are answered. */
static int settle(struct batch *batch, const char *what, uint64_t offset,
		  struct err *err)
{
	struct nbd *nbd = batch->nbd;

	/* Ends: the library answers all, with an error where the connection is
	 * gone. */
	pthread_mutex_lock(&nbd->lock);
	while (batch->open)
		pthread_cond_wait(&batch->answered, &nbd->lock);
	pthread_mutex_unlock(&nbd->lock);
	pthread_cond_destroy(&batch->answered);
	return batch->error ? failed(batch, what, offset, err) : 0;
}

static int read_blocks(struct nbd *nbd, void *buf, size_t len,
		       uint64_t offset, struct err *err)
{
	struct batch batch = { .nbd = nbd,
			       .answered = PTHREAD_COND_INITIALIZER };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &batch };

	for (size_t at = 0; at < len;) {
		size_t part = (size_t)min_u64(len - at, nbd->request);
		struct connection *connection = pick(nbd);

		enter(&batch);
		sent(&batch, connection,
		     nbd->lib.nbd_aio_pread(connection->handle,
					    (unsigned char *)buf + at, part,
					    offset + at, done, 0));
		at += part;
	}
	return settle(&batch, "read", offset, err);
}

static int write_blocks(struct nbd *nbd, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct batch batch = { .nbd = nbd,
			       .answered = PTHREAD_COND_INITIALIZER };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &batch };

	for (size_t at = 0; at < len;) {
		size_t part = (size_t)min_u64(len - at, nbd->request);
		struct connection *connection = pick(nbd);

		enter(&batch);
		sent(&batch, connection,
		     nbd->lib.nbd_aio_pwrite(connection->handle,
					     (const unsigned char *)buf + at,
					     part, offset + at, done, 0));
		at += part;
	}
	return settle(&batch, "write", offset, err);
}

/* All zeros are answered; what failed is said once and for ever. With the
 * lock held. */
static int drain_zeros(struct nbd *nbd, struct err *err)
{
	while (nbd->later.open)
		pthread_cond_wait(&nbd->later.answered, &nbd->lock);
	nbd->zero_count = 0;
	return nbd->later.error ? failed(&nbd->later, "write zeroes", 0, err)
				: 0;
}

static bool meets(const struct nbd *nbd, uint64_t offset, uint64_t length)
{
	for (unsigned i = 0; i < nbd->zero_count; i++)
		if (offset < nbd->zeros[i].offset + nbd->zeros[i].length &&
		    nbd->zeros[i].offset < offset + length)
			return true;
	return false;
}

/* One more range, once there is room for it. */
static int note_zeros(struct nbd *nbd, uint64_t offset, uint64_t length,
		      struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&nbd->lock);
	if (nbd->zero_count == ZEROS_MOST || meets(nbd, offset, length))
		result = drain_zeros(nbd, err);
	if (!result) {
		nbd->zeros[nbd->zero_count].offset = offset;
		nbd->zeros[nbd->zero_count++].length = length;
		nbd->later.open++;
	}
	pthread_mutex_unlock(&nbd->lock);
	return result;
}

/* What is asked for next must not overtake zeros in the same range. */
static int meet_zeros(struct nbd *nbd, uint64_t offset, uint64_t length,
		      struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&nbd->lock);
	if (meets(nbd, offset, length))
		result = drain_zeros(nbd, err);
	pthread_mutex_unlock(&nbd->lock);
	return result;
}

static bool in_blocks(const struct nbd *nbd, uint64_t offset, uint64_t length)
{
	return !(offset % nbd->block) && !(length % nbd->block);
}

/* The whole blocks that hold [offset, offset + len); *from is where they
 * begin. malloc'ed. */
static unsigned char *around(struct nbd *nbd, size_t len, uint64_t offset,
			     uint64_t *from, size_t *whole, struct err *err)
{
	unsigned char *blocks;

	*from = round_down(offset, nbd->block);
	*whole = (size_t)(min_u64(round_up(offset + len, nbd->block),
				  nbd->size) -
			  *from);
	blocks = mem_buffer(*whole);
	if (!read_blocks(nbd, blocks, *whole, *from, err))
		return blocks;
	free(blocks);
	return NULL;
}

int nbd_read_at(struct nbd *nbd, void *buf, size_t len, uint64_t offset,
		struct err *err)
{
	AUTO_FREE unsigned char *blocks = NULL;
	uint64_t from;
	size_t whole;

	if (meet_zeros(nbd, offset, len, err) < 0)
		return -1;
	if (in_blocks(nbd, offset, len))
		return read_blocks(nbd, buf, len, offset, err);
	blocks = around(nbd, len, offset, &from, &whole, err);
	if (!blocks)
		return -1;
	memcpy(buf, blocks + (offset - from), len);
	return 0;
}

/* Parts of blocks are read, changed and written, one at a time: two of them
 * may lie in one block. */
int nbd_write_at(struct nbd *nbd, const void *buf, size_t len, uint64_t offset,
		 struct err *err)
{
	AUTO_FREE unsigned char *blocks = NULL;
	uint64_t from;
	size_t whole;
	int result = -1;

	if (meet_zeros(nbd, round_down(offset, nbd->block),
		       (uint64_t)len + 2 * (uint64_t)nbd->block, err) < 0)
		return -1;
	if (in_blocks(nbd, offset, len))
		return write_blocks(nbd, buf, len, offset, err);
	pthread_mutex_lock(&nbd->changing);
	blocks = around(nbd, len, offset, &from, &whole, err);
	if (blocks) {
		memcpy(blocks + (offset - from), buf, len);
		result = write_blocks(nbd, blocks, whole, from, err);
	}
	pthread_mutex_unlock(&nbd->changing);
	return result;
}

/* Nobody waits for zeros but who meets them again (meet_zeros), and the flush:
 * a disk may have a hundred thousand holes. */
int nbd_zero_at(struct nbd *nbd, uint64_t offset, uint64_t length,
		bool allocate, struct err *err)
{
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &nbd->later };
	uint32_t flags = allocate ? LIBNBD_CMD_FLAG_NO_HOLE : 0;

	if (!nbd->can_zero || !in_blocks(nbd, offset, length))
		return 0;
	for (uint64_t at = 0; at < length;) {
		uint64_t part = min_u64(length - at, ZERO_LEN);
		struct connection *connection = pick(nbd);

		if (note_zeros(nbd, offset + at, part, err) < 0)
			return -1;
		sent(&nbd->later, connection,
		     nbd->lib.nbd_aio_zero(connection->handle, part,
					   offset + at, done, flags));
		at += part;
	}
	return 1;
}

/* On each connection: not every server flushes for all. */
int nbd_flush_all(struct nbd *nbd, struct err *err)
{
	struct batch batch = { .nbd = nbd,
			       .answered = PTHREAD_COND_INITIALIZER };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &batch };

	if (meet_zeros(nbd, 0, nbd->size, err) < 0)
		return -1;
	if (!nbd->can_flush)
		return 0;
	for (unsigned i = 0; i < nbd->count; i++) {
		enter(&batch);
		sent(&batch, &nbd->connection[i],
		     nbd->lib.nbd_aio_flush(nbd->connection[i].handle, done,
					    0));
	}
	return settle(&batch, "flush", 0, err);
}

/* ---- extents ---- */

static enum extent_kind kind_of(uint32_t flags)
{
	if (!(flags & LIBNBD_STATE_ZERO))
		return EXTENT_DATA;
	return flags & LIBNBD_STATE_HOLE ? EXTENT_HOLE : EXTENT_ZERO;
}

/* The extent at `offset` out of an answer; false where it has none. */
static bool find_extent(const struct status *status, uint64_t offset,
			struct extent *out)
{
	uint64_t at = status->offset;
	size_t i = 0;

	if (offset < at)
		return false;
	for (; i < status->count && at + status->pair[2 * i] <= offset; i++)
		at += status->pair[2 * i];
	if (i == status->count)
		return false;
	out->kind = kind_of(status->pair[2 * i + 1]);
	for (; i < status->count && kind_of(status->pair[2 * i + 1]) ==
					    out->kind; i++)
		at += status->pair[2 * i];
	out->length = at - offset;
	return true;
}

static int ask_status(struct nbd *nbd, uint64_t offset, struct status *answer,
		      struct err *err)
{
	struct batch batch = { .nbd = nbd,
			       .answered = PTHREAD_COND_INITIALIZER,
			       .answer = answer };
	nbd_extent_callback extent = { .callback = on_status,
				       .user_data = &batch };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &batch };
	/* Whole blocks, as the server counts. */
	uint64_t from = round_down(offset, nbd->block);
	uint64_t len = min_u64(STATUS_MAX, nbd->size - from);
	struct connection *connection = pick(nbd);

	answer->count = 0;
	enter(&batch);
	sent(&batch, connection,
	     nbd->lib.nbd_aio_block_status(connection->handle, len, from,
					   extent, done, 0));
	return settle(&batch, "block status", offset, err);
}

int nbd_extent_at(struct nbd *nbd, uint64_t offset, struct extent *out,
		  struct err *err)
{
	AUTO_FREE struct status *fresh = NULL;
	bool found;

	if (!nbd->has_status) {
		out->kind = EXTENT_DATA;
		out->length = nbd->size - offset;
		return 0;
	}
	pthread_mutex_lock(&nbd->lock);
	found = find_extent(&nbd->status, offset, out);
	pthread_mutex_unlock(&nbd->lock);
	if (found)
		return 0;
	fresh = mem_zalloc(sizeof *fresh);
	if (ask_status(nbd, offset, fresh, err) < 0)
		return -1;
	if (!find_extent(fresh, offset, out) || !out->length)
		return err_set(err, ERR_IO,
			       "nbd: no block status at %" PRIu64, offset);
	pthread_mutex_lock(&nbd->lock);
	nbd->status = *fresh;
	pthread_mutex_unlock(&nbd->lock);
	return 0;
}

#endif
