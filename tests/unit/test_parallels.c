/* SPDX-License-Identifier: MIT */
/* Parallels: what the writer makes is read back, in every way of writing; the
 * old format with odd clusters; damaged headers and BATs are refused. */
#include "base/bytes.h"
#include "driver_tests.h"
#include "formats/images/parallels/parallels.h"

extern const struct driver driver_parallels;

static const char *const forms[] = { "", "cluster_size=4K",
				     "cluster_size=64K" };

static const struct guest small = { .size = 6 * MIB, .group = 16 * KIB };

static void test_ways(void)
{
	struct guest guest = { .size = 160 * MIB + 512, .group = 4 * KIB,
			       .live = { { 63 * MIB, 2 * MIB },
					 { 159 * MIB, 2 * MIB } } };

	check_sizes(&driver_parallels, forms, sizeof forms / sizeof *forms);
	check_large(&driver_parallels, "");
	/* The BAT crosses slices of the cache, and is no whole one. */
	check_ways(&driver_parallels, &guest, "cluster_size=4K");
	check_ways(&driver_parallels, &small, "cluster_size=8M");
	check_failures_of(&driver_parallels, &small, "", false);
	check_failures_of(&driver_parallels, &small, "cluster_size=64K", true);
	check_changed(&driver_parallels, &small, "", false);
}

static void test_cuts(void)
{
	struct guest guest = { .size = 3 * MIB, .group = 3 * MIB };
	unsigned char first = 0;

	/* One that is data as a whole. */
	for (; !first; guest.seed++)
		guest_fill(&guest, 0, &first, 1);
	guest.seed--;
	check_cuts(&driver_parallels, &guest, "");
	check_cuts(&driver_parallels, &guest, "cluster_size=64K");
}

static void test_reserve(void)
{
	struct guest guest = { .size = 16 * MIB, .group = 16 * KIB };

	check_reserve(&driver_parallels, &guest, "", 5 * MIB,
		      9 * MIB + 192 * KIB);
	check_reserve(&driver_parallels, &guest, "cluster_size=2M", 5 * MIB,
		      9 * MIB + 64 * KIB);
	check_reserve(&driver_parallels, &guest, "cluster_size=4K", 1 * MIB,
		      9 * MIB + 12 * KIB);
}

/* ---- the old format, by hand: 63 sectors a cluster ---- */

#define TRACKS 63
#define CLUSTER ((size_t)TRACKS * 512)
#define DATA ((size_t)512)
#define CLUSTERS 5 /* of the guest, the last one short */
#define SIZE (4 * CLUSTER + 1024)
#define STORED 3
#define IMAGE_LEN (DATA + STORED * CLUSTER)

static void put_entry(unsigned char *image, size_t i, uint32_t sector)
{
	bytes_put_le32(image + PARALLELS_HEADER_LEN + i * 4, sector);
}

/* Guest clusters 3 and 4 are stored one after the other, then 0. */
static unsigned char *old_image(void)
{
	unsigned char *image = mem_zalloc(IMAGE_LEN);

	memcpy(image, PARALLELS_MAGIC_OLD, PARALLELS_MAGIC_LEN);
	bytes_put_le32(image + PARALLELS_VERSION_AT, PARALLELS_VERSION);
	bytes_put_le32(image + PARALLELS_TRACKS_AT, TRACKS);
	bytes_put_le32(image + PARALLELS_ENTRIES_AT, CLUSTERS);
	bytes_put_le32(image + PARALLELS_SECTORS_AT, SIZE / 512);
	/* Old writers left what follows alone. */
	bytes_put_le32(image + PARALLELS_SECTORS_AT + 4, 0xdeadbeef);
	put_entry(image, 3, DATA / 512);
	put_entry(image, 4, DATA / 512 + TRACKS);
	put_entry(image, 0, DATA / 512 + 2 * TRACKS);
	memset(image + DATA, '3', CLUSTER);
	memset(image + DATA + CLUSTER, '4', CLUSTER);
	memset(image + DATA + 2 * CLUSTER, '0', CLUSTER);
	return image;
}

