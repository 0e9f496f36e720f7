/* SPDX-License-Identifier: MIT */
/* Units for sinks around sinks: a head that comes last and is read back
 * before, a sink that counts; and for temporary files. */
#include <unistd.h>

#include "base/limits.h"
#include "io/count_sink.h"
#include "io/head_sink.h"
#include "io/spool.h"
#include "io/zero.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

#define HEAD ((size_t)MIB)
#define LEN (HEAD + 3 * 4096)

/* What a writer wrote it can read again, wherever that is at the time. */
static void test_head(void)
{
	struct sink *memory = files_memory_sink();
	struct fake_sink *fake = fake_sink_open(memory);
	unsigned char *bytes = mem_zalloc(LEN), *back = mem_zalloc(LEN);
	struct sink *sink;
	struct err err;
	size_t len;

	memset(bytes, 'o', LEN);
	CHECK(!sink_write(memory, bytes, LEN, 0, &err));
	fake->sink.fresh = false;
	sink = head_sink(&fake->sink, true);
	memset(bytes, 'n', LEN);
	CHECK(!sink_write(sink, bytes, 8192, HEAD - 4096, &err));
	CHECK(!sink_zero(sink, HEAD - 1000, 2000, SINK_ZERO_SPARSE, &err));
	memset(bytes + HEAD - 1000, 0, 2000);
	CHECK(!sink_read(sink, back, 8192, HEAD - 4096, &err));
	CHECK(!memcmp(back, bytes + HEAD - 4096, 8192));
	CHECK(!sink_read(sink, back, 100, HEAD, &err));
	CHECK(!memcmp(back, bytes + HEAD, 100));
	/* No old head and no new one meanwhile. */
	CHECK(zero_is(files_memory_bytes(memory, &len), HEAD));
	CHECK(!sink_finish(sink, HEAD + 4096, &err));
	CHECK_EQ(fake->ops[fake->count - 2].kind, FAKE_WRITE);
	CHECK_EQ(fake->ops[fake->count - 2].offset, 0);
	CHECK_EQ(fake->ops[fake->count - 2].length, HEAD);
	CHECK_EQ(fake->ops[fake->count - 1].kind, FAKE_FINISH);
	/* In front of what was written stays what was there. */
	memset(bytes, 'o', HEAD - 4096);
	CHECK(!memcmp(files_memory_bytes(memory, &len), bytes, HEAD + 4096));
	sink_close(sink);
	free(bytes);
	free(back);
}

/* Whatever fails on the way, no head is there. */
static void test_head_failures(void)
{
	unsigned char *bytes = mem_zalloc(LEN);
	unsigned fail_at = 1;
	bool done = false;

	memset(bytes, 'n', LEN);
	for (; !done && fail_at < 10; fail_at++) {
		struct sink *memory = files_memory_sink();
		struct fake_sink *fake = fake_sink_open(memory);
		struct sink *sink;
		struct err err = { .message = "" };
		size_t len;

		CHECK(!sink_write(memory, bytes, LEN, 0, &err));
		fake->sink.fresh = false;
		fake->fail_at = fail_at;
		sink = head_sink(&fake->sink, true);
		done = !sink_write(sink, bytes, LEN, 0, &err) &&
		       !sink_finish(sink, LEN, &err);
		CHECK(done || strstr(err.message, "injected failure"));
		/* The first of all wipes, the last one finishes. */
		if (!done && fail_at > 1 && fail_at < 4)
			CHECK(zero_is(files_memory_bytes(memory, &len), HEAD));
		sink_close(sink);
	}
	CHECK_EQ(fail_at, 6);
	free(bytes);
}

/* As much as would be written; what is read back is nothing. */
static void test_count(void)
{
	uint64_t total = 5;
	struct sink *sink = count_sink(&total);
	char back[4] = "old";
	struct err err;

	CHECK(sink->seekable && sink->fresh);
	CHECK(!sink_write(sink, "new", 4, 1000, &err));
	CHECK(!sink_zero(sink, 2000, 1 << 20, SINK_ZERO_WRITE, &err));
	CHECK(!sink_read(sink, back, 4, 1000, &err));
	CHECK_STR(back, "");
	CHECK_EQ(total, 5);
	CHECK(!sink_finish(sink, 1 << 21, &err));
	CHECK_EQ(total, 5 + (1 << 21));
	sink_close(sink);
}

static void test_spool(void)
{
	struct err err = { .message = "" };
	int fd = spool_open_fd("/tmp", &err);

	CHECK(fd >= 0);
	CHECK(!spool_check_room(fd, 1, &err));
	CHECK(spool_check_room(fd, UINT64_MAX, &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	CHECK(strstr(err.message, "are needed, but only"));
	close(fd);
	CHECK(spool_open_fd("/nowhere", &err) < 0);
	CHECK(strstr(err.message, "cannot create a temporary file in /nowhere; "
				  "see --tmpdir"));
	/* It knows neither files without a name nor any of ours. */
	CHECK(spool_open_fd("/proc", &err) < 0);
	CHECK(strstr(err.message, "cannot create a temporary file in /proc"));
}

int main(void)
{
	test_head();
	test_head_failures();
	test_count();
	test_spool();
	return check_result();
}
