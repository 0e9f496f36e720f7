/* SPDX-License-Identifier: MIT */
/* The VHD reader over small images: sizes by creator, bitmaps, old
 * footers, one pass over a stream, and what a look at the metadata costs. */
#include "vhd_image.h"

static void test_good(void)
{
	unsigned char got[DISK], want[DISK] = { 0 };
	struct image image;
	struct source *source;
	struct extent extent;
	struct err err;
	uint64_t size, leaks;

	make(&image);
	memset(want, 'a', BLOCK);
	memset(want + 2 * BLOCK, 'c', BLOCK - 512);
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	CHECK_EQ(size, DISK);
	CHECK(!memcmp(got, want, DISK));
	CHECK_EQ(checked(&image, &leaks), 0);
	CHECK_EQ(leaks, 0);

	struct disk *disk = open_image(&source, &image, NULL, &err);

	CHECK_EQ(disk_extent(disk, 512, DISK - 512, &extent, &err), 0);
	CHECK(extent.kind == EXTENT_DATA && extent.source == source);
	CHECK_EQ(extent.length, BLOCK - 512);
	CHECK_EQ(extent.place, BLOCK_0 + 512 + 512);
	CHECK_EQ(disk_extent(disk, BLOCK + 1, DISK - BLOCK - 1, &extent, &err),
		 0);
	CHECK_EQ(extent.kind, EXTENT_HOLE);
	CHECK_EQ(extent.length, BLOCK - 1);
	CHECK_EQ(disk_read(disk, got, 700, BLOCK - 300, &err), 0);
	CHECK(got[299] == 'a' && !got[300] && !got[699]);
	disk_close(disk);
	source_close(source);
}

/* Who only looks at the metadata does not pay for bitmaps. */
static void test_glance(void)
{
	struct open_options options = { .metadata_only = true };
	struct extent extent;
	struct image image;
	struct err err;

	make(&image);
	image.bytes[BLOCK_0] = 0x96;
	struct fake_source *fake =
		fake_source_open(files_memory_source(image.bytes, image.len));
	struct disk *disk = driver_vhd.open(&fake->source, &options, &err);
	unsigned long long reads = atomic_load(&fake->reads);

	CHECK(disk && !disk_extent(disk, 0, DISK, &extent, &err));
	CHECK(extent.kind == EXTENT_DATA && extent.length == BLOCK);
	CHECK_EQ(atomic_load(&fake->reads), reads);
	disk_close(disk);
	options.metadata_only = false;
	disk = driver_vhd.open(&fake->source, &options, &err);
	CHECK(disk && !disk_extent(disk, 0, DISK, &extent, &err));
	CHECK_EQ(extent.length, 512);
	CHECK_EQ(disk_extent(disk, 512, DISK - 512, &extent, &err), 0);
	CHECK(extent.kind == EXTENT_HOLE && extent.length == 1024);
	disk_close(disk);
	source_close(&fake->source);
}

/* Without a parent, a clear bit is zeros whatever lies there. */
static void test_bitmap(void)
{
	unsigned char got[DISK];
	struct image image;
	struct err err;
	uint64_t size = 0;

	make(&image);
	image.bytes[BLOCK_0] = 0x96; /* 10010110 */
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(got[i * 512 + 17], "a00a0aa0"[i] == 'a' ? 'a' : 0);
	CHECK_EQ(checked(&image, NULL), 1);
	for (unsigned i = 0; i < 8; i++)
		if (!(0x96 << i & 0x80))
			memset(image.bytes + BLOCK_0 + 512 + i * 512, 0, 512);
	CHECK_EQ(checked(&image, NULL), 0);
}

