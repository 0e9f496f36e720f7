/* SPDX-License-Identifier: MIT */
/*
 * The VHD reader over small images made by hand: sizes by creator, bitmaps,
 * parents, old footers, one pass; and each field that can be wrong, with the
 * kind of error and a part of its message.
 */
#include "base/bytes.h"
#include "check.h"
#include "fakes.h"
#include "formats/images/vhd/vhd.h"

extern const struct driver driver_vhd;

/*
 *     0 copy of the footer     512 header       1536 block table
 *  2048 parent locator        2560 block 0      7168 block 2
 * 11776 footer
 */
#define BLOCK 4096u
#define DISK (3 * BLOCK - 512)
#define TABLE 1536
#define LOCATOR 2048
#define BLOCK_0 2560
#define BLOCK_2 7168
#define FOOTER 11776
#define FILE_LEN (FOOTER + 512)

struct image {
	unsigned char bytes[FILE_LEN + 512];
	size_t len;
};

static void seal(unsigned char *bytes, size_t len, size_t at)
{
	bytes_put_be32(bytes + at, vhd_sum(bytes, len, at));
}

/* The footer becomes its own copy; all checksums right. */
static void seal_all(struct image *image)
{
	unsigned char *footer = image->bytes + image->len - 512;

	seal(footer, 512, VHD_SUM);
	if (bytes_be32(footer + VHD_TYPE) == VHD_FIXED)
		return;
	memcpy(image->bytes, footer, 512);
	seal(image->bytes + 512, VHD_HEADER_LEN, VHD_HEADER_SUM);
}

static void put_footer(unsigned char *at, uint64_t size, uint32_t type)
{
	memset(at, 0, 512);
	memcpy(at, "conectix", 8);
	bytes_put_be32(at + VHD_FEATURES, 2);
	bytes_put_be32(at + VHD_FORMAT_VERSION, VHD_VERSION_1);
	bytes_put_be64(at + VHD_DATA_OFFSET,
		       type == VHD_FIXED ? UINT64_MAX : 512);
	memcpy(at + VHD_CREATOR, "win ", 4);
	bytes_put_be64(at + VHD_ORIGINAL_SIZE, size);
	bytes_put_be64(at + VHD_CURRENT_SIZE, size);
	bytes_put_be32(at + VHD_TYPE, type);
	memset(at + VHD_UUID, 0x11, 16);
}

static void make(struct image *image)
{
	unsigned char *bytes = image->bytes, *header = bytes + 512;

	memset(image, 0, sizeof *image);
	image->len = FILE_LEN;
	memcpy(header, "cxsparse", 8);
	bytes_put_be64(header + 8, UINT64_MAX);
	bytes_put_be64(header + VHD_TABLE_OFFSET, TABLE);
	bytes_put_be32(header + VHD_HEADER_VERSION, VHD_VERSION_1);
	bytes_put_be32(header + VHD_TABLE_ENTRIES, 3);
	bytes_put_be32(header + VHD_BLOCK_SIZE, BLOCK);
	memset(bytes + TABLE, 0xff, 512);
	bytes_put_be32(bytes + TABLE, BLOCK_0 / 512);
	bytes_put_be32(bytes + TABLE + 8, BLOCK_2 / 512);
	memset(bytes + BLOCK_0, 0xff, 512);
	memset(bytes + BLOCK_0 + 512, 'a', BLOCK);
	memset(bytes + BLOCK_2, 0xff, 512);
	memset(bytes + BLOCK_2 + 512, 'c', BLOCK);
	put_footer(bytes + FOOTER, DISK, VHD_DYNAMIC);
	seal_all(image);
}

static void make_fixed(struct image *image, uint64_t size)
{
	memset(image, 0, sizeof *image);
	memset(image->bytes, 'f', (size_t)size);
	put_footer(image->bytes + size, size, VHD_FIXED);
	image->len = (size_t)size + 512;
	seal_all(image);
}

static struct disk *open_image(struct source **source,
			       const struct image *image,
			       struct references *references, struct err *err)
{
	struct open_options options = { .references = references };

