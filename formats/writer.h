/* SPDX-License-Identifier: MIT */
/*
 * writer: an image being made, in three phases.
 *
 *   unit --> encode (many threads, pure) --> place (one at a time, in unit
 *   order: offsets and tables) --> store (parallel where the sink seeks)
 *
 * Output bytes depend on the units' content alone, never on the number of
 * threads or on timing: whatever needs an order happens in `place`.
 */
#ifndef FORMATS_WRITER_H
#define FORMATS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/extent.h"
#include "io/sink.h"

struct writer;

/* What the scan found, and what encode made of it, for one granule. */
struct granule {
	enum extent_kind kind; /* EXTENT_DATA or EXTENT_ZERO */
	uint32_t coded_len;    /* 0: stored plain */
	uint32_t coded_at;     /* in unit->coded */
};

/* One write of a unit, decided by `place`. `bytes` is borrowed from the unit
 * or, when `owned`, malloc'ed and freed by unit_reset. */
struct store {
	struct sink *sink;
	uint64_t offset;
	const unsigned char *bytes;
	size_t len;
	bool owned;
};

struct unit {
	uint64_t offset; /* guest bytes; a multiple of the writer's granule */
	size_t len;	 /* whole granules, but for the end of the disk */
	size_t room;	 /* of data: len rounded up to the granule, at most
			    UNIT_LEN_MAX */
	unsigned char *data; /* zero beyond len up to the granule's end */
	struct granule *granules;
	size_t granule_count;
	unsigned char *coded; /* room: writer->coded_room; NULL if that is 0 */
	struct store *stores;
	size_t store_count, store_room;
};

/* Append one write; used by `place`. Contiguous neighbours (in the file and
 * in memory) are joined. */
void unit_store(struct unit *unit, struct sink *sink, uint64_t offset,
		const void *bytes, size_t len);
/* The same with bytes that unit_reset frees. */
void unit_store_take(struct unit *unit, struct sink *sink, uint64_t offset,
		     void *take_bytes, size_t len);
void unit_init(struct unit *unit, const struct writer *writer);
void unit_reset(struct unit *unit);
void unit_free(struct unit *unit);

struct writer_ops {
	/* Optional: fill coded and the granules' coded_len; pure but for the
	 * thread's own `context`. */
	int (*encode)(struct writer *writer, void *context, struct unit *unit,
		      struct err *err);
	/* Required: decide where each data granule goes, note it in the
	 * tables, append the stores. */
	int (*place)(struct writer *writer, struct unit *unit,
		     struct err *err);
	/* Required: a range (whole granules but for the end) that reads as
	 * zero or was never stored; in order with place. */
	int (*zero)(struct writer *writer, uint64_t offset, uint64_t length,
		    enum extent_kind kind, struct err *err);
	/* Optional: where plain data for [offset, offset + length) would be
	 * stored as one run, for copy offload; in order with place, and the
	 * tables are filled as if it had been. */
	int (*reserve)(struct writer *writer, uint64_t offset,
		       uint64_t length, uint64_t *place, struct err *err);
	/* Required: all units are placed and stored; write the tables, the
	 * header last; finish the sink. `size` is the final virtual size. */
	int (*finish)(struct writer *writer, uint64_t size, struct err *err);
	void *(*context_open)(struct writer *writer, struct err *err);
	void (*context_close)(void *context);
	void (*close)(struct writer *writer);
};

/* Implementations embed this as their first member. */
struct writer {
	const struct writer_ops *ops;
	const char *format;
	struct sink *sink; /* borrowed */
	struct sink *data; /* where reserve's places are: sink, or a part */
	uint32_t granule;  /* what zero detection and placement count in */
	size_t unit_len;   /* a multiple of granule, at most UNIT_LEN_MAX */
	size_t coded_room; /* bytes a unit needs for encoded granules */
	bool any_order;	   /* place is the identity: units in any order */
	bool head_last;	   /* the first unit may be placed after the last */
	/* What lies before this guest offset is never reserved: the writer
	 * wants to see its bytes (identity.h). */
	uint64_t units_until;
	bool place_reads; /* place looks at the bytes of every unit */
	/* The gateway's own: how far place, zero and reserve have come; where
	 * they began, and how far they have come in front of that (units in
	 * order, but for a first one that comes last). */
	bool started, finished;
	uint64_t position, head_end, head_position;
};

void writer_init(struct writer *writer, const struct writer_ops *ops,
		 const char *format, struct sink *sink);

/* The gateway. Calls of place, zero, reserve and finish are serialised by the
 * caller. A range that is not whole granules but for the disk's end is
 * ERR_BUG. Guest ranges never mentioned stay unallocated (an overlay shows
 * what is below there). */
int writer_encode(struct writer *writer, void *context, struct unit *unit,
		  struct err *err);
int writer_place(struct writer *writer, struct unit *unit, struct err *err);
int writer_zero(struct writer *writer, uint64_t offset, uint64_t length,
		enum extent_kind kind, struct err *err);
bool writer_can_reserve(const struct writer *writer);
int writer_reserve(struct writer *writer, uint64_t offset, uint64_t length,
		   uint64_t *place, struct err *err);
int writer_finish(struct writer *writer, uint64_t size, struct err *err);
void *writer_context_open(struct writer *writer, struct err *err);
void writer_context_close(struct writer *writer, void *context);
/* Perform the unit's stores; from any thread when the sink seeks. */
int writer_store(struct unit *unit, struct err *err);

/* Accepts NULL, returns NULL. */
struct writer *writer_close(struct writer *writer);

void writer_close_pointer(struct writer **writer);
#define AUTO_WRITER __attribute__((cleanup(writer_close_pointer)))

#endif