static int read_image(const unsigned char *image, size_t len,
		      unsigned char *out, struct err *err)
{
	struct source *source AUTO_SOURCE = files_memory_source(image, len);
	struct open_options options = { 0 };
	struct disk *disk AUTO_DISK = parallels_open(source, &options, err);

	if (!disk)
		return -1;
	if (disk->size != SIZE)
		return 1;
	return disk_read(disk, out, SIZE, 0, err);
}

static void test_old(void)
{
	unsigned char *image AUTO_FREE = old_image();
	unsigned char *got AUTO_FREE = mem_zalloc(SIZE);
	struct source *source AUTO_SOURCE =
		files_memory_source(image, IMAGE_LEN);
	struct open_options options = { 0 };
	struct check_report report = { .emit = print_finding };
	struct err err = { 0 };
	struct disk *disk AUTO_DISK = parallels_open(source, &options, &err);
	struct extent extent;

	CHECK_EQ(read_image(image, IMAGE_LEN, got, &err), 0);
	CHECK(got[0] == '0' && got[CLUSTER - 1] == '0');
	CHECK(got[CLUSTER] == 0 && got[3 * CLUSTER - 1] == 0);
	CHECK(got[3 * CLUSTER] == '3' && got[4 * CLUSTER] == '4' &&
	      got[SIZE - 1] == '4');
	/* Holes and data are joined. */
	CHECK_EQ(disk_extent(disk, CLUSTER + 512, SIZE, &extent, &err), 0);
	CHECK_EQ(extent.kind, EXTENT_HOLE);
	CHECK_EQ(extent.length, 2 * CLUSTER - 512);
	CHECK_EQ(disk_extent(disk, 3 * CLUSTER + 512, SIZE, &extent, &err), 0);
	CHECK_EQ(extent.kind, EXTENT_DATA);
	CHECK_EQ(extent.length, CLUSTER + 512);
	CHECK_EQ(extent.place, DATA + 512);
	CHECK_EQ(disk_extent(disk, CLUSTER + 512, 1000, &extent, &err), 0);
	CHECK_EQ(extent.length, 1000);
	CHECK_EQ(parallels_check(source, &options, &report, &err), 0);
	CHECK_EQ(report.corruptions + report.leaks, 0);
}

struct spoilt {
	size_t at;
	uint32_t value;
	enum err_kind kind;
	const char *message;
};

static const struct spoilt spoilt[] = {
	{ 0, 0x65657246, ERR_DAMAGED, "neither" },
	{ PARALLELS_VERSION_AT, 3, ERR_UNSUPPORTED, "version 3" },
	{ PARALLELS_TRACKS_AT, 0, ERR_DAMAGED, "cluster size of 0" },
	{ PARALLELS_TRACKS_AT, (1u << 22) + 1, ERR_DAMAGED, "out of range" },
	{ PARALLELS_ENTRIES_AT, 4, ERR_DAMAGED, "too small" },
	{ PARALLELS_ENTRIES_AT, 0xffffffff, ERR_DAMAGED, "past the end" },
	{ PARALLELS_SECTORS_AT, 0xffffffff, ERR_DAMAGED, "too small" },
	{ PARALLELS_DATA_AT, 0, ERR_NONE, "" },
	{ PARALLELS_FLAGS_AT, 1, ERR_DAMAGED, "marked as empty" },
	{ PARALLELS_IN_USE_AT, PARALLELS_IN_USE, ERR_NONE, "" },
	{ PARALLELS_IN_USE_AT, 0x37316470, ERR_NONE, "" }, /* "pd17" */
	{ 64, 194, ERR_DAMAGED, "past the end" },
	{ 64, 0xffffffff, ERR_DAMAGED, "past the end" },
};

static void test_spoilt(void)
{
	unsigned char *got AUTO_FREE = mem_zalloc(SIZE);

	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		const struct spoilt *one = &spoilt[i];
		unsigned char *image AUTO_FREE = old_image();
		struct err err = { 0 };
		int failed;

		bytes_put_le32(image + one->at, one->value);
		failed = read_image(image, IMAGE_LEN, got, &err);
		CHECK_EQ(failed != 0, one->kind != ERR_NONE);
		CHECK_EQ(failed ? err.kind : ERR_NONE, one->kind);
		CHECK(!failed || strstr(err.message, one->message));
		if (failed && !strstr(err.message, one->message))
			fprintf(stderr, "%zu: %s\n", i, err.message);
	}
	for (size_t len = 0; len < IMAGE_LEN; len += 100) {
		unsigned char *image AUTO_FREE = old_image();
		struct err err = { 0 };

		CHECK_EQ(read_image(image, len, got, &err), -1);
		CHECK_EQ(err.kind, ERR_DAMAGED);
	}
}

