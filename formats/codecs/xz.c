/* SPDX-License-Identifier: MIT */
/* Owns .xz as a stream, by liblzma: decoding with its threads where it has
 * them, encoding as one stream of independent blocks. The index as a way to
 * random access is in xz_index.c. */
#include "formats/codecs/block.h"
#include "formats/codecs/rows.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/xz_index.h"

/* The magic, and flags whose reserved bits are zero. */
static bool xz_probe(const unsigned char *bytes, size_t len)
{
	return len >= LZMA_STREAM_HEADER_SIZE &&
	       !memcmp(bytes,
		       "\xfd"
		       "7zXZ",
		       6) &&
	       !bytes[6] && !(bytes[7] & 0xf0);
}

struct xz_decoder {
	lzma_stream lzma;
	bool last;
};

/* Members and the padding between them are liblzma's to check. A check of a
 * kind it does not know cannot be verified, and that is not silent. */
#define DECODER_FLAGS (LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK)

static lzma_ret start(lzma_stream *lzma, unsigned threads, uint64_t memory)
{
	uint64_t stop = max_u64(memory, LIMIT_DECODER_MEMORY);

#if LZMA_VERSION >= 50040002
	if (threads > 1) {
		lzma_mt options = {
			.flags = DECODER_FLAGS,
			.threads = threads,
			.memlimit_threading = memory,
			.memlimit_stop = stop,
		};

		return lzma_stream_decoder_mt(lzma, &options);
	}
#else
	(void)threads;
#endif
	return lzma_stream_decoder(lzma, stop, DECODER_FLAGS);
}

static void *xz_decoder_open(unsigned threads, uint64_t memory, struct err *err)
{
	static const lzma_stream fresh = LZMA_STREAM_INIT;
	struct xz_decoder *decoder = mem_zalloc(sizeof *decoder);

	decoder->lzma = fresh;
	if (start(&decoder->lzma, threads, memory) != LZMA_OK) {
		free(decoder);
		err_set(err, ERR_LIMIT, "no memory for a decoder");
		return NULL;
	}
	return decoder;
}

static int xz_fail(struct xz_decoder *decoder, lzma_ret result, struct err *err)
{
	switch (result) {
	case LZMA_MEMLIMIT_ERROR:
		return err_set(
			err, ERR_LIMIT,
			"needs %llu bytes of memory, allowed are "
			"%llu; allow more with --memory",
			(unsigned long long)lzma_memusage(&decoder->lzma),
			(unsigned long long)lzma_memlimit_get(&decoder->lzma));
	case LZMA_MEM_ERROR:
		return err_set(err, ERR_LIMIT, "no memory for a dictionary");
	case LZMA_UNSUPPORTED_CHECK:
		return err_set(err, ERR_UNSUPPORTED,
			       "integrity check of type %d is not known and "
			       "cannot be verified",
			       (int)lzma_get_check(&decoder->lzma));
	case LZMA_OPTIONS_ERROR:
		return err_set(err, ERR_UNSUPPORTED,
			       "a filter or flag is not known, or the headers "
			       "are damaged");
	case LZMA_FORMAT_ERROR:
		return err_set(err, ERR_DAMAGED, "this is not an xz header");
	default:
		return err_set(err, ERR_DAMAGED,
			       "the compressed data is damaged, its checksum "
			       "is wrong, or garbage follows it");
	}
}

static int xz_decoder_step(void *opaque, struct codec_step *step,
			   struct err *err)
{
	struct xz_decoder *decoder = opaque;
	lzma_stream *lzma = &decoder->lzma;

	/* Once the end of input was told it stays told. */
	decoder->last |= step->last;
	lzma->next_in = step->in;
	lzma->avail_in = step->in_len;
	lzma->next_out = step->out;
	lzma->avail_out = step->out_len;
	lzma_ret result =
		lzma_code(lzma, decoder->last ? LZMA_FINISH : LZMA_RUN);
	step->in_used = step->in_len - lzma->avail_in;
	step->out_used = step->out_len - lzma->avail_out;
	step->end = result == LZMA_STREAM_END;
	/* LZMA_BUF_ERROR: no progress, which the caller sees. */
	if (result == LZMA_OK || result == LZMA_STREAM_END ||
	    result == LZMA_BUF_ERROR)
		return 0;
	return xz_fail(decoder, result, err);
}

