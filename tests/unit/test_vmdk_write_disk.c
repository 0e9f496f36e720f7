/* SPDX-License-Identifier: MIT */
/* The VMDK writer: what is on disk, field by field, and what options and
 * names are taken and refused. */
#include "vmdk_made.h"
#include "base/bytes.h"
#include "formats/images/vmdk/layout.h"

/* Four tables, of which one has entries. */
static const struct guest lone = { .size = 100 * MIB,
				   .seed = 7,
				   .group = 65536,
				   .live = { { 66 * MIB, 2 * MIB } } };

/* ---- what is on disk ---- */

static void check_marker(const unsigned char *at, uint64_t value, uint32_t type)
{
	CHECK_EQ(bytes_le64(at + VMDK_MARKER_VALUE), value);
	CHECK_EQ(bytes_le32(at + VMDK_MARKER_SIZE), 0);
	CHECK_EQ(bytes_le32(at + VMDK_MARKER_TYPE), type);
}

static void test_stream_layout(void)
{
	struct making making = { .guest = &lone };
	struct create_options options;
	struct image image;
	size_t len;

	image_init(&image);
	set_options(&options, subformats[1], lone.size);
	CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);

	const unsigned char *head = image_bytes(&image, &len);
	const unsigned char *footer = head + len - VMDK_FOOTER_BACK;
	const unsigned char *gd, *table, *grain;

	CHECK_EQ(bytes_le32(head), VMDK_MAGIC);
	CHECK_EQ(bytes_le32(head + VMDK_VERSION), 3);
	CHECK_EQ(bytes_le32(head + VMDK_FLAGS), 0x30001);
	CHECK_EQ(bytes_le64(head + VMDK_CAPACITY), lone.size / 512);
	CHECK_EQ(bytes_le64(head + VMDK_GRAIN), 128);
	CHECK_EQ(bytes_le64(head + VMDK_DESCRIPTOR), 1);
	CHECK_EQ(bytes_le64(head + VMDK_DESCRIPTOR_LEN), 20);
	CHECK_EQ(bytes_le32(head + VMDK_TABLE_ENTRIES), 512);
	CHECK_EQ(bytes_le64(head + VMDK_GD), VMDK_GD_AT_END);
	CHECK_EQ(bytes_le64(head + VMDK_OVERHEAD), 128);
	CHECK_EQ(bytes_le16(head + VMDK_COMPRESSION), 1);
	/* The footer is the header, but for the directory's place. */
	CHECK(!memcmp(head, footer, VMDK_GD));
	CHECK(!memcmp(head + VMDK_GD + 8, footer + VMDK_GD + 8,
		      VMDK_HEADER_LEN - VMDK_GD - 8));
	check_marker(head + len - VMDK_FOOTER_MARKER_BACK, 1,
		     VMDK_MARKER_FOOTER);
	check_marker(head + len - 512, 0, VMDK_MARKER_END);
	/* 100 MiB are four tables; only the third holds anything. */
	gd = head + bytes_le64(footer + VMDK_GD) * 512;
	check_marker(gd - 512, 1, VMDK_MARKER_DIRECTORY);
	CHECK_EQ(bytes_le32(gd), 0);
	CHECK_EQ(bytes_le32(gd + 4), 0);
	CHECK_EQ(bytes_le32(gd + 12), 0);
	table = head + (uint64_t)bytes_le32(gd + 8) * 512;
	check_marker(table - 512, 4, VMDK_MARKER_TABLE);
	for (unsigned i = 0; i < 512; i++) {
		uint32_t sector = bytes_le32(table + i * 4);

		if (!sector)
			continue;
		grain = head + (uint64_t)sector * 512;
		CHECK_EQ(bytes_le64(grain), (1024 + i) * 128);
		CHECK(bytes_le32(grain + VMDK_MARKER_SIZE) > 0);
	}
	image_clear(&image);
}