/* Two clusters at one place: a check finds it, and an image that was not
 * closed is not read then. */
static void test_unclean(void)
{
	unsigned char *image AUTO_FREE = old_image();
	unsigned char *got AUTO_FREE = mem_zalloc(SIZE);
	struct err err = { 0 };

	put_entry(image, 1, DATA / 512);
	CHECK_EQ(read_image(image, IMAGE_LEN, got, &err), 0);
	bytes_put_le32(image + PARALLELS_IN_USE_AT, PARALLELS_IN_USE);
	CHECK_EQ(read_image(image, IMAGE_LEN, got, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "not closed properly"));
	CHECK(strstr(err.message, "overlaps"));
}

/* The extension's offset, as it is told; 0: it is not. */
static uint64_t extension_offset(const unsigned char *image)
{
	struct facts facts = { 0 };
	struct err err = { 0 };
	uint64_t size;

	CHECK_EQ(parallels_peek(image, PARALLELS_HEADER_LEN, &size, &facts,
				&err), 0);
	for (unsigned i = 0; i < facts.count; i++)
		if (!strcmp(facts.fact[i].name, "extension-offset"))
			return facts.fact[i].number;
	return 0;
}

/* A sector number whose offset in bytes does not fit is not cut to fit. */
static void test_extension_far_away(void)
{
	unsigned char *image AUTO_FREE = old_image();

	bytes_put_le64(image + PARALLELS_EXTENSION_AT, 7);
	CHECK_EQ(extension_offset(image), 7 * 512);
	bytes_put_le64(image + PARALLELS_EXTENSION_AT, (uint64_t)1 << 55);
	CHECK_EQ(extension_offset(image), 0);
	/* 2^64 + 3584 */
	bytes_put_le64(image + PARALLELS_EXTENSION_AT,
		       ((uint64_t)1 << 55) + 7);
	CHECK_EQ(extension_offset(image), 0);
}

static void test_extended(void)
{
	struct making_of of = { &driver_parallels, &small, "", .fail_at = 0 };
	struct facts facts = { 0 };
	struct made made;
	uint64_t size;
	struct err err = { 0 };

	make(&made, &of);
	unsigned char *image AUTO_FREE = mem_zalloc(made.len);

	memcpy(image, made.bytes, made.len);
	CHECK_EQ(parallels_peek(image, 63, &size, &facts, &err), 1);
	CHECK_EQ(parallels_peek(image, 64, &size, &facts, &err), 0);
	CHECK_EQ(size, small.size);
	bytes_put_le32(image + PARALLELS_DATA_AT, 0);
	CHECK_EQ(parallels_peek(image, 64, &size, &facts, &err), -1);
	CHECK(strstr(err.message, "overlaps the BAT"));
	bytes_put_le32(image + PARALLELS_DATA_AT, 2047);
	CHECK_EQ(parallels_peek(image, 64, &size, &facts, &err), -1);
	CHECK(strstr(err.message, "multiple of the cluster size"));
	bytes_put_le32(image + PARALLELS_SECTORS_AT + 4, 0x7fffffff);
	CHECK_EQ(parallels_peek(image, 64, &size, &facts, &err), -1);
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK_EQ(parallels_peek((const unsigned char *)"<?xml version='1.0'?>"
						       "<Parallels_disk_image "
						       "Version='1.0'> and so "
						       "on",
				64, &size, &facts, &err),
		 -1);
	CHECK(strstr(err.message, "give the .hds"));
	made_close(&made);
}

int main(void)
{
	test_ways();
	test_cuts();
	test_reserve();
	test_old();
	test_spoilt();
	test_unclean();
	test_extension_far_away();
	test_extended();
	return check_result();
}
