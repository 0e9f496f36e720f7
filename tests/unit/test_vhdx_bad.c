/* SPDX-License-Identifier: MIT */
/* Malformed VHDX images: each is refused, by the right kind of error and with
 * a message that names what was found; what is tolerated reads as it was. */
#include "vhdx_image.h"

static const struct guest guest = { .size = 5 * MIB, .group = 16 * KIB };

struct patch {
	unsigned width; /* of the field, bits */
	size_t at;
	uint64_t value;
	enum err_kind kind;  /* ERR_NONE: reads as it was */
	const char *message; /* a part of it */
};

#define HEADER VHDX_HEADER_2
#define REGION(n) (VHDX_REGIONS_1 + 16 + (n)*32)
#define LOCATOR_FLAG (IMAGE_ITEMS + 4)

static const struct patch patches[] = {
	{ 64, 0, 0, ERR_DAMAGED, "no signature \"vhdxfile\"" },
	/* Header 2 is the current one. */
	{ 16, HEADER + VHDX_VERSION, 2, ERR_UNSUPPORTED, "version 2 is not" },
	{ 16, HEADER + VHDX_LOG_VERSION, 1, ERR_NONE, "" },
	/* Two that are the same to the last byte. */
	{ 64, HEADER + VHDX_SEQUENCE, 1, ERR_NONE, "" },
	{ 64, HEADER + VHDX_SEQUENCE, 0, ERR_NONE, "" },
	{ 64, HEADER + VHDX_LOG_OFFSET, 0, ERR_DAMAGED,
	  "log of 1048576 bytes at 0: at least" },
	{ 64, HEADER + VHDX_LOG_OFFSET, MIB + 4096, ERR_DAMAGED,
	  "is not in whole MiB" },
	{ 32, HEADER + VHDX_LOG_LENGTH, 4096, ERR_DAMAGED,
	  "is not in whole MiB" },
	{ 64, HEADER + VHDX_LOG_OFFSET, 1ULL << 60, ERR_DAMAGED,
	  "lies past the end of the file" },
	{ 64, HEADER + VHDX_LOG_OFFSET, (uint64_t)0 - MIB, ERR_DAMAGED,
	  "lies past the end of the file" },
	{ 64, HEADER + VHDX_LOG_OFFSET, IMAGE_BAT, ERR_DAMAGED,
	  "overlaps the log" },
	{ 64, HEADER + VHDX_LOG_GUID, 1, ERR_DAMAGED,
	  "no valid sequence of them" },
	/* Regions: the BAT's, and the metadata's. */
	{ 64, REGION(0) + VHDX_REGION_OFFSET, 512, ERR_DAMAGED,
	  "is not in whole MiB" },
	{ 64, REGION(0) + VHDX_REGION_OFFSET, 0, ERR_DAMAGED,
	  "overlaps the headers" },
	{ 64, REGION(0) + VHDX_REGION_OFFSET, 1ULL << 63, ERR_DAMAGED,
	  "lies past the end of the file" },
	{ 64, REGION(0) + VHDX_REGION_OFFSET, MIB, ERR_DAMAGED,
	  "overlaps the log" },
	{ 64, REGION(1) + VHDX_REGION_OFFSET, IMAGE_BAT, ERR_DAMAGED,
	  "overlaps another" },
	{ 32, REGION(0) + VHDX_REGION_LENGTH, 0, ERR_DAMAGED,
	  "is not in whole MiB" },
	{ 32, REGION(0) + VHDX_REGION_LENGTH, 0xfff00000, ERR_DAMAGED,
	  "lies past the end of the file" },
	{ 32, REGION(0), 0, ERR_UNSUPPORTED, "is not known, but required" },
	{ 32, VHDX_REGIONS_1 + VHDX_REGIONS_COUNT, 1, ERR_DAMAGED,
	  "no metadata region" },
	{ 32, VHDX_REGIONS_1 + VHDX_REGIONS_COUNT, 0, ERR_DAMAGED,
	  "no BAT region" },
	/* Too many entries: that copy is no table, the other one is. */
	{ 32, VHDX_REGIONS_1 + VHDX_REGIONS_COUNT, 2048, ERR_NONE, "" },
	/* Metadata. */
	{ 64, IMAGE_METADATA, 1, ERR_DAMAGED, "no signature \"metadata\"" },
	{ 16, IMAGE_METADATA + VHDX_METADATA_COUNT, 2048, ERR_DAMAGED,
	  "2048 entries, at most 2047" },
	{ 16, IMAGE_METADATA + VHDX_METADATA_COUNT, 4, ERR_DAMAGED,
	  "has no virtual disk id" },
	{ 16, IMAGE_METADATA + VHDX_METADATA_COUNT, 0, ERR_DAMAGED,
	  "has no file parameters" },
	{ 32, IMAGE_ITEM(0), 0, ERR_UNSUPPORTED, "is not known, but required" },
	{ 32, IMAGE_ITEM(0) + VHDX_METADATA_OFFSET, 0, ERR_DAMAGED,
	  "does not lie in its region" },
	{ 32, IMAGE_ITEM(1) + VHDX_METADATA_OFFSET, 0xffffffff, ERR_DAMAGED,
	  "does not lie in its region" },
	{ 32, IMAGE_ITEM(1) + VHDX_METADATA_OFFSET, MIB - 4, ERR_DAMAGED,
	  "does not lie in its region" },
	{ 32, IMAGE_ITEM(1) + VHDX_METADATA_LENGTH, MIB + 1, ERR_DAMAGED,
	  "does not lie in its region" },
	{ 32, IMAGE_ITEM(1) + VHDX_METADATA_LENGTH, 4, ERR_DAMAGED,
	  "virtual disk size has 4 bytes, 8 are needed" },
	{ 32, IMAGE_ITEMS, 0, ERR_DAMAGED, "block size 0 is not" },
	{ 32, IMAGE_ITEMS, 512 * 1024, ERR_DAMAGED, "block size 524288" },
	{ 32, IMAGE_ITEMS, 3 << 20, ERR_DAMAGED, "block size 3145728" },
	{ 32, IMAGE_ITEMS, 512 << 20, ERR_DAMAGED, "block size 536870912" },
	{ 64, IMAGE_ITEMS + 8, (64ULL << 40) + 512, ERR_DAMAGED,
	  "is more than 64 TiB" },
	{ 64, IMAGE_ITEMS + 8, 1000, ERR_DAMAGED, "not in whole sectors" },
	{ 64, IMAGE_ITEMS + 8, 64ULL << 40, ERR_DAMAGED,
	  "has no room for the 67125247 entries" },
	{ 32, IMAGE_ITEMS + 16, 1024, ERR_DAMAGED, "logical sector size 1024" },
	{ 32, IMAGE_ITEMS + 20, 0, ERR_DAMAGED, "physical sector size 0" },
	{ 32, LOCATOR_FLAG, VHDX_HAS_PARENT, ERR_DAMAGED,
	  "has a parent, but no parent locator" },
	/* The BAT. */
	{ 64, IMAGE_BAT, 4, ERR_DAMAGED, "block 0 has the reserved state 4" },
	{ 64, IMAGE_BAT, 5, ERR_DAMAGED, "block 0 has the reserved state 5" },
	{ 64, IMAGE_BAT + 8, IMAGE_BLOCKS | VHDX_BLOCK_PARTIAL, ERR_DAMAGED,
	  "block 1 is partially present, but the disk has no parent" },
	{ 64, IMAGE_BAT, IMAGE_BLOCKS | 1 << 10 | VHDX_BLOCK_PRESENT,
	  ERR_DAMAGED, "reserved bits" },
	{ 64, IMAGE_BAT, VHDX_BLOCK_PRESENT, ERR_DAMAGED,
	  "block 0 at 0 overlaps the headers" },
	{ 64, IMAGE_BAT, MIB | VHDX_BLOCK_PRESENT, ERR_DAMAGED,
	  "block 0 at 1048576 overlaps the log" },
	{ 64, IMAGE_BAT, IMAGE_METADATA | VHDX_BLOCK_PRESENT, ERR_DAMAGED,
	  "overlaps a region" },
	{ 64, IMAGE_BAT, 9 * MIB | VHDX_BLOCK_PRESENT, ERR_DAMAGED,
	  "block 0 at 9437184 lies past the end of the file" },
	{ 64, IMAGE_BAT, VHDX_OFFSET_MASK | VHDX_BLOCK_PRESENT, ERR_DAMAGED,
	  "lies past the end of the file" },
};

