/* SPDX-License-Identifier: MIT */
/* Owns the gzip format (RFC 1952): header, trailer and checks, around raw
 * deflate done by whichever library does it best. Does not know any. */
#include "formats/codecs/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/block.h"

#define HEADER_LEN 10
#define TRAILER_LEN 8

/* Flags of the header; the rest is reserved and must be zero. */
#define FLAG_CHECK 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAG_RESERVED 0xe0

/* In the order of the file. */
enum stage {
	STAGE_HEADER,
	STAGE_EXTRA_LEN,
	STAGE_EXTRA,
	STAGE_NAME,
	STAGE_COMMENT,
	STAGE_HEADER_CHECK,
	STAGE_BODY,
	STAGE_TRAILER
};

struct gzip_decoder {
	const struct inflate_library *library;
	void *state;
	enum stage stage;
	unsigned char field[HEADER_LEN]; /* of the present stage */
	size_t have;
	unsigned flags;
	unsigned extra_left;
	uint32_t header_crc;
	uint32_t crc, size; /* of the decoded bytes */
};

/* Everything in a header that can be wrong is looked at: two bytes of magic
 * alone are too common. */
static bool gzip_probe(const unsigned char *bytes, size_t len)
{
	return len >= HEADER_LEN && bytes[0] == 0x1f && bytes[1] == 0x8b &&
	       bytes[2] == 8 && !(bytes[3] & FLAG_RESERVED);
}

/* After the last member a short rest is garbage or a cut header; the magic
 * tells. */
static bool gzip_member(const unsigned char *bytes, size_t len)
{
	return bytes[0] == 0x1f && (len < 2 || bytes[1] == 0x8b);
}

static void begin(struct gzip_decoder *decoder)
{
	decoder->stage = STAGE_HEADER;
	decoder->have = 0;
	decoder->header_crc = 0;
	decoder->crc = 0;
	decoder->size = 0;
}

static void *gzip_decoder_open(unsigned threads, uint64_t memory,
			       struct err *err)
{
	(void)threads;
	(void)memory; /* a window of 32 KiB at most */
	struct gzip_decoder *decoder = mem_zalloc(sizeof *decoder);
	decoder->library = inflate_isal.open ? &inflate_isal : &inflate_zlib;
	decoder->state = decoder->library->open(err);
	if (!decoder->state) {
		free(decoder);
		return NULL;
	}
	begin(decoder);
	return decoder;
}

/* The stage after `stage` that this header has. */
static enum stage next_stage(const struct gzip_decoder *decoder,
			     enum stage stage)
{
	unsigned flags = decoder->flags;

	if (stage < STAGE_EXTRA_LEN && flags & FLAG_EXTRA)
		return STAGE_EXTRA_LEN;
	if (stage < STAGE_NAME && flags & FLAG_NAME)
		return STAGE_NAME;
	if (stage < STAGE_COMMENT && flags & FLAG_COMMENT)
		return STAGE_COMMENT;
	if (stage < STAGE_HEADER_CHECK && flags & FLAG_CHECK)
		return STAGE_HEADER_CHECK;
	return STAGE_BODY;
}

static void advance(struct gzip_decoder *decoder, enum stage stage)
{
	decoder->stage = stage;
	decoder->have = 0;
}

static int check_fixed(struct gzip_decoder *decoder, struct err *err)
{
	const unsigned char *field = decoder->field;

	if (field[0] != 0x1f || field[1] != 0x8b)
		return err_set(err, ERR_DAMAGED, "this is not a gzip header");
	if (field[2] != 8)
		return err_set(err, ERR_DAMAGED,
			       "compression method %u is not known (8 is)",
			       field[2]);
	if (field[3] & FLAG_RESERVED)
		return err_set(err, ERR_DAMAGED,
			       "reserved header flags are set (0x%02x)",
			       field[3]);
	decoder->flags = field[3];
	return 0;
}

