/* SPDX-License-Identifier: MIT */
/* What the units of the VMDK writer share: an image of several files in
 * memory, made as the pump makes it and read back by our own reader. */
#ifndef TESTS_VMDK_MADE_H
#define TESTS_VMDK_MADE_H

#include "check.h"
#include "fakes.h"
#include "make_image.h"

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

static inline struct sink *open_part(struct parts *parts, const char *name,
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

static inline struct source *open_source(struct references *references,
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

static inline void image_init(struct image *image)
{
	memset(image, 0, sizeof *image);
	image->parts.open = open_part;
	image->references.open_source = open_source;
	image->main = fake_sink_open(files_memory_sink());
}

static inline void image_clear(struct image *image)
{
	sink_close(&image->main->sink);
	for (unsigned i = 0; i < image->count; i++)
		sink_close(image->part[i]);
}

static const unsigned char *image_bytes(const struct image *image, size_t *len)
{
	return files_memory_bytes(image->main->inner, len);
}

static inline void set_options(struct create_options *options, const char *text,
			       uint64_t size)
{
	make_options(options, text);
	options->size_known = true;
	options->size = size;
	options->sector_size = 512;
	snprintf(options->name, sizeof options->name, "disk.vmdk");
}

/* The error's kind, or ERR_NONE. */
static inline enum err_kind image_make(struct image *image,
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

static inline void check_same(const struct image *a, const struct image *b)
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
static inline void check_reader(struct image *image, const struct guest *guest)
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

#endif