static void test_bitmap_run(void)
{
	static const unsigned char bits[] = {
		0xff, 0xff, 0xfe, 0x00, 0x00, 0x0f
	};
	static const struct {
		uint64_t first, count, run;
		bool set;
	} rows[] = {
		{ 0, 48, 23, true },   { 0, 20, 20, true },
		{ 0, 1, 1, true },     { 5, 48 - 5, 18, true },
		{ 23, 25, 21, false }, { 23, 3, 3, false },
		{ 24, 8, 8, false },   { 44, 4, 4, true },
		{ 47, 1, 1, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool set;

		CHECK_EQ(vhd_bitmap_run(bits, rows[i].first, rows[i].count,
					&set),
			 rows[i].run);
		CHECK_EQ(set, rows[i].set);
	}
}

/* Which size is the disk's, by who made it. */
static void test_creators(void)
{
	static const struct {
		const char *creator;
		unsigned cylinders, heads, track;
		uint64_t size;
	} rows[] = {
		{ "win ", 2, 1, 5, DISK },
		{ "vpc ", 2, 1, 5, 5120 },
		{ "qemu", 2, 1, 5, 5120 },
		{ "qem2", 2, 1, 5, DISK },
		{ "d2v\0", 2, 1, 5, DISK },
		{ "tap\0", 2, 1, 5, DISK },
		{ "CTXS", 2, 1, 5, DISK },
		{ "vs  ", 2, 1, 5, DISK },
		{ "wa\0\0", 2, 1, 5, DISK },
		{ "vbox", 2, 1, 5, DISK },
		/* The largest geometry, one of nothing, one of too much. */
		{ "vpc ", 65535, 16, 255, DISK },
		{ "vpc ", 0, 4, 17, DISK },
		{ "qemu", 24, 1, 1, DISK },
		{ "qemu", 23, 1, 1, DISK },
		{ "qemu", 22, 1, 1, DISK - 512 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned char got[DISK];
		struct image image;
		unsigned char *footer = image.bytes + FOOTER;
		uint64_t size = 0;
		struct err err;

		make(&image);
		memcpy(footer + VHD_CREATOR, rows[i].creator, 4);
		bytes_put_be16(footer + VHD_CYLINDERS,
			       (uint16_t)rows[i].cylinders);
		footer[VHD_HEADS] = (unsigned char)rows[i].heads;
		footer[VHD_TRACK] = (unsigned char)rows[i].track;
		seal_all(&image);
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
		CHECK_EQ(size, rows[i].size);
	}
}

static void test_fixed(void)
{
	static const uint64_t sizes[] = { 0, 512, 5120 };

	for (size_t i = 0; i < 3; i++) {
		unsigned char got[DISK];
		struct image image;
		struct err err;
		uint64_t size = 0, leaks;

		make_fixed(&image, sizes[i]);
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
		CHECK_EQ(size, sizes[i]);
		CHECK(!size || (got[0] == 'f' && got[size - 1] == 'f'));
		CHECK_EQ(checked(&image, &leaks), 0);
		/* Of old versions: a byte less. */
		image.len--;
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
		CHECK_EQ(size, sizes[i]);
		CHECK_EQ(checked(&image, NULL), 0);
		/* More than the disk has. */
		make_fixed(&image, sizes[i]);
		bytes_put_be64(image.bytes + sizes[i] + VHD_CURRENT_SIZE,
			       sizes[i] + 512);
		seal_all(&image);
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), -1);
		CHECK_EQ(err.kind, ERR_DAMAGED);
		CHECK(strstr(err.message, "cut short"));
		CHECK_EQ(checked(&image, NULL), 1);
	}
	/* A dynamic one with an old footer; its copy is of either length. */
	unsigned char got[DISK];
	struct image image;
	struct err err;
	uint64_t size = 0;

	make(&image);
	image.len--;
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	image.bytes[511] = 'x';
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	CHECK_EQ(checked(&image, NULL), 0);
}

/* ---- streams ---- */