	memset(err, 0, sizeof *err);
	*source = files_memory_source(image->bytes, image->len);
	return driver_vhd.open(*source, &options, err);
}

/* Opened and read as a whole, or the error. */
static int read_all(const struct image *image, unsigned char *out,
		    uint64_t *size, struct references *references,
		    struct err *err)
{
	struct source *source;
	struct disk *disk = open_image(&source, image, references, err);
	int failed = disk ? 0 : -1;

	if (disk) {
		*size = disk->size;
		failed = disk_read(disk, out, (size_t)disk->size, 0, err);
	}
	disk_close(disk);
	source_close(source);
	return failed;
}

static uint64_t checked(const struct image *image, uint64_t *leaks)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(image->bytes, image->len);
	struct check_report report = { 0 };
	struct open_options options = { 0 };
	struct err err;

	/* What stops the check is a finding, too, as far as we go here. */
	if (driver_vhd.check(source, &options, &report, &err))
		report.corruptions++;
	if (leaks)
		*leaks = report.leaks;
	return report.corruptions;
}

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
	uint64_t size;

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
		uint64_t size, leaks;

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
	uint64_t size;

	make(&image);
	image.len--;
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	image.bytes[511] = 'x';
	CHECK_EQ(read_all(&image, got, &size, NULL, &err), 0);
	CHECK_EQ(checked(&image, NULL), 0);
}

enum where { F, /* footer and copy */ T, /* footer at the end alone */ H, B };

struct patch {
	enum where where;
	unsigned width; /* bits */
	size_t at;
	uint64_t value;
	enum err_kind kind;
	const char *message; /* a part of it */
	bool found;	     /* by the check as well */
};

