/* SPDX-License-Identifier: MIT */
/* Owns the block face: which library does the work for which options. Does
 * not know any library. */
#include "formats/codecs/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/block.h"

#define WINDOW_LOG_MIN 12
#define WINDOW_LOG_MAX 15

/*
 * Deflate levels are libdeflate's. On clusters of 64 KiB of system files,
 * against zlib level 6 with a window of 4 KiB, its level 1 is nearly five
 * times as fast and 1 % larger; its level 6 is twice as fast and 7 % smaller.
 */
#define LIBDEFLATE_DEFAULT 1
#define LIBDEFLATE_MAX 12
#define ZLIB_DEFAULT 2 /* level 1 is 4 % larger for a tenth of the time */
#define ZLIB_NARROW_DEFAULT 6 /* a small window is asked for to be like */
#define ZLIB_MAX 9	      /* what everybody writes, not for speed */

/* The level at which the size is that of most writers of this format. */
#define ZSTD_DEFAULT 3
#define ZSTD_MAX 19

struct block_encoder {
	const struct block_library *library;
	void *state;
	bool try_all; /* a level was asked for: whatever can be had */
};

/* Bytes and words that are looked at before a block is encoded, and how much
 * less even than chance would have it their values may be, in percent. */
#define SAMPLE_BYTES ((size_t)4096)
#define SAMPLE_WORDS ((size_t)1024)
#define EVEN_PERCENT 106u

struct block_decoder {
	const struct block_library *library;
	void *state;
};

struct choice {
	const struct block_library *library;
	int level;
};

static struct choice choose_deflate(bool wrapped, int level, int window_log)
{
	const struct block_library *zlib =
		wrapped ? &block_zlib_wrapped : &block_zlib;
	const struct block_library *fast =
		wrapped ? &block_libdeflate_wrapped : &block_libdeflate;
	int zlib_level = level < ZLIB_MAX ? level : ZLIB_MAX;

	if (window_log < WINDOW_LOG_MAX)
		return (struct choice){ zlib, level ? zlib_level
						    : ZLIB_NARROW_DEFAULT };
	if (fast->encoder_open)
		return (struct choice){ fast,
					level ? level : LIBDEFLATE_DEFAULT };
	return (struct choice){ zlib, level ? zlib_level : ZLIB_DEFAULT };
}

static int check_options(enum block_codec_id id,
			 const struct block_options *options, struct err *err)
{
	int most = id == BLOCK_ZSTD ? ZSTD_MAX : LIBDEFLATE_MAX;

	if (options->level < 0 || options->level > most)
		return err_set(err, ERR_USAGE,
			       "compression level %d is out of range (1..%d)",
			       options->level, most);
	if (id != BLOCK_ZSTD && (options->window_log < WINDOW_LOG_MIN ||
				 options->window_log > WINDOW_LOG_MAX))
		return err_set(err, ERR_USAGE,
			       "window_log %d is out of range (%d..%d)",
			       options->window_log, WINDOW_LOG_MIN,
			       WINDOW_LOG_MAX);
	return 0;
}

static int check_built(const struct block_library *library, bool can,
		       struct err *err)
{
	if (can)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "built without %s", library->name);
}

struct block_encoder *block_encoder_open(enum block_codec_id id,
					 const struct block_options *options,
					 struct err *err)
{
	struct choice choice = { &block_zstd, options->level ? options->level
							     : ZSTD_DEFAULT };

	if (id > BLOCK_ZLIB) {
		err_set(err, ERR_UNSUPPORTED, "%s is decoded, not encoded",
			block_codec_name(id));
		return NULL;
	}
	if (check_options(id, options, err))
		return NULL;
	if (id != BLOCK_ZSTD)
		choice = choose_deflate(id == BLOCK_ZLIB, options->level,
					options->window_log);
	if (check_built(choice.library, choice.library->encoder_open, err))
		return NULL;
	void *state = choice.library->encoder_open(choice.level,
						   options->window_log, err);
	if (!state)
		return NULL;
	struct block_encoder *encoder = mem_zalloc(sizeof *encoder);
	encoder->library = choice.library;
	encoder->state = state;
	/* zstd sees for itself. */
	encoder->try_all = options->level || id == BLOCK_ZSTD;
	return encoder;
}

/* All values equally often, as compressed and encrypted data have them: the
 * sum of the squared counts is then about n * n / 256 + n. */
static bool is_even(const unsigned char *in, size_t len)
{
	const uint64_t chance = (uint64_t)SAMPLE_BYTES * SAMPLE_BYTES / 256 +
				SAMPLE_BYTES;
	uint32_t count[256] = { 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < SAMPLE_BYTES; i++)
		count[in[i * (len / SAMPLE_BYTES)]]++;
	for (unsigned i = 0; i < 256; i++)
		sum += (uint64_t)count[i] * count[i];
	return sum * 100 < chance * EVEN_PERCENT;
}