static void put(struct image *image, const struct patch *patch)
{
	unsigned char *at = image->bytes + patch->at;

	if (patch->width == 64)
		bytes_put_le64(at, patch->value);
	else if (patch->width == 32)
		bytes_put_le32(at, (uint32_t)patch->value);
	else
		bytes_put_le16(at, (uint16_t)patch->value);
	/* The second region table is the first, but where only one is meant
	 * to be wrong. */
	if (patch->at >= VHDX_REGIONS_1 && patch->at < VHDX_REGIONS_2 &&
	    patch->kind)
		memcpy(image->bytes + VHDX_REGIONS_2,
		       image->bytes + VHDX_REGIONS_1, VHDX_REGIONS_LEN);
	image_seal_all(image);
}

static void test_fields(void)
{
	for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
		const struct patch *patch = &patches[i];
		struct image image = image_make(&guest, "block_size=1M");
		struct check_report report = { 0 };
		struct open_options options = { 0 };
		struct err err = { 0 };
		uint64_t size;

		put(&image, patch);
		if (patch->kind == ERR_NONE) {
			image_same(&image, &guest);
		} else {
			CHECK(!image_read(&image, &size, &err));
			CHECK_EQ(err.kind, patch->kind);
			if (!strstr(err.message, patch->message))
				CHECK_STR(err.message, patch->message);
		}
		/* A check finds it, too, or cannot look further. */
		struct source *source =
			files_memory_source(image.bytes, image.len);
		int failed = driver_vhdx.check(source, &options, &report, &err);

		if (patch->kind != ERR_NONE)
			CHECK(failed || report.corruptions);
		source_close(source);
		free(image.bytes);
	}
}

