/* SPDX-License-Identifier: MIT */
/*
 * The VMDK writer: every subformat, written from a patterned guest to memory
 * and read back by our own reader; the same bytes in whatever order and to
 * whatever sink; what is on disk, field by field; failures at every
 * operation. Other programs judge in tests/bats/vmdk_write.bats.
 */
#include "check.h"
#include "fakes.h"
#include "make_image.h"
#include "base/bytes.h"
#include "formats/images/vmdk/layout.h"

extern const struct driver driver_vmdk;

#define PARTS 8

/* ---- an image of several files, in memory ---- */

struct image {
	struct parts parts;
	struct references references;
	struct fake_sink *main;
	unsigned count;
	char name[PARTS][64];
	struct sink *part[PARTS];
	unsigned fail_part; /* this one cannot be made, from 1; 0: none */
};

static struct sink *open_part(struct parts *parts, const char *name,
			      struct err *err)
{
	struct image *image = (struct image *)parts;
	unsigned i = image->count;

	if (i + 1 == image->fail_part || i == PARTS) {
		err_set(err, ERR_CREATE, "injected: no %s", name);
		return NULL;
	}
	snprintf(image->name[i], sizeof image->name[i], "%s", name);
	image->part[i] = files_memory_sink();
	image->count++;
	return image->part[i];
}

static struct source *open_source(struct references *references,
				  const char *name, struct err *err)
{
	struct image *image =
		(struct image *)(void *)((char *)references -
					 offsetof(struct image, references));
	size_t len;

	for (unsigned i = 0; i < image->count; i++) {
		const unsigned char *bytes;

		if (strcmp(name, image->name[i]))
			continue;
		bytes = files_memory_bytes(image->part[i], &len);
		return files_memory_source(bytes, len);
	}
	err_set(err, ERR_NO_INPUT, "no %s", name);
	return NULL;
}

static void image_init(struct image *image)
{
	memset(image, 0, sizeof *image);
	image->parts.open = open_part;
	image->references.open_source = open_source;
	image->main = fake_sink_open(files_memory_sink());
}

static void image_clear(struct image *image)
{
	sink_close(&image->main->sink);
	for (unsigned i = 0; i < image->count; i++)
		sink_close(image->part[i]);
}

static const unsigned char *image_bytes(const struct image *image, size_t *len)
{
	return files_memory_bytes(image->main->inner, len);
}

static void set_options(struct create_options *options, const char *text,
			uint64_t size)
{
	make_options(options, text);
	options->size_known = true;
	options->size = size;
	options->sector_size = 512;
	snprintf(options->name, sizeof options->name, "disk.vmdk");
}

/* The error's kind, or ERR_NONE. */
static enum err_kind image_make(struct image *image,
				const struct making *making,
				struct create_options *options)
{
	struct err err = { 0 };
	struct writer *writer;
	int failed = -1;

	options->parts = &image->parts;
	CHECK_EQ(driver_check_options(&driver_vmdk, options, &err), 0);
	writer = driver_vmdk.create(&image->main->sink, options, &err);
	/* They are gone when the writer works. */
	memset(options, 0xa5, sizeof *options);
	if (writer)
		failed = make_image(making, writer, &err);
	writer_close(writer);
	return failed ? err.kind : ERR_NONE;
}

static void check_same(const struct image *a, const struct image *b)
{
	size_t len_a, len_b;
	const unsigned char *bytes_a = image_bytes(a, &len_a);
	const unsigned char *bytes_b = image_bytes(b, &len_b);

	CHECK_EQ(len_a, len_b);
	CHECK(len_a == len_b && !memcmp(bytes_a, bytes_b, len_a));
	CHECK_EQ(a->count, b->count);
	for (unsigned i = 0; i < a->count && i < b->count; i++) {
		bytes_a = files_memory_bytes(a->part[i], &len_a);
		bytes_b = files_memory_bytes(b->part[i], &len_b);
		CHECK_EQ(len_a, len_b);
		CHECK(len_a == len_b && !memcmp(bytes_a, bytes_b, len_a));
		CHECK_STR(a->name[i], b->name[i]);
	}
}

/* Our own reader sees the guest. */
static void check_reader(struct image *image, const struct guest *guest)
{
	struct err err = { 0 };
	struct open_options options = { .references = &image->references };
	unsigned char *want AUTO_FREE = mem_zalloc(UNIT_LEN);
	unsigned char *got AUTO_FREE = mem_zalloc(UNIT_LEN);
	size_t len;
	const unsigned char *bytes = image_bytes(image, &len);
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct disk *disk = driver_vmdk.open(source, &options, &err);

	if (!disk)
		fprintf(stderr, "%s\n", err.message);
	CHECK(disk);
	if (!disk)
		return;
	CHECK_EQ(disk->size, guest->size);
	for (uint64_t at = 0; at < guest->size; at += UNIT_LEN) {
		size_t part = min_u64(UNIT_LEN, guest->size - at);

		if (guest_is_dead(guest, at, part))
			continue;
		guest_fill(guest, at, want, part);
		CHECK_EQ(disk_read(disk, got, part, at, &err), 0);
		CHECK(!memcmp(got, want, part));
	}
	disk_close(disk);
}

