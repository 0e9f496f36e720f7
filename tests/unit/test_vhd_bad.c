/* SPDX-License-Identifier: MIT */
/* Malformed VHDs: each field wrong once, with the kind of error and a part of
 * its message; cut anywhere; what only a check finds. */
#include "vhd_image.h"

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

int main(void)
{
	test_bad();
	test_cuts();
	test_findings();
	return check_result();
}
