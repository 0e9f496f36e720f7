/* SPDX-License-Identifier: MIT */
/* Edits over a disk whose clusters are compressed, and that fails: what is cut
 * by an edit is read as it is, and what the disk says comes through. */
#include "base/facts.h"
#include "base/mem.h"
#include "formats/overlay.h"
#include "io/files.h"
#include "tests/unit/check.h"

#define CLUSTER 65536u
#define SIZE (4 * (uint64_t)CLUSTER)

struct toy {
	struct disk disk;
	struct source *source; /* where clusters are said to be */
	bool fails, closed;
};

static int toy_fails(const struct toy *toy, struct err *err)
{
	return toy->fails ? err_set(err, ERR_IO, "injected") : 0;
}

static int toy_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	memset(buf, 'a' + (int)(offset / CLUSTER), len);
	return toy_fails((struct toy *)disk, err);
}

/* A cluster, whatever is asked for: the gateway cuts it. */
static int toy_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct toy *toy = (struct toy *)disk;

	(void)limit;
	out->length = CLUSTER - offset % CLUSTER;
	out->kind = EXTENT_DATA;
	out->encoding = ENCODING_ZSTD;
	out->source = toy->source;
	out->place = offset / CLUSTER * 100;
	out->stored = 100;
	return toy_fails(toy, err);
}

static void toy_info(struct disk *disk, struct facts *facts)
{
	(void)disk;
	facts_bool(facts, "toy", true);
}

static int toy_finish(struct disk *disk, struct err *err)
{
	return toy_fails((struct toy *)disk, err);
}

static void toy_close(struct disk *disk)
{
	((struct toy *)disk)->closed = true;
}

static const struct disk_ops toy_ops = { .read = toy_read,
					 .extent = toy_extent,
					 .info = toy_info,
					 .finish = toy_finish,
					 .close = toy_close };

static struct disk *toy_open(struct toy *toy)
{
	disk_init(&toy->disk, &toy_ops, "toy");
	toy->disk.size = SIZE;
	toy->disk.sector_size = 512;
	toy->disk.granule = CLUSTER;
	return &toy->disk;
}

/* From `offset`: so long; stored as a whole cluster, or only to be read. */
static void expect(struct disk *disk, uint64_t offset, uint64_t length,
		   bool stored)
{
	struct extent extent;
	struct err err = { .message = "" };

	if (disk_extent(disk, offset, disk->size - offset, &extent, &err))
		CHECK_STR(err.message, "");
	CHECK_EQ(extent.length, length);
	CHECK_EQ(extent.encoding, stored ? ENCODING_ZSTD : ENCODING_PLAIN);
	CHECK_EQ(extent.source != NULL, stored);
}

static void test_edits(void)
{
	struct toy toy = { .source = files_memory_source("", 0) };
	struct disk *disk = overlay_disk(toy_open(&toy), SIZE + 1000);
	unsigned char buf[4];
	struct facts *facts = mem_zalloc(sizeof *facts);
	struct err err = { .message = "" };

	expect(disk, 0, CLUSTER, true);
	CHECK(!overlay_disk_put(disk, CLUSTER + 500, "new", 3, &err));
	expect(disk, CLUSTER, 500, false);
	expect(disk, CLUSTER + 500, 3, false);
	expect(disk, 2 * CLUSTER, CLUSTER, true);
	/* Behind its end there is nothing. */
	expect(disk, SIZE, 1000, false);
	CHECK(!disk_read(disk, buf, 4, CLUSTER + 499, &err));
	CHECK(!memcmp(buf, "bnew", 4));
	CHECK(!disk_read(disk, buf, 2, SIZE - 1, &err));
	CHECK(!memcmp(buf, "d", 2));
	disk_info(disk, facts);
	CHECK(facts->count == 1 && !strcmp(facts->fact[0].name, "toy"));
	CHECK(!disk_finish(disk, &err));
	disk_close(disk);
	CHECK(toy.closed);
	source_close(toy.source);
	free(facts);
}

static void test_failures(void)
{
	struct toy toy = { .fails = true };
	struct disk *disk = overlay_disk(toy_open(&toy), SIZE);
	struct extent extent;
	unsigned char buf[8];
	struct err err = { .message = "" };

	CHECK(!overlay_disk_put(disk, 0, "new", 3, &err));
	CHECK(disk_read(disk, buf, 4, 0, &err));
	CHECK_STR(err.message, "injected");
	CHECK(!disk_read(disk, buf, 3, 0, &err)); /* nothing of the disk */
	CHECK(disk_extent(disk, 3, 100, &extent, &err));
	CHECK(disk_finish(disk, &err));
	disk_close(disk);
}

int main(void)
{
	test_edits();
	test_failures();
	return check_result();
}
