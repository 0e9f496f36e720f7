/* SPDX-License-Identifier: MIT */
/*
 * Units for formats/gpt: tables built field by field for both sector sizes,
 * moved to larger and smaller ends and looked at again; hostile headers; what
 * is in use; and, where sgdisk is installed, its word on tables it made and
 * this code moved.
 */
#include <stdbool.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "formats/crc32.h"
#include "formats/gpt.h"
#include "tests/unit/check.h"

#define ENTRIES 128
#define ENTRY 128

/* A disk in memory; `ss` sectors, partitions in entries 1 and 3. */
struct toy {
	unsigned char *bytes;
	uint64_t size;
	uint32_t ss;
};

static void seal(unsigned char *header)
{
	bytes_put_le32(header + 16, 0);
	bytes_put_le32(header + 16,
		       crc32_bytes(0, header, bytes_le32(header + 12)));
}

static void toy_header(struct toy *t, uint64_t my, uint64_t other,
		       uint64_t entries)
{
	unsigned char *h = t->bytes + my * t->ss;
	uint64_t table = ENTRIES * ENTRY / t->ss;

	memcpy(h, "EFI PART", 8);
	bytes_put_le32(h + 8, 0x10000);
	bytes_put_le32(h + 12, 92);
	bytes_put_le64(h + 24, my);
	bytes_put_le64(h + 32, other);
	bytes_put_le64(h + 40, 2 + table);
	bytes_put_le64(h + 48, t->size / t->ss - table - 2);
	memset(h + 56, 0xD1, 16);
	bytes_put_le64(h + 72, entries);
	bytes_put_le32(h + 80, ENTRIES);
	bytes_put_le32(h + 84, ENTRY);
	bytes_put_le32(h + 88, crc32_bytes(0, t->bytes + entries * t->ss,
					   ENTRIES * ENTRY));
	seal(h);
}

static void toy_partition(unsigned char *entries, unsigned number,
			  uint64_t first, uint64_t last)
{
	unsigned char *e = entries + ENTRY * (number - 1);

	memset(e, 0xA0 + (int)number, 32); /* type and own GUID */
	bytes_put_le64(e + 32, first);
	bytes_put_le64(e + 40, last);
}

static struct toy toy_make(uint32_t ss, uint64_t size)
{
	struct toy t = { calloc(1, size), size, ss };
	uint64_t last = size / ss - 1, table = ENTRIES * ENTRY / ss;
	unsigned char *mbr = t.bytes + 446;

	mbr[4] = 0xEE;
	bytes_put_le32(mbr + 8, 1);
	bytes_put_le32(mbr + 12, (uint32_t)last);
	bytes_put_le16(t.bytes + 510, 0xAA55);
	toy_partition(t.bytes + 2 * ss, 1, 64, 79);
	toy_partition(t.bytes + 2 * ss, 3, 80, 99);
	memcpy(t.bytes + (last - table) * ss, t.bytes + 2 * ss,
	       ENTRIES * ENTRY);
	toy_header(&t, 1, last, 2);
	toy_header(&t, last, 1, last - table);
	return t;
}

static size_t toy_head(const struct toy *t)
{
	return t->size < GPT_HEAD_LEN ? t->size : GPT_HEAD_LEN;
}

static void toy_read(const struct toy *t, struct gpt *gpt)
{
	gpt_read(t->bytes, toy_head(t), t->bytes + t->size - 8192, 8192,
		 t->size, gpt);
}

/* Moved to `size`, as a caller would do it. */
static int toy_move(struct toy *t, uint64_t size, struct err *err)
{
	struct gpt_patch patches[GPT_PATCHES];
	struct gpt gpt;
	unsigned count;

	toy_read(t, &gpt);
	if (gpt_move_backup(t->bytes, toy_head(t), &gpt, size, patches, &count,
			    err) < 0) {
		CHECK_EQ(count, 0);
		return -1;
	}
	t->bytes = realloc(t->bytes, size);
	if (size > t->size)
		memset(t->bytes + t->size, 0, size - t->size);
	t->size = size;
	for (unsigned i = 0; i < count; i++) {
		CHECK(patches[i].offset + patches[i].len <= size);
		memcpy(t->bytes + patches[i].offset, patches[i].bytes,
		       patches[i].len);
	}
	gpt_patches_free(patches, count);
	return 0;
}