static const struct patch patches[] = {
	{ F, 32, VHD_FEATURES, 6, ERR_UNSUPPORTED,
	  "unknown features 0x00000004", true },
	{ F, 32, VHD_FORMAT_VERSION, 0x20000, ERR_UNSUPPORTED,
	  "format version 2.0", true },
	{ F, 32, VHD_TYPE, 0, ERR_UNSUPPORTED, "disk type 0 is not", true },
	{ F, 32, VHD_TYPE, 5, ERR_UNSUPPORTED, "disk type 5 is not", true },
	{ F, 64, VHD_CURRENT_SIZE, DISK + 1, ERR_DAMAGED, "whole sectors",
	  true },
	{ F, 64, VHD_CURRENT_SIZE, VHD_SIZE_MAX + 512, ERR_DAMAGED,
	  "is out of range", true },
	{ F, 64, VHD_CURRENT_SIZE, DISK + 1024, ERR_DAMAGED,
	  "block table of 3 entries is too small", true },
	{ F, 8, VHD_SAVED, 1, ERR_UNSUPPORTED, "saved state", false },
	{ F, 64, VHD_DATA_OFFSET, 0, ERR_DAMAGED, "cannot be at 0", true },
	{ F, 64, VHD_DATA_OFFSET, FOOTER - 1023, ERR_DAMAGED, "cannot be at",
	  true },
	{ F, 64, VHD_DATA_OFFSET, UINT64_MAX, ERR_DAMAGED, "cannot be at",
	  true },
	{ F, 64, VHD_DATA_OFFSET, 1024, ERR_DAMAGED,
	  "no dynamic disk header at 1024", true },
	{ T, 32, VHD_TYPE, VHD_FIXED, ERR_DAMAGED, "cannot be told", true },
	{ T, 8, VHD_UUID, 0, ERR_DAMAGED, "say different things", true },
	{ T, 64, VHD_CURRENT_SIZE, 512, ERR_DAMAGED, "different things", true },
	{ H, 32, VHD_HEADER_VERSION, 0x30001, ERR_UNSUPPORTED,
	  "header version 3.1", true },
	{ H, 32, VHD_BLOCK_SIZE, 3 * 4096, ERR_DAMAGED, "block size 12288",
	  true },
	{ H, 32, VHD_BLOCK_SIZE, 256, ERR_DAMAGED, "block size 256", true },
	{ H, 32, VHD_BLOCK_SIZE, 0, ERR_DAMAGED, "block size 0", true },
	{ H, 32, VHD_BLOCK_SIZE, 0x80000000, ERR_DAMAGED, "past the end",
	  true },
	{ H, 32, VHD_TABLE_ENTRIES, 2, ERR_DAMAGED, "of 2 entries", true },
	{ H, 32, VHD_TABLE_ENTRIES, UINT32_MAX, ERR_DAMAGED,
	  "lies past the end of the data", true },
	{ H, 64, VHD_TABLE_OFFSET, FOOTER - 8, ERR_DAMAGED,
	  "block table at 11768", true },
	{ H, 64, VHD_TABLE_OFFSET, UINT64_MAX - 1, ERR_DAMAGED,
	  "lies past the end", true },
	{ H, 64, VHD_TABLE_OFFSET, 1024, ERR_DAMAGED, "overlaps the header",
	  true },
	{ H, 64, VHD_TABLE_OFFSET, 0, ERR_DAMAGED, "overlaps the header",
	  true },
	{ B, 32, TABLE, 0, ERR_DAMAGED, "block 0 at 0 (4608 bytes) overlaps",
	  true },
	{ B, 32, TABLE, 2, ERR_DAMAGED, "overlaps the header", true },
	{ B, 32, TABLE, 3, ERR_DAMAGED, "overlaps the header or the block",
	  true },
	{ B, 32, TABLE, BLOCK_2 / 512 + 1, ERR_DAMAGED, "past the end of the",
	  true },
	{ B, 32, TABLE + 4, 0xfffffffe, ERR_DAMAGED, "block 1 at", true },
	{ B, 32, VHD_SUM, 0, ERR_DAMAGED, "(checksum)", true },
	{ B, 8, 0, 0, ERR_DAMAGED, "is missing", true },
	{ B, 8, 511, 7, ERR_DAMAGED, "(checksum)", true },
	{ B, 8, 512 + 900, 7, ERR_DAMAGED, "of the dynamic disk header", true },
	{ B, 8, FOOTER + 90, 7, ERR_DAMAGED, "its copy at the start is sound",
	  true },
	{ B, 8, FOOTER, 0, ERR_DAMAGED, "a sound copy at its start", true },
};

static void put(struct image *image, const struct patch *patch)
{
	static const size_t bases[] = { FOOTER, FOOTER, 512, 0 };
	unsigned char *at = image->bytes + bases[patch->where] + patch->at;

	if (patch->width == 64)
		bytes_put_be64(at, patch->value);
	else if (patch->width == 32)
		bytes_put_be32(at, (uint32_t)patch->value);
	else
		*at = (unsigned char)patch->value;
	if (patch->where == F || patch->where == H)
		seal_all(image);
	else if (patch->where == T)
		seal(image->bytes + FOOTER, 512, VHD_SUM);
}

static void test_bad(void)
{
	for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
		const struct patch *patch = &patches[i];
		unsigned char got[DISK + BLOCK];
		struct image image;
		struct err err;
		uint64_t size;

		make(&image);
		put(&image, patch);
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), -1);
		CHECK_EQ(err.kind, patch->kind);
		CHECK(strstr(err.message, patch->message));
		if (!strstr(err.message, patch->message))
			fprintf(stderr, "%zu: %s\n", i, err.message);
		CHECK_EQ(checked(&image, NULL) > 0, patch->found);
	}
}

/* Cut anywhere, it is refused. */
static void test_cuts(void)
{
	for (size_t cut = 0; cut < FILE_LEN - 1; cut += cut < 3000 ? 1 : 97) {
		unsigned char got[DISK];
		struct image image;
		struct err err;
		uint64_t size;

		make(&image);
		image.len = cut;
		CHECK_EQ(read_all(&image, got, &size, NULL, &err), -1);
		CHECK_EQ(err.kind, ERR_DAMAGED);
		CHECK(checked(&image, NULL) > 0);
	}
}

