/* SPDX-License-Identifier: MIT */
/* The look at a zip's table, at archives written field by field: the members
 * of one are found again where they lie, with 32 and with 64 bits. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/archives/zip_entry.h"
#include "io/files.h"
#include "tests/unit/check.h"

#define ROOM 4096
#define SIZE 100u /* of each member */

/* Two members, "a" and "b"; what is wrong or unusual, by its place. */
struct recipe {
	bool big;		/* what can be 64 bits wide is */
	bool other_field;	/* in front of these 64 bits */
	size_t field_less;	/* bytes of them that are missing */
	size_t comment, behind; /* bytes of zeros */
	uint16_t flags, method;
	size_t packed_more; /* than the size says */
};

struct zip {
	unsigned char bytes[ROOM];
	size_t len;
	size_t data[2], central, end64, locator, end;
};

static void put(struct zip *zip, const void *bytes, size_t len)
{
	if (bytes)
		memcpy(zip->bytes + zip->len, bytes, len);
	zip->len += len;
}

static void put_local(struct zip *zip, const struct recipe *recipe, int which)
{
	unsigned char *p = zip->bytes + zip->len;

	memcpy(p, "PK\3\4", 4);
	bytes_put_le16(p + 6, recipe->flags);
	bytes_put_le16(p + 8, recipe->method);
	bytes_put_le16(p + 26, 1);
	bytes_put_le16(p + 28, 7);
	zip->len += 30;
	put(zip, which ? "b" : "a", 1);
	put(zip, "extra..", 7);
	zip->data[which] = zip->len;
	memset(zip->bytes + zip->len, 'a' + which, SIZE);
	zip->len += SIZE;
}

static void put_entry(struct zip *zip, const struct recipe *recipe, int which)
{
	unsigned char *p = zip->bytes + zip->len;
	size_t local = zip->data[which] - 30 - 1 - 7;
	size_t extra = recipe->big ? 4 + 24 + (recipe->other_field ? 9 : 0) : 0;
	uint32_t full = UINT32_MAX;

	memcpy(p, "PK\1\2", 4);
	bytes_put_le16(p + 8, recipe->flags);
	bytes_put_le16(p + 10, recipe->method);
	bytes_put_le32(p + 16, 1000 + (uint32_t)which); /* for a CRC-32 */
	bytes_put_le32(p + 20, recipe->big
				       ? full
				       : SIZE + (uint32_t)recipe->packed_more);
	bytes_put_le32(p + 24, recipe->big ? full : SIZE);
	bytes_put_le16(p + 28, 1);
	bytes_put_le16(p + 30, (uint16_t)(extra - recipe->field_less));
	bytes_put_le16(p + 32, 3); /* a comment of its own */
	bytes_put_le32(p + 42, recipe->big ? full : (uint32_t)local);
	zip->len += 46;
	put(zip, which ? "b" : "a", 1);
	if (recipe->other_field && recipe->big)
		put(zip, "\x55\x54\5\0.....", 9);
	if (recipe->big) {
		p = zip->bytes + zip->len;
		bytes_put_le16(p, 1);
		bytes_put_le16(p + 2, (uint16_t)(24 - recipe->field_less));
		bytes_put_le64(p + 4, SIZE);
		bytes_put_le64(p + 12, SIZE + recipe->packed_more);
		bytes_put_le64(p + 20, local);
		zip->len += 4 + 24 - recipe->field_less;
	}
	put(zip, "...", 3);
}

static void put_ends(struct zip *zip, const struct recipe *recipe)
{
	size_t len = zip->len - zip->central;
	unsigned char *p;

	if (recipe->big) {
		zip->end64 = zip->len;
		p = zip->bytes + zip->len;
		memcpy(p, "PK\6\6", 4);
		bytes_put_le64(p + 32, 2);
		bytes_put_le64(p + 40, len);
		bytes_put_le64(p + 48, zip->central);
		zip->len += 56;
		zip->locator = zip->len;
		p = zip->bytes + zip->len;
		memcpy(p, "PK\6\7", 4);
		bytes_put_le64(p + 8, zip->end64);
		zip->len += 20;
	}
	zip->end = zip->len;
	p = zip->bytes + zip->len;
	memcpy(p, "PK\5\6", 4);
	bytes_put_le16(p + 10, recipe->big ? UINT16_MAX : 2);
	bytes_put_le32(p + 12, recipe->big ? UINT32_MAX : (uint32_t)len);
	bytes_put_le32(p + 16,
		       recipe->big ? UINT32_MAX : (uint32_t)zip->central);
	bytes_put_le16(p + 20, (uint16_t)recipe->comment);
	zip->len += 22 + recipe->comment + recipe->behind;
}

