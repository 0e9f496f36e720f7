/* SPDX-License-Identifier: MIT */
/*
 * codec: one compression format, with two faces.
 *
 *   stream  a whole file: decode (pull from a source) and encode (in blocks)
 *   block   buffer to buffer, for clusters and grains, with a context per
 *           thread
 *
 * A codec is one file in this folder and one row in codec.c. One library is
 * known to one file (liblzma to two, xz.c and xz_index.c). A codec
 * switched off at build time keeps its row, so that it is still recognised
 * and can be named: its functions are NULL.
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

/* A file's blocks in order, none of them empty. The codec that made it embeds
 * this as its first member. */
struct codec_index {
	uint64_t size;	  /* decoded bytes in all */
	uint64_t largest; /* decoded bytes of the largest block */
	size_t count;
	uint64_t *start; /* count + 1 decoded offsets, the last is `size` */
};

struct codec {
	const char *name;    /* as in tags: "gzip" is "+gz" */
	const char *tag;     /* "gz", "xz", "zst", "bz2", "lz4" */
	const char *suffix;  /* ".gz" */
	const char *library; /* what it is built with, for `formats` */
	/* Does the layer begin like this codec? As many magic and header bytes
	 * as can be verified, never fewer than the magic. */
	bool (*probe)(const unsigned char *bytes, size_t len);

	/* Optional: may these bytes follow a complete member: another one, or
	 * something to skip? Without it, what `probe` knows. */
	bool (*member)(const unsigned char *bytes, size_t len);

	/* Decoding. `threads` > 1 allows the decoder threads of its own;
	 * `memory` is what it may use, though never less than
	 * LIMIT_DECODER_MEMORY. A decoder that knows about members itself
	 * (xz, with its padding) reports only the end of the last one. */
	void *(*decoder_open)(unsigned threads, uint64_t memory,
			      struct err *err);
	bool decoder_threads; /* it has some, for files of many blocks */
	int (*decoder_step)(void *decoder, struct codec_step *step,
			    struct err *err);
	/* Begin the next member. */
	int (*decoder_next)(void *decoder, struct err *err);
	void (*decoder_close)(void *decoder);

	/* Optional. The list of blocks, where it is known without decoding
	 * (xz's index, zstd's frame headers), read from a seekable `inner`
	 * (borrowed), or NULL with ERR_UNSUPPORTED when this file has none
	 * that can be trusted. */
	struct codec_index *(*index_open)(struct source *inner,
					  struct err *err);
	/* One whole block, checked against the index; thread-safe. `out` has
	 * room for its size. */
	int (*index_decode)(struct codec_index *index, size_t block,
			    unsigned char *out, struct err *err);
	void (*index_close)(struct codec_index *index);

	/*
	 * Encoding as independent blocks of `block_len(level)` input bytes:
	 * the same bytes for any number of threads. encode_block turns one
	 * block into a complete member (gzip, zstd, lz4, bzip2) or block (xz);
	 * an empty file is one empty member, or no block in its frame. Levels
	 * are level_min to level_max; the adaptor has replaced 0 by the
	 * default.
	 */
	int level_min, level_max, level_default;
	size_t (*block_len)(int level);
	/* The most bytes that encode_block can produce. */
	size_t (*encode_bound)(size_t len);
	/* Bytes that one encoder takes, beside the blocks. */
	uint64_t (*encoder_memory)(int level);
	/* Pure; run on many threads, each with its own context. */
	void *(*encoder_open)(int level, struct err *err);
	int (*encode_block)(void *encoder, const unsigned char *in, size_t len,
			    unsigned char *out, size_t room, size_t *out_len,
			    struct err *err);
	void (*encoder_close)(void *encoder);
	/* Optional, all or none: what stands before the first block and after
	 * the last (xz: stream header; index and footer). Called by one thread
	 * in the order of the file; frame_end once, whose room is
	 * frame_end_bound. */
	void *(*frame_open)(struct err *err);
	int (*frame_start)(void *frame, unsigned char *out, size_t room,
			   size_t *out_len, struct err *err);
	int (*frame_block)(void *frame, const unsigned char *coded,
			   size_t coded_len, struct err *err);
	size_t (*frame_end_bound)(void *frame);
	int (*frame_end)(void *frame, unsigned char *out, size_t room,
			 size_t *out_len, struct err *err);
	void (*frame_close)(void *frame);
};

/* The tags of all, as alternatives: for what needs to be one of them. */
#define CODEC_TAGS "gz|xz|zst|bz2|lz4"

/* The registry. Never NULL for id < CODEC_COUNT. */
const struct codec *codec_get(enum codec_id id);
/* Is it built in at all? */
bool codec_built(const struct codec *codec);
/* By suffix of a file name (".tgz" is not one); or -1. */
int codec_by_suffix(const char *name);
/* By name, tag or suffix without dot; or -1. */
int codec_by_name(const char *name);
/* By the bytes at the start of a layer; or -1. */
int codec_by_bytes(const unsigned char *bytes, size_t len);

/* ---- block face: clusters and grains ---- */

enum block_codec_id {
	BLOCK_DEFLATE, /* raw: qcow2 */
	BLOCK_ZSTD,
	BLOCK_ZLIB, /* with header and Adler-32: VMDK, DMG, cloop */
	/* Decoded only: what else the chunks of a DMG are. */
	BLOCK_BZIP2,
	BLOCK_XZ,
	BLOCK_ADC,
	BLOCK_COUNT
};

struct block_options {
	/* 0: the default, the fastest that packs like zlib's level 6 with the
	 * window of 4 KiB. Deflate 1..12, zstd 1..19. */
	int level;
	int window_log; /* deflate: 12..15; below 15 it costs speed */
};

/* A context belongs to one thread at a time. */
struct block_encoder;
struct block_decoder;

struct block_encoder *block_encoder_open(enum block_codec_id id,
					 const struct block_options *options,
					 struct err *err);
/* Compress `len` bytes into at most `room`; *out_len is 0 when the result
 * does not fit `room` (store it plain then).
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
/* For people: "deflate", "zstd", "zlib", "bzip2", "xz", "adc". */
const char *block_codec_name(enum block_codec_id id);

/* The CRC-32 of crc32.h by the fastest library built in: for bulk data. */
uint32_t codec_crc32(uint32_t crc, const void *bytes, size_t len);

#endif