/* ---- every subformat, every order ---- */

static const char *const subformats[] = {
	"subformat=monolithicSparse",	  "subformat=streamOptimized",
	"subformat=twoGbMaxExtentSparse", "subformat=monolithicFlat",
	"subformat=twoGbMaxExtentFlat",	  "zeroed_grain=on"
};
#define SUBFORMATS (sizeof subformats / sizeof *subformats)

/* Across the end of a table, 32 MiB; around the 4 MiB of the identity; one
 * grain; all zero; only the last sector. */
static const struct guest guests[] = {
	{ .size = 40 * MIB,
	  .seed = 1,
	  .group = 16384,
	  .live = { { 0, MIB }, { 31 * MIB, 2 * MIB } } },
	{ .size = 35 * MIB + 65536,
	  .seed = 2,
	  .group = 4096,
	  .live = { { 3 * MIB + 512, MIB }, { 33 * MIB, 65536 } } },
	{ .size = 5 * MIB, .seed = 3, .group = 512 },
	{ .size = 65536, .seed = 4, .group = 512 },
	{ .size = 33 * MIB, .seed = 6, .group = 512, .live = { { 1, 0 } } },
	{ .size = 33 * MIB,
	  .seed = 7,
	  .group = 512,
	  .live = { { 33 * MIB - 512, 512 } } },
};
#define GUESTS (sizeof guests / sizeof *guests)

/* Four tables, of which one has entries. */
static const struct guest lone = { .size = 100 * MIB,
				   .seed = 7,
				   .group = 65536,
				   .live = { { 66 * MIB, 2 * MIB } } };

static void test_orders(void)
{
	static const struct making orders[] = {
		{ .shuffle = true },
		{ .zeros_as_units = true },
		{ .head_last = true, .shuffle = true },
	};

	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned g = 0; g < GUESTS; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image first, other;

			image_init(&first);
			set_options(&options, subformats[f], guests[g].size);
			CHECK_EQ(image_make(&first, &making, &options),
				 ERR_NONE);
			check_reader(&first, &guests[g]);
			for (unsigned o = 0; o < 3; o++) {
				/* Sparse places follow the order of units. */
				if (o == 2 && f != 3 && f != 4)
					continue;
				making = orders[o];
				making.guest = &guests[g];
				image_init(&other);
				set_options(&options, subformats[f],
					    guests[g].size);
				CHECK_EQ(image_make(&other, &making, &options),
					 ERR_NONE);
				check_same(&first, &other);
				image_clear(&other);
			}
			image_clear(&first);
		}
}

/* A first unit that comes last: other places, the same disk. */
static void test_head_last(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++) {
		struct making making = { .guest = &guests[0],
					 .head_last = true };
		struct create_options options;
		struct image image;

		image_init(&image);
		set_options(&options, subformats[f], guests[0].size);
		CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);
		check_reader(&image, &guests[0]);
		image_clear(&image);
	}
}

/* Sizes that are not whole grains, where the format can have them; none has
 * a disk of 0 bytes. */
static void test_odd_sizes(void)
{
	static const uint64_t sizes[] = { 512, MIB - 512, 33 * MIB + 1536 };

	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned s = 0; s < 3; s++) {
			struct guest guest = { .size = sizes[s],
					       .seed = 9,
					       .group = 512 };
			struct making making = { .guest = &guest };
			struct create_options options;
			struct image image;

			set_options(&options, subformats[f], sizes[s]);
			CHECK_EQ(driver_round_size(&driver_vmdk, &options,
						   sizes[s]),
				 f == 1 ? round_up(sizes[s], 65536)
					: sizes[s]);
			CHECK_EQ(driver_round_size(&driver_vmdk, &options, 0),
				 f == 1 ? 65536 : 512);
			image_init(&image);
			CHECK_EQ(image_make(&image, &making, &options),
				 ERR_NONE);
			check_reader(&image, &guest);
			image_clear(&image);
		}
}

/* Told only at the end: the same bytes, but for the layouts that have their
 * tables behind then. */
static void test_size_unknown(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned g = 0; g < GUESTS; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image known, unknown;

			image_init(&known);
			image_init(&unknown);
			set_options(&options, subformats[f], guests[g].size);
			CHECK_EQ(image_make(&known, &making, &options),
				 ERR_NONE);
			set_options(&options, subformats[f], guests[g].size);
			options.size_known = false;
			CHECK_EQ(image_make(&unknown, &making, &options),
				 ERR_NONE);
			if (f == 0 || f == 2 || f == 5)
				check_reader(&unknown, &guests[g]);
			else
				check_same(&known, &unknown);
			image_clear(&known);
			image_clear(&unknown);
		}
}

/* ---- streams ---- */

