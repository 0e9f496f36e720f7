/* SPDX-License-Identifier: MIT */
/* Units for the walk over zstd's frames (RFC 8878), written byte by byte:
 * each width of a size, and what makes a file one that is read in order. */
#include "base/bytes.h"
#include "formats/codecs/zstd_index.h"
#include "tests/unit/codec_tools.h"

#define SINGLE 0x20  /* no window, and a size in any case */
#define SIZE_16 0x40 /* of 256 bytes and more */
#define SIZE_32 0x80
#define SIZE_64 0xc0
#define DICTIONARY 1 /* an id of one byte; 0 is none */

enum block_type { RAW, RLE, COMPRESSED, RESERVED };

struct file {
	unsigned char *at;
	size_t len;
};

static void put(struct file *file, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		file->at[file->len++] =
			i < 8 ? (unsigned char)(value >> 8 * i) : 0;
}

static void put_head(struct file *file, unsigned descriptor, uint64_t size)
{
	static const size_t widths[] = { 0, 2, 4, 8 };
	size_t width = widths[descriptor >> 6];

	put(file, ZSTD_FRAME_MAGIC, 4);
	put(file, descriptor, 1);
	if (!(descriptor & SINGLE))
		put(file, 0x50, 1); /* a window of 1 MiB */
	if (descriptor & DICTIONARY)
		put(file, 0, 1);
	if (width == 2)
		put(file, size - 256, 2);
	else
		put(file, size, width ? width : descriptor & SINGLE ? 1 : 0);
}

static void put_block(struct file *file, enum block_type type, bool last,
		      size_t size)
{
	put(file, (uint64_t)size << 3 | (uint64_t)type << 1 | last, 3);
	for (size_t i = 0; i < (type == RAW ? size : 1); i++)
		put(file, 'r', 1);
}

/* A frame of `size` letters r: half of them stored, half repeated. */
static void put_frame(struct file *file, unsigned descriptor, size_t size)
{
	put_head(file, descriptor, size);
	put_block(file, RAW, false, size / 2);
	put_block(file, RLE, true, size - size / 2);
}

static struct file file_new(void)
{
	return (struct file){ mem_zalloc((size_t)9 << 20), 0 };
}

static void expect(const struct file *file, size_t count, uint64_t size,
		   uint64_t largest)
{
	struct source *source = files_memory_source(file->at, file->len);
	struct err err = { .message = "" };
	struct codec_index *index = zstd_index_open(source, &err);

	CHECK(index);
	if (index) {
		CHECK_EQ(index->count, count);
		CHECK_EQ(index->size, size);
		CHECK_EQ(index->largest, largest);
	}
	for (size_t i = 0; index && i < index->count; i++) {
		size_t len = (size_t)(index->start[i + 1] - index->start[i]);
		unsigned char *out = mem_zalloc(len);

		if (zstd_index_decode(index, i, out, &err))
			CHECK_STR(err.message, "no error");
		CHECK(out[0] == 'r' && !memcmp(out, out + 1, len - 1));
		free(out);
	}
	zstd_index_close(index);
	source_close(source);
}

/* Read in order instead: no index, and no damage yet. */
static void expect_none(const struct file *file)
{
	struct source *source = files_memory_source(file->at, file->len);
	struct err err = { .message = "" };

	CHECK(!zstd_index_open(source, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	source_close(source);
}

static void test_sizes(void)
{
	struct file file = file_new();

	put_frame(&file, SINGLE, 200);
	put_frame(&file, SIZE_16, 256);
	put_frame(&file, SIZE_16 | SINGLE | DICTIONARY, 5000);
	put_frame(&file, SIZE_32, 70000);
	put_frame(&file, SIZE_64, 100000);
	expect(&file, 5, 200 + 256 + 5000 + 70000 + 100000, 100000);
	free(file.at);
}

/* Nothing is read of them; an empty frame is no block. */
static void test_between(void)
{
	struct file file = file_new();

	put(&file, 0x184d2a50, 4);
	put(&file, 5, 4);
	put(&file, 0, 5);
	put_frame(&file, SINGLE, 100);
	put_head(&file, SINGLE, 0);
	put_block(&file, RAW, true, 0);
	put(&file, 0x184d2a5f, 4);
	put(&file, 0, 4);
	put_frame(&file, SINGLE, 10);
	expect(&file, 2, 110, 100);
	file.len--;
	expect_none(&file);
	file.len = 0;
	put_head(&file, SINGLE, 0);
	put_block(&file, RAW, true, 0);
	expect_none(&file);
	free(file.at);
}

static void test_none(void)
{
	struct file file = file_new();

	/* No size. */
	put_frame(&file, 0, 100);
	expect_none(&file);
	/* A kind of block that is none. */
	file.len = 0;
	put_head(&file, SINGLE, 100);
	put_block(&file, RESERVED, true, 100);
	expect_none(&file);
	/* More than a disk, alone and together. */
	file.len = 0;
	put_frame(&file, SINGLE, 10);
	put_head(&file, SIZE_64, LIMIT_DISK_SIZE - 9);
	put_block(&file, RLE, true, 10);
	expect_none(&file);
	/* 200 KiB for one byte. */
	file.len = 0;
	put_head(&file, SINGLE, 1);
	put_block(&file, RAW, false, 100 << 10);
	put_block(&file, RAW, true, 100 << 10);
	expect_none(&file);
	/* No frame behind the first one. */
	file.len = 0;
	put_frame(&file, SINGLE, 10);
	put(&file, 0x12345678, 4);
	put(&file, 0, 16);
	expect_none(&file);
	free(file.at);
}

/* Each costs a read: a million of them, and it is given up. */
static void test_many(void)
{
	struct file file = file_new();

	put_head(&file, SIZE_64, 1 << 20);
	for (unsigned i = 0; i < 1 << 20; i++)
		put_block(&file, RLE, false, 1);
	put_block(&file, RLE, true, 0);
	expect_none(&file);
	file.len = 0;
	put_frame(&file, SINGLE, 10);
	for (unsigned i = 0; i < 1 << 20; i++) {
		put(&file, 0x184d2a50, 4);
		put(&file, 0, 4);
	}
	expect_none(&file);
	free(file.at);
}

/* The size is believed until the frame is decoded. */
static void test_lies(void)
{
	struct file file = file_new();
	struct source *source;
	struct err err = { .message = "" };
	unsigned char out[101];

	put_head(&file, SINGLE, 101);
	put_block(&file, RLE, true, 100);
	source = files_memory_source(file.at, file.len);
	struct codec_index *index = zstd_index_open(source, &err);
	CHECK(index && index->size == 101);
	CHECK(zstd_index_decode(index, 0, out, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK_STR(err.message, "zstd: the frame at 0 is damaged or its "
			       "checksum is wrong");
	zstd_index_close(index);
	source_close(source);
	free(file.at);
}

int main(void)
{
#ifndef HAVE_ZSTD
	printf("skipped: built without libzstd\n");
	return 77;
#endif
	test_sizes();
	test_between();
	test_none();
	test_many();
	test_lies();
	return check_result();
}