static void test_sparse_layout(void)
{
	struct making making = { .guest = &guests[0] };
	struct create_options options;
	struct image image;
	size_t len;

	image_init(&image);
	set_options(&options, subformats[0], guests[0].size);
	CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);

	const unsigned char *head = image_bytes(&image, &len);
	const unsigned char *rgd = head + 21 * 512, *gd = head + 30 * 512;

	CHECK_EQ(bytes_le32(head + VMDK_VERSION), 1);
	CHECK_EQ(bytes_le32(head + VMDK_FLAGS), 3);
	CHECK_EQ(bytes_le64(head + VMDK_RGD), 21);
	CHECK_EQ(bytes_le64(head + VMDK_GD), 30); /* 1 + two tables of 4 */
	CHECK_EQ(bytes_le64(head + VMDK_OVERHEAD), 128);
	CHECK_EQ(bytes_le32(rgd), 22);
	CHECK_EQ(bytes_le32(rgd + 4), 26);
	CHECK_EQ(bytes_le32(gd), 31);
	CHECK_EQ(bytes_le32(gd + 4), 35);
	/* Two tables, twice the same. */
	CHECK(!memcmp(rgd + 512, gd + 512, 4096));
	CHECK_EQ(len % 65536, 0);
	image_clear(&image);
}

/* The value behind `key`, up to the end of its line. */
static void check_line(const unsigned char *text, const char *line)
{
	const char *found = strstr((const char *)text, line);

	if (!found)
		fprintf(stderr, "missing: %s\n", line);
	CHECK(found);
}

static void test_text(void)
{
	struct guest guest = { .size = 2047 * MIB + 4 * MIB,
			       .group = 65536,
			       .live = { { 2046 * MIB, 3 * MIB } } };
	struct making making = { .guest = &guest };
	struct create_options options;
	struct image image;
	size_t len;

	image_init(&image);
	set_options(&options,
		    "subformat=twoGbMaxExtentSparse,adapter_type=lsilogic,"
		    "cid=1234abcd,hwversion=14,toolsversion=7",
		    guest.size);
	options.has_uuid = true;
	for (unsigned i = 0; i < 16; i++)
		options.uuid[i] = (unsigned char)(i * 17);
	CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);
	check_reader(&image, &guest);
	CHECK_EQ(image.count, 2);
	CHECK_STR(image.name[0], "disk-s001.vmdk");
	CHECK_STR(image.name[1], "disk-s002.vmdk");

	char *text AUTO_FREE = mem_zalloc(4096);

	memcpy(text, image_bytes(&image, &len), 1);
	CHECK(len < 4096);
	memcpy(text, image_bytes(&image, &len), len);
	CHECK(!strncmp(text, "# Disk DescriptorFile\nversion=1\n", 32));
	check_line((unsigned char *)text, "\nCID=1234abcd\n");
	check_line((unsigned char *)text, "\nparentCID=ffffffff\n");
	check_line((unsigned char *)text,
		   "\ncreateType=\"twoGbMaxExtentSparse\"\n");
	check_line((unsigned char *)text,
		   "\nRW 4192256 SPARSE \"disk-s001.vmdk\"\n"
		   "RW 8192 SPARSE \"disk-s002.vmdk\"\n");
	check_line((unsigned char *)text, "1234abcd\"\n");
	check_line((unsigned char *)text,
		   "\nddb.uuid.image = "
		   "\"00112233-4455-6677-8899-aabbccddeeff\"\n");
	check_line((unsigned char *)text,
		   "\nddb.uuid = "
		   "\"00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff\"\n");
	check_line((unsigned char *)text, "\nddb.geometry.heads = \"255\"\n");
	check_line((unsigned char *)text, "\nddb.adapterType = \"lsilogic\"\n");
	check_line((unsigned char *)text, "\nddb.virtualHWVersion = \"14\"\n");
	check_line((unsigned char *)text, "\nddb.toolsVersion = \"7\"\n");
	image_clear(&image);
}

static void test_no_parts(void)
{
	struct making making = { .guest = &guests[3] };
	struct create_options options;
	struct err err = { 0 };
	struct image image;

	for (unsigned f = 2; f < 5; f++) {
		image_init(&image);
		set_options(&options, subformats[f], MIB);
		CHECK(driver_vmdk.in_parts(&options));
		CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "needs a file"));
		options.parts = &image.parts;
		*options.name = '\0';
		CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		snprintf(options.name, sizeof options.name, "a\"b.vmdk");
		CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		set_options(&options, subformats[f], guests[3].size);
		image.fail_part = 1;
		CHECK_EQ(image_make(&image, &making, &options), ERR_CREATE);
		image_clear(&image);
	}
}

