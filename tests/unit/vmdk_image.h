/* SPDX-License-Identifier: MIT */
/*
 * Small VMDK images in memory, field by field, for the units: grains of 4 KiB
 * and tables of 128 entries, so that a disk of a megabyte crosses two bounds
 * of tables and ends within a grain.
 */
#ifndef TESTS_VMDK_IMAGE_H
#define TESTS_VMDK_IMAGE_H

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "check.h"
#include "fakes.h"
#include "formats/images/vmdk/vmdk.h"
#include "io/files.h"
#include "sequence.h"

enum image_kind {
	IMAGE_SPARSE,	    /* plain grains, redundant tables, all in front */
	IMAGE_STREAM,	    /* markers, tables behind the grains, a footer */
	IMAGE_STREAM_FRONT, /* markers, tables in front, no footer */
	IMAGE_PACKED	    /* compressed, no markers */
};

#define IMAGE_GRAIN 4096u
#define IMAGE_ENTRIES 128u
#define IMAGE_TABLES 3u
#define IMAGE_GUEST (2 * IMAGE_ENTRIES * IMAGE_GRAIN + 5 * IMAGE_GRAIN + 1536)
#define IMAGE_GRAINS (2 * IMAGE_ENTRIES + 6)
/* Sectors. */
#define IMAGE_DESCRIPTOR 1u
#define IMAGE_DESCRIPTOR_LEN 4u
#define IMAGE_RGD 5u
#define IMAGE_RGT 6u
#define IMAGE_GD 9u
#define IMAGE_GT 10u
#define IMAGE_FIRST 16u

struct image {
	enum image_kind kind;
	unsigned char *bytes, *guest;
	size_t len;
	uint32_t place[IMAGE_TABLES * IMAGE_ENTRIES]; /* sectors */
};

/* Two of five grains hold data, one of them random; the last one always. */
static inline void image_guest(unsigned char *guest)
{
	uint32_t state = 1;

	for (size_t i = 0; i < IMAGE_GUEST; i++) {
		size_t grain = i / IMAGE_GRAIN;

		state = sequence32(state);
		if (grain % 5 == 1)
			guest[i] = (unsigned char)(state >> 24);
		else if (grain % 5 == 2 || grain == IMAGE_GRAINS - 1)
			guest[i] = (unsigned char)"words "[i % 6];
		else
			guest[i] = 0;
	}
}

static inline unsigned char *image_append(struct image *image, size_t len)
{
	size_t at = image->len;

	image->len += len;
	image->bytes = mem_resize(image->bytes, image->len, 1);
	memset(image->bytes + at, 0, len);
	return image->bytes + at;
}

static inline void image_marker(struct image *image, uint64_t value,
				uint32_t type)
{
	unsigned char *at = image_append(image, VMDK_SECTOR);

	bytes_put_le64(at + VMDK_MARKER_VALUE, value);
	bytes_put_le32(at + VMDK_MARKER_TYPE, type);
}

static inline void image_header(const struct image *image, unsigned char *at,
				uint64_t gd)
{
	bool packed = image->kind != IMAGE_SPARSE;
	uint32_t flags = VMDK_FLAG_NEWLINES;

	if (image->kind == IMAGE_SPARSE)
		flags |= VMDK_FLAG_REDUNDANT | VMDK_FLAG_ZERO_GRAINS;
	if (packed)
		flags |= VMDK_FLAG_COMPRESSED;
	if (packed && image->kind != IMAGE_PACKED)
		flags |= VMDK_FLAG_MARKERS;
	bytes_put_le32(at, VMDK_MAGIC);
	bytes_put_le32(at + VMDK_VERSION, packed ? 3 : 1);
	bytes_put_le32(at + VMDK_FLAGS, flags);
	bytes_put_le64(at + VMDK_CAPACITY, IMAGE_GUEST / VMDK_SECTOR);
	bytes_put_le64(at + VMDK_GRAIN, IMAGE_GRAIN / VMDK_SECTOR);
	bytes_put_le64(at + VMDK_DESCRIPTOR, IMAGE_DESCRIPTOR);
	bytes_put_le64(at + VMDK_DESCRIPTOR_LEN, IMAGE_DESCRIPTOR_LEN);
	bytes_put_le32(at + VMDK_TABLE_ENTRIES, IMAGE_ENTRIES);
	if (image->kind == IMAGE_SPARSE)
		bytes_put_le64(at + VMDK_RGD, IMAGE_RGD);
	bytes_put_le64(at + VMDK_GD, gd);
	bytes_put_le64(at + VMDK_OVERHEAD, IMAGE_FIRST);
	memcpy(at + VMDK_NEWLINES, VMDK_NEWLINES_TEXT, VMDK_NEWLINES_LEN);
	bytes_put_le16(at + VMDK_COMPRESSION, packed);
}

