/* SPDX-License-Identifier: MIT */
/* Malformed qcow2 images: each is refused, by the right kind of error and
 * with a message that names what was found. */
#include "qcow2_image.h"

struct patch {
	unsigned version, width; /* of the field, bits */
	size_t at;
	uint64_t value;
	enum err_kind kind;
	const char *message; /* a part of it */
};

#define L2_AT(index) (IMAGE_L2 + (index)*8)

static const struct patch patches[] = {
	{ 3, 32, 0, 0x514649fc, ERR_DAMAGED, "magic 0x514649fc" },
	{ 3, 32, QCOW2_VERSION, 1, ERR_UNSUPPORTED, "version 1 is not" },
	{ 3, 32, QCOW2_VERSION, 4, ERR_UNSUPPORTED, "version 4 is not" },
	{ 3, 32, QCOW2_CLUSTER_BITS, 63, ERR_DAMAGED,
	  "cluster_bits 63 is out of range (9..21)" },
	{ 3, 32, QCOW2_CLUSTER_BITS, 8, ERR_DAMAGED, "cluster_bits 8 is" },
	{ 3, 32, QCOW2_CLUSTER_BITS, 22, ERR_DAMAGED, "cluster_bits 22 is" },
	{ 3, 64, QCOW2_SIZE, UINT64_MAX, ERR_LIMIT,
	  "size 18446744073709551615"
	  " is out of range" },
	{ 3, 64, QCOW2_SIZE, 1 << 20, ERR_DAMAGED,
	  "L1 table of 1 entries is "
	  "too small" },
	{ 2, 32, QCOW2_CRYPT, 1, ERR_UNSUPPORTED, "encrypted (AES)" },
	{ 3, 32, QCOW2_CRYPT, 2, ERR_UNSUPPORTED, "encrypted (LUKS)" },
	{ 3, 32, QCOW2_CRYPT, 3, ERR_DAMAGED, "crypt_method 3 is out of" },
	{ 3, 32, QCOW2_L1_ENTRIES, 0, ERR_DAMAGED, "L1 table of 0 entries" },
	{ 3, 32, QCOW2_L1_ENTRIES, UINT32_MAX, ERR_LIMIT,
	  "L1 table of 4294967295 entries is larger" },
	{ 3, 64, QCOW2_L1_OFFSET, 0, ERR_DAMAGED, "L1 table offset 0" },
	{ 3, 64, QCOW2_L1_OFFSET, IMAGE_L1 + 8, ERR_DAMAGED,
	  "L1 table offset 1544 is not a multiple" },
	{ 3, 64, QCOW2_L1_OFFSET, 1 << 20, ERR_DAMAGED,
	  "L1 table at 1048576 (8 bytes) lies past the end" },
	{ 3, 64, QCOW2_L1_OFFSET, 0xfffffffffffffe00, ERR_DAMAGED,
	  "lies past the end" },
	{ 3, 64, QCOW2_REFTABLE_OFFSET, 0, ERR_DAMAGED,
	  "refcount table offset 0" },
	{ 3, 64, QCOW2_REFTABLE_OFFSET, 513, ERR_DAMAGED,
	  "refcount table offset 513 is not" },
	{ 3, 64, QCOW2_REFTABLE_OFFSET, 1 << 20, ERR_DAMAGED,
	  "refcount table at 1048576" },
	{ 3, 32, QCOW2_REFTABLE_CLUSTERS, 0, ERR_DAMAGED,
	  "refcount_table_clusters 0 is out of range" },
	{ 3, 32, QCOW2_REFTABLE_CLUSTERS, UINT32_MAX, ERR_DAMAGED,
	  "refcount_table_clusters 4294967295" },
	{ 3, 32, QCOW2_SNAPSHOT_COUNT, 65537, ERR_DAMAGED,
	  "nb_snapshots 65537 is out of range (0..65536)" },
	{ 3, 32, QCOW2_SNAPSHOT_COUNT, 1, ERR_DAMAGED,
	  "snapshot table offset 0" },
	{ 3, 64, QCOW2_INCOMPATIBLE, QCOW2_INCOMPAT_CORRUPT, ERR_DAMAGED,
	  "qemu-img check -r" },
	{ 3, 64, QCOW2_INCOMPATIBLE, 1ULL << 40 | 1ULL << 5, ERR_UNSUPPORTED,
	  "unknown incompatible feature bit 5, 40" },
	{ 3, 64, QCOW2_INCOMPATIBLE, QCOW2_INCOMPAT_DATA_FILE, ERR_DAMAGED,
	  "does not name it" },
	{ 3, 64, QCOW2_INCOMPATIBLE, QCOW2_INCOMPAT_COMPRESSION, ERR_DAMAGED,
	  "compression type 0 does not agree" },
	{ 3, 64, QCOW2_INCOMPATIBLE, QCOW2_INCOMPAT_EXTENDED_L2, ERR_DAMAGED,
	  "cluster_bits 9 is out of range (14..21)" },
	{ 3, 32, QCOW2_REFCOUNT_ORDER, 7, ERR_DAMAGED,
	  "refcount_order 7 is out of range (0..6)" },
	{ 3, 32, QCOW2_HEADER_LEN, 100, ERR_DAMAGED, "header_length 100 is" },
	{ 3, 32, QCOW2_HEADER_LEN, 108, ERR_DAMAGED,
	  "header_length 108 is not a multiple of 8" },
	{ 3, 32, QCOW2_HEADER_LEN, 1024, ERR_DAMAGED, "header_length 1024 is" },
	{ 3, 64, QCOW2_BACKING_OFFSET, 400, ERR_UNSUPPORTED,
	  "the backing file's name is empty" },
	/* The low half of its offset, and its length: more than a cluster. */
	{ 3, 64, QCOW2_BACKING_LEN - 4, 200ULL << 32 | 600, ERR_DAMAGED,
	  "backing_file_size 600 is out of range (1..512)" },
	/* A header extension longer than the header. */
	{ 3, 64, QCOW2_V3_LEN, 0x12345678ffffffff, ERR_DAMAGED,
	  "header extension 0x12345678 of 4294967295 bytes" },
	{ 3, 64, QCOW2_V3_LEN, (uint64_t)QCOW2_EXT_CRYPTO << 32,
	  ERR_UNSUPPORTED, "encryption header" },
	{ 3, 64, QCOW2_V3_LEN, (uint64_t)QCOW2_EXT_DATA_FILE << 32 | 4,
	  ERR_DAMAGED, "data file name contains a zero byte" },
	/* L1: reserved bits, odd places, loops. */
	{ 3, 64, IMAGE_L1, 1ULL << 62 | IMAGE_L2, ERR_DAMAGED,
	  "L1 entry 0: reserved bits" },
	{ 3, 64, IMAGE_L1, IMAGE_L2 | 8, ERR_DAMAGED, "reserved bits" },
	{ 3, 64, IMAGE_L1, QCOW2_COPIED, ERR_DAMAGED,
	  "L2 table at 0 overlaps the header" },
	{ 3, 64, IMAGE_L1, IMAGE_L1, ERR_DAMAGED, "overlaps the L1 table" },
	{ 3, 64, IMAGE_L1, IMAGE_REFTABLE, ERR_DAMAGED,
	  "overlaps the refcount table" },
	{ 3, 64, IMAGE_L1, 1 << 20, ERR_DAMAGED,
	  "L2 table at 1048576 lies past the end" },
	/* L2. */
	{ 3, 64, L2_AT(1), IMAGE_L1, ERR_DAMAGED,
	  "guest offset 512: cluster at 1536 overlaps the L1 table" },
	{ 3, 64, L2_AT(0), QCOW2_COPIED, ERR_DAMAGED, "points to the header" },
	{ 3, 64, L2_AT(0), 1 << 20, ERR_DAMAGED,
	  "cluster at 1048576 lies past the end" },
	{ 3, 64, L2_AT(0), IMAGE_DATA | 2, ERR_DAMAGED, "reserved bits" },
	{ 3, 64, L2_AT(0), 1ULL << 56 | IMAGE_DATA, ERR_DAMAGED,
	  "reserved bits" },
	{ 2, 64, L2_AT(0), IMAGE_DATA | 1, ERR_DAMAGED, "reserved bits" },
	{ 3, 64, L2_AT(0), QCOW2_COMPRESSED | 1 << 20, ERR_DAMAGED,
	  "compressed cluster at 1048576 (512 bytes) lies past" },
	{ 3, 64, L2_AT(0), QCOW2_COMPRESSED | 16, ERR_DAMAGED,
	  "compressed cluster at 16 overlaps the header" },
	/* "AAAA" is no deflate stream. */
	{ 3, 64, L2_AT(0), QCOW2_COMPRESSED | IMAGE_DATA, ERR_DAMAGED,
	  "compressed cluster at 2560" },
};