static void test_append_only(void)
{
	for (unsigned g = 0; g < GUESTS; g++) {
		struct making making = { .guest = &guests[g] };
		struct create_options options;
		struct image file, stream;
		uint64_t at = 0;

		image_init(&file);
		image_init(&stream);
		stream.main->sink.seekable = false;
		set_options(&options, subformats[1], guests[g].size);
		CHECK_EQ(image_make(&file, &making, &options), ERR_NONE);
		/* Neither the name nor the kind of sink is in the bytes. */
		set_options(&options, subformats[1], guests[g].size);
		*options.name = '\0';
		CHECK_EQ(image_make(&stream, &making, &options), ERR_NONE);
		check_same(&file, &stream);
		for (unsigned i = 0; i < stream.main->count; i++) {
			const struct fake_op *op = &stream.main->ops[i];

			if (op->kind == FAKE_FINISH)
				continue;
			CHECK_EQ(op->offset, at);
			at += op->length;
		}
		image_clear(&file);
		image_clear(&stream);
	}
}

static void test_append_refused(void)
{
	struct create_options options;
	struct image image;
	struct err err = { 0 };

	image_init(&image);
	image.main->sink.seekable = false;
	set_options(&options, subformats[1], 0);
	options.size_known = false;
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	set_options(&options, subformats[0], MIB);
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_NEVER);
	set_options(&options, subformats[1], MIB);
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_FREELY);
	image_clear(&image);
}

/* ---- what is on disk ---- */

static void check_marker(const unsigned char *at, uint64_t value,
			 uint32_t type)
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
	check_line((unsigned char *)text,
		   "\nddb.adapterType = \"lsilogic\"\n");
	check_line((unsigned char *)text, "\nddb.virtualHWVersion = \"14\"\n");
	check_line((unsigned char *)text, "\nddb.toolsVersion = \"7\"\n");
	image_clear(&image);
}

/* ---- large, old, failing ---- */

static void test_large(void)
{
	static const char *const fits[] = { "subformat=monolithicSparse",
					    "subformat=streamOptimized" };
	struct guest guest = { .size = 2 * TIB + 65536,
			       .group = 65536,
			       .live = { { 0, MIB },
					 { TIB, 2 * MIB },
					 { 2 * TIB, 65536 } } };
	struct making making = { .guest = &guest };
	struct create_options options;
	struct err err = { 0 };
	struct image image;

	for (unsigned f = 0; f < 2; f++) {
		image_init(&image);
		set_options(&options, fits[f], guest.size);
		/* Tables of the hosted form lie far apart: not in memory. */
		if (f == 1) {
			CHECK_EQ(image_make(&image, &making, &options),
				 ERR_NONE);
			check_reader(&image, &guest);
		}
		image_clear(&image);
	}
	image_init(&image);
	set_options(&options, "subformat=twoGbMaxExtentFlat", guest.size);
	options.parts = &image.parts;
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED); /* 1025 files */
	CHECK_EQ(image.count, 0);
	set_options(&options, "subformat=monolithicSparse", LIMIT_DISK_SIZE);
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	image_clear(&image);
}

/* On a device old content must not show. */
static void test_old_content(void)
{
	static const unsigned which[] = { 0, 1, 3 };

	for (unsigned k = 0; k < 3; k++)
		for (unsigned g = 0; g < 4; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image image;
			struct err err = { 0 };
			unsigned char *old AUTO_FREE = mem_zalloc(MIB);

			image_init(&image);
			memset(old, 0xee, MIB);
			for (unsigned i = 0; i < 8; i++)
				CHECK_EQ(sink_write(&image.main->sink, old,
						    MIB, i * MIB, &err),
					 0);
			image.main->sink.fresh = false;
			set_options(&options, subformats[which[k]],
				    guests[g].size);
			CHECK_EQ(image_make(&image, &making, &options),
				 ERR_NONE);
			check_reader(&image, &guests[g]);
			image_clear(&image);
		}
}

static void test_failures(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned pipe = 0; pipe <= (f == 1); pipe++) {
			struct making making = { .guest = &guests[1] };
			struct create_options options;
			unsigned at = 1;

			for (;; at++) { /* ends: no more operations to fail */
				struct image image;
				enum err_kind kind;

				image_init(&image);
				image.main->sink.seekable = !pipe;
				image.main->fail_at = at;
				set_options(&options, subformats[f],
					    guests[1].size);
				kind = image_make(&image, &making, &options);
				image_clear(&image);
				if (kind == ERR_NONE)
					break;
				CHECK_EQ(kind, ERR_IO);
			}
			CHECK(at > 2);
		}
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

int main(void)
{
	test_orders();
	test_head_last();
	test_odd_sizes();
	test_size_unknown();
	test_append_only();
	test_append_refused();
	test_stream_layout();
	test_sparse_layout();
	test_text();
	test_large();
	test_old_content();
	test_failures();
	test_no_parts();
	test_options();
	test_measure();
	return check_result();
}