static void make(struct zip *zip, const struct recipe *recipe)
{
	memset(zip, 0, sizeof *zip);
	put_local(zip, recipe, 0);
	put_local(zip, recipe, 1);
	zip->central = zip->len;
	put_entry(zip, recipe, 0);
	put_entry(zip, recipe, 1);
	put_ends(zip, recipe);
}

/* Which members are found as stored: bit 0 the first, bit 1 the second. */
static int stored(const struct zip *zip)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(zip->bytes, zip->len);
	int result = 0;

	for (int i = 0; i < 2; i++) {
		struct err err = { .message = "" };
		uint32_t crc = 0;
		bool found;

		if (zip_entry_stored(source, zip->data[i], SIZE, &found, &crc,
				     &err))
			CHECK_STR(err.message, "no error");
		if (found)
			CHECK_EQ(crc, 1000 + i);
		result |= found << i;
		/* Neither one byte further on, nor of another length. */
		CHECK(!zip_entry_stored(source, zip->data[i] + 1, SIZE, &found,
					&crc, &err));
		CHECK(!found);
		CHECK(!zip_entry_stored(source, zip->data[i], SIZE - 1, &found,
					&crc, &err));
		CHECK(!found);
	}
	return result;
}

static bool has_table(const struct zip *zip)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(zip->bytes, zip->len);
	struct err err = { .kind = ERR_NONE };
	bool has = !zip_entry_table(source, &err);

	CHECK_EQ(err.kind, has ? ERR_NONE : ERR_DAMAGED);
	return has;
}

static void test_found(void)
{
	static const struct recipe good[] = {
		{ .big = false },
		{ .comment = 70 },
		{ .behind = 5 },
		{ .big = true },
		{ .big = true, .other_field = true, .comment = 1 },
	};
	struct zip zip;

	for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
		make(&zip, &good[i]);
		CHECK_EQ(stored(&zip), 3);
		CHECK(has_table(&zip));
	}
	/* The comment holds what looks like an end whose comment is longer
	 * than what is left. */
	make(&zip, &good[1]);
	memcpy(zip.bytes + zip.end + 30, "PK\5\6", 4);
	bytes_put_le16(zip.bytes + zip.end + 50, 1000);
	CHECK_EQ(stored(&zip), 3);
}

static void test_others(void)
{
	static const struct recipe bad[] = {
		{ .method = 8 },   /* compressed */
		{ .flags = 1 },	   /* encrypted */
		{ .flags = 0x40 }, /* strongly */
		{ .packed_more = 12 },
		{ .big = true, .packed_more = 12 },
		{ .big = true, .field_less = 8 },
	};
	struct zip zip;

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		make(&zip, &bad[i]);
		CHECK_EQ(stored(&zip), 0);
		CHECK(has_table(&zip));
	}
}

/* One field after the other, of both widths. */
static void test_fields(void)
{
	const struct recipe small = { .big = false }, big = { .big = true };
	struct zip zip;

	/* The first entry's mark: where the next one is is not known then. */
	make(&zip, &small);
	zip.bytes[zip.central] = 'p';
	CHECK_EQ(stored(&zip), 0);
	/* Its header in the archive. */
	make(&zip, &small);
	zip.bytes[0] = 'p';
	CHECK_EQ(stored(&zip), 2);
	make(&zip, &small);
	zip.bytes[26] += 2; /* a longer name: data begin elsewhere */
	CHECK_EQ(stored(&zip), 2);
	/* One member fewer. */
	make(&zip, &small);
	zip.bytes[zip.end + 10] = 1;
	CHECK_EQ(stored(&zip), 1);
	/* A table that begins, or ends, past the file. */
	make(&zip, &small);
	bytes_put_le32(zip.bytes + zip.end + 16, ROOM);
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
	/* No end at all. */
	make(&zip, &small);
	zip.bytes[zip.end] = 'p';
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
	make(&zip, &small);
	zip.len = 21;
	CHECK(!has_table(&zip));

	make(&zip, &big);
	zip.bytes[zip.end64] = 'p';
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
	make(&zip, &big);
	bytes_put_le64(zip.bytes + zip.locator + 8, UINT64_MAX);
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
	/* Without the locator the numbers mean what they say. */
	make(&zip, &big);
	zip.bytes[zip.locator] = 'p';
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
	/* An extra field that is longer than all of them. */
	make(&zip, &big);
	bytes_put_le16(zip.bytes + zip.central + 46 + 1 + 2, 100);
	CHECK_EQ(stored(&zip), 2);
}

/* An end and nothing else has no room for a locator. */
static void test_empty(void)
{
	struct zip zip = { .len = 22 };

	memcpy(zip.bytes, "PK\5\6", 4);
	CHECK(has_table(&zip));
	bytes_put_le16(zip.bytes + 10, UINT16_MAX);
	CHECK_EQ(stored(&zip), 0);
	CHECK(!has_table(&zip));
}

int main(void)
{
	test_found();
	test_others();
	test_fields();
	test_empty();
	return check_result();
}
