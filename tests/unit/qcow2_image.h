/* SPDX-License-Identifier: MIT */
/*
 * A small qcow2 in memory, made field by field, to be spoilt by tests:
 *
 *   cluster 0 header, 1 refcount table, 2 refcount block, 3 L1, 4 L2,
 *   5 ... data: guest cluster i lies in file cluster 5 + i
 *
 * Guest cluster i is filled with the byte 'A' + i % 26. Clusters are 512
 * bytes, so that everything fits a page or two.
 */
#ifndef TESTS_QCOW2_IMAGE_H
#define TESTS_QCOW2_IMAGE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "check.h"
#include "formats/images/driver.h"
#include "formats/images/qcow2/layout.h"
#include "formats/images/qcow2/qcow2.h"
#include "io/files.h"

#define IMAGE_BITS 9
#define IMAGE_CLUSTER ((size_t)1 << IMAGE_BITS)
#define IMAGE_REFTABLE (1 * IMAGE_CLUSTER)
#define IMAGE_REFBLOCK (2 * IMAGE_CLUSTER)
#define IMAGE_L1 (3 * IMAGE_CLUSTER)
#define IMAGE_L2 (4 * IMAGE_CLUSTER)
#define IMAGE_DATA (5 * IMAGE_CLUSTER)
#define IMAGE_CLUSTERS 8 /* of guest data */
#define IMAGE_SIZE (IMAGE_CLUSTERS * IMAGE_CLUSTER)
#define IMAGE_LEN (IMAGE_DATA + IMAGE_SIZE)

struct image {
	unsigned char *bytes;
	size_t len;
};

static inline void image_put16(struct image *image, size_t at, uint16_t v)
{
	bytes_put_be16(image->bytes + at, v);
}

static inline void image_put32(struct image *image, size_t at, uint32_t v)
{
	bytes_put_be32(image->bytes + at, v);
}

static inline void image_put64(struct image *image, size_t at, uint64_t v)
{
	bytes_put_be64(image->bytes + at, v);
}

static inline void image_refcount(struct image *image, size_t cluster,
				  uint16_t count)
{
	image_put16(image, IMAGE_REFBLOCK + cluster * 2, count);
}

static inline void image_l2(struct image *image, size_t index, uint64_t entry)
{
	image_put64(image, IMAGE_L2 + index * 8, entry);
}

/* Cut or, with zeros, grow. */
static inline void image_resize(struct image *image, size_t len)
{
	image->bytes = mem_resize(image->bytes, len ? len : 1, 1);
	if (len > image->len)
		memset(image->bytes + image->len, 0, len - image->len);
	image->len = len;
}

static inline void image_fill(struct image *image)
{
	for (size_t i = 0; i < IMAGE_CLUSTERS; i++) {
		uint64_t place = IMAGE_DATA + i * IMAGE_CLUSTER;

		image_l2(image, i, QCOW2_COPIED | place);
		memset(image->bytes + place, (int)('A' + i % 26),
		       IMAGE_CLUSTER);
	}
	for (size_t i = 0; i < IMAGE_LEN / IMAGE_CLUSTER; i++)
		image_refcount(image, i, 1);
}

static inline struct image image_make(uint32_t version)
{
	struct image image = { 0 };

	image_resize(&image, IMAGE_LEN);
	image_put32(&image, 0, QCOW2_MAGIC);
	image_put32(&image, QCOW2_VERSION, version);
	image_put32(&image, QCOW2_CLUSTER_BITS, IMAGE_BITS);
	image_put64(&image, QCOW2_SIZE, IMAGE_SIZE);
	image_put32(&image, QCOW2_L1_ENTRIES, 1);
	image_put64(&image, QCOW2_L1_OFFSET, IMAGE_L1);
	image_put64(&image, QCOW2_REFTABLE_OFFSET, IMAGE_REFTABLE);
	image_put32(&image, QCOW2_REFTABLE_CLUSTERS, 1);
	if (version == 3) {
		image_put32(&image, QCOW2_REFCOUNT_ORDER, 4);
		image_put32(&image, QCOW2_HEADER_LEN, QCOW2_V3_LEN);
	}
	image_put64(&image, IMAGE_REFTABLE, IMAGE_REFBLOCK);
	image_put64(&image, IMAGE_L1, QCOW2_COPIED | IMAGE_L2);
	image_fill(&image);
	return image;
}

static inline void image_free(struct image *image)
{
	free(image->bytes);
	image->bytes = NULL;
}

/* Open and read all of it: the guest's bytes, or NULL with err filled. */
static inline unsigned char *image_read(struct source *source,
					const struct open_options *options,
					uint64_t *size, struct err *err)
{
	struct disk *disk = qcow2_open(source, options, err);
	unsigned char *guest;

	*size = 0;
	if (!disk)
		return NULL;
	*size = disk->size;
	guest = mem_zalloc((size_t)disk->size + 1);
	if (disk_read(disk, guest, (size_t)disk->size, 0, err)) {
		free(guest);
		guest = NULL;
	}
	disk_close(disk);
	return guest;
}

#endif