static void test_crc(void)
{
	CHECK_EQ(crc32_bytes(0, "123456789", 9), 0xCBF43926);
	CHECK_EQ(crc32_bytes(crc32_bytes(0, "1234", 4), "56789", 5),
		 0xCBF43926);
	CHECK_EQ(crc32_bytes(0, "", 0), 0);
}

static void test_read(uint32_t ss)
{
	struct toy t = toy_make(ss, 1000 * (uint64_t)ss);
	struct gpt gpt;
	uint64_t last = 999ull * ss;

	toy_read(&t, &gpt);
	CHECK_EQ(gpt.state, GPT_AT_END);
	CHECK_EQ(gpt.sector_size, ss);
	CHECK_EQ(gpt.backup_offset, last);
	CHECK_EQ(gpt.last_used, 100ull * ss);
	CHECK_EQ(gpt.entries_offset, 2ull * ss);
	CHECK_EQ(gpt.entries_len, ENTRIES * ENTRY);
	/* Without a tail the primary is believed; not about the size. */
	gpt_read(t.bytes, GPT_HEAD_LEN, NULL, 0, t.size, &gpt);
	CHECK_EQ(gpt.state, GPT_AT_END);
	gpt_read(t.bytes, GPT_HEAD_LEN, NULL, 0, 0, &gpt);
	CHECK_EQ(gpt.state, GPT_AT_END);
	gpt_read(t.bytes, GPT_HEAD_LEN, NULL, 0, t.size + ss, &gpt);
	CHECK_EQ(gpt.state, GPT_STALE);
	/* Each byte of the backup header counts. */
	for (size_t i = 0; i < 92; i++) {
		t.bytes[last + i] ^= 1;
		toy_read(&t, &gpt);
		CHECK_EQ(gpt.state, GPT_STALE);
		t.bytes[last + i] ^= 1;
	}
	/* So does each of the primary header and its table. */
	for (size_t i = 8; i < 92; i++) {
		t.bytes[ss + i] ^= 1;
		toy_read(&t, &gpt);
		CHECK_EQ(gpt.state, GPT_DAMAGED);
		t.bytes[ss + i] ^= 1;
	}
	t.bytes[2 * ss + 5000] ^= 1;
	toy_read(&t, &gpt);
	CHECK_EQ(gpt.state, GPT_DAMAGED);
	t.bytes[2 * ss + 5000] ^= 1;
	t.bytes[ss] = 0;
	toy_read(&t, &gpt);
	CHECK_EQ(gpt.state, GPT_NONE);
	free(t.bytes);
}