static inline size_t image_pack(const unsigned char *grain, unsigned char *out,
				size_t room)
{
	static const struct block_options options = { .level = 1,
						      .window_log = 15 };
	struct err err = { 0 };
	struct block_encoder *encoder =
		block_encoder_open(BLOCK_ZLIB, &options, &err);
	size_t len = 0;

	if (encoder)
		block_encode(encoder, grain, IMAGE_GRAIN, out, room, &len, &err);
	CHECK_STR(err.message, "");
	CHECK(len);
	block_encoder_close(encoder);
	return len;
}

/* Grain number `index`, wherever the image ends. */
static inline void image_grain(struct image *image, size_t index)
{
	unsigned char grain[IMAGE_GRAIN] = { 0 }, coded[3 * IMAGE_GRAIN] = { 0 };
	bool markers = image->kind == IMAGE_STREAM ||
		       image->kind == IMAGE_STREAM_FRONT;
	size_t at = index * IMAGE_GRAIN, len = IMAGE_GRAIN, skip = 0;

	memcpy(grain, image->guest + at, min_u64(IMAGE_GRAIN, IMAGE_GUEST - at));
	image->place[index] = (uint32_t)(image->len / VMDK_SECTOR);
	if (image->kind == IMAGE_SPARSE) {
		memcpy(image_append(image, len), grain, len);
		return;
	}
	if (markers)
		skip = VMDK_MARKER_DATA;
	len = image_pack(grain, coded + skip, 2 * IMAGE_GRAIN);
	if (markers) {
		bytes_put_le64(coded, at / VMDK_SECTOR);
		bytes_put_le32(coded + VMDK_MARKER_SIZE, (uint32_t)len);
	}
	len = round_up(skip + len, VMDK_SECTOR);
	memcpy(image_append(image, len), coded, len);
}

static inline void image_table(const struct image *image, unsigned table,
			       unsigned char *at)
{
	for (unsigned i = 0; i < IMAGE_ENTRIES; i++)
		bytes_put_le32(at + 4 * i,
			       image->place[table * IMAGE_ENTRIES + i]);
}

static inline void image_tables_in_front(struct image *image, unsigned gd,
					 unsigned gt)
{
	for (unsigned i = 0; i < IMAGE_TABLES; i++) {
		bytes_put_le32(image->bytes + gd * VMDK_SECTOR + 4 * i, gt + i);
		image_table(image, i, image->bytes + (gt + i) * VMDK_SECTOR);
	}
}

static inline void image_tables_behind(struct image *image)
{
	uint32_t at[IMAGE_TABLES], gd;
	unsigned char *to;

	for (unsigned i = 0; i < IMAGE_TABLES; i++) {
		image_marker(image, 1, VMDK_MARKER_TABLE);
		at[i] = (uint32_t)(image->len / VMDK_SECTOR);
		image_table(image, i, image_append(image, VMDK_SECTOR));
	}
	image_marker(image, 1, VMDK_MARKER_DIRECTORY);
	gd = (uint32_t)(image->len / VMDK_SECTOR);
	to = image_append(image, VMDK_SECTOR);
	for (unsigned i = 0; i < IMAGE_TABLES; i++)
		bytes_put_le32(to + 4 * i, at[i]);
	image_marker(image, 1, VMDK_MARKER_FOOTER);
	image_header(image, image_append(image, VMDK_SECTOR), gd);
	image_marker(image, 0, VMDK_MARKER_END);
}