static void put(struct image *image, const struct patch *patch)
{
	if (patch->width == 64)
		image_put64(image, patch->at, patch->value);
	else
		image_put32(image, patch->at, (uint32_t)patch->value);
}

static void check_refused(struct image *image, enum err_kind kind,
			  const char *message)
{
	struct source *source = files_memory_source(image->bytes, image->len);
	struct open_options options = { 0 };
	struct err err = { 0 };
	uint64_t size;
	unsigned char *guest = image_read(source, &options, &size, &err);

	CHECK(!guest);
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, message)) {
		fprintf(stderr, "expected \"%s\"\n", message);
		CHECK_STR(err.message, message);
	}
	free(guest);
	source_close(source);
}

static void test_fields(void)
{
	for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
		struct image image = image_make(patches[i].version);

		put(&image, &patches[i]);
		check_refused(&image, patches[i].kind, patches[i].message);
		image_free(&image);
	}
}

static void check_good(struct image *image)
{
	struct source *source = files_memory_source(image->bytes, image->len);
	struct open_options options = { 0 };
	struct err err = { 0 };
	uint64_t size;
	unsigned char *guest = image_read(source, &options, &size, &err);

	CHECK_STR(err.message, "");
	CHECK(guest);
	free(guest);
	source_close(source);
}

