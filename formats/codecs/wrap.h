/* SPDX-License-Identifier: MIT */
/* The generic adaptors between a codec's stream face and source and sink:
 * one loop for decoding, one for parallel encoding, for every codec. */
#ifndef FORMATS_CODECS_WRAP_H
#define FORMATS_CODECS_WRAP_H

#include "formats/codecs/codec.h"
#include "io/journal.h"
#include "io/sink.h"
#include "io/source.h"

/* A stream of the decoded bytes of `inner` (borrowed; it must outlive the
 * result; read from its start). All members are decoded; source_finish
 * verifies the end and that only allowed padding follows. ERR_UNSUPPORTED
 * when the codec is switched off. */
struct source *wrap_decode(enum codec_id id, struct source *inner,
			   unsigned threads, uint64_t memory,
			   struct err *err);

/* Random access into `inner` (borrowed, seekable) by the codec's index;
 * ERR_UNSUPPORTED when there is none that is of use. All decoded blocks that
 * are kept come to WRAP_RANDOM_CACHE bytes at most, several of the usual
 * 24 MiB; one alone always fits. */
#define WRAP_RANDOM_CACHE ((uint64_t)96 << 20)
struct source *wrap_random(enum codec_id id, struct source *inner,
			   struct err *err);

/* The decoded size as the format itself states it cheaply (xz index, zstd
 * frame header; not gzip: its field is 32 bits wide), for planning; true if
 * known. *random: wrap_random would serve. `inner` is seekable and not
 * consumed. */
bool wrap_size_hint(enum codec_id id, struct source *inner, uint64_t *size,
		    bool *random);

/* An append-only sink that compresses into `inner` (taken). Blocks are
 * encoded by `threads` threads of its own, written in order; `level` 0 is
 * the default. Bytes never depend on `threads`. */
struct sink *wrap_encode(enum codec_id id, struct sink *take_inner, int level,
			 unsigned threads, struct err *err);

/* `sink` is of wrap_encode and new, and what it writes to a file: blocks that
 * are written are noted in `journal` (borrowed), and those that it has of an
 * earlier run are read from the file instead of being encoded. */
void wrap_encode_journal(struct sink *sink, struct journal *journal);

/* Is there such a level (0: the default)? ERR_USAGE; ERR_UNSUPPORTED when the
 * codec is switched off. */
int wrap_encode_check(enum codec_id id, int level, struct err *err);

/* Bytes that so many threads take, blocks in flight included; and how many
 * of `threads` fit `memory`, one at least. */
uint64_t wrap_encode_memory(enum codec_id id, int level, unsigned threads);
unsigned wrap_encode_threads(enum codec_id id, int level, unsigned threads,
			     uint64_t memory);
/* Blocks in flight. */
unsigned wrap_encode_jobs(enum codec_id id, int level, unsigned threads);

#endif