/* The end comes with the end of the input, so nothing follows. */
static int xz_decoder_next(void *decoder, struct err *err)
{
	(void)decoder;
	return err_set(err, ERR_BUG, "liblzma left input behind its end");
}

static void xz_decoder_close(void *opaque)
{
	struct xz_decoder *decoder = opaque;

	lzma_end(&decoder->lzma);
	free(decoder);
}

/* ---- encoding ---- */

#define CHECK LZMA_CHECK_CRC64
#define BLOCK_LEN_MIN ((size_t)(4 * MIB))
#define LEVEL_DEFAULT 6

struct xz_encoder {
	lzma_options_lzma options;
	lzma_filter filters[2];
};

struct xz_frame {
	lzma_index *index;
};

/*
 * As large as the dictionary, so that no level loses reach inside a block,
 * and 4 MiB at least, so that the blocks' own start-up costs little: levels
 * 0-4 4 MiB, 5-6 8 MiB, 7 16 MiB, 8 32 MiB, 9 64 MiB. Smaller than what the
 * xz tool takes: less memory a thread, and finer random access.
 */
static size_t xz_block_len(int level)
{
	lzma_options_lzma options;

	if (lzma_lzma_preset(&options, (uint32_t)level))
		return BLOCK_LEN_MIN;
	return max_u64(options.dict_size, BLOCK_LEN_MIN);
}

static uint64_t xz_encoder_memory(int level)
{
	lzma_options_lzma options;
	const lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA2, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN },
	};

	if (lzma_lzma_preset(&options, (uint32_t)level))
		return 0;
	return lzma_raw_encoder_memusage(filters);
}

static void *xz_encoder_open(int level, struct err *err)
{
	struct xz_encoder *encoder = mem_zalloc(sizeof *encoder);

	if (lzma_lzma_preset(&encoder->options, (uint32_t)level)) {
		free(encoder);
		err_set(err, ERR_UNSUPPORTED, "liblzma has no level %d", level);
		return NULL;
	}
	encoder->filters[0].id = LZMA_FILTER_LZMA2;
	encoder->filters[0].options = &encoder->options;
	encoder->filters[1].id = LZMA_VLI_UNKNOWN;
	return encoder;
}

static int xz_encode_block(void *opaque, const unsigned char *in, size_t len,
			   unsigned char *out, size_t room, size_t *out_len,
			   struct err *err)
{
	struct xz_encoder *encoder = opaque;
	lzma_block block = { .check = CHECK, .filters = encoder->filters };

	*out_len = 0;
	lzma_ret result = lzma_block_buffer_encode(&block, NULL, in, len, out,
						   out_len, room);
	if (result == LZMA_MEM_ERROR)
		return err_set(err, ERR_LIMIT, "no memory for an encoder");
	if (result != LZMA_OK)
		return err_set(err, ERR_BUG, "liblzma answers %d", (int)result);
	return 0;
}

static void *xz_frame_open(struct err *err)
{
	struct xz_frame *frame = mem_zalloc(sizeof *frame);

	frame->index = lzma_index_init(NULL);
	if (!frame->index) {
		free(frame);
		err_set(err, ERR_LIMIT, "no memory for an index");
		return NULL;
	}
	return frame;
}

static int xz_frame_start(void *frame, unsigned char *out, size_t room,
			  size_t *out_len, struct err *err)
{
	lzma_stream_flags flags = { .check = CHECK };

	(void)frame;
	if (room < LZMA_STREAM_HEADER_SIZE ||
	    lzma_stream_header_encode(&flags, out) != LZMA_OK)
		return err_set(err, ERR_BUG, "no stream header");
	*out_len = LZMA_STREAM_HEADER_SIZE;
	return 0;
}