/* Cut anywhere, the image is refused: its last cluster is guest data. */
static void test_cut(void)
{
	for (size_t len = 0; len < IMAGE_LEN; len += 8) {
		struct image image = image_make(3);

		image_resize(&image, len);
		check_refused(&image, ERR_DAMAGED, "");
		image_free(&image);
	}
}

/* The tail of a cluster beyond the disk's end may be missing, and no more. */
static void test_cut_tail(void)
{
	struct image image = image_make(3);
	struct source *source;
	struct open_options options = { 0 };
	struct err err = { 0 };
	unsigned char *guest;
	uint64_t size;

	image_put64(&image, QCOW2_SIZE, IMAGE_SIZE - 100);
	image_resize(&image, IMAGE_LEN - 100);
	source = files_memory_source(image.bytes, image.len);
	guest = image_read(source, &options, &size, &err);
	CHECK(guest);
	CHECK_EQ(size, IMAGE_SIZE - 100);
	free(guest);
	source_close(source);
	image_resize(&image, IMAGE_LEN - 101);
	check_refused(&image, ERR_DAMAGED, "lies past the end of the file");
	image_free(&image);
}

/* The image's own words for a feature nobody knows. */
static void test_feature_name(void)
{
	struct image image = image_make(3);

	image_put64(&image, QCOW2_INCOMPATIBLE, 1ULL << 9);
	image_put32(&image, QCOW2_V3_LEN, QCOW2_EXT_FEATURE_NAMES);
	image_put32(&image, QCOW2_V3_LEN + 4, 48);
	image.bytes[QCOW2_V3_LEN + 8] = 0; /* incompatible */
	image.bytes[QCOW2_V3_LEN + 9] = 9;
	memcpy(image.bytes + QCOW2_V3_LEN + 10, "time travel", 11);
	check_refused(&image, ERR_UNSUPPORTED, "bit 9 (time travel)");
	image_free(&image);
}

static void put_backing(struct image *image, const char *name)
{
	image_put64(image, QCOW2_BACKING_OFFSET, 256);
	image_put32(image, QCOW2_BACKING_LEN, (uint32_t)strlen(name));
	memcpy(image->bytes + 256, name, strlen(name));
}

