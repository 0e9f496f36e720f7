/* SPDX-License-Identifier: MIT */
/*
 * sink: file bytes by offset, write only.
 *
 *   pump -> writer -> [sink] -> encode -> [sink] -> OUTPUT
 *
 * A seekable sink takes writes at any offset from many threads. An
 * append-only one takes them in ascending order from one thread at a time;
 * the gateway refuses anything else (ERR_BUG) and fills gaps with zeros.
 * Zero ranges are told apart from bytes, so that sparseness survives.
 */
#ifndef IO_SINK_H
#define IO_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "io/source.h"

struct sink;

enum sink_zero {
	SINK_ZERO_SPARSE,   /* reads as zero; need not take room */
	SINK_ZERO_ALLOCATE, /* reads as zero and takes room (falloc) */
	SINK_ZERO_WRITE	    /* zeros are really written (full) */
};

struct sink_ops {
	/* Required: all of `len` bytes, or an error (ERR_IO). */
	int (*write)(struct sink *sink, const void *buf, size_t len,
		     uint64_t offset, struct err *err);
	/* Optional: make [offset, offset + length) read as zero. Without it
	 * the gateway writes zeros. On a new file a sparse zero range costs
	 * nothing; on a device old content must not show. */
	int (*zero)(struct sink *sink, uint64_t offset, uint64_t length,
		    enum sink_zero how, struct err *err);
	/* Optional: `len` bytes that were written before, all of them or an
	 * error; what was never written reads as zero on a fresh sink. */
	int (*read)(struct sink *sink, void *buf, size_t len, uint64_t offset,
		    struct err *err);
	/* Optional: the size that will be, as far as is known. Advice. */
	void (*expect)(struct sink *sink, uint64_t size);
	/* Optional, for what shows bytes at once: all that was written is on
	 * the medium before what is written next. */
	int (*sync)(struct sink *sink, struct err *err);
	/* Required: `size` is final; buffered bytes go out, a regular file
	 * gets this length. No fsync: that is the transaction's. */
	int (*finish)(struct sink *sink, uint64_t size, struct err *err);
	void (*close)(struct sink *sink);
};

/* Implementations embed this as their first member. */
struct sink {
	const struct sink_ops *ops;
	bool seekable;
	bool fresh; /* every byte not yet written reads as zero; who wraps a
		       sink takes this over, and clears it there */
	/* All that is written was written before, by a run that was interrupted:
	 * nothing is done (transforms/pump_notes.h). */
	bool replay;
	int fd;	    /* for copy offload and for reading back, or -1; borrowed */
	uint64_t capacity; /* a device's size; UINT64_MAX: no bound known */
	/* Times what is written; borrowed, NULL: nobody wants to know. */
	struct stages *stages;
	/* The gateway's own, for append-only sinks. */
	uint64_t position;
	bool finished;
};

void sink_init(struct sink *sink, const struct sink_ops *ops);

int sink_write(struct sink *sink, const void *buf, size_t len, uint64_t offset,
	       struct err *err);
/* Any length. Nothing is done for a sparse range of a fresh sink. */
int sink_zero(struct sink *sink, uint64_t offset, uint64_t length,
	      enum sink_zero how, struct err *err);
/* What was written at `offset`, in full; ERR_UNSUPPORTED where it cannot be
 * read back. */
int sink_read(struct sink *sink, void *buf, size_t len, uint64_t offset,
	      struct err *err);
/* What is stored at [from, from + length) goes to `to`, behind that range,
 * which reads as zero afterwards. As sink_read. */
int sink_move(struct sink *sink, uint64_t from, uint64_t length, uint64_t to,
	      struct err *err);
/* The output will have this size, most likely; before anything is written. A
 * file system then gives what stays a hole no room (io/file_sink.c). */
void sink_expect(struct sink *sink, uint64_t size);
int sink_finish(struct sink *sink, uint64_t size, struct err *err);

/* Accepts NULL, returns NULL. Without sink_finish before, nothing more is
 * written (the transaction discards the file). */
struct sink *sink_close(struct sink *sink);

void sink_close_pointer(struct sink **sink);
#define AUTO_SINK __attribute__((cleanup(sink_close_pointer)))

#endif