static void test_good(void)
{
	static const char *const some[] = { "", "block_size=1M",
					    "subformat=fixed",
					    "block_state_zero=off",
					    "log_size=3M" };

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct image image = image_make(&guest, some[i]);

		image_same(&image, &guest);
		free(image.bytes);
	}
}

/* Which of two different headers of one number is the current one? */
static void test_same_number(void)
{
	struct image image = image_make(&guest, "block_size=1M");
	struct err err = { 0 };
	uint64_t size;

	bytes_put_le64(image.bytes + HEADER + VHDX_SEQUENCE, 1);
	image.bytes[HEADER + VHDX_DATA_WRITE_GUID] ^= 1;
	image_seal_all(&image);
	CHECK(!image_read(&image, &size, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "both headers have sequence number 1"));
	free(image.bytes);
}

/* However short: an error, never zeros. */
static void test_cut(void)
{
	struct image image = image_make(&guest, "block_size=1M");
	size_t len = image.len;

	for (size_t cut = 0; cut < len; cut += cut < 400000 ? 7777 : 77777) {
		struct err err = { 0 };
		uint64_t size;

		image.len = cut;
		CHECK(!image_read(&image, &size, &err));
		CHECK_EQ(err.kind, ERR_DAMAGED);
	}
	image.len = len - 1;
	struct err err = { 0 };
	uint64_t size;

	CHECK(!image_read(&image, &size, &err));
	free(image.bytes);
}

/* Any byte of the structures may be any other: an answer, and no crash. */
static void test_noise(void)
{
	struct image image = image_make(&guest, "block_size=1M");

	for (unsigned i = 0; i < 400; i++) {
		static const size_t where[] = { HEADER, VHDX_REGIONS_1,
						IMAGE_METADATA, IMAGE_ITEMS,
						IMAGE_BAT };
		size_t at = where[i % 5] + guest_hash(i) % 90;
		unsigned char kept = image.bytes[at];
		struct err err = { 0 };
		uint64_t size;

		image.bytes[at] = (unsigned char)guest_hash(i + 1000);
		image_seal_all(&image);
		/* A disk of another size may be large: only looked at. */
		struct source *source =
			files_memory_source(image.bytes, image.len);
		struct open_options options = { 0 };
		struct disk *disk = driver_vhdx.open(source, &options, &err);
		struct extent extent;

		size = disk ? disk->size : 0;
		for (uint64_t to = 0; to < size && to < 64 * MIB;
		     to += extent.length)
			if (disk_extent(disk, to, size - to, &extent, &err))
				break;
		CHECK(disk || err.kind);
		disk_close(disk);
		source_close(source);
		image.bytes[at] = kept;
	}
	image_seal_all(&image);
	image_same(&image, &guest);
	free(image.bytes);
}

int main(void)
{
	test_good();
	test_fields();
	test_same_number();
	test_cut();
	test_noise();
	return check_result();
}
