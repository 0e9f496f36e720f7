/* SPDX-License-Identifier: MIT */
/* VMA: an archive of one extent written field by field; what its disks are
 * read as, and each field wrong in turn under checksums that are right. */
#include "base/bytes.h"
#include "io/digest.h"
#include "tests/unit/two_faces.h"

extern const struct driver driver_vma;

#define BLOCK 4096
#define CLUSTER 65536
#define BLOBS 12288
#define HEAD_LEN (BLOBS + 512)
#define EXTENT HEAD_LEN
#define DATA (EXTENT + 512)
#define DEVICE(number) (4096 + 32 * (number))
#define INFO(number) (EXTENT + 40 + 8 * (number))
#define LEN (DATA + 4 * BLOCK)
#define SIZE (2 * CLUSTER + 5000) /* its end is in a block */

static unsigned char archive[LEN];
static unsigned char out[4 * CLUSTER];
static struct faces faces = { .driver = &driver_vma,
			      .bytes = archive,
			      .len = LEN,
			      .out = out,
			      .room = sizeof out };

static size_t put_name(size_t at, const char *name)
{
	size_t len = strlen(name) + 1;

	/* The one number that is little-endian. */
	bytes_put_le16(archive + BLOBS + at, (uint16_t)len);
	memcpy(archive + BLOBS + at + 2, name, len);
	return at + 2 + len;
}

/* Which blocks of a cluster are stored; the device, and which it is. */
static void put_info(unsigned number, unsigned mask, unsigned device,
		     uint32_t cluster)
{
	bytes_put_be16(archive + INFO(number), (uint16_t)mask);
	archive[INFO(number) + 3] = (unsigned char)device;
	bytes_put_be32(archive + INFO(number) + 4, cluster);
}

static void put_md5(size_t from, size_t len, size_t at)
{
	struct digest *digest = digest_open_md5();

	memset(archive + from + at, 0, DIGEST_MD5_LEN);
	digest_add(digest, archive + from, len);
	digest_get(digest, archive + from + at);
	digest_close(digest);
}

static void seal(void)
{
	put_md5(0, HEAD_LEN, 32);
	put_md5(EXTENT, 512, 24);
}

/* Clusters 2, 0 and 1 of "scsi0" in this order, and the machine's state
 * between. */
static void make(void)
{
	size_t at = 1; /* 0 is no name */

	memset(archive, 0, LEN);
	memcpy(archive, "VMA\0\0\0\0\1some identifier!", 24);
	bytes_put_be32(archive + 48, BLOBS);
	bytes_put_be32(archive + 52, 512);
	bytes_put_be32(archive + 56, HEAD_LEN);
	bytes_put_be32(archive + DEVICE(1), (uint32_t)at);
	bytes_put_be64(archive + DEVICE(1) + 8, SIZE);
	at = put_name(at, "scsi0");
	bytes_put_be32(archive + DEVICE(7), (uint32_t)at);
	bytes_put_be64(archive + DEVICE(7) + 8, CLUSTER);
	put_name(at, "vmstate");
	memcpy(archive + EXTENT, "VMAE", 4);
	bytes_put_be16(archive + EXTENT + 6, 4);
	memcpy(archive + EXTENT + 8, archive + 8, 16);
	put_info(0, 3, 1, 2); /* blocks 0 and 1 */
	put_info(1, 1, 7, 0);
	put_info(2, 1 << 15, 1, 0);
	put_info(3, 0, 1, 1);
	for (unsigned i = 0; i < 4; i++)
		memset(archive + DATA + i * BLOCK, "bbxa"[i], BLOCK);
	seal();
}

