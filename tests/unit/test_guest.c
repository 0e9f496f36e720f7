/* SPDX-License-Identifier: MIT */
/* Units for formats/guest: each file system and volume written field by field,
 * what it is called, where it is seen and how far it says it reaches; and what
 * falls short of one. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/guest.h"
#include "tests/unit/check.h"

#define LEN ((size_t)80 * 1024)

static unsigned char *head;

#define PUT(at, text) memcpy(head + (at), text, sizeof(text) - 1)

static void fresh(void)
{
	free(head);
	head = mem_zalloc(LEN);
}

/* Whether `name` is among what is found. */
static bool finds(const char *name, size_t len, struct guest *out)
{
	/* Of its own, that reading further is seen. */
	unsigned char *bytes = mem_zalloc(len ? len : 1);
	unsigned row = 0;
	bool found = false;

	memcpy(bytes, head, len);
	while (!found && guest_find(bytes, len, &row, out))
		found = !strcmp(out->name, name);
	free(bytes);
	return found;
}

/* `name` with this end, also where no byte is there that it does not need; and
 * not with one byte less, nor without the byte at `kill`. */
static void expect(const char *name, size_t needs, uint64_t end, size_t kill)
{
	struct guest guest;

	if (!finds(name, LEN, &guest))
		CHECK_STR("", name);
	CHECK_EQ(guest.end, end);
	CHECK(guest.at < needs && *guest.evidence);
	CHECK(finds(name, needs, &guest));
	CHECK_EQ(guest.end, end);
	CHECK(!finds(name, needs - 1, &guest));
	head[kill] ^= 0x55;
	CHECK(!finds(name, LEN, &guest));
	fresh();
}

static void put_boot(const char *name)
{
	memcpy(head + 3, name, 8);
	bytes_put_le16(head + 510, 0xAA55);
}

static void test_windows(void)
{
	put_boot("NTFS    ");
	bytes_put_le16(head + 11, 512);
	bytes_put_le64(head + 40, 204799);
	expect("ntfs", 512, 204800 * 512, 3);
	put_boot("NTFS    ");
	expect("ntfs", 512, GUEST_TO_THE_END, 510);
	put_boot("NTFS    ");
	bytes_put_le16(head + 11, 512);
	bytes_put_le64(head + 40, UINT64_MAX);
	expect("ntfs", 512, GUEST_TO_THE_END, 511);
	put_boot("-FVE-FS-");
	expect("bitlocker", 512, GUEST_TO_THE_END, 510);
	put_boot("EXFAT   ");
	head[108] = 12;
	bytes_put_le64(head + 72, 1000);
	expect("exfat", 512, 1000 * 4096, 5);
	put_boot("EXFAT   ");
	head[108] = 40; /* no sector is so large */
	bytes_put_le64(head + 72, 1000);
	expect("exfat", 512, GUEST_TO_THE_END, 5);
	PUT(3, "ReFS\0\0\0\0");
	bytes_put_le64(head + 24, 3000);
	bytes_put_le32(head + 32, 512);
	expect("refs", 512, 3000 * 512, 7);
}

static void test_apple(void)
{
	PUT(1024, "BD");
	bytes_put_be16(head + 1024 + 18, 100);
	bytes_put_be32(head + 1024 + 20, 4096);
	bytes_put_be16(head + 1024 + 28, 6);
	/* Behind the blocks two sectors, of which one is a copy. */
	expect("hfs", 1536, 6 * 512 + 100 * 4096 + 1024, 1024 + 23);
	/* Any multiple of 512 is a size of blocks. */
	PUT(1024, "BD");
	bytes_put_be16(head + 1024 + 18, 2);
	bytes_put_be32(head + 1024 + 20, 1536);
	expect("hfs", 1536, 2 * 1536 + 1024, 1024 + 23);
	PUT(1024, "H+\0\4");
	bytes_put_be32(head + 1024 + 40, 4096);
	bytes_put_be32(head + 1024 + 44, 500);
	expect("hfsplus", 1536, 500 * 4096, 1024 + 3);
	PUT(1024, "HX\0\5");
	bytes_put_be32(head + 1024 + 40, 4096);
	bytes_put_be32(head + 1024 + 44, 500);
	expect("hfsplus", 1536, 500 * 4096, 1025);
	PUT(32, "NXSB");
	bytes_put_le32(head + 36, 4096);
	bytes_put_le64(head + 40, 700);
	expect("apfs", 4096, 700 * 4096, 37);
	PUT(0, "ER\2\0\0\0\7\xd0"); /* 2000 blocks of 512 bytes */
	PUT(512, "PM");
	expect("apm", 1024, 2000 * 512, 2);
	PUT(0, "ER\x08\0\0\0\1\0"); /* 256 of 2048 */
	PUT(2048, "PM");
	expect("apm", 2048 + 512, 256 * 2048, 2048);
}

