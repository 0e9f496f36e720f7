/* SPDX-License-Identifier: MIT */
/*
 * Owns streams: look-ahead, so that the end is known SOURCE_TAIL_LEN bytes
 * before it is handed out, and replay while somebody still probes. Does not
 * know where the bytes come from.
 *
 * States: *keeping* - the buffer starts at byte 0 of the stream and grows, so
 * that rewind is a matter of setting `start` back; *passing* - the buffer
 * holds bytes not yet handed out and nothing else, and large reads go into
 * the caller's memory, with only the look-ahead moved. Keeping turns into
 * passing, never back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/files.h"

#define TAIL ((size_t)SOURCE_TAIL_LEN)

/* What is pulled at least: small reads shall not become small pulls. Also the
 * buffer's size when passing. */
#define PULL_LEN ((size_t)65536)

/* A read when keeping hands out at most this much at a time, which bounds the
 * buffer to LIMIT_REPLAY_LEN plus a little. */
#define KEEP_STEP ((size_t)MIB)

/* A read of this length is worth going around the buffer. */
#define DIRECT_LEN (2 * PULL_LEN)

struct stream {
	struct source source;
	const struct stream_ops *ops;
	void *opaque;
	unsigned char *buf;
	size_t start, end, room; /* buf[start, end) is not yet handed out */
	bool keeping;
	bool ended;    /* pull has said so */
	bool finished; /* ops->finish was called */
	int result;    /* -1: `failure` is repeated for ever */
	struct err failure;
};

static int fail_again(struct stream *stream, struct err *err)
{
	*err = stream->failure;
	return -1;
}

static int fail(struct stream *stream, const struct err *err)
{
	stream->result = -1;
	stream->failure = *err;
	return -1;
}

static int pull(struct stream *stream, unsigned char *buf, size_t len,
		size_t *got, struct err *err)
{
	*got = 0;
	if (stream->result)
		return fail_again(stream, err);
	if (stream->ops->pull(stream->opaque, buf, len, got, err))
		return fail(stream, err);
	if (*got > len) {
		err_set(err, ERR_BUG, "a stream gave %zu bytes of %zu", *got,
			len);
		return fail(stream, err);
	}
	return 0;
}

/* The `held` bytes are all that is left. */
static void end_of_stream(struct stream *stream, const unsigned char *held,
			  size_t len)
{
	struct source *source = &stream->source;

	stream->ended = true;
	source->size = source->position + len;
	source->size_known = true;
	source->tail_len = min_u64(source->size, TAIL);
	/* `held` has the whole tail: before the end is known no byte of the
	 * last TAIL was handed out. */
	memcpy(source->tail, held + len - source->tail_len, source->tail_len);
}

static void make_room(struct stream *stream, size_t more)
{
	size_t need;

	if (!stream->keeping && stream->start) {
		memmove(stream->buf, stream->buf + stream->start,
			stream->end - stream->start);
		stream->end -= stream->start;
		stream->start = 0;
	}
	need = stream->end + more;
	if (need > stream->room) {
		stream->room = max_u64(need, 2 * stream->room);
		stream->buf = mem_resize(stream->buf, stream->room, 1);
	}
}

/* Until more than the look-ahead is held, or the end: each pull adds. */
static int fill(struct stream *stream, size_t len, struct err *err)
{
	while (!stream->ended && stream->end - stream->start <= TAIL) {
		size_t want = max_u64(len + TAIL, PULL_LEN), got;

		make_room(stream, want);
		if (pull(stream, stream->buf + stream->end, want, &got, err))
			return -1;
		stream->end += got;
		if (!got)
			end_of_stream(stream, stream->buf + stream->start,
				      stream->end - stream->start);
	}
	return 0;
}

static void hand_out(struct stream *stream, unsigned char *buf, size_t len,
		     size_t *got)
{
	size_t have = stream->end - stream->start;

	if (!stream->ended)
		have -= TAIL;
	*got = min_u64(len, have);
	if (*got)
		memcpy(buf, stream->buf + stream->start, *got);
	stream->start += *got;
}

/* Around the buffer: what it holds goes first, the last TAIL bytes of all go
 * back into it. `len` is more than what is held. */
static int read_direct(struct stream *stream, unsigned char *buf, size_t len,
		       size_t *out, struct err *err)
{
	size_t have = stream->end - stream->start, got;

	memcpy(buf, stream->buf + stream->start, have);
	/* Ends: each pull gives bytes or the end. */
	do {
		if (pull(stream, buf + have, len - have, &got, err))
			return -1;
		have += got;
	} while (got && have <= TAIL);
	if (!got) {
		end_of_stream(stream, buf, have);
		stream->start = stream->end = 0;
		*out = have;
		return 0;
	}
	memcpy(stream->buf, buf + have - TAIL, TAIL);
	stream->start = 0;
	stream->end = TAIL;
	*out = have - TAIL;
	return 0;
}

/* From keeping to passing; a large buffer goes once it is read. */
static void pass(struct stream *stream)
{
	stream->keeping = false;
}

static void shrink(struct stream *stream)
{
	if (stream->room <= DIRECT_LEN ||
	    stream->end - stream->start > PULL_LEN)
		return;
	make_room(stream, 0);
	stream->room = DIRECT_LEN;
	stream->buf = mem_resize(stream->buf, stream->room, 1);
}

static int stream_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct stream *stream = (struct stream *)source;

	if (stream->keeping && offset >= LIMIT_REPLAY_LEN)
		pass(stream);
	if (stream->keeping) {
		len = min_u64(len, LIMIT_REPLAY_LEN - offset);
		len = min_u64(len, KEEP_STEP);
	} else {
		shrink(stream);
		if (!stream->ended && len >= DIRECT_LEN &&
		    stream->end - stream->start <= PULL_LEN)
			return read_direct(stream, buf, len, got, err);
		len = min_u64(len, PULL_LEN);
	}
	if (fill(stream, len, err))
		return -1;
	hand_out(stream, buf, len, got);
	return 0;
}

static int stream_finish(struct source *source, struct err *err)
{
	struct stream *stream = (struct stream *)source;

	if (stream->result)
		return fail_again(stream, err);
	if (stream->finished || !stream->ops->finish)
		return 0;
	stream->finished = true;
	if (stream->ops->finish(stream->opaque, err))
		return fail(stream, err);
	return 0;
}

static int stream_rewind(struct source *source, struct err *err)
{
	struct stream *stream = (struct stream *)source;

	if (!stream->keeping && source->position)
		return err_set(err, ERR_BUG,
			       "a stream was rewound after its first %llu "
			       "bytes were let go",
			       (unsigned long long)source->position);
	if (stream->keeping)
		stream->start = 0;
	return 0;
}

static void stream_close(struct source *source)
{
	struct stream *stream = (struct stream *)source;

	if (stream->ops->close)
		stream->ops->close(stream->opaque);
	free(stream->buf);
	free(stream);
}

static const struct source_ops stream_source_ops = {
	.read = stream_read,
	.finish = stream_finish,
	.rewind = stream_rewind,
	.close = stream_close,
};

struct source *files_stream(const struct stream_ops *ops, void *opaque)
{
	struct stream *stream = mem_zalloc(sizeof *stream);

	source_init(&stream->source, &stream_source_ops);
	stream->ops = ops;
	stream->opaque = opaque;
	stream->keeping = true;
	stream->room = DIRECT_LEN;
	stream->buf = mem_resize(NULL, stream->room, 1);
	return &stream->source;
}

void files_stream_forget(struct source *source)
{
	if (source->ops == &stream_source_ops)
		pass((struct stream *)source);
}
