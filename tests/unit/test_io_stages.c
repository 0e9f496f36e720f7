/* SPDX-License-Identifier: MIT */
/* Units for stages: what spans make of each other, and that source and sink
 * time what they do and nothing twice. */
#include "io/files.h"
#include "io/sink.h"
#include "io/source.h"
#include "io/stages.h"
#include "tests/unit/check.h"

#define SECOND ((uint64_t)1000000000)

/* A span that began so many seconds ago. What the machine does meanwhile is
 * far less. */
static void spend(struct stages *stages, enum span span, unsigned seconds,
		  uint64_t bytes)
{
	stages_end(stages, span, stages_begin(stages) - seconds * SECOND,
		   bytes);
}

static uint64_t whole(uint64_t nanoseconds)
{
	return (nanoseconds + SECOND / 2) / SECOND;
}

static void test_nothing_in_two(void)
{
	struct stages *stages = stages_open(NULL);
	struct stage_row rows[STAGE_COUNT] = { 0 };
	uint64_t finish;

	spend(stages, SPAN_READ, 400, 100);
	spend(stages, SPAN_FETCH, 500, 0);
	spend(stages, SPAN_GUEST, 200, 70);
	spend(stages, SPAN_ENCODE, 50, 70);
	spend(stages, SPAN_WRITE, 300, 50);
	spend(stages, SPAN_STORE, 310, 50);
	finish = stages_begin_finish(stages) - 30 * SECOND;
	spend(stages, SPAN_WRITE, 20, 5);
	stages_end(stages, SPAN_FINISH, finish, 0);
	stages_rows(stages, rows);
	CHECK_EQ(rows[STAGE_READ].bytes, 100);
	CHECK_EQ(rows[STAGE_DECODE].bytes, 70);
	CHECK_EQ(rows[STAGE_STORE].bytes, 55);
	CHECK_EQ(whole(rows[STAGE_READ].busy), 400);
	CHECK_EQ(whole(rows[STAGE_DECODE].busy), 300);
	CHECK_EQ(whole(rows[STAGE_ENCODE].busy), 60);
	CHECK_EQ(whole(rows[STAGE_STORE].busy), 320);
	CHECK_EQ(whole(rows[STAGE_FINISH].busy), 10);
	/* Rows add up over several runs. */
	stages_rows(stages, rows);
	CHECK_EQ(rows[STAGE_READ].bytes, 200);
	CHECK_EQ(whole(rows[STAGE_READ].busy), 800);
	stages_close(stages);
}

/* What other threads write, a compression's, is not in the pump's store. */
static void test_other_threads(void)
{
	struct stages *stages = stages_open(NULL);
	struct stage_row rows[STAGE_COUNT] = { 0 };

	spend(stages, SPAN_STORE, 10, 1);
	spend(stages, SPAN_WRITE, 70, 1);
	CHECK(stages_begin_finish(stages) > 0);
	spend(stages, SPAN_FINISH, 0, 0);
	stages_rows(stages, rows);
	CHECK_EQ(whole(rows[STAGE_ENCODE].busy), 0);
	CHECK_EQ(whole(rows[STAGE_STORE].busy), 70);
	CHECK_EQ(whole(rows[STAGE_FINISH].busy), 0);
	stages_close(stages);
}

static void test_waiting(void)
{
	struct stages *stages = stages_open(NULL);
	struct stage_row rows[STAGE_COUNT] = { 0 };

	spend(stages, SPAN_ENCODE, 20, 1);
	spend(stages, SPAN_WAIT_WORK, 10, 0);
	spend(stages, SPAN_WAIT_PLACE, 5, 0);
	stages_rows(stages, rows);
	CHECK_EQ(whole(rows[STAGE_ENCODE].waiting), 10);
	CHECK_EQ(whole(rows[STAGE_PLACE].waiting), 5);
	CHECK_EQ(rows[STAGE_READ].waiting, 0);
	stages_close(stages);
}

static void test_gateways(void)
{
	struct stages *stages = stages_open(NULL);
	struct stage_row rows[STAGE_COUNT] = { 0 };
	struct sink *sink = files_memory_sink();
	unsigned char bytes[64] = { 1 };
	struct err err;
	size_t got;

	sink->stages = stages;
	CHECK(!sink_write(sink, bytes, sizeof bytes, 0, &err));
	CHECK(!sink_write(sink, bytes, 10, 64, &err));
	struct source *source = files_memory_source(bytes, sizeof bytes);
	source->stages = stages;
	CHECK(!source_read(source, bytes, 40, 0, &got, &err));
	CHECK(!source_read(source, bytes, 40, 40, &got, &err));
	stages_rows(stages, rows);
	CHECK_EQ(rows[STAGE_STORE].bytes, 74);
	CHECK_EQ(rows[STAGE_READ].bytes, 64);
	source_close(source);
	sink_close(sink);
	stages_close(stages);
}

int main(void)
{
	test_nothing_in_two();
	test_other_threads();
	test_waiting();
	test_gateways();
	return check_result();
}
