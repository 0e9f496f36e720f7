/* SPDX-License-Identifier: MIT */
/* Units for sources with an expected digest: streams, random readers, holes,
 * failures, several digests in one pass. */
#include "io/digest_source.h"

#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

#define LEN ((size_t)3 * 1024 * 1024 + 777)

static unsigned char *make_bytes(void)
{
	unsigned char *bytes = mem_zalloc(LEN);

	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (unsigned char)(i * 31 + i / 4096);
	return bytes;
}

static struct digest_expected expect(enum digest_kind kind,
				     const void *bytes, size_t len)
{
	struct digest_expected expected = { .kind = kind, .from = "SUMS" };
	struct digest *digest = digest_open_kind(kind);

	digest_add(digest, bytes, len);
	digest_get(digest, expected.digest);
	digest_close(digest);
	return expected;
}

static void test_kinds(void)
{
	static const char *const of_abc[DIGEST_KINDS] = {
		[DIGEST_CRC32] = "352441c2",
		[DIGEST_MD5] = "900150983cd24fb0",
		[DIGEST_SHA1] = "a9993e364706816a",
		[DIGEST_SHA224] = "23097d223405d822",
		[DIGEST_SHA256] = "ba7816bf8f01cfea",
		[DIGEST_SHA384] = "cb00753f45a35e8b",
		[DIGEST_BLAKE2B] = "ba80a53f981c4d0d",
		[DIGEST_SHA512] = "ddaf35a193617aba",
	};
	char text[DIGEST_TEXT_LEN_MOST];

	for (unsigned kind = 0; kind < DIGEST_KINDS; kind++) {
		struct digest_expected it = expect(kind, "abc", 3);

		digest_hex(it.digest, digest_len(kind), text);
		CHECK_EQ(strlen(text), 2 * digest_len(kind));
		CHECK(!strncmp(text, of_abc[kind], 16));
	}
}

/* Read the whole in odd pieces, then finish; -1 with the error. */
static int drain(struct source *source, struct err *err)
{
	static unsigned char buf[70001];
	uint64_t at = 0;
	size_t got;

	do {
		if (source_read(source, buf, sizeof buf, at, &got, err) < 0)
			return -1;
		at += got;
	} while (got);
	return source_finish(source, err);
}

static void test_stream(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected both[] = {
		expect(DIGEST_SHA256, bytes, LEN),
		expect(DIGEST_MD5, bytes, LEN),
	};
	struct err err;

	/* Read, half read, not read: the end is reached in each case. */
	for (unsigned part = 0; part < 3; part++) {
		struct fake_chunks chunks = { .bytes = bytes, .len = LEN,
					      .most = 5000 };
		AUTO_SOURCE struct source *inner = fake_chunks_open(&chunks);
		AUTO_SOURCE struct source *source =
			digest_source(inner, both, 2, "");
		unsigned char buf[1000];
		size_t got;

		CHECK(digest_source_is(source) && !digest_source_is(inner));
		CHECK(!source->seekable);
		if (part == 0)
			CHECK_EQ(drain(source, &err), 0);
		else if (part == 1)
			CHECK_EQ(source_read(source, buf, sizeof buf, LEN / 2,
					     &got, &err), 0);
		CHECK_EQ(source_finish(source, &err), 0);
		CHECK_EQ(source_finish(source, &err), 0);
		CHECK(source->size_known);
		CHECK_EQ(source->size, LEN);
		CHECK_EQ(source->tail_len, SOURCE_TAIL_LEN);
		CHECK(!memcmp(source->tail, bytes + LEN - SOURCE_TAIL_LEN,
			      SOURCE_TAIL_LEN));
		CHECK_EQ(chunks.finishes, 1);
		source_close(STEAL(source));
		source_close(STEAL(inner));
	}
}

static void test_rewind(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected it = expect(DIGEST_SHA1, bytes, LEN);
	struct fake_chunks chunks = { .bytes = bytes, .len = LEN,
				      .most = 5000 };
	AUTO_SOURCE struct source *inner = fake_chunks_open(&chunks);
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	unsigned char buf[1000];
	struct err err;
	size_t got;

	CHECK_EQ(source_read(source, buf, sizeof buf, 0, &got, &err), 0);
	CHECK_EQ(source_rewind(source, &err), 0);
	CHECK_EQ(drain(source, &err), 0);
}

static void check_wrong(struct source *inner,
			const struct digest_expected *list, unsigned count,
			const char *message)
{
	AUTO_SOURCE struct source *source =
		digest_source(inner, list, count, "inside xz");
	struct err err = { 0 };

	CHECK_EQ(drain(source, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, message));
	/* It stays so. */
	CHECK_EQ(source_finish(source, &err), -1);
}

static void test_wrong(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected list[] = {
		expect(DIGEST_SHA512, bytes, LEN),
		expect(DIGEST_SHA256, "abc", 3),
	};
	AUTO_SOURCE struct source *memory = files_memory_source(bytes, LEN);
	struct fake_chunks chunks = { .bytes = bytes, .len = LEN,
				      .most = 5000 };
	AUTO_SOURCE struct source *stream = fake_chunks_open(&chunks);
	const char *message =
		", expected ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb"
		"410ff61f20015ad (from SUMS)";

	check_wrong(memory, list, 2, message);
	check_wrong(memory, list, 2, "inside xz: the SHA-256 is ");
	check_wrong(stream, list, 2, message);
	/* A byte more, a byte less. */
	list[0] = expect(DIGEST_SHA256, bytes, LEN - 1);
	check_wrong(memory, list, 1, "the SHA-256 is ");
}

