/* SPDX-License-Identifier: MIT */
/*
 * Owns the format extension: which clusters it and its dirty bitmaps use. Does
 * not interpret bitmaps, for they say nothing of what the guest sees.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/parallels/parallels.h"

/* "Format Extension" */
#define MAGIC 0xab234cef23dcea87ULL
#define HEAD_LEN 24 /* magic, MD5 */
/* A feature: magic, flags (64 bits each), data_size (32). */
#define FEATURE_LEN 24
#define FEATURE_SIZE_AT 16
#define FEATURE_END 0
#define FEATURE_BITMAP 0x20385fae252cb34aULL
/* "Dirty bitmaps feature": l1_size at 28, then the L1 table. */
#define BITMAP_L1_SIZE_AT 28
#define BITMAP_LEN 32

struct extension {
	struct source *source;
	const struct parallels_header *header;
	struct usage *usage;
	struct check_report *report;
	unsigned char *bytes; /* of its cluster */
	uint64_t len;
};

static int claim(const struct extension *x, const char *what, uint64_t sector,
		 struct err *err)
{
	uint64_t offset;

	if (!checked_mul(sector, PARALLELS_SECTOR, &offset))
		offset = UINT64_MAX;
	/* Outside of the file is corruption. */
	return usage_claim(x->usage, x->report, what, offset,
			   x->header->cluster_size, err);
}

/* The clusters of one bitmap: 0 and 1 stand for all bits clear or set. */
static int check_bitmap(const struct extension *x, const unsigned char *data,
			uint32_t len, struct err *err)
{
	uint64_t count;

	if (len < BITMAP_LEN) {
		check_corruption(x->report,
				 "dirty bitmap of %u bytes is less than %d",
				 len, BITMAP_LEN);
		return 0;
	}
	count = bytes_le32(data + BITMAP_L1_SIZE_AT);
	if (count > (len - BITMAP_LEN) / 8) {
		check_corruption(x->report,
				 "dirty bitmap has %" PRIu64 " L1 entries, but "
				 "room for %u",
				 count, (len - BITMAP_LEN) / 8);
		return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = bytes_le64(data + BITMAP_LEN + i * 8);

		if (entry > 1 && claim(x, "dirty bitmap", entry, err))
			return -1;
	}
	return 0;
}

static int check_features(const struct extension *x, struct err *err)
{
	uint64_t at = HEAD_LEN;

	/* Each turn moves on by a feature's head at least. */
	while (at + FEATURE_LEN <= x->len) {
		const unsigned char *head = x->bytes + at;
		uint64_t magic = bytes_le64(head);
		uint32_t len = bytes_le32(head + FEATURE_SIZE_AT);

		if (magic == FEATURE_END)
			return 0;
		at += FEATURE_LEN;
		if (len > x->len - at)
			break;
		if (magic == FEATURE_BITMAP &&
		    check_bitmap(x, x->bytes + at, len, err))
			return -1;
		at = round_up(at + len, 8);
	}
	check_corruption(x->report, "the format extension has no end");
	return 0;
}

int parallels_extension_check(struct source *source,
			      const struct parallels_header *header,
			      struct usage *usage, struct check_report *report,
			      struct err *err)
{
	struct extension x = { source, header, usage, report, NULL, 0 };
	AUTO_FREE unsigned char *bytes = NULL;
	uint64_t offset;

	if (!header->extension_sector)
		return 0;
	if (claim(&x, "format extension", header->extension_sector, err))
		return -1;
	if (!checked_mul(header->extension_sector, PARALLELS_SECTOR, &offset) ||
	    !checked_inside(offset, header->cluster_size, source->size))
		return 0;
	x.len = header->cluster_size;
	bytes = mem_capped(x.len, 1, LIMIT_TABLE_LEN, "format extension", err);
	if (!bytes || source_read_all(source, bytes, (size_t)x.len, offset,
				      "format extension", err))
		return -1;
	x.bytes = bytes;
	if (x.len < HEAD_LEN || bytes_le64(bytes) != MAGIC) {
		check_corruption(report,
				 "format extension at %" PRIu64 " has no magic",
				 offset);
		return 0;
	}
	return check_features(&x, err);
}
