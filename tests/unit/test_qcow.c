/* SPDX-License-Identifier: MIT */
/* qcow of version 1, written field by field: what it reads as, alone and over
 * a backing file, and each field wrong in turn, by reading and by check. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"
#include "io/files.h"
#include "tests/unit/check.h"

extern const struct driver driver_qcow;

/* Clusters of 512 bytes, 64 of them in an L2 table. */
#define CLUSTER 512u
#define SPAN (64 * CLUSTER)
#define SIZE (2 * SPAN + 700)
#define NAME 48
#define L1 512
#define L2 1024
#define DATA 1536   /* guest cluster 1 */
#define PACKED 2048 /* guest cluster 3 */
#define LAST 2560   /* the last one, of 188 bytes */
#define L2_LAST 3072
#define LEN 3584
#define SHIFT (63 - 9)

static unsigned char image[LEN];
static uint64_t packed_entry;

static void put_packed(void)
{
	const struct block_options options = { .level = 6, .window_log = 12 };
	unsigned char plain[CLUSTER];
	struct err err = { .message = "" };
	struct block_encoder *encoder =
		block_encoder_open(BLOCK_DEFLATE, &options, &err);
	size_t len = 0;

	memset(plain, 'p', sizeof plain);
	CHECK(encoder &&
	      !block_encode(encoder, plain, sizeof plain, image + PACKED,
			    CLUSTER - 1, &len, &err));
	CHECK(len);
	block_encoder_close(encoder);
	packed_entry = 1ull << 63 | (uint64_t)len << SHIFT | PACKED;
}

static void make(void)
{
	memset(image, 0, sizeof image);
	memcpy(image, "QFI\xfb\0\0\0\1", 8);
	bytes_put_be64(image + 24, SIZE);
	image[32] = 9;
	image[33] = 6;
	bytes_put_be64(image + 40, L1);
	bytes_put_be64(image + L1, L2);
	bytes_put_be64(image + L1 + 16, L2_LAST);
	memset(image + DATA, 'd', CLUSTER);
	memset(image + LAST, 'l', CLUSTER);
	put_packed();
	bytes_put_be64(image + L2 + 8, DATA);
	bytes_put_be64(image + L2 + 24, packed_entry);
	bytes_put_be64(image + L2_LAST + 8, LAST);
}

static struct source *opened(struct references *references, struct disk **disk,
			     struct err *err)
{
	struct source *source = files_memory_source(image, LEN);
	struct open_options options = { .references = references };

	*disk = driver_qcow.open(source, &options, err);
	return source;
}

static unsigned char at_guest(const unsigned char *below, uint64_t at)
{
	switch (at / CLUSTER) {
	case 1:
		return 'd';
	case 3:
		return 'p';
	case SIZE / CLUSTER:
		return 'l';
	default:
		return below ? below[at] : 0;
	}
}

/* All of it is what it should be, over `len` bytes of `below`. */
static void reads_over(struct disk *disk, const unsigned char *below,
		       size_t len)
{
	static unsigned char got[SIZE];
	struct err err = { .message = "" };
	unsigned wrong = 0;

	CHECK_EQ(disk->size, SIZE);
	CHECK(!disk_read(disk, got, SIZE, 0, &err));
	for (unsigned i = 0; i < SIZE; i++)
		wrong += got[i] != at_guest(i < len ? below : NULL, i);
	CHECK_EQ(wrong, 0);
}

static void test_good(void)
{
	struct err err = { .message = "" };
	struct extent extent;
	struct disk *disk;
	struct source *source;

	make();
	source = opened(NULL, &disk, &err);
	CHECK_STR(err.message, "");
	reads_over(disk, NULL, 0);
	CHECK(!disk_extent(disk, CLUSTER, SIZE - CLUSTER, &extent, &err));
	CHECK_EQ(extent.length, CLUSTER);
	CHECK_EQ(extent.place, DATA);
	CHECK(!disk_extent(disk, 3 * CLUSTER, CLUSTER, &extent, &err));
	CHECK_EQ(extent.encoding, ENCODING_DEFLATE);
	/* A part of it has no place of its own. */
	CHECK(!disk_extent(disk, 3 * CLUSTER + 1, CLUSTER - 1, &extent, &err));
	CHECK(extent.kind == EXTENT_DATA && !extent.source);
	CHECK(!disk_finish(disk, &err));
	disk_close(disk);
	source_close(source);
}

