/* SPDX-License-Identifier: MIT */
/*
 * walk: the guest's view in one ascending pass over a stream.
 *
 *   source (stream) -> driver->walk -> [walk] -> pump
 *
 * Yields pieces until the stream ends. An *ordered* walk (raw) yields the
 * guest ascending and without gaps; others (qcow2) yield each guest range at
 * most once, in the order of the file, and what is never yielded is a hole.
 * One thread at a time calls walk_next; the bytes land in the caller's
 * buffer, so many pieces can be in work.
 */
#ifndef FORMATS_WALK_H
#define FORMATS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/extent.h"
#include "io/source.h"

struct walk;

struct walk_piece {
	uint64_t offset, length; /* guest bytes */
	enum extent_kind kind;
	enum encoding encoding; /* of the bytes in the buffer */
	size_t stored;		/* how many; 0 unless EXTENT_DATA */
};

struct walk_ops {
	/* The next piece, its bytes in buf (room `len`, at least 4 MiB, or a
	 * sector for an ordered walk): 1; the end, with everything verified:
	 * 0; -1. A plain piece has stored == length; an encoded one is at
	 * most `granule` long. */
	int (*next)(struct walk *walk, void *buf, size_t len,
		    struct walk_piece *out, struct err *err);
	void (*close)(struct walk *walk);
};

/* Implementations embed this as their first member. */
struct walk {
	const struct walk_ops *ops;
	const char *format;
	bool ordered;
	bool size_known; /* otherwise known when the walk has ended */
	uint64_t size;
	uint32_t sector_size;
	uint32_t granule;
	uint64_t spooled; /* bytes that had to be kept in the spool so far */
	bool ended;	  /* the gateway's own */
	uint64_t position;
};

void walk_init(struct walk *walk, const struct walk_ops *ops,
	       const char *format);

int walk_next(struct walk *walk, void *buf, size_t len,
	      struct walk_piece *out, struct err *err);

/* Accepts NULL, returns NULL. */
struct walk *walk_close(struct walk *walk);

void walk_close_pointer(struct walk **walk);
#define AUTO_WALK __attribute__((cleanup(walk_close_pointer)))

#endif
