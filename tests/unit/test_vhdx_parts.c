/* SPDX-License-Identifier: MIT */
/* The small parts of the VHDX driver: checksum, GUIDs, UTF-16, and the parent
 * locator with each field wrong. */
#include "vhdx_image.h"
#include "formats/crc32c.h"

static void test_crc(void)
{
	/* The check value of the CRC catalogues, and RFC 3720, B.4. */
	static const unsigned char zeros[32];

	CHECK_EQ(crc32c_bytes(0, "123456789", 9), 0xe3069283);
	CHECK_EQ(crc32c_bytes(0, zeros, sizeof zeros), 0x8a9136aa);
	CHECK_EQ(crc32c_bytes(crc32c_bytes(0, "1234", 4), "56789", 5),
		 0xe3069283);
	CHECK_EQ(crc32c_bytes(0, "", 0), 0);
}

static void test_guid(void)
{
	static const unsigned char bat[VHDX_GUID_LEN] = VHDX_REGION_BAT;
	static const char *const wrong[] = {
		"", "{}", "2dc27766-f623-4200-9d64-115e9bfd4a0",
		"{2dc27766-f623-4200-9d64-115e9bfd4a08",
		"2dc27766+f623-4200-9d64-115e9bfd4a08",
		"2dc27766-f623-4200-9d64-115e9bfd4a0g"
	};
	unsigned char guid[VHDX_GUID_LEN];
	char text[VHDX_GUID_TEXT_LEN];

	CHECK_STR(vhdx_guid_text(bat, text),
		  "2dc27766-f623-4200-9d64-115e9bfd4a08");
	CHECK(vhdx_guid_parse("{2DC27766-F623-4200-9D64-115E9BFD4A08}", guid));
	CHECK(!memcmp(guid, bat, sizeof guid));
	CHECK(vhdx_guid_parse(text, guid));
	CHECK(!memcmp(guid, bat, sizeof guid));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!vhdx_guid_parse(wrong[i], guid));
}

static void test_utf8(void)
{
	/* a, LATIN SMALL LETTER O WITH DIAERESIS, EURO SIGN, a violin clef */
	static const unsigned char good[] = { 'a',  0,	  0xf6, 0,    0xac,
					      0x20, 0x34, 0xd8, 0x1e, 0xdd };
	static const unsigned char half[] = { 0x34, 0xd8, 'a', 0 };
	static const unsigned char low[] = { 0x1e, 0xdd };
	char out[32];

	CHECK(vhdx_utf8(good, sizeof good, out, sizeof out));
	CHECK_STR(out, "a\xc3\xb6\xe2\x82\xac\xf0\x9d\x84\x9e");
	CHECK(!vhdx_utf8(good, sizeof good, out, 8));
	CHECK(!vhdx_utf8(good, 3, out, sizeof out));
	CHECK(!vhdx_utf8(good, 8, out, sizeof out));
	CHECK(!vhdx_utf8(half, sizeof half, out, sizeof out));
	CHECK(!vhdx_utf8(low, sizeof low, out, sizeof out));
	CHECK(vhdx_utf8(good, 0, out, sizeof out));
	CHECK_STR(out, "");
}

#define LOCATOR_LEN 1024

struct locator {
	unsigned char bytes[LOCATOR_LEN];
	size_t len;
};

static void put_text(struct locator *locator, unsigned entry, bool value,
		     const char *text)
{
	unsigned char *at = locator->bytes + VHDX_LOCATOR_FIRST +
			    entry * (size_t)VHDX_LOCATOR_ENTRY_LEN;

	bytes_put_le32(at + (value ? 4 : 0), (uint32_t)locator->len);
	bytes_put_le16(at + (value ? 10 : 8), (uint16_t)(2 * strlen(text)));
	for (; *text; text++) {
		bytes_put_le16(locator->bytes + locator->len,
			       (unsigned char)*text);
		locator->len += 2;
	}
}

/* Pairs of key and value, ended by NULL. */
static void make(struct locator *locator, const char *const *pairs)
{
	static const unsigned char type[VHDX_GUID_LEN] = VHDX_LOCATOR_TYPE;
	uint16_t count = 0;

	memset(locator, 0, sizeof *locator);
	while (pairs[2 * count])
		count++;
	memcpy(locator->bytes, type, sizeof type);
	bytes_put_le16(locator->bytes + VHDX_LOCATOR_COUNT, count);
	locator->len = VHDX_LOCATOR_FIRST +
		       count * (size_t)VHDX_LOCATOR_ENTRY_LEN;
	for (unsigned i = 0; i < count; i++) {
		put_text(locator, i, false, pairs[2 * i]);
		put_text(locator, i, true, pairs[2 * i + 1]);
	}
}

