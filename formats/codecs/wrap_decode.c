/* SPDX-License-Identifier: MIT */
/*
 * Owns the one decoding loop: bytes of a source through a codec's decoder,
 * member by member. Does not know any format.
 *
 * Ends because every turn takes input, gives output, or reads more input; a
 * turn that does none of these is an error.
 */
#include "formats/codecs/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "io/files.h"

/* Large enough that a read is cheap beside decoding it, small enough to stay
 * in the processor's cache. */
#define INPUT_LEN ((size_t)(256 * KIB))

/* A member is recognised by as much as this. */
#define MAGIC_LEN ((size_t)16)

struct decoding {
	const struct codec *codec;
	struct source *inner;
	void *decoder;
	unsigned char *input;
	size_t start, end; /* input[start, end) is not yet decoded */
	uint64_t position; /* of `end` in the inner source */
	bool input_ended;
	bool between; /* a member is complete */
	bool ended;   /* the last one is */
};

/* More input behind what is left of the old. */
static int refill(struct decoding *decoding, struct err *err)
{
	size_t left = decoding->end - decoding->start, got;

	if (left)
		memmove(decoding->input, decoding->input + decoding->start,
			left);
	decoding->start = 0;
	decoding->end = left;
	if (source_read(decoding->inner, decoding->input + left,
			INPUT_LEN - left, decoding->position, &got, err))
		return -1;
	decoding->position += got;
	decoding->end += got;
	decoding->input_ended = got < INPUT_LEN - left;
	return 0;
}

/* Between members: nothing more, another one, or garbage. */
static int next_member(struct decoding *decoding, struct err *err)
{
	const struct codec *codec = decoding->codec;

	if (!decoding->input_ended &&
	    decoding->end - decoding->start < MAGIC_LEN &&
	    refill(decoding, err))
		return -1;
	size_t left = decoding->end - decoding->start;
	if (!left) {
		decoding->ended = true;
		return 0;
	}
	if (!(codec->member ? codec->member : codec->probe)(
		    decoding->input + decoding->start, left)) {
		err_set(err, ERR_DAMAGED,
			"garbage follows the end of the compressed data at "
			"%llu",
			(unsigned long long)(decoding->position - left));
		return err_in(err, "%s", codec->name);
	}
	if (codec->decoder_next(decoding->decoder, err))
		return err_in(err, "%s", codec->name);
	decoding->between = false;
	return 0;
}

/* A turn without progress: more input, or none is to be had. */
static int stalled(struct decoding *decoding, struct err *err)
{
	const char *name = decoding->codec->name;

	if (decoding->input_ended) {
		err_set(err, ERR_DAMAGED,
			"the data ends in the middle of a stream, at %llu; "
			"the file was cut off",
			(unsigned long long)decoding->position);
		return err_in(err, "%s", name);
	}
	if (decoding->end - decoding->start < INPUT_LEN)
		return refill(decoding, err);
	err_set(err, ERR_DAMAGED, "the decoder makes no progress at %llu",
		(unsigned long long)(decoding->position - INPUT_LEN));
	return err_in(err, "%s", name);
}

static int step(struct decoding *decoding, unsigned char *out, size_t len,
		size_t *got, struct err *err)
{
	if (decoding->start == decoding->end && !decoding->input_ended &&
	    refill(decoding, err))
		return -1;
	struct codec_step step = {
		.in = decoding->input + decoding->start,
		.in_len = decoding->end - decoding->start,
		.out = out,
		.out_len = len,
		.last = decoding->input_ended,
	};
	if (decoding->codec->decoder_step(decoding->decoder, &step, err))
		return err_in(err, "%s", decoding->codec->name);
	decoding->start += step.in_used;
	decoding->between = step.end;
	*got = step.out_used;
	if (step.in_used || step.out_used || step.end)
		return 0;
	return stalled(decoding, err);
}

static int decode_pull(void *opaque, void *buf, size_t len, size_t *got,
		       struct err *err)
{
	struct decoding *decoding = opaque;

	*got = 0;
	while (!*got && !decoding->ended) {
		if (decoding->between ? next_member(decoding, err)
				      : step(decoding, buf, len, got, err))
			return -1;
	}
	return 0;
}

/* The gateway has drained the stream, so the last member is complete; the
 * layers below have their own checks. */
static int decode_finish(void *opaque, struct err *err)
{
	struct decoding *decoding = opaque;

	return source_finish(decoding->inner, err);
}

static void decode_close(void *opaque)
{
	struct decoding *decoding = opaque;

	decoding->codec->decoder_close(decoding->decoder);
	free(decoding->input);
	free(decoding);
}

static const struct stream_ops decode_ops = {
	.pull = decode_pull,
	.finish = decode_finish,
	.close = decode_close,
};

struct source *wrap_decode(enum codec_id id, struct source *inner,
			   unsigned threads, uint64_t memory, struct err *err)
{
	const struct codec *codec = codec_get(id);

	if (!codec->decoder_open) {
		err_set(err, ERR_UNSUPPORTED, "%s: built without %s",
			codec->name, codec->library);
		return NULL;
	}
	void *decoder = codec->decoder_open(threads, memory, err);
	if (!decoder) {
		err_in(err, "%s", codec->name);
		return NULL;
	}
	struct decoding *decoding = mem_zalloc(sizeof *decoding);
	decoding->codec = codec;
	decoding->inner = inner;
	decoding->decoder = decoder;
	decoding->input = mem_buffer(INPUT_LEN);
	return files_stream(&decode_ops, decoding);
}