/* ---- a backing file ---- */

static unsigned char below[SPAN]; /* shorter than the disk */
static bool there;

static struct disk *open_disk(struct references *references, const char *name,
			      const char *format, struct source **source,
			      struct err *err)
{
	const struct open_options options = { .references = references };

	CHECK_STR(name, "base.raw");
	CHECK(!format); /* the image does not say it */
	if (!there) {
		err_set(err, ERR_NO_INPUT, "no such file");
		return NULL;
	}
	*source = files_memory_source(below, sizeof below);
	return driver_by_name("raw")->open(*source, &options, err);
}

static void test_backing(void)
{
	struct references references = { .open_disk = open_disk };
	unsigned char byte;
	struct err err = { .message = "" };
	struct extent extent;
	struct disk *disk;
	struct source *source;

	make();
	memset(below, 'b', sizeof below);
	bytes_put_be64(image + 8, NAME);
	bytes_put_be32(image + 16, 8);
	memcpy(image + NAME, "base.raw", 8);
	source = opened(NULL, &disk, &err);
	CHECK(!disk && err.kind == ERR_REFUSED);
	CHECK(strstr(err.message, "--allow-references"));
	source_close(source);
	source = opened(&references, &disk, &err);
	CHECK(!disk && err.kind == ERR_NO_INPUT);
	CHECK_STR(err.message, "backing file base.raw: no such file");
	source_close(source);
	there = true;
	source = opened(&references, &disk, &err);
	CHECK(disk);
	reads_over(disk, below, sizeof below);
	CHECK(!disk_extent(disk, 0, SIZE, &extent, &err));
	CHECK(extent.kind == EXTENT_DATA && extent.length == CLUSTER);
	CHECK(!disk_extent(disk, SPAN, SPAN, &extent, &err));
	CHECK(extent.kind == EXTENT_HOLE && extent.length == SPAN);
	CHECK(!disk_finish(disk, &err));
	disk_close(disk);
	source_close(source);
	/* To look at it the file is not needed; its contents cannot be had. */
	struct open_options options = { .metadata_only = true };
	source = files_memory_source(image, LEN);
	disk = driver_qcow.open(source, &options, &err);
	CHECK(disk && disk_read(disk, &byte, 1, 0, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	disk_close(disk);
	source_close(source);
}

/* ---- wrong fields ---- */

struct spoilt {
	size_t at;
	unsigned len;
	uint64_t value;
	enum err_kind kind;
	const char *message;
};

static const struct spoilt headers[] = {
	{ 0, 1, 'q', ERR_DAMAGED, "this is no qcow image" },
	{ 4, 4, 2, ERR_UNSUPPORTED, "qcow version 2" },
	{ 8, 8, NAME - 1, ERR_DAMAGED, "name at 47 overlaps the header" },
	{ 8, 8, NAME, ERR_DAMAGED, "name of 0 bytes" },
	{ 24, 8, (1ull << 60) + 1, ERR_LIMIT, "is above 2^60" },
	{ 24, 8, 1ull << 60, ERR_LIMIT, "L1 table" },
	{ 32, 1, 8, ERR_DAMAGED, "cluster_bits 8 is out of range (9..16)" },
	{ 32, 1, 17, ERR_DAMAGED, "cluster_bits 17" },
	{ 33, 1, 5, ERR_DAMAGED, "l2_bits 5 is out of range (6..13)" },
	{ 33, 1, 14, ERR_DAMAGED, "l2_bits 14" },
	{ 36, 4, 1, ERR_UNSUPPORTED, "the image is encrypted (AES)" },
	{ 36, 4, 2, ERR_UNSUPPORTED, "encryption method 2 is not known" },
	{ 40, 8, 40, ERR_DAMAGED, "L1 table at 40 overlaps the header" },
	{ 40, 8, UINT64_MAX, ERR_DAMAGED, "or is above 2^60" },
	{ 40, 8, LEN - 8, ERR_DAMAGED, "L1 table" },
};

static const struct spoilt tables[] = {
	{ L1, 8, L2 + 1, ERR_DAMAGED, "L2 table at 1025 is not aligned" },
	{ L1, 8, LEN, ERR_DAMAGED, "lies past the end of the file" },
	{ L1, 8, 1ull << 63, ERR_DAMAGED, "lies past the end of the file" },
	{ L1, 8, L1, ERR_DAMAGED, "overlaps the header or the L1 table" },
	{ L1, 8, L2_LAST, ERR_DAMAGED, "L2 table at 3072 is used twice" },
	{ L2, 8, 513, ERR_DAMAGED, "cluster at 513 is not aligned to 512" },
	{ L2, 8, LEN, ERR_DAMAGED, "guest offset 0: cluster at 3584 of 512" },
	{ L2, 8, L1, ERR_DAMAGED, "overlaps the header or the L1 table" },
	{ L2, 8, 1ull << 63 | PACKED, ERR_DAMAGED, "cluster of no bytes" },
	{ L2, 8, 1ull << 63 | 9ull << SHIFT | 40, ERR_DAMAGED, "overlaps" },
	{ L2, 8, 1ull << 63 | 9ull << SHIFT | (LEN - 8), ERR_DAMAGED,
	  "of 9 bytes lies past the end" },
};

static void spoil(const struct spoilt *one)
{
	make();
	for (unsigned i = 0; i < one->len; i++)
		image[one->at + i] =
			(unsigned char)(one->value >> 8 * (one->len - 1 - i));
}

static void read_refused(const struct spoilt *one)
{
	static unsigned char got[SIZE];
	struct err err = { .message = "" };
	struct disk *disk;
	struct source *source = opened(NULL, &disk, &err);

	CHECK(!disk || disk_read(disk, got, SIZE, 0, &err));
	CHECK_EQ(err.kind, one->kind);
	if (!strstr(err.message, one->message))
		CHECK_STR(err.message, one->message);
	disk_close(disk);
	source_close(source);
}

static char findings[4096];

static void note(struct check_report *report, const char *line)
{
	(void)report;
	snprintf(findings + strlen(findings),
		 sizeof findings - strlen(findings), "%s\n", line);
}

static int check(struct check_report *report, struct err *err)
{
	struct source *source AUTO_SOURCE = files_memory_source(image, LEN);
	const struct open_options options = { 0 };

	*report = (struct check_report){ .emit = note };
	*findings = '\0';
	return driver_qcow.check(source, &options, report, err);
}

static void test_spoilt(void)
{
	struct check_report report;
	struct err err = { .message = "" };

	make();
	CHECK(!check(&report, &err));
	CHECK_EQ(report.corruptions + report.leaks, 0);
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		spoil(&headers[i]);
		read_refused(&headers[i]);
	}
	/* What is behind the header is for check to find, one by one. */
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		spoil(&tables[i]);
		read_refused(&tables[i]);
		CHECK(!check(&report, &err));
		CHECK(report.corruptions >= 1);
		if (!strstr(findings, tables[i].message))
			CHECK_STR(findings, tables[i].message);
	}
	/* Two guest clusters in one place: read, but not sound. */
	make();
	bytes_put_be64(image + L2, DATA);
	CHECK(!check(&report, &err));
	CHECK_EQ(report.corruptions, 1);
	/* A name with its end in it. */
	make();
	bytes_put_be64(image + 8, NAME);
	bytes_put_be32(image + 16, 8);
	memcpy(image + NAME, "base\0raw", 8);
	read_refused(&(struct spoilt){ .kind = ERR_DAMAGED,
				       .message = "a zero byte in it" });
}

int main(void)
{
	test_good();
	test_backing();
	test_spoilt();
	return check_result();
}
