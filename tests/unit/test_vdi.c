/* SPDX-License-Identifier: MIT */
/* VDI: what the writer makes is read back, in every way of writing; damaged
 * headers and maps are refused. */
#include "base/bytes.h"
#include "driver_tests.h"
#include "formats/images/vdi/vdi.h"

extern const struct driver driver_vdi;

static const char *const forms[] = {
	"",
	"block_size=4K",
	"block_size=64K",
	"static=on",
	"static=on,preallocation=full,block_size=16K",
};

static const struct guest small = { .size = 6 * MIB, .group = 16 * KIB };

static void test_ways(void)
{
	check_sizes(&driver_vdi, forms, sizeof forms / sizeof *forms);
	check_large(&driver_vdi, "");
	check_ways(&driver_vdi, &small, "block_size=8M");
	check_ways(&driver_vdi, &small, "static=on,preallocation=falloc");
	/* The map crosses slices of the cache, and is no whole one. */
	struct guest guest = { .size = 160 * MIB + 512, .group = 4 * KIB,
			       .live = { { 63 * MIB, 2 * MIB },
					 { 159 * MIB, 2 * MIB } } };
	check_ways(&driver_vdi, &guest, "block_size=4K");
}

static void test_failures(void)
{
	check_failures_of(&driver_vdi, &small, "block_size=1M", false);
	check_failures_of(&driver_vdi, &small, "block_size=64K", true);
	check_failures_of(&driver_vdi, &small, "static=on", false);
	check_failures_of(&driver_vdi, &small, "static=on", true);
	check_changed(&driver_vdi, &small, "", false);
}

static void test_cuts(void)
{
	/* The last group of this seed holds data. */
	struct guest guest = { .size = 3 * MIB, .group = 3 * MIB, .seed = 3 };
	unsigned char last;

	for (guest.seed = 0;; guest.seed++) {
		guest_fill(&guest, 0, &last, 1);
		if (last)
			break;
	}
	check_cuts(&driver_vdi, &guest, "");
	check_cuts(&driver_vdi, &guest, "static=on,block_size=64K");
}

static void test_reserve(void)
{
	struct guest guest = { .size = 16 * MIB, .group = 16 * KIB };

	check_reserve(&driver_vdi, &guest, "", 5 * MIB, 9 * MIB + 192 * KIB);
	/* From the middle of a block that has its place already. */
	check_reserve(&driver_vdi, &guest, "block_size=2M", 5 * MIB,
		      9 * MIB + 64 * KIB);
	check_reserve(&driver_vdi, &guest, "block_size=8M", 5 * MIB, 9 * MIB);
	check_reserve(&driver_vdi, &guest, "static=on", 5 * MIB,
		      9 * MIB + 64 * KIB);
	check_reserve(&driver_vdi, &guest, "block_size=4K", 5 * MIB,
		      9 * MIB + 12 * KIB);
}

/* ---- headers ---- */

struct spoilt {
	size_t at;
	uint32_t value;
	enum err_kind kind;
	const char *message;
};

static const struct spoilt spoilt[] = {
	{ VDI_SIGNATURE_AT, 1, ERR_DAMAGED, "signature" },
	{ VDI_VERSION_AT, 0x00020000, ERR_UNSUPPORTED, "version 2.0" },
	{ VDI_VERSION_AT, 3, ERR_UNSUPPORTED, "version 0.3" },
	{ VDI_HEADER_LEN_AT, 383, ERR_DAMAGED, "header length 383" },
	{ VDI_TYPE_AT, 0, ERR_UNSUPPORTED, "image type 0" },
	{ VDI_TYPE_AT, 3, ERR_UNSUPPORTED, "undo" },
	{ VDI_TYPE_AT, 4, ERR_UNSUPPORTED, "clonemedium" },
	{ VDI_TYPE_AT, 5, ERR_UNSUPPORTED, "image type 5" },
	{ VDI_LINK_UUID_AT, 1, ERR_UNSUPPORTED, "clonemedium" },
	{ VDI_PARENT_UUID_AT, 1, ERR_UNSUPPORTED, "clonemedium" },
	{ VDI_MAP_AT, 400, ERR_DAMAGED, "overlaps the header" },
	{ VDI_MAP_AT, 0x7ffffe00, ERR_DAMAGED, "overlaps the block map" },
	{ VDI_DATA_AT, 512, ERR_DAMAGED, "overlaps the block map" },
	{ VDI_SIZE_AT + 4, 0x10000001, ERR_LIMIT, "size" },
	{ VDI_SIZE_AT + 4, 1, ERR_DAMAGED, "too few" },
	{ VDI_BLOCK_SIZE_AT, 0, ERR_DAMAGED, "block size 0" },
	{ VDI_BLOCK_SIZE_AT, 256, ERR_DAMAGED, "block size 256" },
	{ VDI_BLOCK_SIZE_AT, 0x100200, ERR_DAMAGED, "block size" },
	{ VDI_BLOCK_SIZE_AT, 0x20000000, ERR_DAMAGED, "block size" },
	{ VDI_EXTRA_AT, 513, ERR_DAMAGED, "extra" },
	{ VDI_EXTRA_AT, 0x80000000, ERR_DAMAGED, "past the end" },
	{ VDI_BLOCKS_AT, 0, ERR_DAMAGED, "too few" },
	{ VDI_BLOCKS_AT, 0xffffffff, ERR_DAMAGED, "overlaps" },
	{ 512, 6, ERR_DAMAGED, "past the end of the file" },
	{ 512, 0xfffffffd, ERR_DAMAGED, "past the end of the file" },
};