static void test_good(void)
{
	unsigned char *want = mem_zalloc(SIZE);

	make();
	memset(want + 15 * BLOCK, 'a', BLOCK);
	memset(want + 2 * CLUSTER, 'b', 5000);
	for (int face = 0; face < 3; face++) {
		struct err err = { .message = "" };

		memset(out, '#', sizeof out);
		if (face ? faces_walk(&faces, face == 1 ? 100000 : 300,
				      FACES_UNIT, &err)
			 : faces_disk(&faces, &err))
			CHECK_STR(err.message, "no error");
		CHECK_EQ(faces.size, SIZE);
		CHECK(!memcmp(out, want, SIZE));
	}
	/* The state is no disk. */
	faces.member = "vmstate";
	faces_refuse(&faces, ERR_USAGE, "has no disk vmstate; it has 0 scsi0");
	faces.member = NULL;
	free(want);
}

static const struct spoilt {
	size_t at;
	unsigned len;
	uint64_t value;
	enum err_kind kind;
	const char *words;
} spoilt[] = {
	{ 0, 1, 'v', ERR_DAMAGED, "no magic at 0" },
	{ 4, 4, 2, ERR_UNSUPPORTED, "version 2 is not 1" },
	{ 56, 4, HEAD_LEN + 1, ERR_DAMAGED, "in steps of 512" },
	{ 56, 4, 512, ERR_DAMAGED, "in steps of 512" },
	{ 56, 4, 0x40000000, ERR_LIMIT, "the header" },
	{ 48, 4, BLOBS - 1, ERR_DAMAGED, "do not lie in the header's" },
	{ 48, 4, HEAD_LEN, ERR_DAMAGED, "do not lie in the header's" },
	{ 52, 4, UINT32_MAX, ERR_DAMAGED, "do not lie in the header's" },
	{ DEVICE(1), 4, 511, ERR_DAMAGED, "a name at 511 lies past" },
	{ DEVICE(1), 4, UINT32_MAX, ERR_DAMAGED, "lies past the blobs'" },
	{ DEVICE(1), 4, 0, ERR_UNSUPPORTED, "holds no disk" },
	{ BLOBS + 1, 1, 255, ERR_NONE, "" }, /* the name ends before */
	{ BLOBS + 2, 1, 2, ERR_DAMAGED, "a name of 518 bytes at 1 lies" },
	{ BLOBS + 1, 1, 0, ERR_UNSUPPORTED, "name has 0 bytes" },
	{ BLOBS + 3, 1, 0, ERR_UNSUPPORTED, "name has 0 bytes" },
	{ DEVICE(1) + 8, 8, UINT64_MAX, ERR_LIMIT, "above the limit" },
	{ EXTENT, 1, 'v', ERR_DAMAGED, "no extent at 12800" },
	{ EXTENT + 6, 2, 3, ERR_DAMAGED, "has 3 blocks, but its clusters 4" },
	{ EXTENT + 8, 1, 'S', ERR_DAMAGED, "is of another archive" },
	{ INFO(0) + 4, 4, 3, ERR_DAMAGED, "a cluster at 196608 lies past" },
	{ INFO(0), 2, 5, ERR_DAMAGED, "a block at 139264 lies past" },
	{ INFO(3) + 4, 4, 0, ERR_DAMAGED, "stored twice" },
	{ INFO(3) + 3, 1, 0, ERR_DAMAGED, "" }, /* cluster 1 is missing */
};

static void test_spoilt(void)
{
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		const struct spoilt *one = &spoilt[i];

		make();
		for (unsigned b = 0; b < one->len; b++)
			archive[one->at + b] =
				(unsigned char)(one->value >>
						8 * (one->len - 1 - b));
		seal();
		if (one->kind != ERR_NONE) {
			faces_refuse(&faces, one->kind, one->words);
			continue;
		}
		struct err err = { .message = "" };
		CHECK(!faces_disk(&faces, &err));
		CHECK(!faces_walk(&faces, 100000, FACES_UNIT, &err));
	}
}

static void test_long_name(void)
{
	char name[300];

	make();
	memset(name, 'n', sizeof name);
	name[64] = '\0';
	put_name(100, name);
	bytes_put_be32(archive + DEVICE(1), 100);
	seal();
	faces_refuse(&faces, ERR_UNSUPPORTED, "a device's name has");
}

int main(void)
{
	test_good();
	test_spoilt();
	test_long_name();
	return check_result();
}