/* What a check finds and reading does not mind. */
static void test_findings(void)
{
	struct image image;
	uint64_t leaks;

	make(&image); /* a block nobody has any more */
	bytes_put_be32(image.bytes + TABLE + 8, UINT32_MAX);
	CHECK_EQ(checked(&image, &leaks), 0);
	CHECK_EQ(leaks, 1);
	make(&image); /* two that are one */
	bytes_put_be32(image.bytes + TABLE + 4, BLOCK_0 / 512);
	CHECK_EQ(checked(&image, &leaks), 1);
	make(&image); /* a table longer than the disk, and used there */
	bytes_put_be32(image.bytes + 512 + VHD_TABLE_ENTRIES, 4);
	bytes_put_be32(image.bytes + TABLE + 8, UINT32_MAX);
	bytes_put_be32(image.bytes + TABLE + 12, BLOCK_2 / 512);
	seal_all(&image);
	CHECK_EQ(checked(&image, &leaks), 0);
	CHECK_EQ(leaks, 1);
	make_fixed(&image, 2048); /* more stored than there is */
	bytes_put_be64(image.bytes + 2048 + VHD_CURRENT_SIZE, 1024);
	seal_all(&image);
	CHECK_EQ(checked(&image, &leaks), 0);
	CHECK_EQ(leaks, 1);
	make_fixed(&image, 5120); /* a geometry that is none of this size */
	memcpy(image.bytes + 5120 + VHD_CREATOR, "vpc ", 4);
	image.bytes[5120 + VHD_CYLINDERS + 1] = 1;
	image.bytes[5120 + VHD_HEADS] = image.bytes[5120 + VHD_TRACK] = 2;
	seal_all(&image);
	CHECK_EQ(checked(&image, &leaks), 1);
}

/* ---- parents ---- */

static struct image parent_image;
static char asked[256];
static const char *there; /* the name that leads to the parent */

static struct disk *fake_open(struct references *references, const char *name,
			      const char *format, struct source **source,
			      struct err *err)
{
	CHECK_STR(format, "vhd");
	snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%s;",
		 name);
	if (strcmp(name, there)) {
		err_set(err, ERR_NO_INPUT, "no such file");
		return NULL;
	}
	return open_image(source, &parent_image, references, err);
}

static struct references fake = { .open_disk = fake_open };

static void put_locator(struct image *image, unsigned slot, const char *code,
			const void *name, size_t len)
{
	unsigned char *entry =
		image->bytes + 512 + VHD_LOCATORS + slot * VHD_LOCATOR_LEN;
	size_t at = LOCATOR + slot * 64;

	memcpy(entry, code, 4);
	bytes_put_be32(entry + VHD_LOCATOR_DATA_LEN, (uint32_t)len);
	bytes_put_be64(entry + VHD_LOCATOR_OFFSET, at);
	memcpy(image->bytes + at, name, len);
}

static void put_utf16(struct image *image, unsigned slot, const char *code,
		      const char *name)
{
	unsigned char wide[128] = { 0 };

	for (size_t i = 0; name[i]; i++)
		wide[2 * i] = (unsigned char)name[i];
	put_locator(image, slot, code, wide, 2 * strlen(name));
}

static void make_child(struct image *image)
{
	make(image);
	bytes_put_be32(image->bytes + FOOTER + VHD_TYPE, VHD_DIFFERENCING);
	memset(image->bytes + 512 + VHD_PARENT_UUID, 0x11, 16);
	seal_all(image);
}

static void check_asked(struct image *child, const char *wanted)
{
	unsigned char got[DISK];
	struct err err;
	uint64_t size;

	seal_all(child);
	*asked = 0;
	there = "none";
	CHECK_EQ(read_all(child, got, &size, &fake, &err), -1);
	CHECK_STR(asked, wanted);
}

