/* SPDX-License-Identifier: MIT */
/*
 * Owns the connection and the thread that moves its bytes; those who ask wait
 * for their own answer only. Does not know who serves, nor what.
 */
#include "io/nbd_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

#ifdef HAVE_NBD

#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

/* One request: servers need not take more than 32 MiB (NBD protocol, "Block
 * size constraints"); smaller ones overlap better. */
#define READ_MAX ((size_t)(2 * MIB))

/* What one question about extents covers, and how many of the answer are
 * kept: at 64 KiB clusters all of them. */
#define STATUS_MAX ((uint64_t)256 * MIB)
#define STATUS_ENTRIES 4096

/* The answer to the last question about extents: lengths and flags in turns,
 * from `offset` on, as they came. */
struct status {
	uint64_t offset;
	size_t count; /* of pairs */
	uint32_t pair[STATUS_ENTRIES * 2];
};

struct nbd {
	struct source source;
	struct nbd_handle *handle; /* locks itself */
	bool has_status;
	int wake; /* eventfd: there is something to send, or an end to come */
	pthread_t mover;
	pthread_mutex_t lock; /* of all below, and of the requests */
	pthread_cond_t answered;
	bool stop;
	struct status status;
};

struct request {
	struct nbd *nbd;
	bool done;
	int error;		/* an errno, or 0 */
	struct status *answer; /* block status: where it goes */
};

static void wake(struct nbd *nbd)
{
	uint64_t one = 1;

	/* Full means that it will wake anyway. */
	if (write(nbd->wake, &one, sizeof one) < 0)
		return;
}

/* Called by whoever moves bytes, with the handle's own lock held: nobody asks
 * the handle for anything while holding ours. */
static int on_done(void *opaque, int *error)
{
	struct request *request = opaque;
	struct nbd *nbd = request->nbd;

	pthread_mutex_lock(&nbd->lock);
	request->error = *error;
	request->done = true;
	pthread_cond_broadcast(&nbd->answered);
	pthread_mutex_unlock(&nbd->lock);
	return 1; /* nobody will ask for this command again */
}

static int on_status(void *opaque, const char *context, uint64_t offset,
		     uint32_t *entries, size_t count, int *error)
{
	struct status *answer = ((struct request *)opaque)->answer;

	(void)error;
	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION))
		return 0;
	answer->offset = offset;
	answer->count = min_u64(count / 2, STATUS_ENTRIES);
	memcpy(answer->pair, entries,
	       answer->count * 2 * sizeof answer->pair[0]);
	return 0;
}

static bool must_stop(struct nbd *nbd)
{
	pthread_mutex_lock(&nbd->lock);
	bool stop = nbd->stop;
	pthread_mutex_unlock(&nbd->lock);
	return stop;
}

/* Ends when told to, or with the connection; requests in flight are then
 * answered with an error by the library. */
static void *move(void *opaque)
{
	struct nbd *nbd = opaque;
	uint64_t count;

	while (!must_stop(nbd)) {
		unsigned direction = nbd_aio_get_direction(nbd->handle);
		struct pollfd fds[2] = {
			{ .fd = nbd_aio_get_fd(nbd->handle) },
			{ .fd = nbd->wake, .events = POLLIN },
		};
		if (fds[0].fd < 0 || nbd_aio_is_dead(nbd->handle) > 0 ||
		    nbd_aio_is_closed(nbd->handle) > 0)
			break;
		if (direction & LIBNBD_AIO_DIRECTION_READ)
			fds[0].events |= POLLIN;
		if (direction & LIBNBD_AIO_DIRECTION_WRITE)
			fds[0].events |= POLLOUT;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if ((fds[1].revents & POLLIN) &&
		    read(nbd->wake, &count, sizeof count) < 0)
			continue;
		/* What fails shows as a dead connection at the next turn. */
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			nbd_aio_notify_read(nbd->handle);
		else if (fds[0].revents & POLLOUT)
			nbd_aio_notify_write(nbd->handle);
	}
	return NULL;
}

/* The command `cookie` is on its way, or was refused (-1): its answer. */
static int wait_for(struct request *request, int64_t cookie, const char *what,
		    uint64_t offset, struct err *err)
{
	struct nbd *nbd = request->nbd;

	if (cookie < 0)
		return err_set(err, ERR_IO, "nbd: %s at %" PRIu64 ": %s", what,
			       offset, nbd_get_error());
	wake(nbd);
	pthread_mutex_lock(&nbd->lock);
	while (!request->done)
		pthread_cond_wait(&nbd->answered, &nbd->lock);
	pthread_mutex_unlock(&nbd->lock);
	if (!request->error)
		return 0;
	errno = request->error;
	return err_sys(err, ERR_IO, "nbd: %s at %" PRIu64, what, offset);
}

