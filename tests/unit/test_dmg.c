/* SPDX-License-Identifier: MIT */
/* DMG: one image with its tables in a resource fork, written field by field;
 * what it reads as, and each field wrong in turn. Property lists, and other
 * kinds of chunks, are for tests/bats/dmg.bats. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"
#include "io/files.h"
#include "tests/unit/check.h"

/* Where things are. The data fork holds two chunks of two sectors. */
#define DATA_LEN 2048
#define FORK DATA_LEN
#define FORK_DATA (FORK + 16)
#define TABLE_LEN(chunks) (204 + 40 * (chunks))
#define FIRST_TABLE (FORK_DATA + 4)
#define CHUNK(table, number) ((table) + TABLE_LEN(number))
#define SECOND_AT (4 + TABLE_LEN(3)) /* in the fork's data */
#define SECOND_TABLE (FORK_DATA + SECOND_AT + 4)
#define FORK_DATA_LEN (SECOND_AT + 4 + TABLE_LEN(2))
#define MAP (FORK_DATA + FORK_DATA_LEN)
#define TYPES (MAP + 28)
#define LIST (TYPES + 2 + 8)
#define MAP_LEN (28 + 2 + 8 + 2 * 12)
#define TRAILER (MAP + MAP_LEN)
#define LEN (TRAILER + 512)

#define PART 8 /* sectors of each of the two partitions */

static unsigned char image[LEN];

static void put_chunk(size_t at, uint32_t type, uint64_t first, uint64_t count,
		      uint64_t place)
{
	bytes_put_be32(image + at, type);
	bytes_put_be64(image + at + 8, first);
	bytes_put_be64(image + at + 16, count);
	bytes_put_be64(image + at + 24, place);
	bytes_put_be64(image + at + 32, type == DMG_RAW ? count * 512 : 0);
}

static void put_table(size_t at, uint64_t first, uint32_t chunks)
{
	bytes_put_be32(image + at - 4, TABLE_LEN(chunks));
	memcpy(image + at, "mish", 4);
	bytes_put_be32(image + at + 4, 1);
	bytes_put_be64(image + at + 8, first);
	bytes_put_be64(image + at + 16, PART);
	bytes_put_be32(image + at + 200, chunks);
}

static void put_map(void)
{
	bytes_put_be16(image + MAP + 24, TYPES - MAP);
	bytes_put_be16(image + TYPES, 0); /* one type */
	memcpy(image + TYPES + 2, "blkx", 4);
	bytes_put_be16(image + TYPES + 6, 1); /* two resources */
	bytes_put_be16(image + TYPES + 8, LIST - TYPES);
	bytes_put_be32(image + LIST + 4, 0);
	bytes_put_be32(image + LIST + 12 + 4, SECOND_AT);
}

/* Sectors 0, 1 and 4, 5 are stored; of 2, 3, 6 and 7 no chunk tells; the
 * second partition is one chunk of zeros. */
static void make(void)
{
	memset(image, 0, sizeof image);
	memset(image, 'a', 1024);
	memset(image + 1024, 'b', 1024);
	bytes_put_be32(image + FORK, 16);
	bytes_put_be32(image + FORK + 4, MAP - FORK);
	bytes_put_be32(image + FORK + 8, FORK_DATA_LEN);
	bytes_put_be32(image + FORK + 12, MAP_LEN);
	put_table(FIRST_TABLE, 0, 3);
	put_chunk(CHUNK(FIRST_TABLE, 0), DMG_RAW, 0, 2, 0);
	put_chunk(CHUNK(FIRST_TABLE, 1), DMG_RAW, 4, 2, 1024);
	put_chunk(CHUNK(FIRST_TABLE, 2), DMG_END, 0, 0, 0);
	put_table(SECOND_TABLE, PART, 2);
	put_chunk(CHUNK(SECOND_TABLE, 0), DMG_COMMENT, 99, 99, 0);
	put_chunk(CHUNK(SECOND_TABLE, 1), DMG_ZERO, 0, PART, 0);
	put_map();
	memcpy(image + TRAILER, "koly", 4);
	bytes_put_be32(image + TRAILER + 4, 4);
	bytes_put_be32(image + TRAILER + 8, 512);
	bytes_put_be64(image + TRAILER + 32, DATA_LEN);
	bytes_put_be64(image + TRAILER + 40, FORK);
	bytes_put_be64(image + TRAILER + 48, TRAILER - FORK);
	bytes_put_be64(image + TRAILER + 492, 2 * (uint64_t)PART);
}

