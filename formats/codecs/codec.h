/* SPDX-License-Identifier: MIT */
/*
 * codec: one compression format, with two faces.
 *
 *   stream  a whole file: decode (pull from a source) and encode (in blocks)
 *   block   buffer to buffer, for clusters and grains, with a context per
 *           thread
 *
 * A codec is one file in this folder and one row in codec.c. One file knows
 * one library. A codec switched off at build time keeps its row, so that it
 * is still recognised and can be named: its functions are NULL.
 */
#ifndef FORMATS_CODECS_CODEC_H
#define FORMATS_CODECS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/source.h"

enum codec_id {
	CODEC_GZIP,
	CODEC_XZ,
	CODEC_ZSTD,
	CODEC_BZIP2,
	CODEC_LZ4,
	CODEC_COUNT
};

/* One decoding step, in the manner of every such library: take some of
 * [in, in + in_len), give up to out_len bytes. `last` says no input follows.
 * *end is set when a stream is complete and the next byte, if any, begins
 * another. Consumes or produces something at each call unless it needs more
 * input. Damage and unknown answers of the library are ERR_DAMAGED, memory
 * ceilings ERR_LIMIT. */
struct codec_step {
	const unsigned char *in;
	size_t in_len, in_used;
	unsigned char *out;
	size_t out_len, out_used;
	bool last;
	bool end;
};

struct codec {
	const char *name;    /* as in tags: "gzip" is "+gz" */
	const char *tag;     /* "gz", "xz", "zst", "bz2", "lz4" */
	const char *suffix;  /* ".gz" */
	const char *library; /* what it is built with, for `formats` */
	/* Does the layer begin like this codec? As many magic and header bytes
	 * as can be verified, never fewer than the magic. */
	bool (*probe)(const unsigned char *bytes, size_t len);

	/* Decoding. `threads` > 1 allows the decoder threads of its own.
	 * After `end`, codec_decode decides whether another member, padding
	 * or an error follows: `padding` is what may stand between and after
	 * members (0: nothing; 4: zero bytes in multiples of four, xz). */
	void *(*decoder_open)(unsigned threads, uint64_t memory,
			      struct err *err);
	int (*decoder_step)(void *decoder, struct codec_step *step,
			    struct err *err);
	/* Begin the next member. */
	int (*decoder_next)(void *decoder, struct err *err);
	void (*decoder_close)(void *decoder);
	unsigned padding;

	/* Random access, where the format has an index (multi-block xz, zstd
	 * seekable): a seekable, thread-safe source over a seekable `inner`
	 * (borrowed), or NULL with err->kind ERR_UNSUPPORTED when this file
	 * has no useful index. */
	struct source *(*random)(struct source *inner, struct err *err);

	/*
	 * Encoding as independent blocks of `block_len` input bytes: the same
	 * bytes for any number of threads. encode_block turns one block into
	 * a complete member (gzip member, zstd frame, lz4 block...) appended
	 * to by the next; `prologue` and `epilogue` stand around all of them
	 * (xz: stream header, index and footer).
	 */
	size_t block_len;
	int level_min, level_max, level_default;
	/* The most bytes that encode_block can produce. */
	size_t (*encode_bound)(size_t len);
	/* Pure; run on many threads, each with its own context. */
	void *(*encoder_open)(int level, struct err *err);
	int (*encode_block)(void *encoder, const unsigned char *in, size_t len,
			    unsigned char *out, size_t room, size_t *out_len,
			    struct err *err);
	void (*encoder_close)(void *encoder);
	/* What stands before the first block and after the last; called in
	 * order by one thread. `sum` collects what the epilogue needs. */
	void *(*frame_open)(int level, struct err *err);
	int (*frame_start)(void *frame, unsigned char *out, size_t room,
			   size_t *out_len, struct err *err);
	int (*frame_block)(void *frame, const unsigned char *coded,
			   size_t coded_len, size_t len, struct err *err);
	int (*frame_end)(void *frame, unsigned char *out, size_t room,
			 size_t *out_len, struct err *err);
	void (*frame_close)(void *frame);
};

/* The registry. Never NULL for id < CODEC_COUNT. */
const struct codec *codec_get(enum codec_id id);
/* By suffix of a file name (".tgz" is not one); or -1. */
int codec_by_suffix(const char *name);
/* By name, tag or suffix without dot; or -1. */
int codec_by_name(const char *name);
/* By the bytes at the start of a layer; or -1. */
int codec_by_bytes(const unsigned char *bytes, size_t len);

/* ---- block face: clusters and grains ---- */

enum block_codec_id { BLOCK_DEFLATE, BLOCK_ZSTD, BLOCK_COUNT };

struct block_options {
	int level;	/* 0: the codec's default */
	int window_log; /* deflate: 12..15 */
};

/* A context belongs to one thread at a time. */
struct block_encoder;
struct block_decoder;

struct block_encoder *block_encoder_open(enum block_codec_id id,
					 const struct block_options *options,
					 struct err *err);
/* Compress `len` bytes into at most `room`; *out_len is 0 when the result
 * does not fit `room` (store it plain then). Raw deflate, no zlib header.
 * Deterministic: bytes depend on input and options alone. */
int block_encode(struct block_encoder *encoder, const void *in, size_t len,
		 void *out, size_t room, size_t *out_len, struct err *err);
struct block_encoder *block_encoder_close(struct block_encoder *encoder);

struct block_decoder *block_decoder_open(enum block_codec_id id,
					 struct err *err);
/* Exactly `out_len` bytes out of at most `len` stored ones (the stored length
 * may be rounded up to sectors: what follows the end is ignored). Anything
 * else is ERR_DAMAGED. */
int block_decode(struct block_decoder *decoder, const void *in, size_t len,
		 void *out, size_t out_len, struct err *err);
struct block_decoder *block_decoder_close(struct block_decoder *decoder);

/* Is it built in, and by which library? NULL when switched off. */
const char *block_codec_library(enum block_codec_id id);

#endif