/* The block's header has both sizes in it. */
static int xz_frame_block(void *opaque, const unsigned char *coded,
			  size_t coded_len, struct err *err)
{
	struct xz_frame *frame = opaque;
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block block = { .check = CHECK, .filters = filters };
	lzma_ret result;

	block.header_size = lzma_block_header_size_decode(coded[0]);
	if (block.header_size > coded_len ||
	    lzma_block_header_decode(&block, NULL, coded) != LZMA_OK)
		return err_set(err, ERR_BUG, "a block without a header");
	for (size_t i = 0; filters[i].id != LZMA_VLI_UNKNOWN; i++)
		free(filters[i].options);
	result = lzma_index_append(frame->index, NULL,
				   lzma_block_unpadded_size(&block),
				   block.uncompressed_size);
	if (result == LZMA_MEM_ERROR)
		return err_set(err, ERR_LIMIT, "no memory for the index");
	if (result != LZMA_OK)
		return err_set(err, ERR_BUG, "liblzma's index answers %d",
			       (int)result);
	return 0;
}

static size_t xz_frame_end_bound(void *opaque)
{
	struct xz_frame *frame = opaque;

	return (size_t)lzma_index_size(frame->index) + LZMA_STREAM_HEADER_SIZE;
}

static int xz_frame_end(void *opaque, unsigned char *out, size_t room,
			size_t *out_len, struct err *err)
{
	struct xz_frame *frame = opaque;
	lzma_stream_flags flags = {
		.check = CHECK,
		.backward_size = lzma_index_size(frame->index),
	};

	*out_len = 0;
	if (lzma_index_buffer_encode(frame->index, out, out_len, room) !=
		    LZMA_OK ||
	    room - *out_len < LZMA_STREAM_HEADER_SIZE ||
	    lzma_stream_footer_encode(&flags, out + *out_len) != LZMA_OK)
		return err_set(err, ERR_BUG, "no index");
	*out_len += LZMA_STREAM_HEADER_SIZE;
	return 0;
}

static void xz_frame_close(void *opaque)
{
	struct xz_frame *frame = opaque;

	lzma_index_end(frame->index, NULL);
	free(frame);
}

/* ---- blocks, each an .xz file ---- */

/* The library keeps nothing between two calls; a context must not be NULL. */
static void *xz_block_open(struct err *err)
{
	(void)err;
	return mem_zalloc(1);
}

static int xz_block_decode(void *decoder, const void *in, size_t len, void *out,
			   size_t out_len)
{
	uint64_t memory = LIMIT_DECODER_MEMORY;
	size_t used = 0, made = 0;

	(void)decoder;
	return lzma_stream_buffer_decode(&memory, LZMA_TELL_UNSUPPORTED_CHECK,
					 NULL, in, &used, len, out, &made,
					 out_len) == LZMA_OK &&
			       made == out_len
		       ? 0
		       : -1;
}

const struct block_library block_xz = {
	.name = "liblzma",
	.decoder_open = xz_block_open,
	.decode = xz_block_decode,
	.decoder_close = free,
};

const struct codec codec_xz = {
	.name = "xz",
	.tag = "xz",
	.suffix = ".xz",
	.library = "liblzma",
	.probe = xz_probe,
	.decoder_open = xz_decoder_open,
	.decoder_threads = LZMA_VERSION >= 50040002,
	.decoder_step = xz_decoder_step,
	.decoder_next = xz_decoder_next,
	.decoder_close = xz_decoder_close,
	.index_open = xz_index_open,
	.index_decode = xz_index_decode,
	.index_close = xz_index_close,
	.level_min = 1, /* 0 stands for the default */
	.level_max = 9,
	.level_default = LEVEL_DEFAULT,
	.block_len = xz_block_len,
	.encoder_memory = xz_encoder_memory,
	.encode_bound = lzma_block_buffer_bound,
	.encoder_open = xz_encoder_open,
	.encode_block = xz_encode_block,
	.encoder_close = free,
	.frame_open = xz_frame_open,
	.frame_start = xz_frame_start,
	.frame_block = xz_frame_block,
	.frame_end_bound = xz_frame_end_bound,
	.frame_end = xz_frame_end,
	.frame_close = xz_frame_close,
};