/* One byte of the header, after it was added to the header's checksum. */
static int header_byte(struct gzip_decoder *decoder, unsigned char byte,
		       struct err *err)
{
	enum stage stage = decoder->stage;
	static const size_t wanted[] = { [STAGE_HEADER] = HEADER_LEN,
					 [STAGE_EXTRA_LEN] = 2,
					 [STAGE_HEADER_CHECK] = 2 };

	if (stage == STAGE_EXTRA) {
		if (!--decoder->extra_left)
			advance(decoder, next_stage(decoder, stage));
		return 0;
	}
	if (stage == STAGE_NAME || stage == STAGE_COMMENT) {
		if (!byte)
			advance(decoder, next_stage(decoder, stage));
		return 0;
	}
	decoder->field[decoder->have++] = byte;
	if (decoder->have < wanted[stage])
		return 0;
	if (stage == STAGE_HEADER && check_fixed(decoder, err))
		return -1;
	enum stage next = next_stage(decoder, stage);
	if (stage == STAGE_EXTRA_LEN) {
		decoder->extra_left = bytes_le16(decoder->field);
		if (decoder->extra_left)
			next = STAGE_EXTRA;
	} else if (stage == STAGE_HEADER_CHECK &&
		   bytes_le16(decoder->field) !=
			   (decoder->header_crc & 0xffff)) {
		return err_set(err, ERR_DAMAGED,
			       "the header's checksum is wrong");
	}
	advance(decoder, next);
	return 0;
}

static int step_header(struct gzip_decoder *decoder, struct codec_step *step,
		       struct err *err)
{
	while (decoder->stage < STAGE_BODY && step->in_used < step->in_len) {
		unsigned char byte = step->in[step->in_used++];

		/* The check covers all before itself. */
		if (decoder->stage != STAGE_HEADER_CHECK)
			decoder->header_crc = decoder->library->crc(
				decoder->header_crc, &byte, 1);
		if (header_byte(decoder, byte, err))
			return -1;
	}
	return 0;
}

static int step_body(struct gzip_decoder *decoder, struct codec_step *step,
		     struct err *err)
{
	struct inflate_step inflate = {
		.in = step->in + step->in_used,
		.in_len = step->in_len - step->in_used,
		.out = step->out,
		.out_len = step->out_len,
	};

	if (decoder->library->step(decoder->state, &inflate))
		return err_set(err, ERR_DAMAGED,
			       "the compressed data is damaged");
	step->in_used += inflate.in_used;
	step->out_used = inflate.out_used;
	decoder->crc = decoder->library->crc(decoder->crc, step->out,
					     inflate.out_used);
	/* Modulo 2^32, as the trailer has it. */
	decoder->size = (uint32_t)((uint64_t)decoder->size + inflate.out_used);
	if (inflate.end) {
		advance(decoder, STAGE_TRAILER);
		memcpy(decoder->field, inflate.back, inflate.back_len);
		decoder->have = inflate.back_len;
	}
	return 0;
}

static int step_trailer(struct gzip_decoder *decoder, struct codec_step *step,
			struct err *err)
{
	while (decoder->have < TRAILER_LEN && step->in_used < step->in_len)
		decoder->field[decoder->have++] = step->in[step->in_used++];
	if (decoder->have < TRAILER_LEN)
		return 0;
	uint32_t crc = bytes_le32(decoder->field);
	uint32_t size = bytes_le32(decoder->field + 4);
	if (crc != decoder->crc)
		return err_set(err, ERR_DAMAGED,
			       "the checksum is wrong: %08x, stored is %08x",
			       decoder->crc, crc);
	if (size != decoder->size)
		return err_set(err, ERR_DAMAGED,
			       "the length is wrong: %u modulo 4 GiB, stored "
			       "is %u",
			       decoder->size, size);
	step->end = true;
	return 0;
}

static int gzip_decoder_step(void *opaque, struct codec_step *step,
			     struct err *err)
{
	struct gzip_decoder *decoder = opaque;

	if (step_header(decoder, step, err))
		return -1;
	if (decoder->stage == STAGE_BODY && step_body(decoder, step, err))
		return -1;
	if (decoder->stage == STAGE_TRAILER)
		return step_trailer(decoder, step, err);
	return 0;
}

