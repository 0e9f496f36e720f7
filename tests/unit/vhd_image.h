/* SPDX-License-Identifier: MIT */
/* Small VHDs made by hand, field by field, for the units of the reader. */
#ifndef TESTS_VHD_IMAGE_H
#define TESTS_VHD_IMAGE_H

#include "base/bytes.h"
#include "check.h"
#include "fakes.h"
#include "formats/images/vhd/vhd.h"

extern const struct driver driver_vhd;

/*
 *     0 copy of the footer     512 header       1536 block table
 *  2048 parent locator        2560 block 0      7168 block 2
 * 11776 footer
 */
#define BLOCK 4096u
#define DISK (3 * BLOCK - 512)
#define TABLE 1536
#define LOCATOR 2048
#define BLOCK_0 2560
#define BLOCK_2 7168
#define FOOTER 11776
#define FILE_LEN (FOOTER + 512)

struct image {
	unsigned char bytes[FILE_LEN + 512];
	size_t len;
};

static inline void seal(unsigned char *bytes, size_t len, size_t at)
{
	bytes_put_be32(bytes + at, vhd_sum(bytes, len, at));
}

/* The footer becomes its own copy; all checksums right. */
static inline void seal_all(struct image *image)
{
	unsigned char *footer = image->bytes + image->len - 512;

	seal(footer, 512, VHD_SUM);
	if (bytes_be32(footer + VHD_TYPE) == VHD_FIXED)
		return;
	memcpy(image->bytes, footer, 512);
	seal(image->bytes + 512, VHD_HEADER_LEN, VHD_HEADER_SUM);
}

static inline void put_footer(unsigned char *at, uint64_t size, uint32_t type)
{
	memset(at, 0, 512);
	memcpy(at, "conectix", 8);
	bytes_put_be32(at + VHD_FEATURES, 2);
	bytes_put_be32(at + VHD_FORMAT_VERSION, VHD_VERSION_1);
	bytes_put_be64(at + VHD_DATA_OFFSET,
		       type == VHD_FIXED ? UINT64_MAX : 512);
	memcpy(at + VHD_CREATOR, "win ", 4);
	bytes_put_be64(at + VHD_ORIGINAL_SIZE, size);
	bytes_put_be64(at + VHD_CURRENT_SIZE, size);
	bytes_put_be32(at + VHD_TYPE, type);
	memset(at + VHD_UUID, 0x11, 16);
}

static inline void make(struct image *image)
{
	unsigned char *bytes = image->bytes, *header = bytes + 512;

	memset(image, 0, sizeof *image);
	image->len = FILE_LEN;
	memcpy(header, "cxsparse", 8);
	bytes_put_be64(header + 8, UINT64_MAX);
	bytes_put_be64(header + VHD_TABLE_OFFSET, TABLE);
	bytes_put_be32(header + VHD_HEADER_VERSION, VHD_VERSION_1);
	bytes_put_be32(header + VHD_TABLE_ENTRIES, 3);
	bytes_put_be32(header + VHD_BLOCK_SIZE, BLOCK);
	memset(bytes + TABLE, 0xff, 512);
	bytes_put_be32(bytes + TABLE, BLOCK_0 / 512);
	bytes_put_be32(bytes + TABLE + 8, BLOCK_2 / 512);
	memset(bytes + BLOCK_0, 0xff, 512);
	memset(bytes + BLOCK_0 + 512, 'a', BLOCK);
	memset(bytes + BLOCK_2, 0xff, 512);
	memset(bytes + BLOCK_2 + 512, 'c', BLOCK);
	put_footer(bytes + FOOTER, DISK, VHD_DYNAMIC);
	seal_all(image);
}

/* On a parent, which nothing names yet. */
static inline void make_child(struct image *image)
{
	make(image);
	bytes_put_be32(image->bytes + FOOTER + VHD_TYPE, VHD_DIFFERENCING);
	memset(image->bytes + 512 + VHD_PARENT_UUID, 0x11, 16);
	seal_all(image);
}

static inline void make_fixed(struct image *image, uint64_t size)
{
	memset(image, 0, sizeof *image);
	memset(image->bytes, 'f', (size_t)size);
	put_footer(image->bytes + size, size, VHD_FIXED);
	image->len = (size_t)size + 512;
	seal_all(image);
}

static inline struct disk *open_image(struct source **source,
				      const struct image *image,
				      struct references *references,
				      struct err *err)
{
	struct open_options options = { .references = references };

	memset(err, 0, sizeof *err);
	*source = files_memory_source(image->bytes, image->len);
	return driver_vhd.open(*source, &options, err);
}

/* Opened and read as a whole, or the error. */
static inline int read_all(const struct image *image, unsigned char *out,
			   uint64_t *size, struct references *references,
			   struct err *err)
{
	struct source *source;
	struct disk *disk = open_image(&source, image, references, err);
	int failed = disk ? 0 : -1;

	if (disk) {
		*size = disk->size;
		failed = disk_read(disk, out, (size_t)disk->size, 0, err);
	}
	disk_close(disk);
	source_close(source);
	return failed;
}

static inline uint64_t checked(const struct image *image, uint64_t *leaks)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(image->bytes, image->len);
	struct check_report report = { 0 };
	struct open_options options = { 0 };
	struct err err;

	/* What stops the check is a finding, too, as far as we go here. */
	if (driver_vhd.check(source, &options, &report, &err))
		report.corruptions++;
	if (leaks)
		*leaks = report.leaks;
	return report.corruptions;
}

#endif
