/* SPDX-License-Identifier: MIT */
/* Parents of VHDs: by which names they are looked for, whose sectors are
 * whose, and which parent is the right one. */
#include "vhd_image.h"

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

static void check_asked(struct image *child, const char *wanted)
{
	unsigned char got[DISK];
	struct err err;
	uint64_t size = 0;

	seal_all(child);
	*asked = 0;
	there = "none";
	CHECK_EQ(read_all(child, got, &size, &fake, &err), -1);
	CHECK_STR(asked, wanted);
}

static void test_names(void)
{
	static const char url[] = "file://localhost/a%20dir/my%20p.vhd";
	static const char odd[] = "file:///x/%C3%a9%zz%00%4";
	/* U+00E9, U+1F600, half a pair. */
	static const unsigned char wide[] = { 0xe9, 0,	  0x3d, 0xd8,
					      0x00, 0xde, 0,	0xd8 };
	struct image child;
	struct err err;
	unsigned char got[DISK];
	uint64_t size = 0;

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
	/* In the header it stands big-endian: half a pair, a pair. */
	make_child(&child);
	memcpy(child.bytes + 512 + VHD_PARENT_NAME, "\xd8\0\0a\xd8\x3d\xde\0\0",
	       10);
	check_asked(&child, "\xef\xbf\xbd"
			    "a\xf0\x9f\x98\x80;");
	/* What is no byte in hexadecimal, or ends a name, is left as it is. */
	make_child(&child);
	put_locator(&child, 0, "MacX", odd, strlen(odd));
	check_asked(&child, "\xc3\xa9%zz%00%4;");
	make_child(&child);
	put_locator(&child, 0, "W2ru", wide, sizeof wide);
	seal_all(&child);
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
	uint64_t size = 0;

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

int main(void)
{
	test_names();
	test_parent();
	return check_result();
}