/* Open it, and read all of it. */
static int read_all(const unsigned char *bytes, size_t len, struct err *err)
{
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct open_options options = { 0 };
	struct disk *disk AUTO_DISK = vdi_open(source, &options, err);
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN);

	if (!disk)
		return -1;
	for (uint64_t at = 0; at < disk->size; at += UNIT_LEN)
		if (disk_read(disk, buf,
			      (size_t)min_u64(UNIT_LEN, disk->size - at), at,
			      err))
			return -1;
	return 0;
}

static void test_spoilt(void)
{
	struct making_of of = { .driver = &driver_vdi,
				.guest = &small,
				.options = "static=on" };
	struct facts facts = { 0 };
	struct made made;
	uint64_t size;

	make(&made, &of);
	CHECK_EQ(read_all(made.bytes, made.len, &made.err), 0);
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		const struct spoilt *one = &spoilt[i];
		unsigned char *bytes AUTO_FREE = mem_zalloc(made.len);
		struct err err = { 0 };

		memcpy(bytes, made.bytes, made.len);
		bytes_put_le32(bytes + one->at, one->value);
		CHECK_EQ(read_all(bytes, made.len, &err), -1);
		CHECK_EQ(err.kind, one->kind);
		CHECK(strstr(err.message, one->message));
		if (!strstr(err.message, one->message))
			fprintf(stderr, "%zu: %s\n", i, err.message);
	}
	CHECK_EQ(vdi_peek(made.bytes, 511, &size, &facts, &made.err), 1);
	CHECK_EQ(vdi_peek(made.bytes, 512, &size, &facts, &made.err), 0);
	CHECK_EQ(size, small.size);
	CHECK(facts.count > 5);
	made_close(&made);
}

/* --uuid stands in the header as VirtualBox stores it. */
static void test_uuid(void)
{
	static const unsigned char stored[16] = {
		0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
		0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff
	};
	struct create_options options = { .size_known = true,
					  .size = MIB,
					  .has_uuid = true };
	struct sink *sink AUTO_SINK = files_memory_sink();
	const unsigned char *bytes;
	struct writer *writer;
	struct err err = { 0 };
	size_t len;

	for (unsigned i = 0; i < 16; i++)
		options.uuid[i] = (unsigned char)(i * 0x11);
	writer = vdi_create(sink, &options, &err);
	CHECK(writer);
	CHECK_EQ(writer_finish(writer, MIB, &err), 0);
	writer_close(writer);
	bytes = files_memory_bytes(sink, &len);
	CHECK(!memcmp(bytes + VDI_UUID_AT, stored, 16));
	CHECK(memcmp(bytes + VDI_MODIFY_UUID_AT, stored, 16));
	CHECK(bytes[VDI_MODIFY_UUID_AT + 7] >> 4 == 4); /* version 4 */
	CHECK_EQ(len, MIB);
}

int main(void)
{
	test_ways();
	test_failures();
	test_cuts();
	test_reserve();
	test_spoilt();
	test_uuid();
	return check_result();
}