static int gzip_decoder_next(void *opaque, struct err *err)
{
	(void)err;
	struct gzip_decoder *decoder = opaque;
	decoder->library->reset(decoder->state);
	begin(decoder);
	return 0;
}

static void gzip_decoder_close(void *opaque)
{
	struct gzip_decoder *decoder = opaque;

	decoder->library->close(decoder->state);
	free(decoder);
}

/* ---- encoding: one member a block ---- */

#define BLOCK_LEN ((size_t)1 << 20)
#define LEVEL_MAX 12
#define LEVEL_DEFAULT 6
#define ZLIB_MAX 9

struct gzip_encoder {
	const struct block_library *library;
	void *state;
};

/* Tables and a window of 32 KiB; measured. */
static uint64_t gzip_encoder_memory(int level)
{
	(void)level;
	return MIB;
}

static size_t gzip_block_len(int level)
{
	(void)level;
	return BLOCK_LEN;
}

/* Stored blocks are the worst: the libraries cut them at 5000 bytes or more,
 * with 5 bytes in front of each. */
static size_t gzip_encode_bound(size_t len)
{
	return HEADER_LEN + TRAILER_LEN + len + len / 512 + 64;
}

static void *gzip_encoder_open(int level, struct err *err)
{
	struct gzip_encoder *encoder = mem_zalloc(sizeof *encoder);
	int used = level;

	if (block_libdeflate.encoder_open) {
		encoder->library = &block_libdeflate;
	} else {
		encoder->library = &block_zlib;
		used = level < ZLIB_MAX ? level : ZLIB_MAX;
	}
	encoder->state = encoder->library->encoder_open(used, 15, err);
	if (!encoder->state) {
		free(encoder);
		return NULL;
	}
	return encoder;
}

static int gzip_encode_block(void *opaque, const unsigned char *in, size_t len,
			     unsigned char *out, size_t room, size_t *out_len,
			     struct err *err)
{
	struct gzip_encoder *encoder = opaque;
	/* No time, no name; the system is "unknown". */
	static const unsigned char header[HEADER_LEN] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255
	};
	size_t body;

	if (room < gzip_encode_bound(len) ||
	    encoder->library->encode(encoder->state, in, len, out + HEADER_LEN,
				     room - HEADER_LEN - TRAILER_LEN, &body) ||
	    !body)
		return err_set(err, ERR_BUG, "%s cannot encode %zu bytes",
			       encoder->library->name, len);
	memcpy(out, header, HEADER_LEN);
	unsigned char *trailer = out + HEADER_LEN + body;
	bytes_put_le32(trailer, encoder->library->crc(0, in, len));
	bytes_put_le32(trailer + 4, (uint32_t)len);
	*out_len = HEADER_LEN + body + TRAILER_LEN;
	return 0;
}

static void gzip_encoder_close(void *opaque)
{
	struct gzip_encoder *encoder = opaque;

	encoder->library->encoder_close(encoder->state);
	free(encoder);
}

const struct codec codec_gzip = {
	.name = "gzip",
	.tag = "gz",
	.suffix = ".gz",
#if defined(HAVE_ISAL) && defined(HAVE_DEFLATE)
	.library = "ISA-L, libdeflate",
#elif defined(HAVE_ISAL)
	.library = "ISA-L, zlib",
#elif defined(HAVE_DEFLATE)
	.library = "zlib, libdeflate",
#else
	.library = "zlib",
#endif
	.probe = gzip_probe,
	.member = gzip_member,
	.decoder_open = gzip_decoder_open,
	.decoder_step = gzip_decoder_step,
	.decoder_next = gzip_decoder_next,
	.decoder_close = gzip_decoder_close,
	.level_min = 1,
	.level_max = LEVEL_MAX,
	.level_default = LEVEL_DEFAULT,
	.block_len = gzip_block_len,
	.encoder_memory = gzip_encoder_memory,
	.encode_bound = gzip_encode_bound,
	.encoder_open = gzip_encoder_open,
	.encode_block = gzip_encode_block,
	.encoder_close = gzip_encoder_close,
};
