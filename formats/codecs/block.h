/* SPDX-License-Identifier: MIT */
/*
 * What one compression library offers to the block face and to gzip, in our
 * own words: the only link between block.c, gzip.c and the files that know a
 * library. A slot of a library that is switched off, or that lacks the
 * ability, is NULL.
 */
#ifndef FORMATS_CODECS_BLOCK_H
#define FORMATS_CODECS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct block_library {
	const char *name;
	/* Levels are the library's own. */
	void *(*encoder_open)(int level, int window_log, struct err *err);
	/* *out_len is 0 when the result does not fit `room`. */
	int (*encode)(void *encoder, const void *in, size_t len, void *out,
		      size_t room, size_t *out_len);
	void (*encoder_close)(void *encoder);
	void *(*decoder_open)(struct err *err);
	/* Exactly `out_len` bytes from the front of `in`, or -1. */
	int (*decode)(void *decoder, const void *in, size_t len, void *out,
		      size_t out_len);
	void (*decoder_close)(void *decoder);
	/* The checksum of gzip, continued; the first `crc` is 0. */
	uint32_t (*crc)(uint32_t crc, const void *bytes, size_t len);
};

/* Raw deflate. block_zlib is complete and always there. */
extern const struct block_library block_zlib;
extern const struct block_library block_libdeflate;
/* The same as zlib streams: a header in front, Adler-32 behind. */
extern const struct block_library block_zlib_wrapped;
extern const struct block_library block_libdeflate_wrapped;
/* Zstandard frames. */
extern const struct block_library block_zstd;
/* Decoding only: bzip2 and .xz streams, Apple Data Compression, LZFSE. */
extern const struct block_library block_bzip2, block_xz, block_adc;

/* Raw deflate as a stream, for gzip. */
struct inflate_step {
	const unsigned char *in;
	size_t in_len, in_used;
	unsigned char *out;
	size_t out_len, out_used;
	bool end; /* the last block is complete */
	/* Bytes taken into the library that lie behind the end: at most 8,
	 * perhaps from an earlier step. */
	unsigned char back[8];
	size_t back_len;
};

struct inflate_library {
	void *(*open)(struct err *err);
	/* -1 without a message: the data is damaged. */
	int (*step)(void *state, struct inflate_step *step);
	void (*reset)(void *state);
	void (*close)(void *state);
	uint32_t (*crc)(uint32_t crc, const void *bytes, size_t len);
};

extern const struct inflate_library inflate_zlib;
extern const struct inflate_library inflate_isal;

#endif
