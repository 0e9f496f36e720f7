/* SPDX-License-Identifier: MIT */
/* What stream-like formats share: runs, the choice of a member, checksums. */
#include "base/mem.h"
#include "check.h"
#include "formats/codecs/codec.h"
#include "formats/crc32.h"
#include "formats/member.h"
#include "formats/runs.h"
#include "formats/xxh64.h"
#include "io/digest.h"
#include "io/files.h"

static int add(struct runs *runs, uint64_t offset, uint64_t length,
	       enum run_kind kind, uint64_t place)
{
	struct run run = { .offset = offset, .length = length,
			   .kind = kind, .place = place };
	struct err err = { 0 };

	return runs_add(runs, &run, &err);
}

static void test_runs(void)
{
	static const char bytes[] = "0123456789";
	struct source *source AUTO_SOURCE = files_memory_source(bytes, 10);
	struct runs runs = { .size = 40 };
	struct extent extent = { 0 };
	struct err err = { 0 };
	char got[40];

	/* Out of order; the first two are one. */
	CHECK_EQ(add(&runs, 20, 3, RUN_DATA, 5), 0);
	CHECK_EQ(add(&runs, 23, 2, RUN_DATA, 8), 0);
	CHECK_EQ(add(&runs, 0, 4, RUN_DATA, 0), 0);
	CHECK_EQ(add(&runs, 4, 6, RUN_FILL, 0x64636261), 0);
	CHECK_EQ(add(&runs, 10, 2, RUN_ZERO, 0), 0);
	CHECK_EQ(runs.count, 4);
	CHECK_EQ(runs_finish(&runs, false, &err), 0);
	CHECK_EQ(runs_read(&runs, source, got, 40, 0, &err), 0);
	CHECK(!memcmp(got, "0123abcdab\0\0\0\0\0\0\0\0\0\0"
			   "56789\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 40));
	runs_extent(&runs, source, 21, 100, &extent);
	CHECK(extent.kind == EXTENT_DATA && extent.source == source);
	CHECK_EQ(extent.place, 6);
	CHECK_EQ(extent.length, 4);
	runs_extent(&runs, source, 12, 100, &extent);
	CHECK_EQ(extent.kind, EXTENT_HOLE);
	CHECK_EQ(extent.length, 8);
	runs_extent(&runs, source, 25, 100, &extent);
	CHECK_EQ(extent.length, 15);
	/* Missing, past the end, twice. */
	CHECK_EQ(runs_finish(&runs, true, &err), -1);
	CHECK(strstr(err.message, "at 12 are missing"));
	runs.size = 24;
	CHECK_EQ(runs_finish(&runs, false, &err), -1);
	CHECK(strstr(err.message, "25 bytes are stored of a disk of 24"));
	CHECK_EQ(add(&runs, 3, 1, RUN_ZERO, 0), 0);
	CHECK_EQ(runs_finish(&runs, false, &err), -1);
	CHECK(strstr(err.message, "at 3 are stored twice"));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	runs_clear(&runs);
}

static const char *name_of(const void *opaque, unsigned i)
{
	return ((const char *const *)opaque)[i];
}

static void test_member(void)
{
	static const char *const names[] = { "sda", "0", "2x" };
	struct member_list list = { names, 3, name_of };
	struct err err = { 0 };

	CHECK_EQ(member_choose(&list, "2x", &err), 2);
	CHECK_EQ(member_choose(&list, "2", &err), 2);
	CHECK_EQ(member_choose(&list, "0", &err), 1); /* a name first */
	CHECK_EQ(member_choose(&list, "3", &err), -1);
	CHECK_EQ(member_choose(&list, "-1", &err), -1);
	CHECK_EQ(member_choose(&list, "", &err), -1);
	CHECK_EQ(member_choose(&list, NULL, &err), -1);
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK_STR(err.message, "holds 3 disks; choose one with --member: "
			       "0 sda, 1 0, 2 2x");
	list.count = 1;
	CHECK_EQ(member_choose(&list, NULL, &err), 0);
	list.count = 0;
	CHECK_EQ(member_choose(&list, NULL, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
}

static uint64_t xxh64_of(const void *bytes, size_t len, size_t step)
{
	struct xxh64 sum;

	xxh64_start(&sum);
	for (size_t i = 0; i < len; i += step)
		xxh64_add(&sum, (const char *)bytes + i,
			  len - i < step ? len - i : step);
	return xxh64_get(&sum);
}

/* Published values, and parts of any length against the whole. */
static void test_xxh64(void)
{
	static const char text[] = "Nobody inspects the spammish repetition";
	unsigned char bytes[257];

	CHECK_EQ(xxh64_of("", 0, 1), UINT64_C(0xef46db3751d8e999));
	CHECK_EQ(xxh64_of("a", 1, 1), UINT64_C(0xd24ec4f1a98c6e5b));
	CHECK_EQ(xxh64_of("abc", 3, 3), UINT64_C(0x44bc2cf5ad770999));
	CHECK_EQ(xxh64_of(text, sizeof text - 1, 40),
		 UINT64_C(0xfbcea83c8a378bf1));
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 7);
	for (size_t step = 1; step < 70; step++)
		CHECK_EQ(xxh64_of(bytes, sizeof bytes, step),
			 xxh64_of(bytes, sizeof bytes, sizeof bytes));
}

static void test_crc32(void)
{
	static const unsigned char zeros[70000];
	uint32_t crc = crc32_bytes(0, "123456789", 9);

	CHECK_EQ(crc, 0xcbf43926);
	CHECK_EQ(codec_crc32(0, "123456789", 9), crc);
	for (size_t len = 0; len < sizeof zeros; len = 3 * len + 1) {
		CHECK_EQ(crc32_zeros(crc, len), crc32_bytes(crc, zeros, len));
		CHECK_EQ(codec_crc32(crc, zeros, len),
			 crc32_bytes(crc, zeros, len));
	}
	CHECK_EQ(crc32_zeros(crc32_zeros(crc, UINT64_C(1) << 40), 5),
		 crc32_zeros(crc, (UINT64_C(1) << 40) + 5));
}

/* RFC 1321 and FIPS 180: "abc". */
static void test_digests(void)
{
	struct digest *md5 = digest_open_md5(), *sha1 = digest_open_sha1();
	unsigned char out[DIGEST_SHA1_LEN];

	if (md5) {
		digest_add(md5, "abc", 3);
		digest_get(md5, out);
		CHECK(!memcmp(out, "\x90\x01\x50\x98\x3c\xd2\x4f\xb0", 8));
	}
	if (sha1) {
		digest_add(sha1, "abc", 3);
		digest_get(sha1, out);
		CHECK(!memcmp(out, "\xa9\x99\x3e\x36\x47\x06\x81\x6a", 8));
	}
	digest_close(md5);
	digest_close(sha1);
}

int main(void)
{
	test_runs();
	test_member();
	test_xxh64();
	test_crc32();
	test_digests();
	return check_result();
}
