/* SPDX-License-Identifier: MIT */
/* A VHDX in memory, made by the driver's own writer, and ways to spoil it:
 * fields by their place, with the checksums above them made good again. */
#ifndef TESTS_VHDX_IMAGE_H
#define TESTS_VHDX_IMAGE_H

#include "check.h"
#include "fakes.h"
#include "make_image.h"
#include "base/bytes.h"
#include "formats/images/vhdx/vhdx.h"

extern const struct driver driver_vhdx;

/* Where the writer puts things with a log of 1 MiB. */
#define IMAGE_METADATA (2 * MIB)
#define IMAGE_BAT (3 * MIB)
#define IMAGE_BLOCKS (4 * MIB)
#define IMAGE_ITEM(n) (IMAGE_METADATA + 32 + (n)*32)
#define IMAGE_ITEMS (IMAGE_METADATA + 64 * KIB)

struct image {
	unsigned char *bytes;
	size_t len;
};

/* The guest through a writer into `sink`; 0 or -1. */
static inline int image_write(struct sink *sink,
			      struct create_options *options,
			      const struct making *making, struct err *err)
{
	struct writer *writer = driver_vhdx.create(sink, options, err);
	int result = writer ? make_image(making, writer, err) : -1;

	writer_close(writer);
	return result;
}

static inline void image_options(struct create_options *options,
				 const char *text, const struct guest *guest)
{
	make_options(options, text);
	options->size_known = true;
	options->size = round_up(guest->size, 512);
	options->sector_size = 512;
}

static inline struct image image_make(const struct guest *guest,
				      const char *text)
{
	struct making making = { .guest = guest };
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct create_options options;
	struct image image = { 0 };
	const unsigned char *bytes;
	struct err err = { 0 };

	image_options(&options, text, guest);
	CHECK_EQ(image_write(sink, &options, &making, &err), 0);
	bytes = files_memory_bytes(sink, &image.len);
	image.bytes = malloc(image.len);
	memcpy(image.bytes, bytes, image.len);
	return image;
}

static inline void image_seal(unsigned char *bytes, size_t len)
{
	bytes_put_le32(bytes + VHDX_CHECKSUM, vhdx_checksum(bytes, len));
}

/* Both headers and both region tables have right checksums again. */
static inline void image_seal_all(struct image *image)
{
	image_seal(image->bytes + VHDX_HEADER_1, VHDX_HEADER_LEN);
	image_seal(image->bytes + VHDX_HEADER_2, VHDX_HEADER_LEN);
	image_seal(image->bytes + VHDX_REGIONS_1, VHDX_REGIONS_LEN);
	image_seal(image->bytes + VHDX_REGIONS_2, VHDX_REGIONS_LEN);
}

/* All of the guest, or NULL; free it. */
static inline unsigned char *image_read(const struct image *image,
					uint64_t *size, struct err *err)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(image->bytes, image->len);
	struct open_options options = { 0 };
	struct disk *disk AUTO_DISK =
		driver_vhdx.open(source, &options, err);
	unsigned char *guest;

	if (!disk)
		return NULL;
	*size = disk->size;
	guest = malloc(disk->size + 1);
	if (disk_read(disk, guest, disk->size, 0, err)) {
		free(guest);
		return NULL;
	}
	return guest;
}

/* The image reads as the guest was made. */
static inline void image_same(const struct image *image,
			      const struct guest *guest)
{
	unsigned char *want AUTO_FREE = mem_zalloc(guest->size + 1);
	struct err err = { 0 };
	uint64_t size = 0;
	unsigned char *got AUTO_FREE = image_read(image, &size, &err);

	if (!got)
		fprintf(stderr, "%s\n", err.message);
	CHECK_EQ(size, round_up(guest->size, 512));
	guest_fill(guest, 0, want, guest->size);
	CHECK(got && !memcmp(want, got, guest->size));
}

#endif