#define LINKAGE "parent_linkage", "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}"

static void test_names(void)
{
	static const struct {
		const char *pairs[9];
		const char *name;
	} rows[] = {
		{ { LINKAGE, "relative_path", "..\\a b\\p.vhdx" },
		  "../a b/p.vhdx" },
		{ { LINKAGE, "absolute_win32_path", "\\\\?\\d:\\x\\p.vhdx",
		    "relative_path", ".\\q.vhdx" },
		  "./q.vhdx" },
		{ { LINKAGE, "absolute_win32_path", "d:\\x\\p.vhdx" },
		  "p.vhdx" },
		{ { LINKAGE, "volume_path", "\\\\?\\Volume{1}\\v.vhdx",
		    "absolute_win32_path", "d:\\x\\p.vhdx" },
		  "v.vhdx" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vhdx_locator *out = mem_zalloc(sizeof *out);
		struct locator locator;
		struct err err = { 0 };

		make(&locator, rows[i].pairs);
		CHECK_EQ(vhdx_locator_parse(locator.bytes, locator.len, out,
					    &err),
			 0);
		CHECK_STR(out->name, rows[i].name);
		CHECK_EQ(out->linkages, 1);
		free(out);
	}
}

static void test_locator_refused(void)
{
	static const struct {
		const char *pairs[9];
		unsigned width;
		size_t at;
		uint32_t value;
		const char *message;
	} rows[] = {
		{ { "relative_path", "a" }, 0, 0, 0, "has no parent_linkage" },
		{ { LINKAGE }, 0, 0, 0, "names no file" },
		{ { LINKAGE, "relative_path", "" }, 0, 0, 0, "names no file" },
		{ { "parent_linkage", "{83ed}", "relative_path", "a" },
		  0, 0, 0, "is not a GUID" },
		{ { LINKAGE, "relative_path", "a" }, 32, 0, 1,
		  "parent locator type" },
		{ { LINKAGE, "relative_path", "a" }, 16, VHDX_LOCATOR_COUNT,
		  60000, "has no room for its 60000 entries" },
		{ { LINKAGE, "relative_path", "a" }, 32,
		  VHDX_LOCATOR_FIRST + VHDX_LOCATOR_KEY_OFFSET, 0xffffffff,
		  "lies outside" },
		{ { LINKAGE, "relative_path", "a" }, 32,
		  VHDX_LOCATOR_FIRST + VHDX_LOCATOR_VALUE_OFFSET, 2000,
		  "lies outside" },
		{ { LINKAGE, "relative_path", "a" }, 16,
		  VHDX_LOCATOR_FIRST + VHDX_LOCATOR_VALUE_LENGTH, 0xffff,
		  "lies outside" },
		{ { LINKAGE, "relative_path", "a" }, 16,
		  VHDX_LOCATOR_FIRST + VHDX_LOCATOR_VALUE_LENGTH, 75,
		  "is not UTF-16" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vhdx_locator *out = mem_zalloc(sizeof *out);
		struct locator locator;
		struct err err = { 0 };

		make(&locator, rows[i].pairs);
		if (rows[i].width == 32)
			bytes_put_le32(locator.bytes + rows[i].at,
				       rows[i].value);
		else if (rows[i].width == 16)
			bytes_put_le16(locator.bytes + rows[i].at,
				       (uint16_t)rows[i].value);
		CHECK_EQ(vhdx_locator_parse(locator.bytes, locator.len, out,
					    &err),
			 -1);
		if (!strstr(err.message, rows[i].message))
			CHECK_STR(err.message, rows[i].message);
		/* However short. */
		for (size_t len = 0; len < locator.len; len++)
			CHECK_EQ(vhdx_locator_parse(locator.bytes, len, out,
						    &err),
				 -1);
		free(out);
	}
}

int main(void)
{
	test_crc();
	test_guid();
	test_utf8();
	test_names();
	test_locator_refused();
	return check_result();
}