static void test_options(void)
{
	static const char *const wrong[] = {
		"subformat=flat",
		"adapter_type=sata",
		"hwversion=1k",
		"hwversion=0",
		"toolsversion=2k",
		"cid=",
		"cid=xyz",
		"cid=123456789",
		"cid=ffffffff",
		"cid=fffffffe",
		"zeroed_grain=on,subformat=streamOptimized",
		"zeroed_grain=on,subformat=monolithicFlat",
		"preallocation=full",
		"preallocation=metadata,subformat=monolithicFlat",
	};
	struct create_options options;
	struct err err = { 0 };

	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		set_options(&options, wrong[i], MIB);
		err.kind = ERR_NONE;
		CHECK_EQ(driver_check_options(&driver_vmdk, &options, &err),
			 -1);
		CHECK_EQ(err.kind, ERR_USAGE);
	}
	/* -c chooses, or contradicts. */
	set_options(&options, "", MIB);
	snprintf(options.compress, sizeof options.compress, "zlib");
	CHECK_EQ(driver_check_options(&driver_vmdk, &options, &err), 0);
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_FREELY);
	set_options(&options, "subformat=monolithicSparse", MIB);
	snprintf(options.compress, sizeof options.compress, "zlib");
	CHECK_EQ(driver_check_options(&driver_vmdk, &options, &err), -1);
	CHECK_EQ(err.kind, ERR_USAGE);
	snprintf(options.compress, sizeof options.compress, "zstd");
	CHECK_EQ(driver_check_options(&driver_vmdk, &options, &err), -1);
}

/* No image is larger than foretold. */
static void test_measure(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++) {
		struct guest guest = { .size = 40 * MIB,
				       .seed = 3,
				       .group = 65536 };
		struct making making = { .guest = &guest };
		struct create_options options;
		struct image image;
		uint64_t most;
		size_t len, sum;

		image_init(&image);
		set_options(&options, subformats[f], guest.size);
		most = driver_vmdk.measure(&options, guest.size, guest.size);
		CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);
		image_bytes(&image, &sum);
		for (unsigned i = 0; i < image.count; i++) {
			files_memory_bytes(image.part[i], &len);
			sum += len;
		}
		CHECK(sum <= most);
		image_clear(&image);
	}
}

/* A run is copied into its place by somebody else, as blocks are shared: from
 * the border of a grain, and over that of a table; the last one may end in a
 * grain. */
static void test_reserve(const char *subformat, uint64_t from, uint64_t to)
{
	const struct guest guest = { .size = 69 * MIB + 512,
				     .seed = 5,
				     .group = 65536,
				     .live = { { 0, 5 * MIB },
					       { 31 * MIB, 2 * MIB },
					       { 68 * MIB, MIB + 512 } } };
	struct making making = { .guest = &guest };
	unsigned char *buf AUTO_FREE = mem_zalloc((size_t)(to - from));
	struct create_options options;
	struct writer *writer;
	struct image image;
	struct err err = { .message = "" };
	uint64_t place = 0;
	struct sink *data;

	image_init(&image);
	set_options(&options, subformat, guest.size);
	options.parts = &image.parts;
	CHECK(!driver_check_options(&driver_vmdk, &options, &err));
	writer = driver_vmdk.create(&image.main->sink, &options, &err);
	CHECK(writer && writer_can_reserve(writer));
	CHECK(from >= writer->units_until);
	CHECK(!make_range(&making, writer, NULL, 0, from, &err));
	CHECK(!writer_reserve(writer, from, to - from, &place, &err));
	CHECK_EQ(place % 4096, 0);
	guest_fill(&guest, from, buf, (size_t)(to - from));
	data = writer->data ? writer->data : writer->sink;
	CHECK(!sink_write(data, buf, (size_t)(to - from), place, &err));
	if (to < guest.size)
		CHECK(!make_range(&making, writer, NULL, to, guest.size, &err));
	if (writer_finish(writer, guest.size, &err))
		CHECK_STR(err.message, "");
	writer_close(writer);
	check_reader(&image, &guest);
	image_clear(&image);
}

int main(void)
{
	test_reserve("subformat=monolithicSparse", 30 * MIB, 33 * MIB);
	test_reserve("subformat=monolithicSparse", 68 * MIB, 69 * MIB + 512);
	test_reserve("subformat=monolithicFlat", 30 * MIB, 33 * MIB);
	test_reserve("subformat=monolithicFlat", 68 * MIB, 69 * MIB + 512);
	test_stream_layout();
	test_sparse_layout();
	test_text();
	test_no_parts();
	test_options();
	test_measure();
	return check_result();
}