static void print_finding(struct check_report *report, const char *line)
{
	(void)report;
	fprintf(stderr, "%s\n", line);
}

static void count_finding(struct check_report *report, const char *line)
{
	(void)report;
	CHECK(*line);
}

static void test_good(void)
{
	struct source *source AUTO_SOURCE = files_memory_source(image, LEN);
	struct open_options options = { 0 };
	struct check_report report = { .emit = print_finding };
	struct err err = { .message = "" };
	struct disk *disk AUTO_DISK = dmg_open(source, &options, &err);
	unsigned char want[16 * 512] = { 0 }, got[16 * 512];
	struct extent extent;

	CHECK_STR(err.message, "");
	if (!disk)
		return;
	CHECK_EQ(disk->size, sizeof want);
	memset(want, 'a', 1024);
	memset(want + 2048, 'b', 1024);
	CHECK(!disk_read(disk, got, sizeof got, 0, &err));
	CHECK(!memcmp(got, want, sizeof got));
	/* Across a stored sector and one that is not. */
	CHECK(!disk_read(disk, got, 1024, 512, &err));
	CHECK(!memcmp(got, want + 512, 1024));
	/* Up to the next chunk, and behind the last one. */
	CHECK(!disk_extent(disk, 1024, 7168, &extent, &err));
	CHECK(extent.kind != EXTENT_DATA && extent.length == 1024);
	CHECK(!disk_extent(disk, 2048, 6144, &extent, &err));
	CHECK(extent.kind == EXTENT_DATA && extent.length == 1024);
	CHECK(!dmg_check(source, &options, &report, &err));
	CHECK_EQ(report.corruptions, 0);
}

static void spoil(size_t at, unsigned len, uint64_t value)
{
	for (unsigned i = 0; i < len; i++)
		image[at + i] = (unsigned char)(value >> 8 * (len - 1 - i));
}