/* Modulo 2^64; the upper half depends on all of the word. */
WRAPS static uint64_t hash_word(uint64_t word)
{
	return (word * 0x9e3779b97f4a7c15ULL) >> 32;
}

/* Is a word of those at even distances there twice? Then something comes
 * again, however random it looks. */
static bool repeats(const unsigned char *in, size_t len)
{
	uint64_t table[2 * SAMPLE_WORDS] = { 0 }, word;

	for (size_t i = 0; i < SAMPLE_WORDS; i++) {
		memcpy(&word, in + i * (len / SAMPLE_WORDS), sizeof word);
		size_t at = (size_t)hash_word(word) % (2 * SAMPLE_WORDS);

		/* Ends: half of the places are free. */
		while (table[at] && table[at] != word)
			at = (at + 1) % (2 * SAMPLE_WORDS);
		if (table[at])
			return true;
		table[at] = word;
	}
	return false;
}

/* Deflate needs longest for what it cannot make smaller. */
static bool is_hopeless(const struct block_encoder *encoder,
			const unsigned char *in, size_t len)
{
	return !encoder->try_all && len >= 8 * SAMPLE_BYTES &&
	       is_even(in, len) && !repeats(in, len);
}

int block_encode(struct block_encoder *encoder, const void *in, size_t len,
		 void *out, size_t room, size_t *out_len, struct err *err)
{
	*out_len = 0;
	if (is_hopeless(encoder, in, len))
		return 0;
	if (encoder->library->encode(encoder->state, in, len, out, room,
				     out_len))
		return err_set(err, ERR_BUG, "%s cannot encode %zu bytes",
			       encoder->library->name, len);
	return 0;
}

struct block_encoder *block_encoder_close(struct block_encoder *encoder)
{
	if (encoder) {
		encoder->library->encoder_close(encoder->state);
		free(encoder);
	}
	return NULL;
}

/* The library that decodes: the fastest on whole clusters. */
static const struct block_library *decoding_library(enum block_codec_id id)
{
	switch (id) {
	case BLOCK_ZSTD:
		return &block_zstd;
	case BLOCK_BZIP2:
		return &block_bzip2;
	case BLOCK_XZ:
		return &block_xz;
	case BLOCK_ADC:
		return &block_adc;
	case BLOCK_ZLIB:
		return block_libdeflate_wrapped.decoder_open
			       ? &block_libdeflate_wrapped
			       : &block_zlib_wrapped;
	default:
		return block_libdeflate.decoder_open ? &block_libdeflate
						     : &block_zlib;
	}
}

struct block_decoder *block_decoder_open(enum block_codec_id id,
					 struct err *err)
{
	const struct block_library *library = decoding_library(id);

	if (check_built(library, library->decoder_open, err))
		return NULL;
	void *state = library->decoder_open(err);
	if (!state)
		return NULL;
	struct block_decoder *decoder = mem_zalloc(sizeof *decoder);
	decoder->library = library;
	decoder->state = state;
	return decoder;
}

int block_decode(struct block_decoder *decoder, const void *in, size_t len,
		 void *out, size_t out_len, struct err *err)
{
	if (decoder->library->decode(decoder->state, in, len, out, out_len))
		return err_set(err, ERR_DAMAGED,
			       "%zu compressed bytes are damaged or do not "
			       "decode to %zu bytes",
			       len, out_len);
	return 0;
}

struct block_decoder *block_decoder_close(struct block_decoder *decoder)
{
	if (decoder) {
		decoder->library->decoder_close(decoder->state);
		free(decoder);
	}
	return NULL;
}

const char *block_codec_library(enum block_codec_id id)
{
	const struct block_library *library = decoding_library(id);

	return library->decoder_open ? library->name : NULL;
}

const char *block_codec_name(enum block_codec_id id)
{
	static const char *const names[BLOCK_COUNT] = {
		[BLOCK_DEFLATE] = "deflate",
		[BLOCK_ZSTD] = "zstd",
		[BLOCK_ZLIB] = "zlib",
		[BLOCK_BZIP2] = "bzip2",
		[BLOCK_XZ] = "xz",
		[BLOCK_ADC] = "adc",
	};

	return names[id];
}

uint32_t codec_crc32(uint32_t crc, const void *bytes, size_t len)
{
	if (inflate_isal.crc)
		return inflate_isal.crc(crc, bytes, len);
	if (block_libdeflate.crc)
		return block_libdeflate.crc(crc, bytes, len);
	return block_zlib.crc(crc, bytes, len);
}