static int walk_all(const struct image *image, size_t most, unsigned char *out,
		    size_t *len, struct err *err)
{
	struct fake_chunks chunks = { .bytes = image->bytes,
				      .len = image->len,
				      .most = most };
	struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
	struct open_options options = { 0 };
	struct walk *walk AUTO_WALK =
		driver_vhd.walk(stream, &options, -1, err);
	unsigned char buf[700];
	struct walk_piece piece;
	int more;

	*len = 0;
	while ((more = walk_next(walk, buf, sizeof buf, &piece, err)) > 0) {
		CHECK_EQ(piece.offset, *len);
		memcpy(out + *len, buf, piece.stored);
		*len += piece.stored;
	}
	return more;
}

static void test_walk(void)
{
	static const uint64_t sizes[] = { 0, 512, 1024, 5120 };
	struct image image;
	unsigned char got[DISK];
	struct err err;
	size_t len;

	for (size_t i = 0; i < 4; i++)
		for (size_t most = 1; most < 3000; most = most * 3 + 1)
			for (unsigned old = 0; old < 2; old++) {
				make_fixed(&image, sizes[i]);
				image.len -= old;
				CHECK_EQ(
					walk_all(&image, most, got, &len, &err),
					0);
				CHECK_EQ(len, sizes[i]);
				CHECK(!memcmp(got, image.bytes, len));
			}
	/* Cut, or no VHD at all: known at the end, and an error. */
	for (size_t cut = 0; cut < 5120 + 511; cut += 101) {
		make_fixed(&image, 5120);
		image.len = cut;
		CHECK_EQ(walk_all(&image, 4096, got, &len, &err), -1);
		CHECK_EQ(err.kind, ERR_DAMAGED);
	}
	/* Longer, or shorter by far, than the footer says. */
	make_fixed(&image, 5120);
	bytes_put_be64(image.bytes + 5120 + VHD_CURRENT_SIZE, 6144);
	seal_all(&image);
	CHECK_EQ(walk_all(&image, 4096, got, &len, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	bytes_put_be64(image.bytes + 5120 + VHD_CURRENT_SIZE, 512);
	seal_all(&image);
	CHECK_EQ(walk_all(&image, 700, got, &len, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	/* A little shorter is seen in time: all is one read. */
	make_fixed(&image, 512);
	bytes_put_be64(image.bytes + 512 + VHD_CURRENT_SIZE, 0);
	seal_all(&image);
	CHECK_EQ(walk_all(&image, 700, got, &len, &err), 0);
	CHECK_EQ(len, 0);
}

static void test_peek(void)
{
	struct facts *facts AUTO_FREE = mem_zalloc(sizeof *facts);
	struct image image;
	struct err err;
	uint64_t size = 0;

	make_child(&image);
	CHECK_EQ(driver_vhd.walk_order(image.bytes, 512), WALK_NONE);
	CHECK_EQ(driver_vhd.peek(image.bytes, 100, &size, facts, &err), 1);
	CHECK_EQ(driver_vhd.peek(image.bytes, 512, &size, facts, &err), 0);
	CHECK_EQ(size, DISK);
	facts->count = 0;
	CHECK_EQ(driver_vhd.peek(image.bytes, image.len, &size, facts, &err),
		 0);
	CHECK(facts->count > 10);
	image.bytes[600] ^= 1;
	CHECK_EQ(driver_vhd.peek(image.bytes, image.len, &size, facts, &err),
		 -1);
	image.bytes[100] ^= 1;
	CHECK_EQ(driver_vhd.peek(image.bytes, 512, &size, facts, &err), -1);
	make_fixed(&image, 5120);
	CHECK_EQ(driver_vhd.walk_order(image.bytes, 512), WALK_ORDERED);
	CHECK_EQ(driver_vhd.peek(image.bytes, 5632, &size, facts, &err), 1);
}

int main(void)
{
	test_good();
	test_glance();
	test_bitmap();
	test_bitmap_run();
	test_creators();
	test_fixed();
	test_walk();
	test_peek();
	return check_result();
}