static void test_names(void)
{
	static const char url[] = "file://localhost/a%20dir/my%20p.vhd";
	/* U+00E9, U+1F600, half a pair. */
	static const unsigned char wide[] = { 0xe9, 0,	  0x3d, 0xd8,
					      0x00, 0xde, 0,	0xd8 };
	struct image child;
	struct err err;
	unsigned char got[DISK];
	uint64_t size;

	make_child(&child);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK(strstr(err.message, "does not name it"));
	child.bytes[512 + VHD_PARENT_NAME + 1] = 'p';
	put_utf16(&child, 0, "W2ku", "C:\\vm\\p2.vhd");
	put_utf16(&child, 1, "W2ru", ".\\sub\\p1.vhd");
	put_locator(&child, 2, "MacX", url, strlen(url));
	put_locator(&child, 3, "Wi2r", "..\\p3", 5);
	put_locator(&child, 4, "Wi2k", "D:p4", 4);
	put_locator(&child, 5, "Mac ", "alias", 5);
	check_asked(&child, "sub/p1.vhd;../p3;my p.vhd;p2.vhd;p4;p;");
	make_child(&child);
	put_locator(&child, 0, "W2ru", wide, sizeof wide);
	check_asked(&child, "\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd;");
	/* Refused at once when nothing may be followed. */
	CHECK_EQ(read_all(&child, got, &size, NULL, &err), -1);
	CHECK_EQ(err.kind, ERR_REFUSED);
	CHECK(strstr(err.message, "--allow-references"));
	/* But its facts can be seen. */
	struct open_options options = { .metadata_only = true };
	struct source *source AUTO_SOURCE =
		files_memory_source(child.bytes, child.len);
	struct disk *disk AUTO_DISK = driver_vhd.open(source, &options, &err);
	struct facts *facts AUTO_FREE = mem_zalloc(sizeof *facts);
	bool named = false;

	CHECK(disk);
	disk_info(disk, facts);
	for (unsigned i = 0; i < facts->count; i++)
		named |= !strcmp(facts->fact[i].name, "backing-file");
	CHECK(named);
	CHECK_EQ(checked(&child, NULL), 0);
	/* Outside the file, or too long. */
	bytes_put_be64(child.bytes + 512 + VHD_LOCATORS + VHD_LOCATOR_OFFSET,
		       UINT64_MAX);
	seal_all(&child);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	bytes_put_be32(child.bytes + 512 + VHD_LOCATORS + VHD_LOCATOR_DATA_LEN,
		       UINT32_MAX);
	seal_all(&child);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK_EQ(err.kind, ERR_LIMIT);
}

static void test_parent(void)
{
	unsigned char got[DISK];
	struct image child;
	struct err err;
	uint64_t size;

	make(&parent_image);
	memset(parent_image.bytes + BLOCK_0 + 512, 'p', BLOCK);
	make_child(&child);
	put_utf16(&child, 0, "W2ru", "p.vhd");
	child.bytes[BLOCK_0] = 0x96; /* 10010110 */
	bytes_put_be32(child.bytes + TABLE + 8, UINT32_MAX);
	seal_all(&child);
	there = "p.vhd";
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(got[i * 512 + 99], "appapaap"[i]);
	CHECK(!got[BLOCK] && got[2 * BLOCK] == 'c');
	/* Not the one; made anew; damaged. */
	memset(child.bytes + 512 + VHD_PARENT_UUID, 0x12, 16);
	seal_all(&child);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "not its parent"));
	memset(child.bytes + 512 + VHD_PARENT_UUID, 0x11, 16);
	bytes_put_be32(child.bytes + 512 + VHD_PARENT_TIME, 1000);
	seal_all(&child);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), 0);
	bytes_put_be32(parent_image.bytes + FOOTER + VHD_TIME, 1001);
	seal_all(&parent_image);
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK(strstr(err.message, "made anew"));
	parent_image.bytes[FOOTER + 99] = 1;
	CHECK_EQ(read_all(&child, got, &size, &fake, &err), -1);
	CHECK(strstr(err.message, "parent p.vhd: checksum"));
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
	test_bad();
	test_cuts();
	test_findings();
	test_names();
	test_parent();
	test_walk();
	test_peek();
	return check_result();
}