static void test_random(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected it = expect(DIGEST_SHA256, bytes, LEN);
	struct fake_source *fake =
		fake_source_open(files_memory_source(bytes, LEN));
	AUTO_SOURCE struct source *inner = &fake->source;
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	unsigned char buf[512];
	struct err err;
	size_t got;

	CHECK(source->seekable);
	CHECK_EQ(source->size, LEN);
	/* From the end to the start, and not all of it. */
	for (uint64_t at = LEN - 512; at > 600000; at -= 600000) {
		CHECK_EQ(source_read(source, buf, 512, at, &got, &err), 0);
		CHECK(!memcmp(buf, bytes + at, 512));
	}
	CHECK_EQ(source_finish(source, &err), 0);
	CHECK(atomic_load(&fake->bytes) >= LEN);
	CHECK(atomic_load(&fake->largest) <= 1024 * 1024);
	CHECK_EQ(source_finish(source, &err), 0);
}

/* What readers have read, here each half of a block before the other one, is
 * not read again where that is dear: this source has no descriptor. */
static void test_shared(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected it = expect(DIGEST_SHA256, bytes, LEN);
	struct fake_source *fake =
		fake_source_open(files_memory_source(bytes, LEN));
	AUTO_SOURCE struct source *inner = &fake->source;
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	static unsigned char buf[300000];
	struct err err;
	size_t got;

	for (uint64_t at = 0; at < LEN; at += 2 * sizeof buf) {
		CHECK_EQ(source_read(source, buf, sizeof buf, at + sizeof buf,
				     &got, &err), 0);
		CHECK_EQ(source_read(source, buf, sizeof buf, at, &got, &err),
			 0);
	}
	CHECK_EQ(source_finish(source, &err), 0);
	CHECK_EQ(atomic_load(&fake->bytes), LEN);
}

/* More than the window holds, from the end on: the rest is read again, and
 * nobody waits for ever. */
static void test_not_shared(void)
{
	size_t len = 40 * 1024 * 1024 + 5;
	AUTO_FREE unsigned char *bytes = mem_zalloc(len);
	AUTO_FREE unsigned char *buf = mem_buffer(1000000);
	struct err err;
	size_t got;

	for (size_t i = 0; i < len; i += 4096)
		bytes[i] = (unsigned char)(i >> 12);
	struct digest_expected it = expect(DIGEST_SHA1, bytes, len);
	AUTO_SOURCE struct source *inner = files_memory_source(bytes, len);
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	for (uint64_t i = len / 1000000 + 1; i; i--)
		CHECK_EQ(source_read(source, buf, 1000000, (i - 1) * 1000000,
				     &got, &err), 0);
	CHECK_EQ(source_finish(source, &err), 0);
}

static void test_closed_early(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected it = expect(DIGEST_SHA256, bytes, LEN);
	struct fake_source *fake =
		fake_source_open(files_memory_source(bytes, LEN));
	AUTO_SOURCE struct source *inner = &fake->source;
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");

	/* Nobody reads the source below any more when this is over. */
	CHECK(!source_close(STEAL(source)));
	CHECK_EQ(atomic_load(&fake->in_flight), 0);
}

static void test_failing(void)
{
	AUTO_FREE unsigned char *bytes = make_bytes();
	struct digest_expected it = expect(DIGEST_SHA256, bytes, LEN);
	struct fake_source *fake =
		fake_source_open(files_memory_source(bytes, LEN));
	AUTO_SOURCE struct source *inner = &fake->source;
	struct err err = { 0 };

	fake->fail_at = 2;
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	CHECK_EQ(source_finish(source, &err), -1);
	CHECK_EQ(err.kind, ERR_IO);
	CHECK(strstr(err.message, "injected"));
}

/* Holes are digested without being read; the descriptor is handed on. */
static void test_file(void)
{
	char name[] = "/tmp/imgconv-digest-XXXXXX";
	int fd = mkstemp(name);
	static unsigned char zeros[5 * 1024 * 1024];
	struct digest_expected it;
	struct extent extent;
	struct err err;

	unlink(name);
	CHECK_EQ(ftruncate(fd, sizeof zeros), 0);
	memset(zeros + 3000000, 'x', 1000);
	CHECK_EQ(pwrite(fd, zeros + 3000000, 1000, 3000000), 1000);
	it = expect(DIGEST_SHA256, zeros, sizeof zeros);
	struct fake_source *fake = fake_source_open(files_source(fd, &err));
	AUTO_SOURCE struct source *inner = &fake->source;
	inner->fd = fake->inner->fd;
	AUTO_SOURCE struct source *source = digest_source(inner, &it, 1, "");
	CHECK_EQ(source->fd, inner->fd);
	CHECK_EQ(source_extent(source, 0, sizeof zeros, &extent, &err), 0);
	CHECK_EQ(source_finish(source, &err), 0);
	CHECK_EQ(extent.source ? extent.source == source : 1, 1);
	/* A file system that knows holes spares most of it. */
	if (extent.kind == EXTENT_HOLE)
		CHECK(atomic_load(&fake->bytes) <= 1024 * 1024);
}

static void test_empty(void)
{
	struct digest_expected it = expect(DIGEST_SHA256, "", 0);
	AUTO_SOURCE struct source *memory = files_memory_source("", 0);
	AUTO_SOURCE struct source *source = digest_source(memory, &it, 1, "");
	struct err err;

	CHECK_EQ(source_finish(source, &err), 0);
}

int main(void)
{
	test_kinds();
	test_stream();
	test_rewind();
	test_wrong();
	test_random();
	test_shared();
	test_not_shared();
	test_closed_early();
	test_failing();
	test_file();
	test_empty();
	return check_result();
}