static int nbd_read(struct source *source, void *buf, size_t len,
		    uint64_t offset, size_t *got, struct err *err)
{
	struct nbd *nbd = (struct nbd *)source;
	struct request request = { .nbd = nbd };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &request };

	*got = 0;
	if (offset >= source->size)
		return 0;
	len = min_u64(min_u64(len, READ_MAX), source->size - offset);
	if (wait_for(&request,
		     nbd_aio_pread(nbd->handle, buf, len, offset, done, 0),
		     "read", offset, err) < 0)
		return -1;
	*got = len;
	return 0;
}

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
	struct request request = { .nbd = nbd, .answer = answer };
	nbd_extent_callback extent = { .callback = on_status,
				       .user_data = &request };
	nbd_completion_callback done = { .callback = on_done,
					 .user_data = &request };
	uint64_t len = min_u64(STATUS_MAX, nbd->source.size - offset);

	answer->count = 0;
	return wait_for(&request,
			nbd_aio_block_status(nbd->handle, len, offset, extent,
					     done, 0),
			"block status", offset, err);
}

static int nbd_extent(struct source *source, uint64_t offset,
		      struct extent *out, struct err *err)
{
	struct nbd *nbd = (struct nbd *)source;
	AUTO_FREE struct status *fresh = NULL;
	bool found;

	if (!nbd->has_status) {
		out->kind = EXTENT_DATA;
		out->length = source->size - offset;
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

static void nbd_close_source(struct source *source)
{
	struct nbd *nbd = (struct nbd *)source;

	pthread_mutex_lock(&nbd->lock);
	nbd->stop = true;
	pthread_mutex_unlock(&nbd->lock);
	wake(nbd);
	pthread_join(nbd->mover, NULL);
	if (nbd_aio_is_ready(nbd->handle) > 0)
		nbd_shutdown(nbd->handle, 0);
	nbd_close(nbd->handle);
	close(nbd->wake);
	pthread_cond_destroy(&nbd->answered);
	pthread_mutex_destroy(&nbd->lock);
	free(nbd);
}

static const struct source_ops nbd_ops = { .read = nbd_read,
					   .extent = nbd_extent,
					   .close = nbd_close_source };

static int shake_hands(struct nbd_handle *handle, int take_fd,
		       uint64_t *size, struct err *err)
{
	int64_t bytes;

	if (nbd_add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0) {
		close(take_fd);
		return err_set(err, ERR_IO, "nbd: %s", nbd_get_error());
	}
	/* From here on the descriptor is the handle's. */
	if (nbd_connect_socket(handle, take_fd) < 0)
		return err_set(err, ERR_IO, "nbd: %s", nbd_get_error());
	bytes = nbd_get_size(handle);
	if (bytes < 0 || (uint64_t)bytes > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "nbd: a size of %" PRIi64 " is out of range",
			       bytes);
	*size = (uint64_t)bytes;
	return 0;
}

struct source *nbd_source(int take_fd, struct err *err)
{
	struct nbd_handle *handle = nbd_create();
	uint64_t size = 0;
	struct nbd *nbd;

	if (!handle) {
		close(take_fd);
		err_set(err, ERR_TEMPORARY, "nbd: %s", nbd_get_error());
		return NULL;
	}
	if (shake_hands(handle, take_fd, &size, err) < 0) {
		nbd_close(handle);
		return NULL;
	}
	nbd = mem_zalloc(sizeof *nbd);
	source_init(&nbd->source, &nbd_ops);
	nbd->source.seekable = true;
	nbd->source.size_known = true;
	nbd->source.size = size;
	nbd->handle = handle;
	nbd->has_status =
		nbd_can_meta_context(handle,
				     LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	nbd->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&nbd->lock, NULL);
	pthread_cond_init(&nbd->answered, NULL);
	if (nbd->wake < 0 || pthread_create(&nbd->mover, NULL, move, nbd)) {
		err_set(err, ERR_TEMPORARY, "nbd: start a thread");
		if (nbd->wake >= 0)
			close(nbd->wake);
		pthread_cond_destroy(&nbd->answered);
		pthread_mutex_destroy(&nbd->lock);
		nbd_close(handle);
		free(nbd);
		return NULL;
	}
	return &nbd->source;
}

bool nbd_source_built(void)
{
	return true;
}

#else

struct source *nbd_source(int take_fd, struct err *err)
{
	close(take_fd);
	err_set(err, ERR_UNSUPPORTED, "built without libnbd");
	return NULL;
}

bool nbd_source_built(void)
{
	return false;
}

#endif
