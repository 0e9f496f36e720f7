/* SPDX-License-Identifier: MIT */
/* Archives as outputs: each operation of what is below fails in turn, and the
 * first that does is what is told; lengths that are not kept to. */
#include "formats/archives/tar_sink.h"
#include "formats/archives/zip_sink.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

#define LEN ((size_t)300000)

enum form { TAR, TAR_IN_ORDER, ZIP };

static unsigned char *guest;

static struct sink *open_over(enum form form, struct fake_sink *fake,
			      struct err *err)
{
	const struct tar_member tar = { .name = "disk.raw",
					.size_known = true,
					.size = LEN };
	const struct zip_member zip = { .name = "disk.raw" };

	fake->sink.seekable = form == TAR;
	return form == ZIP ? zip_sink(&fake->sink, &zip, err)
			   : tar_sink(&fake->sink, &tar, err);
}

static bool make(enum form form, unsigned fail_at, struct err *err)
{
	static const char *const marks[] = { "ustar", "ustar", "PK\3\4" };
	struct sink *memory = files_memory_sink();
	struct fake_sink *fake = fake_sink_open(memory);
	struct sink *sink;
	const unsigned char *bytes;
	bool good;
	size_t len;

	fake->fail_at = fail_at;
	sink = open_over(form, fake, err);
	good = sink && !sink_write(sink, guest, LEN, 0, err) &&
	       !sink_finish(sink, LEN, err);
	if (good) {
		bytes = files_memory_bytes(memory, &len);
		CHECK(len > (form == ZIP ? 1000 : LEN));
		CHECK(memmem(bytes, 512, marks[form], strlen(marks[form])));
		CHECK(memmem(bytes, 512, "disk.raw", 8));
	}
	sink_close(sink);
	return good;
}

static void test_failures(enum form form)
{
	struct err err = { .message = "" };
	unsigned fail_at = 1;

	if (!make(form, 0, &err)) {
		CHECK_EQ(form, ZIP); /* of a build without libarchive */
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		return;
	}
	for (; !make(form, fail_at, &err); fail_at++) {
		char wanted[64];

		snprintf(wanted, sizeof wanted,
			 "injected failure of operation %u", fail_at);
		CHECK_EQ(err.kind, ERR_IO);
		if (!strstr(err.message, wanted))
			CHECK_STR(err.message, wanted);
		if (fail_at == 100)
			break;
	}
	CHECK(fail_at > 3 && fail_at < 100);
}

static void test_lengths(void)
{
	struct tar_member member = { .name = "a",
				     .size_known = true,
				     .size = 100 };
	struct sink *inner = files_memory_sink();
	struct err err;
	struct sink *sink;

	inner->capacity = 50000;
	sink = tar_sink(inner, &member, &err);
	/* Header, padding and end have their share. */
	CHECK_EQ(sink->capacity, 50000 - 2 * TAR_RECORD);
	CHECK(!sink_write(sink, guest, 99, 0, &err));
	CHECK(sink_finish(sink, 99, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(strstr(err.message, "100 bytes came out as 99"));
	sink_close(sink);
	inner = files_memory_sink();
	inner->capacity = TAR_RECORD;
	sink = tar_sink(inner, &member, &err);
	CHECK_EQ(sink->capacity, 0);
	sink_close(sink);
	/* In order, the header comes first. */
	inner = files_memory_sink();
	inner->seekable = false;
	member.size_known = false;
	CHECK(!tar_sink(inner, &member, &err));
	CHECK_EQ(err.kind, ERR_BUG);
}

int main(void)
{
	guest = mem_zalloc(LEN);
	for (size_t i = 0; i < LEN; i++)
		guest[i] = (unsigned char)(i * 2654435761u >> 13);
	test_failures(TAR);
	test_failures(TAR_IN_ORDER);
	test_failures(ZIP);
	test_lengths();
	free(guest);
	return check_result();
}