static inline void image_make(struct image *image, enum image_kind kind)
{
	memset(image, 0, sizeof *image);
	image->kind = kind;
	image->guest = mem_zalloc(IMAGE_GUEST);
	image_guest(image->guest);
	image_append(image, IMAGE_FIRST * VMDK_SECTOR);
	for (size_t i = 0; i < IMAGE_GRAINS; i++)
		if (image->guest[i * IMAGE_GRAIN + 1])
			image_grain(image, i);
	image_header(image, image->bytes,
		     kind == IMAGE_STREAM ? VMDK_GD_AT_END : IMAGE_GD);
	snprintf((char *)image->bytes + VMDK_SECTOR,
		 IMAGE_DESCRIPTOR_LEN * VMDK_SECTOR,
		 "# Disk DescriptorFile\nversion=1\nCID=0badcafe\n"
		 "parentCID=ffffffff\ncreateType=\"%s\"\n"
		 "RW %u SPARSE \"x.vmdk\"\nddb.adapterType = \"ide\"\n",
		 kind == IMAGE_SPARSE ? "monolithicSparse" : "streamOptimized",
		 IMAGE_GUEST / VMDK_SECTOR);
	if (kind == IMAGE_STREAM)
		image_tables_behind(image);
	else
		image_tables_in_front(image, IMAGE_GD, IMAGE_GT);
	if (kind == IMAGE_SPARSE)
		image_tables_in_front(image, IMAGE_RGD, IMAGE_RGT);
	if (kind == IMAGE_STREAM_FRONT)
		image_marker(image, 0, VMDK_MARKER_END);
}

static inline void image_free(struct image *image)
{
	free(image->bytes);
	free(image->guest);
}

/* Open `len` bytes of it and read all of the guest into `out` (IMAGE_GUEST);
 * 0, or -1 with err. */
static inline int image_read(const struct image *image, size_t len,
			     unsigned char *out, size_t step, struct err *err)
{
	struct source *source = files_memory_source(image->bytes, len);
	struct open_options options = { .name = "d-s001.vmdk" };
	struct disk *disk = vmdk_open(source, &options, err);
	int status = disk ? 0 : -1;
	uint64_t at, now;

	if (disk && disk->size != IMAGE_GUEST)
		status = err_set(err, ERR_BUG, "the size is %" PRIu64,
				 disk->size);
	for (at = 0; !status && at < IMAGE_GUEST; at += now) {
		now = min_u64(step, IMAGE_GUEST - at);
		status = disk_read(disk, out + at, (size_t)now, at, err);
	}
	if (!status)
		status = disk_finish(disk, err);
	disk_close(disk);
	source_close(source);
	return status;
}

/* The same in one pass, `most` bytes a pull, `room` a piece; counts what was
 * pulled at most. */
static inline int image_walk(const struct image *image, size_t len,
			     unsigned char *out, size_t most, size_t room,
			     unsigned fail_at, struct err *err)
{
	struct fake_chunks chunks = { .bytes = image->bytes,
				      .len = len,
				      .most = most,
				      .fail_at = fail_at };
	struct source *source = fake_chunks_open(&chunks);
	struct open_options options = { .name = NULL };
	struct walk *walk = vmdk_walk(source, &options, -1, err);
	unsigned char *buf = malloc(room);
	int got = walk ? 1 : -1;
	struct walk_piece piece;

	memset(out, 0, IMAGE_GUEST);
	while (got > 0) {
		got = walk_next(walk, buf, room, &piece, err);
		if (got > 0 && piece.kind == EXTENT_DATA)
			memcpy(out + piece.offset, buf, piece.stored);
	}
	if (!got && walk->position != IMAGE_GUEST)
		got = err_set(err, ERR_BUG, "it ended at %" PRIu64,
			      walk->position);
	walk_close(walk);
	source_close(source);
	free(buf);
	return got;
}

#endif
