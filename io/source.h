/* SPDX-License-Identifier: MIT */
/*
 * source: file bytes by offset, read only.
 *
 *   INPUT -> [source] -> decode -> [source] -> disk | walk -> pump
 *
 * Two abilities. A *seekable* source has a known size, may be read anywhere,
 * and is safe to read from many threads. A *stream* is read in ascending
 * order by one thread at a time; its size becomes known at its end, of which
 * it is aware 512 bytes ahead: a trailer (VHD, DMG) is recognised before the
 * bytes in front of it are believed. This file's functions are the gateway:
 * they check range and order and loop over short reads, so implementations
 * stay naive.
 */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "io/extent.h"

#define SOURCE_TAIL_LEN 512

struct source;

struct source_ops {
	/* Required. Up to `len` bytes at `offset`; *got may be short, 0 only
	 * at the end. Streams are called with offset == bytes read so far. */
	int (*read)(struct source *source, void *buf, size_t len,
		    uint64_t offset, size_t *got, struct err *err);
	/* Optional: the extent that starts at `offset` (< size), any length.
	 * Without it everything is data. */
	int (*extent)(struct source *source, uint64_t offset,
		      struct extent *out, struct err *err);
	/* Optional: after the last byte was read, everything that can only be
	 * known then: trailers and checksums of a codec, trailing garbage, a
	 * file that changed meanwhile (ERR_TEMPORARY). */
	int (*finish)(struct source *source, struct err *err);
	/* Optional, streams only: start again at offset 0. Fails (ERR_BUG)
	 * once more than LIMIT_REPLAY_LEN was read. */
	int (*rewind)(struct source *source, struct err *err);
	void (*close)(struct source *source);
};

/* Implementations embed this as their first member. */
struct source {
	const struct source_ops *ops;
	uint64_t size; /* bytes; valid when size_known */
	bool size_known;
	bool seekable;
	/* The cheapest unit of random access, bytes: 1 for a file, a block
	 * for a multi-block .xz (reading less costs as much). */
	uint64_t granule;
	/* A descriptor whose byte `fd_base` is byte 0 here, for copy offload,
	 * or -1. Borrowed. */
	int fd;
	uint64_t fd_base;
	/* Times what is read; borrowed, NULL: nobody wants to know. */
	struct stages *stages;
	/* The gateway's own, for streams: bytes handed out so far. */
	uint64_t position;
	/* The stream's last bytes, all of them as soon as size_known, which is
	 * before the first of them is handed out; tail_len is 0 until then. */
	unsigned char tail[SOURCE_TAIL_LEN];
	size_t tail_len;
};

/* Set the gateway's fields; an implementation calls it first when opening. */
void source_init(struct source *source, const struct source_ops *ops);

/* Read until `len` bytes or the end; *got < len only at the end. On a stream
 * `offset` must not lie before what was already read (ERR_BUG); bytes between
 * are read and dropped. */
int source_read(struct source *source, void *buf, size_t len, uint64_t offset,
		size_t *got, struct err *err);

/* The same, but an end before `len` bytes is ERR_DAMAGED: "`what` at OFFSET
 * lies past the end of the file (SIZE)". */
int source_read_all(struct source *source, void *buf, size_t len,
		    uint64_t offset, const char *what, struct err *err);

/* The extent that holds `offset` (< size), starting there, at most `limit`
 * bytes; place and source are filled in. Seekable sources only. */
int source_extent(struct source *source, uint64_t offset, uint64_t limit,
		  struct extent *out, struct err *err);

/* Read a stream to its end (dropping the bytes) and check what can be checked
 * only there. Must be called before an output is committed. */
int source_finish(struct source *source, struct err *err);

/* A stream starts again at 0 (only within LIMIT_REPLAY_LEN); nothing to do
 * for a seekable source. Decoders on top must be closed first. */
int source_rewind(struct source *source, struct err *err);

/* Accepts NULL, returns NULL. A source below is borrowed: its opener closes
 * it afterwards. */
struct source *source_close(struct source *source);

void source_close_pointer(struct source **source);
#define AUTO_SOURCE __attribute__((cleanup(source_close_pointer)))

#endif
