/* SPDX-License-Identifier: MIT */
/*
 * Owns the order in which an image comes onto a device: its first bytes last,
 * so that no moment shows a valid head over half an image, neither the new
 * head nor the old one. Does not know what the bytes mean.
 *
 * Stages: *idle* (nothing touched), *started* (the old head is kept here and
 * wiped there; writes to the head stay here), *finished* (the head is there).
 */
#include "io/head_sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* Every format and partition table begins within it. */
#define HEAD_LEN ((size_t)MIB)

struct head_sink {
	struct sink sink;
	struct sink *inner;
	bool sync;
	pthread_mutex_t lock; /* guards `started` */
	bool started;
	unsigned char *head;
	size_t len;
};

/* What is written must be on the medium before what is written next. A medium
 * that has no such thing keeps the order of writing. */
static int settle(const struct head_sink *head, struct err *err)
{
	if (head->sync && head->inner->ops->sync)
		return head->inner->ops->sync(head->inner, err);
	if (!head->sync || head->inner->fd < 0)
		return 0;
	if (fdatasync(head->inner->fd) && errno != EINVAL && errno != EROFS)
		return err_sys(err, ERR_IO, "cannot be written");
	return 0;
}

/* Where the image ends within the head, what is behind it stays as it was. */
static int keep_old(struct head_sink *head, struct err *err)
{
	size_t done = 0;

	if (head->inner->fd < 0 && head->inner->ops->read)
		return sink_read(head->inner, head->head, head->len, 0, err);
	while (head->inner->fd >= 0 && done < head->len) {
		ssize_t n = pread(head->inner->fd, head->head + done,
				  head->len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_IO, "cannot read at %zu", done);
		if (!n)
			break;
		done += (size_t)n;
	}
	return 0;
}

static int wipe(struct head_sink *head, struct err *err)
{
	if (keep_old(head, err) ||
	    sink_zero(head->inner, 0, head->len, SINK_ZERO_WRITE, err))
		return -1;
	return settle(head, err);
}

/* Before the first byte that is changed, and not earlier: what fails before
 * leaves the device as it was. */
static int start(struct head_sink *head, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&head->lock);
	if (!head->started) {
		/* A device that reads as zero has no head to be wiped. */
		if (!head->sink.fresh)
			result = wipe(head, err);
		head->started = !result;
	}
	pthread_mutex_unlock(&head->lock);
	return result;
}

/* As much of a range as lies in the head. */
static size_t part_in_head(const struct head_sink *head, uint64_t offset,
			   uint64_t length)
{
	if (offset >= head->len)
		return 0;
	return (size_t)min_u64(length, head->len - offset);
}

static int head_write(struct sink *sink, const void *buf, size_t len,
		      uint64_t offset, struct err *err)
{
	struct head_sink *head = (struct head_sink *)sink;
	size_t part = part_in_head(head, offset, len);

	if (start(head, err))
		return -1;
	if (part)
		memcpy(head->head + offset, buf, part);
	return sink_write(head->inner, (const unsigned char *)buf + part,
			  len - part, offset + part, err);
}

static int head_zero(struct sink *sink, uint64_t offset, uint64_t length,
		     enum sink_zero how, struct err *err)
{
	struct head_sink *head = (struct head_sink *)sink;
	size_t part = part_in_head(head, offset, length);

	if (start(head, err))
		return -1;
	if (part)
		memset(head->head + offset, 0, part);
	return sink_zero(head->inner, offset + part, length - part, how, err);
}

static int head_read(struct sink *sink, void *buf, size_t len, uint64_t offset,
		     struct err *err)
{
	struct head_sink *head = (struct head_sink *)sink;
	size_t part = part_in_head(head, offset, len);

	if (part)
		memcpy(buf, head->head + offset, part);
	return sink_read(head->inner, (unsigned char *)buf + part, len - part,
			 offset + part, err);
}

static int head_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct head_sink *head = (struct head_sink *)sink;

	if (start(head, err) || settle(head, err) ||
	    sink_write(head->inner, head->head, head->len, 0, err))
		return -1;
	return sink_finish(head->inner, size, err);
}

static void head_close(struct sink *sink)
{
	struct head_sink *head = (struct head_sink *)sink;

	sink_close(head->inner);
	pthread_mutex_destroy(&head->lock);
	free(head->head);
	free(head);
}

static const struct sink_ops head_ops = {
	.write = head_write,
	.zero = head_zero,
	.read = head_read,
	.finish = head_finish,
	.close = head_close,
};

struct sink *head_sink(struct sink *take_inner, bool sync)
{
	struct head_sink *head = mem_zalloc(sizeof *head);

	sink_init(&head->sink, &head_ops);
	head->sink.seekable = true;
	head->sink.fresh = take_inner->fresh;
	head->sink.capacity = take_inner->capacity;
	/* What the gateway leaves out for a fresh sink is left out once. */
	take_inner->fresh = false;
	head->inner = take_inner;
	head->sync = sync;
	head->len = (size_t)min_u64(HEAD_LEN, take_inner->capacity);
	head->head = mem_zalloc(head->len);
	pthread_mutex_init(&head->lock, NULL);
	return &head->sink;
}
