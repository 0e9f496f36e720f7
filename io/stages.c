/* SPDX-License-Identifier: MIT */
/* Owns the sums of spans, and what stages they make. Does not know who times
 * what. */
#include "io/stages.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/trace.h"

struct stages {
	struct trace *trace;
	/* Added to a few times a unit, which is a MiB and more. */
	_Atomic uint64_t busy[SPAN_COUNT], bytes[SPAN_COUNT];
	/* What was written when the finish began: the rest is in it. */
	_Atomic uint64_t written;
};

static const char *const span_names[SPAN_COUNT] = {
	[SPAN_FETCH] = "fetch",
	[SPAN_READ] = "read",
	[SPAN_GUEST] = "guest",
	[SPAN_SCAN] = "scan",
	[SPAN_ENCODE] = "encode",
	[SPAN_PLACE] = "place",
	[SPAN_STORE] = "store",
	[SPAN_WRITE] = "write",
	[SPAN_FINISH] = "finish",
	[SPAN_WAIT_FETCH] = "wait for fetch",
	[SPAN_WAIT_WORK] = "wait for work",
	[SPAN_WAIT_PLACE] = "wait for place",
};

static const char *const stage_names[STAGE_COUNT] = {
	[STAGE_READ] = "read",	   [STAGE_DECODE] = "decode",
	[STAGE_SCAN] = "scan",	   [STAGE_ENCODE] = "encode",
	[STAGE_PLACE] = "place",   [STAGE_STORE] = "store",
	[STAGE_FINISH] = "finish",
};

const char *stage_name(enum stage stage)
{
	return stage_names[stage];
}

struct stages *stages_open(struct trace *trace)
{
	struct stages *stages = mem_zalloc(sizeof *stages);

	stages->trace = trace;
	return stages;
}

struct stages *stages_close(struct stages *stages)
{
	free(stages);
	return NULL;
}

static uint64_t load(const _Atomic uint64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static void add(_Atomic uint64_t *number, uint64_t more)
{
	atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

uint64_t stages_begin(const struct stages *stages)
{
	return stages ? trace_now() : 0;
}

void stages_end(struct stages *stages, enum span span, uint64_t begin,
		uint64_t bytes)
{
	uint64_t end;

	if (!stages)
		return;
	end = trace_now();
	add(&stages->busy[span], end - begin);
	add(&stages->bytes[span], bytes);
	if (stages->trace)
		trace_span(stages->trace, span_names[span], begin, end, bytes);
}

uint64_t stages_begin_finish(struct stages *stages)
{
	if (!stages)
		return 0;
	atomic_store_explicit(&stages->written, load(&stages->busy[SPAN_WRITE]),
			      memory_order_relaxed);
	return trace_now();
}

/* Spans of other threads may lie in neither: then nothing is left. */
static uint64_t without(uint64_t whole, uint64_t part)
{
	return whole > part ? whole - part : 0;
}

/* Threads wait for whatever of their like takes longest. */
static void add_waiting(struct stage_row *rows, enum stage first,
			enum stage last, uint64_t waiting)
{
	enum stage most = first;

	for (enum stage i = first; i <= last; i++)
		if (rows[i].busy > rows[most].busy)
			most = i;
	rows[most].waiting += waiting;
}

void stages_rows(const struct stages *stages,
		 struct stage_row rows[STAGE_COUNT])
{
	struct stage_row now[STAGE_COUNT] = { 0 };
	uint64_t busy[SPAN_COUNT], bytes[SPAN_COUNT];
	uint64_t before = load(&stages->written);

	for (unsigned i = 0; i < SPAN_COUNT; i++) {
		busy[i] = load(&stages->busy[i]);
		bytes[i] = load(&stages->bytes[i]);
	}
	now[STAGE_READ].busy = busy[SPAN_READ];
	now[STAGE_READ].bytes = bytes[SPAN_READ];
	now[STAGE_DECODE].busy = without(busy[SPAN_FETCH] + busy[SPAN_GUEST],
					 busy[SPAN_READ]);
	now[STAGE_DECODE].bytes = bytes[SPAN_GUEST];
	now[STAGE_SCAN].busy = busy[SPAN_SCAN];
	now[STAGE_SCAN].bytes = bytes[SPAN_SCAN];
	now[STAGE_ENCODE].busy =
		busy[SPAN_ENCODE] + without(busy[SPAN_STORE], before);
	now[STAGE_ENCODE].bytes = bytes[SPAN_ENCODE];
	now[STAGE_PLACE].busy = busy[SPAN_PLACE];
	now[STAGE_PLACE].bytes = bytes[SPAN_PLACE];
	now[STAGE_STORE].busy = busy[SPAN_WRITE];
	now[STAGE_STORE].bytes = bytes[SPAN_WRITE];
	now[STAGE_FINISH].busy = without(busy[SPAN_FINISH],
					 busy[SPAN_WRITE] - before);
	add_waiting(now, STAGE_READ, STAGE_DECODE, busy[SPAN_WAIT_FETCH]);
	add_waiting(now, STAGE_READ, STAGE_ENCODE, busy[SPAN_WAIT_WORK]);
	now[STAGE_PLACE].waiting += busy[SPAN_WAIT_PLACE];
	for (unsigned i = 0; i < STAGE_COUNT; i++) {
		rows[i].busy += now[i].busy;
		rows[i].bytes += now[i].bytes;
		rows[i].waiting += now[i].waiting;
	}
}