static void test_references(void)
{
	struct image image = image_make(3);

	put_backing(&image, "base.img");
	check_refused(&image, ERR_REFUSED,
		      "backing file base.img is not followed without "
		      "--allow-references");
	image_put32(&image, QCOW2_BACKING_LEN, 1024);
	check_refused(&image, ERR_DAMAGED, "backing_file_size 1024 is out of");
	image_put32(&image, QCOW2_BACKING_LEN, 257);
	check_refused(&image, ERR_DAMAGED, "backing_file_offset 256 is out of");
	image_free(&image);

	image = image_make(3);
	image_put32(&image, QCOW2_V3_LEN, QCOW2_EXT_DATA_FILE);
	image_put32(&image, QCOW2_V3_LEN + 4, 8);
	memcpy(image.bytes + QCOW2_V3_LEN + 8, "data.raw", 8);
	check_refused(&image, ERR_DAMAGED, "names data file data.raw, but");
	image_put64(&image, QCOW2_INCOMPATIBLE, QCOW2_INCOMPAT_DATA_FILE);
	check_refused(&image, ERR_REFUSED, "data file data.raw is not");
	image_free(&image);
}

/* Stored blocks of deflate that come out too short and too long. */
static void test_wrong_length(void)
{
	static const uint16_t lengths[] = { 511, 513, 0 };

	for (size_t i = 0; i < 3; i++) {
		struct image image = image_make(3);
		unsigned char *data;

		/* Room for 513 bytes and their head: two sectors. */
		image_l2(&image, 0, QCOW2_COMPRESSED | 1ULL << 61 | IMAGE_DATA);
		data = image.bytes + IMAGE_DATA;
		data[0] = 1; /* last block, stored */
		bytes_put_le16(data + 1, lengths[i]);
		bytes_put_le16(data + 3, (uint16_t)~lengths[i]);
		check_refused(&image, ERR_DAMAGED, "compressed cluster at");
		/* It is the length alone that is wrong. */
		bytes_put_le16(data + 1, 512);
		bytes_put_le16(data + 3, (uint16_t)~512);
		check_good(&image);
		image_free(&image);
	}
}

/* Extended entries have states of their own that mean nothing. */
static void test_extended(void)
{
	static const struct {
		uint64_t entry, bitmap;
		const char *message;
	} rows[] = {
		{ 6 << 14, 0x0000000100000001, "both allocated and zero" },
		{ 0, 1, "subclusters of no cluster" },
		{ 6 << 14 | 1, 1, "reserved bits" },
		{ QCOW2_COMPRESSED | 6 << 14, 1,
		  "compressed cluster has "
		  "subclusters" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct image image = image_make(3);

		image_resize(&image, 8 << 14);
		image_put32(&image, QCOW2_CLUSTER_BITS, 14);
		image_put64(&image, QCOW2_INCOMPATIBLE,
			    QCOW2_INCOMPAT_EXTENDED_L2);
		image_put64(&image, QCOW2_SIZE, 1 << 14);
		image_put64(&image, QCOW2_REFTABLE_OFFSET, 1 << 14);
		image_put64(&image, QCOW2_L1_OFFSET, 3 << 14);
		image_put64(&image, 3 << 14, 4 << 14);
		image_put64(&image, 4 << 14, rows[i].entry);
		image_put64(&image, (4 << 14) + 8, rows[i].bitmap);
		check_refused(&image, ERR_DAMAGED, rows[i].message);
		image_free(&image);
	}
}

/* Work is bounded by the file: L1 entries do not share a table. */
static void test_shared_table(void)
{
	struct image image = image_make(3);

	image_put32(&image, QCOW2_L1_ENTRIES, 64);
	image_put64(&image, QCOW2_SIZE, 2 * 64 * IMAGE_CLUSTER);
	image_put64(&image, IMAGE_L1 + 8, IMAGE_L2);
	check_refused(&image, ERR_DAMAGED, "L2 table at 2048 is used twice");
	image_free(&image);
}

/* What all the others spoil is good. */
static void test_good(void)
{
	for (uint32_t version = 2; version <= 3; version++) {
		struct image image = image_make(version);
		struct source *source =
			files_memory_source(image.bytes, image.len);
		struct open_options options = { 0 };
		struct err err = { 0 };
		uint64_t size;
		unsigned char *guest =
			image_read(source, &options, &size, &err);

		CHECK(guest);
		CHECK_EQ(size, IMAGE_SIZE);
		CHECK(guest &&
		      !memcmp(guest, image.bytes + IMAGE_DATA, IMAGE_SIZE));
		free(guest);
		source_close(source);
		image_free(&image);
	}
}

int main(void)
{
	test_good();
	test_fields();
	test_cut();
	test_cut_tail();
	test_feature_name();
	test_references();
	test_wrong_length();
	test_extended();
	test_shared_table();
	return check_result();
}
