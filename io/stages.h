/* SPDX-License-Identifier: MIT */
/*
 * Where a run's time goes. The pump and the gateways of source and sink time
 * what they call; spans lie inside each other (a fetch reads, a store
 * writes), and stages_rows makes of them the stages that people know, each
 * without what is in another's:
 *
 *   read    bytes of the input          (in fetch and in guest)
 *   decode  what they mean: drivers, codecs, archives
 *   scan    zeros
 *   encode  granules compressed, and compressions and archives around all
 *   place   digest, offsets and tables, in order
 *   store   bytes of the output
 *   finish  last checks, tables, header
 *
 * Safe to use from many threads; a NULL is nobody who wants to know.
 */
#ifndef IO_STAGES_H
#define IO_STAGES_H

#include <stdint.h>

struct stages;
struct trace;

/* What is timed. */
enum span {
	SPAN_FETCH,  /* the next unit; of a stream with its bytes */
	SPAN_READ,   /* of the input's file */
	SPAN_GUEST,  /* a unit's bytes */
	SPAN_SCAN,
	SPAN_ENCODE,
	SPAN_PLACE,
	SPAN_STORE,
	SPAN_WRITE,  /* to the output's file */
	SPAN_FINISH,
	SPAN_WAIT_FETCH, /* a thread without work: somebody else fetches, */
	SPAN_WAIT_WORK,	 /* ... works on the unit whose turn it is, */
	SPAN_WAIT_PLACE, /* ... places it */
	SPAN_COUNT
};

enum stage {
	STAGE_READ,
	STAGE_DECODE,
	STAGE_SCAN,
	STAGE_ENCODE,
	STAGE_PLACE,
	STAGE_STORE,
	STAGE_FINISH,
	STAGE_COUNT
};

/* Sums over all threads, nanoseconds. */
struct stage_row {
	uint64_t busy;
	uint64_t bytes;
	uint64_t waiting; /* of threads that had nothing to do until this
			     stage was done elsewhere */
};

/* `trace` is borrowed and may be NULL. */
struct stages *stages_open(struct trace *trace);
struct stages *stages_close(struct stages *stages);

/* When a span begins; 0 without stages. */
uint64_t stages_begin(const struct stages *stages);
void stages_end(struct stages *stages, enum span span, uint64_t begin,
		uint64_t bytes);
/* SPAN_FINISH begins: what is written from here on is its own. */
uint64_t stages_begin_finish(struct stages *stages);

/* Adds what was measured to `rows`. */
void stages_rows(const struct stages *stages,
		 struct stage_row rows[STAGE_COUNT]);
const char *stage_name(enum stage stage);

#endif