static void test_linux(void)
{
	bytes_put_le32(head + 1024, 0xF2F52010);
	bytes_put_le32(head + 1024 + 16, 12);
	bytes_put_le64(head + 1024 + 36, 300);
	expect("f2fs", 4096, 300 * 4096, 1024 + 16);
	bytes_put_le32(head + 1024, 0xE0F5E1E2);
	head[1024 + 12] = 12;
	bytes_put_le32(head + 1024 + 36, 77);
	expect("erofs", 2048, 77 * 4096, 1024 + 12);
	for (size_t at = 0; at <= 4096; at += 4096) {
		bytes_put_le32(head + at, 0xA92B4EFC);
		head[at + 4] = 1;
		bytes_put_le64(head + at + 128, 2048); /* where data begin */
		bytes_put_le64(head + at + 136, 9000);
		expect("mdraid", at + 256, 11048 * 512, at + 4);
	}
	bytes_put_le32(head, 0xA92B4EFC);
	head[4] = 1;
	bytes_put_le64(head + 128, UINT64_MAX);
	bytes_put_le64(head + 136, 9000);
	expect("mdraid", 256, GUEST_TO_THE_END, 4);
	PUT(65536 - 10, "SWAP-SPACE");
	bytes_put_le32(head + 1028, 9);
	expect("swap", 65536, 10 * 65536, 65536 - 1);
}

/* The header behind the label says how long the volume is. */
static void test_lvm(void)
{
	struct guest guest;

	for (size_t at = 0; at <= 1536; at += 512) {
		PUT(at, "LABELONE");
		bytes_put_le32(head + at + 20, 32); /* from the label */
		PUT(at + 24, "LVM2 001");
		bytes_put_le64(head + at + 32 + 32, 123456);
		CHECK(finds("lvm", at + 32 + 40, &guest));
		CHECK_EQ(guest.at, at);
		CHECK_EQ(guest.end, 123456);
		CHECK(finds("lvm", at + 32 + 39, &guest));
		CHECK_EQ(guest.end, GUEST_TO_THE_END);
		head[at + 31] = '2';
		CHECK(!finds("lvm", LEN, &guest));
		fresh();
	}
}

/* The sectors in front of the descriptor may tell of other standards. */
static void test_udf(void)
{
	struct guest guest;

	PUT(32768, "\0BEA01");
	PUT(34816, "\0NSR03");
	expect("udf", 36864, GUEST_TO_THE_END, 34816 + 3);
	PUT(32768, "\1CD001");
	PUT(34816, "\0BEA01");
	PUT(36864, "\0NSR02");
	CHECK(finds("udf", LEN, &guest));
	CHECK_EQ(guest.at, 36864);
	/* The sequence has ended before. */
	memset(head + 34816, 0, 6);
	CHECK(!finds("udf", LEN, &guest));
	fresh();
}

static void put_entry(size_t at, unsigned type, uint32_t start, uint32_t count)
{
	head[at + 4] = (unsigned char)type;
	bytes_put_le32(head + at + 8, start);
	bytes_put_le32(head + at + 12, count);
}

/* Logical partitions are a chain: each link from the first one's start, what
 * lies in it from the link itself. */
static void test_extended(void)
{
	struct guest guest;

	bytes_put_le16(head + 510, 0xAA55);
	put_entry(446, 0x83, 2, 8);
	put_entry(462, 0x05, 10, 60);
	bytes_put_le16(head + 10 * 512 + 510, 0xAA55);
	put_entry(10 * 512 + 446, 0x83, 2, 4);
	put_entry(10 * 512 + 462, 0x05, 20, 40);
	bytes_put_le16(head + 30 * 512 + 510, 0xAA55);
	put_entry(30 * 512 + 446, 0x83, 2, 100); /* past its container */
	CHECK(finds("mbr", LEN, &guest));
	CHECK_EQ(guest.end, 132 * 512);
	/* Back to itself: no way on, and no loop. */
	put_entry(10 * 512 + 462, 0x05, 0, 40);
	CHECK(finds("mbr", LEN, &guest));
	CHECK_EQ(guest.end, 70 * 512);
	put_entry(10 * 512 + 462, 0x05, 20, 40);
	head[30 * 512 + 510] = 0;
	CHECK(finds("mbr", LEN, &guest));
	CHECK_EQ(guest.end, 70 * 512);
	fresh();
}

int main(void)
{
	fresh();
	test_windows();
	test_apple();
	test_linux();
	test_lvm();
	test_udf();
	test_extended();
	free(head);
	return check_result();
}