static const struct spoilt {
	size_t at;
	unsigned len;
	uint64_t value;
	enum err_kind kind;
	const char *message;
} spoilt[] = {
	/* The trailer. */
	{ TRAILER + 4, 4, 5, ERR_UNSUPPORTED, "known is version 4" },
	{ TRAILER + 8, 4, 1024, ERR_UNSUPPORTED, "known is version 4" },
	{ TRAILER + 32, 8, LEN, ERR_DAMAGED, "data fork at" },
	{ TRAILER + 40, 8, UINT64_MAX, ERR_DAMAGED, "resource fork at" },
	{ TRAILER + 48, 8, 0, ERR_DAMAGED, "neither a property list nor" },
	{ TRAILER + 48, 8, 15, ERR_DAMAGED, "its header lies outside" },
	{ TRAILER + 216, 8, LEN, ERR_DAMAGED, "property list at" },
	{ TRAILER + 492, 8, 1ull << 51 | 1, ERR_LIMIT, "above 2^60" },
	{ TRAILER + 492, 8, 15, ERR_DAMAGED, "outside the disk of 15" },
	{ TRAILER + 492, 8, 17, ERR_DAMAGED, "the disk at 17" },
	{ TRAILER, 4, 0, ERR_DAMAGED, "is cut short, or is none" },
	/* The fork, its map and its list. */
	{ FORK, 4, MAP, ERR_DAMAGED, "its data lies outside" },
	{ FORK + 4, 4, MAP, ERR_DAMAGED, "its map lies outside" },
	{ FORK + 12, 4, 27, ERR_DAMAGED, "its map lies outside" },
	{ MAP + 24, 2, MAP_LEN - 1, ERR_DAMAGED, "its list of types" },
	{ TYPES, 2, 100, ERR_DAMAGED, "its list of types" },
	{ TYPES, 2, 0xffff, ERR_DAMAGED, "no block tables" },
	{ TYPES + 2, 1, 'B', ERR_DAMAGED, "no block tables" },
	{ TYPES + 6, 2, 2, ERR_DAMAGED, "a list of resources" },
	{ TYPES + 8, 2, 0xffff, ERR_DAMAGED, "a list of resources" },
	{ LIST + 5, 3, FORK_DATA_LEN - 3, ERR_DAMAGED, "a block table lies" },
	{ FIRST_TABLE - 4, 4, FORK_DATA_LEN, ERR_DAMAGED,
	  "a block table lies" },
	/* Tables. */
	{ FIRST_TABLE - 4, 4, 203, ERR_DAMAGED, "not a table of version 1" },
	{ FIRST_TABLE, 1, 'M', ERR_DAMAGED, "not a table of version 1" },
	{ FIRST_TABLE + 4, 4, 2, ERR_DAMAGED, "not a table of version 1" },
	{ FIRST_TABLE + 16, 8, 17, ERR_DAMAGED, "outside the disk of 16" },
	{ FIRST_TABLE + 16, 8, 9, ERR_DAMAGED, "block tables of sectors" },
	{ FIRST_TABLE + 200, 4, 4, ERR_DAMAGED, "4 chunks do not fit" },
	{ LIST + 12 + 5, 3, 0, ERR_DAMAGED, "block tables of sectors" },
	/* Chunks. */
	{ CHUNK(FIRST_TABLE, 0) + 8, 8, 7, ERR_DAMAGED, "outside the 8 of" },
	{ CHUNK(FIRST_TABLE, 0) + 16, 8, 9, ERR_DAMAGED, "outside the 8 of" },
	{ CHUNK(FIRST_TABLE, 0) + 32, 8, 1023, ERR_DAMAGED,
	  "plain chunk of 2" },
	{ CHUNK(FIRST_TABLE, 0) + 24, 8, 1025, ERR_DAMAGED,
	  "outside the data" },
	{ CHUNK(FIRST_TABLE, 1) + 8, 8, 1, ERR_DAMAGED, "overlap" },
	{ FIRST_TABLE + 24, 8, UINT64_MAX, ERR_DAMAGED, "outside the data" },
	{ CHUNK(FIRST_TABLE, 0), 4, DMG_ZLIB, ERR_DAMAGED, "chunk at 0" },
	{ CHUNK(FIRST_TABLE, 0), 4, 3, ERR_UNSUPPORTED, "type 0x00000003" },
};

/* Open it and read all of it. */
static int read_all(struct err *err)
{
	struct source *source AUTO_SOURCE = files_memory_source(image, LEN);
	struct open_options options = { 0 };
	struct disk *disk AUTO_DISK = dmg_open(source, &options, err);
	unsigned char buf[16 * 512];

	return disk ? disk_read(disk, buf, sizeof buf, 0, err) : -1;
}

static void expect(enum err_kind kind, const char *message)
{
	struct err err = { .kind = ERR_NONE, .message = "" };
	int result = read_all(&err);

	CHECK_EQ(result, kind == ERR_NONE ? 0 : -1);
	if (result) {
		CHECK_EQ(err.kind, kind);
		if (!strstr(err.message, message))
			CHECK_STR(err.message, message);
	}
}

static void test_spoilt(void)
{
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		const struct spoilt *one = &spoilt[i];

		make();
		spoil(one->at, one->len, one->value);
		expect(one->kind, one->message);
	}
}