static void test_move(uint32_t ss)
{
	static const unsigned sectors[] = { 2000, 1000, 300, 1001 };
	struct toy t = toy_make(ss, 1000 * (uint64_t)ss);
	unsigned char entries[ENTRIES * ENTRY];
	uint64_t space = 16384 / ss;
	struct err err;
	struct gpt gpt;

	memcpy(entries, t.bytes + 2 * ss, sizeof entries);
	for (unsigned i = 0; i < 4; i++) {
		/* An odd end: the last whole sector counts. */
		uint64_t size = (uint64_t)sectors[i] * ss + (i == 3 ? 77 : 0);
		uint64_t last = size / ss - 1;

		CHECK_EQ(toy_move(&t, size, &err), 0);
		toy_read(&t, &gpt);
		CHECK_EQ(gpt.state, GPT_AT_END);
		CHECK_EQ(gpt.backup_offset, last * ss);
		CHECK_EQ(gpt.last_usable, (last - space - 1) * ss);
		CHECK(!memcmp(entries, t.bytes + 2 * ss, sizeof entries));
		CHECK(!memcmp(entries, t.bytes + (last - space) * ss,
			      sizeof entries));
		CHECK_EQ(bytes_le32(t.bytes + 446 + 12), last);
		CHECK_EQ(t.bytes[ss + 56], 0xD1);
	}
	/* Partition 3 ends with sector 99: 100 + table + header is least. */
	CHECK_EQ(toy_move(&t, (100 + space) * ss, &err), -1);
	CHECK_EQ(err.kind, ERR_REFUSED);
	CHECK(strstr(err.message, "partition 3"));
	CHECK_EQ(toy_move(&t, (100 + space + 1) * ss, &err), 0);
	CHECK_EQ(toy_move(&t, 0, &err), -1);
	CHECK_EQ(toy_move(&t, UINT64_MAX, &err), -1);
	CHECK_EQ(err.kind, ERR_LIMIT);
	t.bytes[ss + 40] ^= 1;
	CHECK_EQ(toy_move(&t, 1000 * (uint64_t)ss, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	free(t.bytes);
}

/* An entry that protects only the space before real ones is left alone; one
 * too large for 32 bits says so. */
static void test_mbr(void)
{
	struct toy t = toy_make(512, 1000 * 512);
	struct gpt_patch patches[GPT_PATCHES];
	struct gpt gpt;
	struct err err;
	unsigned count;

	toy_read(&t, &gpt);
	CHECK_EQ(gpt_move_backup(t.bytes, GPT_HEAD_LEN, &gpt, 4 * TIB, patches,
				 &count, &err),
		 0);
	CHECK_EQ(count, 4);
	CHECK_EQ(patches[0].offset, 0);
	CHECK_EQ(bytes_le32(patches[0].bytes + 446 + 12), UINT32_MAX);
	gpt_patches_free(patches, count);
	bytes_put_le32(t.bytes + 446 + 12, 63);
	t.bytes[446 + 16 + 4] = 0x0C;
	bytes_put_le32(t.bytes + 446 + 16 + 8, 64);
	bytes_put_le32(t.bytes + 446 + 16 + 12, 16);
	CHECK_EQ(gpt_move_backup(t.bytes, GPT_HEAD_LEN, &gpt, 4 * TIB, patches,
				 &count, &err),
		 0);
	CHECK_EQ(count, 3);
	CHECK_EQ(patches[0].offset, 512);
	gpt_patches_free(patches, count);
	free(t.bytes);
}

/* Fields that no table can have, under a right checksum. */
static void test_hostile(void)
{
	static const struct {
		unsigned at, len;
		uint64_t value;
	} row[] = {
		{ 12, 4, 91 },	       { 12, 4, 513 },
		{ 12, 4, UINT32_MAX }, { 24, 8, 2 },
		{ 32, 8, 0 },	       { 32, 8, UINT64_MAX },
		{ 40, 8, UINT64_MAX }, { 40, 8, 3 },
		{ 48, 8, UINT64_MAX }, { 48, 8, 1 },
		{ 48, 8, 98 }, /* before the last partition's end */
		{ 72, 8, 0 },	       { 72, 8, 1 },
		{ 72, 8, UINT64_MAX }, { 72, 8, UINT64_MAX / 512 },
		{ 80, 4, 0 },	       { 80, 4, UINT32_MAX },
		{ 84, 4, 0 },	       { 84, 4, 127 },
		{ 84, 4, 384 },	       { 84, 4, 0x80000000 },
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct toy t = toy_make(512, 1000 * 512);
		unsigned char *h = t.bytes + 512;
		const char *what;
		struct gpt gpt;

		if (row[i].len == 4)
			bytes_put_le32(h + row[i].at, (uint32_t)row[i].value);
		else
			bytes_put_le64(h + row[i].at, row[i].value);
		if (bytes_le32(h + 12) <= 512)
			seal(h);
		toy_read(&t, &gpt);
		if (gpt.state != GPT_DAMAGED)
			fprintf(stderr, "row %zu\n", i);
		CHECK_EQ(gpt.state, GPT_DAMAGED);
		/* The protective entry still covers the disk. */
		CHECK_EQ(gpt_used_end(t.bytes, GPT_HEAD_LEN, &what),
			 1000 * 512);
		free(t.bytes);
	}
	/* Any length of head, to the byte. */
	struct toy t = toy_make(4096, 1000 * 4096);

	for (size_t len = 0; len < 25000; len += len < 8200 ? 1 : 501) {
		unsigned char *cut = malloc(len ? len : 1);
		struct gpt gpt;

		memcpy(cut, t.bytes, len);
		gpt_read(cut, len, NULL, 0, t.size, &gpt);
		CHECK(gpt.state == (len < 8192		 ? GPT_NONE
				    : len < 8192 + 16384 ? GPT_DAMAGED
							 : GPT_AT_END));
		free(cut);
	}
	free(t.bytes);
}

/* ---- in use ---- */

static unsigned char disk[128 * 1024];

static void check_used(uint64_t end, const char *title)
{
	const char *what;

	CHECK_EQ(gpt_used_end(disk, sizeof disk, &what), end);
	if (title)
		CHECK(what && strstr(what, title));
	else
		CHECK(!what);
	memset(disk, 0, sizeof disk);
}

static void put_partition(size_t sector, unsigned i, unsigned type,
			  uint32_t start, uint32_t len)
{
	unsigned char *e = disk + sector * 512 + 446 + 16 * i;

	e[4] = (unsigned char)type;
	bytes_put_le32(e + 8, start);
	bytes_put_le32(e + 12, len);
	bytes_put_le16(disk + sector * 512 + 510, 0xAA55);
}

static void test_used(void)
{
	struct toy t = toy_make(512, 1000 * 512);
	const char *what;

	CHECK_EQ(gpt_used_end(t.bytes, GPT_HEAD_LEN, &what), 100 * 512);
	CHECK(strstr(what, "GUID"));
	free(t.bytes);
	check_used(0, NULL);
	put_partition(0, 0, 0x83, 2048, 1000);
	put_partition(0, 1, 0x83, UINT32_MAX, UINT32_MAX);
	check_used(2 * (uint64_t)UINT32_MAX * 512, "MBR");
	/* Logical partitions, one of which leaves its container; the chain
	 * ends at a link to itself. */
	put_partition(0, 0, 0x05, 50, 100);
	put_partition(50, 0, 0x83, 1, 9);
	put_partition(50, 1, 0x05, 20, 30);
	put_partition(70, 0, 0x83, 1, 999);
	put_partition(70, 1, 0x05, 20, 30);
	check_used((70 + 1 + 999) * 512, "MBR");
	memcpy(disk + 1080, "\x53\xEF", 2); /* ext: 1024 blocks of 4096 */
	bytes_put_le32(disk + 1024, 16);
	bytes_put_le32(disk + 1028, 1024);
	bytes_put_le32(disk + 1048, 2);
	check_used(1024 * 4096, "ext");
	memcpy(disk, "XFSB", 4);
	bytes_put_be32(disk + 4, 4096);
	bytes_put_be64(disk + 8, 777);
	check_used(777 * 4096, "XFS");
	memcpy(disk, "XFSB", 4);
	bytes_put_be32(disk + 4, 4096);
	bytes_put_be64(disk + 8, UINT64_MAX / 2);
	check_used(UINT64_MAX, "XFS");
	memcpy(disk + 65600, "_BHRfS_M", 8);
	bytes_put_le64(disk + 65536 + 0xc9 + 8, 5 << 20);
	check_used(5 << 20, "btrfs");
	memcpy(disk, "\xEB\x52\x90NTFS    ", 11);
	bytes_put_le16(disk + 11, 512);
	bytes_put_le64(disk + 40, 4095);
	bytes_put_le16(disk + 510, 0xAA55);
	check_used(4096 * 512, "NTFS");
	memcpy(disk, "LUKS\xba\xbe\0\2", 8);
	check_used(UINT64_MAX, "LUKS");
	memcpy(disk + 512, "LABELONE", 8);
	bytes_put_le32(disk + 512 + 20, 32);
	memcpy(disk + 512 + 24, "LVM2 001", 8);
	bytes_put_le64(disk + 512 + 32 + 32, 9 << 20);
	check_used(9 << 20, "LVM2");
	memcpy(disk + 4086, "SWAPSPACE2", 10);
	bytes_put_le32(disk + 1028, 255);
	check_used(256 * 4096, "swap");
	memcpy(disk + 32768, "\1CD001\1", 7);
	bytes_put_le32(disk + 32768 + 80, 100);
	bytes_put_le16(disk + 32768 + 128, 2048);
	check_used(100 * 2048, "ISO");
	memcpy(disk, "hsqs", 4);
	bytes_put_le32(disk + 12, 131072);
	bytes_put_le16(disk + 28, 4);
	bytes_put_le64(disk + 40, 12345);
	check_used(12345, "squashfs");
}

/* ---- against another program ---- */

static char image[64];

/* What `sgdisk OPTIONS IMAGE` says; "" when it fails. */
static char *sgdisk(const char *options)
{
	static char text[16384];
	char command[512];
	size_t len;
	FILE *f;

	snprintf(command, sizeof command,
		 "PATH=$PATH:/usr/sbin:/sbin sgdisk %s %s 2>&1", options,
		 image);
	f = popen(command, "r");
	len = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[len] = 0;
	if (f && pclose(f))
		text[0] = 0;
	return text;
}

static void file_load(struct toy *t, int fd)
{
	t->size = (uint64_t)lseek(fd, 0, SEEK_END);
	t->bytes = malloc(t->size);
	t->ss = 512;
	CHECK_EQ(pread(fd, t->bytes, t->size, 0), t->size);
}

static void file_store(const struct toy *t, int fd)
{
	CHECK_EQ(ftruncate(fd, (off_t)t->size), 0);
	CHECK_EQ(pwrite(fd, t->bytes, t->size, 0), t->size);
}

/* Partition 1's unique GUID line, to be freed. */
static char *guid_line(unsigned number)
{
	char option[16], *line;

	snprintf(option, sizeof option, "-i %u", number);
	line = strstr(sgdisk(option), "Partition unique GUID");
	CHECK(line != NULL);
	return strndup(line ? line : "", line ? strcspn(line, "\n") : 0);
}

static void test_sgdisk(void)
{
	static const uint64_t sizes[] = { 16 * MIB, 64 * MIB + 512, 6 * MIB,
					  8 * MIB + 100 };
	struct toy t;
	struct err err;
	int fd;

	snprintf(image, sizeof image, "/tmp/imgconv-test-gpt-XXXXXX");
	fd = mkstemp(image);
	CHECK(fd >= 0 && !ftruncate(fd, 8 * MIB));
	if (!sgdisk("-n 1:2048:4095 -n 5:4096:8191")[0]) {
		printf("skipped in part: no sgdisk\n");
		goto out;
	}
	for (unsigned i = 0; i < 4; i++) {
		char *before[2] = { guid_line(1), guid_line(5) }, *after;

		file_load(&t, fd);
		CHECK_EQ(toy_move(&t, sizes[i], &err), 0);
		file_store(&t, fd);
		free(t.bytes);
		CHECK(strstr(sgdisk("-v"), "No problems found"));
		after = guid_line(1);
		CHECK_STR(before[0], after);
		free(after);
		after = guid_line(5);
		CHECK_STR(before[1], after);
		free(after);
		free(before[0]);
		free(before[1]);
	}
	file_load(&t, fd);
	CHECK_EQ(toy_move(&t, 4 * MIB, &err), -1);
	CHECK(strstr(err.message, "partition 5"));
	free(t.bytes);
out:
	close(fd);
	unlink(image);
}

int main(void)
{
	test_crc();
	test_read(512);
	test_read(4096);
	test_move(512);
	test_move(4096);
	test_mbr();
	test_hostile();
	test_used();
	test_sgdisk();
	return check_result();
}