static void test_others(void)
{
	/* Encrypted ones have a trailer of their own; the oldest, a header. */
	make();
	memset(image + TRAILER, 0, 512);
	memcpy(image + LEN - 8, "cdsaencr", 8);
	expect(ERR_UNSUPPORTED, "encrypted (cdsaencr)");
	memset(image + LEN - 8, 0, 8);
	memcpy(image, "koly", 4);
	expect(ERR_UNSUPPORTED, "trailer in front");
	memcpy(image, "encrcdsa", 8);
	expect(ERR_UNSUPPORTED, "encrypted (encrcdsa)");
	/* A compressed chunk whose disk would be 64 MiB and a sector. */
	make();
	bytes_put_be64(image + TRAILER + 492, 1 << 20);
	bytes_put_be64(image + SECOND_TABLE + 16, (1 << 20) - PART);
	put_chunk(CHUNK(SECOND_TABLE, 1), DMG_ZLIB, 0, (64 << 11) + 1, 0);
	bytes_put_be64(image + CHUNK(SECOND_TABLE, 1) + 32, 100);
	expect(ERR_LIMIT, "above 67108864 bytes");
	/* A chunk of nothing, wherever it says that is. */
	make();
	put_chunk(CHUNK(FIRST_TABLE, 1), DMG_RAW, 8, 0, UINT64_MAX);
	expect(ERR_NONE, "");
	/* No chunk at all: there is no list that could be sorted. */
	make();
	spoil(FIRST_TABLE + 200, 4, 0);
	spoil(SECOND_TABLE + 200, 4, 0);
	expect(ERR_NONE, "");
	spoil(TRAILER + 492, 8, 17);
	expect(ERR_DAMAGED, "the disk at 17");
}

/* The master is that of the partitions' checksums, where all have one. */
static void test_sums(void)
{
	struct source *source AUTO_SOURCE = files_memory_source(image, LEN);
	struct open_options options = { 0 };
	struct check_report report = { .emit = count_finding };
	struct disk *disk AUTO_DISK = NULL;
	struct err err;

	make();
	bytes_put_be32(image + TRAILER + 352, 2);
	bytes_put_be32(image + TRAILER + 356, 32);
	CHECK(!dmg_check(source, &options, &report, &err));
	CHECK_EQ(report.corruptions, 0);
	bytes_put_be32(image + TRAILER + 80, 2);
	bytes_put_be32(image + TRAILER + 84, 32);
	bytes_put_be32(image + TRAILER + 88, 0x12345678);
	CHECK(!dmg_check(source, &options, &report, &err));
	CHECK_EQ(report.corruptions, 1);
	/* Reading at random does not see it; the end of a whole pass does. */
	expect(ERR_NONE, "");
	disk = dmg_open(source, &options, &err);
	CHECK(disk && disk_finish(disk, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "of the data fork"));
}

/* Tables that are added before one is refused; each has `len` bytes. */
static size_t most_tables(size_t len, struct err *err)
{
	struct dmg_tables tables = { 0 };
	size_t count;

	/* Ends: what is refused is the last. */
	while (!dmg_tables_add(&tables, mem_zalloc(len), len, "", err))
		;
	count = tables.count;
	dmg_tables_clear(&tables);
	return count;
}

/* An image may name any number of tables. */
static void test_most_tables(void)
{
	struct err err = { .kind = ERR_NONE };

	CHECK_EQ(most_tables(LIMIT_TABLE_LEN / 4, &err), 4);
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK(strstr(err.message, "block tables of more than"));
	CHECK_EQ(most_tables(LIMIT_TABLE_LEN + 1, &err), 0);
	/* One of no bytes takes memory, too. */
	CHECK_EQ(most_tables(0, &err), 4096);
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK(strstr(err.message, "more than 4096 block tables"));
}

int main(void)
{
	test_most_tables();
	make();
	test_good();
	test_spoilt();
	test_others();
	test_sums();
	return check_result();
}
