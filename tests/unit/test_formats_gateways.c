/* SPDX-License-Identifier: MIT */
/* The gateways of disk, walk and writer; units; surveys; overlays. */
#include "check.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/driver.h"
#include "formats/overlay.h"
#include "io/files.h"
#include "io/zero.h"

extern const struct driver driver_raw;

/* ---- a disk that answers what it is told to ---- */

struct odd_disk {
	struct disk disk;
	struct extent answer;
	unsigned reads;
};

static int odd_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	(void)offset, (void)err;
	((struct odd_disk *)disk)->reads++;
	memset(buf, 'x', len);
	return 0;
}

static int odd_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	(void)offset, (void)limit, (void)err;
	*out = ((struct odd_disk *)disk)->answer;
	return 0;
}

static void odd_close(struct disk *disk)
{
	(void)disk;
}

static const struct disk_ops odd_ops = { .read = odd_read,
					 .extent = odd_extent,
					 .close = odd_close };

static void test_disk(void)
{
	struct odd_disk odd = { 0 };
	struct extent extent;
	struct err err = { 0 };
	char buf[16];

	disk_init(&odd.disk, &odd_ops, "odd");
	odd.disk.size = 1000;
	CHECK_EQ(disk_read(&odd.disk, buf, 16, 984, &err), 0);
	CHECK_EQ(disk_read(&odd.disk, buf, 16, 985, &err), -1);
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK_EQ(disk_read(&odd.disk, buf, 16, UINT64_MAX, &err), -1);
	CHECK_EQ(disk_read(&odd.disk, buf, 0, 1000, &err), 0);
	CHECK_EQ(odd.reads, 1);
	CHECK_EQ(disk_extent(&odd.disk, 1000, 1, &extent, &err), -1);
	/* Nothing is no answer; more than asked is cut; zeros have no place. */
	CHECK_EQ(disk_extent(&odd.disk, 0, 10, &extent, &err), -1);
	odd.answer = (struct extent){
		.length = 5000, .kind = EXTENT_DATA, .place = 7, .stored = 5000
	};
	CHECK_EQ(disk_extent(&odd.disk, 100, UINT64_MAX, &extent, &err), 0);
	CHECK_EQ(extent.offset, 100);
	CHECK_EQ(extent.length, 900);
	CHECK_EQ(extent.stored, 900);
	odd.answer.kind = EXTENT_ZERO;
	CHECK_EQ(disk_extent(&odd.disk, 0, 10, &extent, &err), 0);
	CHECK_EQ(extent.stored + extent.place, 0);
	CHECK(!disk_close(NULL));
}

/* ---- a walk of given pieces ---- */

struct list_walk {
	struct walk walk;
	const struct walk_piece *pieces;
	size_t count, next;
};

/* Data bytes are their offset, so that a test knows them. */
static int list_next(struct walk *walk, void *buf, size_t len,
		     struct walk_piece *out, struct err *err)
{
	struct list_walk *list = (struct list_walk *)walk;

	if (list->next == list->count)
		return 0;
	*out = list->pieces[list->next++];
	if (out->stored > len)
		return err_set(err, ERR_BUG, "room for %zu bytes", len);
	for (size_t i = 0; i < out->stored; i++)
		((unsigned char *)buf)[i] =
			(unsigned char)((out->offset + i) * 7 + 1);
	return 1;
}

static void list_close(struct walk *walk)
{
	(void)walk;
}

static const struct walk_ops list_ops = { .next = list_next,
					  .close = list_close };

static void list_open(struct list_walk *list, const struct walk_piece *pieces,
		      size_t count)
{
	memset(list, 0, sizeof *list);
	walk_init(&list->walk, &list_ops, "list");
	list->walk.ordered = true;
	list->pieces = pieces;
	list->count = count;
}

static void test_walk(void)
{
	static const struct walk_piece good[] = {
		{ 0, 100, EXTENT_DATA, ENCODING_PLAIN, 100 },
		{ 100, 50, EXTENT_HOLE, ENCODING_PLAIN, 0 },
	};
	static const struct walk_piece bad[][2] = {
		{ { 0, 100, EXTENT_DATA, ENCODING_PLAIN, 99 } },
		{ { 0, 0, EXTENT_ZERO, ENCODING_PLAIN, 0 } },
		{ { 0, 8, EXTENT_ZERO, ENCODING_PLAIN, 8 } },
		{ { 8, 8, EXTENT_ZERO, ENCODING_PLAIN, 0 } },
		{ { 0, 1 << 20, EXTENT_DATA, ENCODING_DEFLATE, 5 } },
	};
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN_MAX);
	struct list_walk list;
	struct walk_piece piece;
	struct err err = { 0 };

	list_open(&list, good, 2);
	CHECK_EQ(walk_next(&list.walk, buf, 511, &piece, &err), -1);
	list.walk.ordered = false;
	CHECK_EQ(walk_next(&list.walk, buf, 4096, &piece, &err), -1);
	list.walk.ordered = true;
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), 1);
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), 1);
	CHECK(!list.walk.size_known);
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), 0);
	CHECK(list.walk.size_known);
	CHECK_EQ(list.walk.size, 150);
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), 0);
	for (size_t i = 0; i < 5; i++) {
		list_open(&list, bad[i], 1);
		CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err),
			 -1);
		CHECK_EQ(err.kind, ERR_BUG);
	}
	/* Shorter than announced; longer than announced. */
	list_open(&list, good, 1);
	list.walk.size_known = true;
	list.walk.size = 150;
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), 1);
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	list_open(&list, good, 1);
	list.walk.size_known = true;
	list.walk.size = 99;
	CHECK_EQ(walk_next(&list.walk, buf, UNIT_LEN_MAX, &piece, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
}

/* ---- a writer that does nothing ---- */

static int mute_place(struct writer *writer, struct unit *unit, struct err *err)
{
	(void)writer, (void)unit, (void)err;
	return 0;
}

static int mute_zero(struct writer *writer, uint64_t offset, uint64_t length,
		     enum extent_kind kind, struct err *err)
{
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0;
}

static int mute_finish(struct writer *writer, uint64_t size, struct err *err)
{
	(void)writer, (void)size, (void)err;
	return 0;
}

static const struct writer_ops mute_ops = { .place = mute_place,
					    .zero = mute_zero,
					    .finish = mute_finish };

static int zero(struct writer *writer, uint64_t offset, uint64_t length)
{
	struct err err = { 0 };
	int result = writer_zero(writer, offset, length, EXTENT_ZERO, &err);

	CHECK_EQ(err.kind, result ? ERR_BUG : ERR_NONE);
	return result;
}

static void test_writer(void)
{
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct writer writer;
	struct unit unit;
	struct err err = { 0 };

	writer_init(&writer, &mute_ops, "mute", sink);
	CHECK_EQ(zero(&writer, 0, 4096), 0);
	CHECK_EQ(zero(&writer, 0, 4096), -1);
	CHECK_EQ(zero(&writer, 4097, 4096), -1);
	CHECK_EQ(zero(&writer, 8192, 4096), 0);
	CHECK_EQ(zero(&writer, 4096, 4096), -1);
	CHECK_EQ(zero(&writer, 12288, 100), 0);
	CHECK_EQ(zero(&writer, 16384, 4096), -1); /* after a partial one */
	CHECK_EQ(writer_finish(&writer, 12000, &err), -1);
	CHECK_EQ(writer_finish(&writer, 12800, &err), 0);
	CHECK_EQ(writer_finish(&writer, 12800, &err), -1);
	CHECK_EQ(zero(&writer, 20480, 4096), -1);
	CHECK(!writer_can_reserve(&writer));

	/* The first range last, itself in order; nothing twice. */
	writer_init(&writer, &mute_ops, "mute", sink);
	writer.head_last = true;
	CHECK_EQ(zero(&writer, 8192, 4096), 0);
	CHECK_EQ(zero(&writer, 12288, 4096), 0);
	CHECK_EQ(zero(&writer, 0, 4096), 0);
	CHECK_EQ(zero(&writer, 0, 4096), -1);
	CHECK_EQ(zero(&writer, 4096, 8192), -1);
	CHECK_EQ(zero(&writer, 4096, 4096), 0);
	CHECK_EQ(zero(&writer, 8192, 4096), -1);

	writer_init(&writer, &mute_ops, "mute", sink);
	writer.any_order = true;
	CHECK_EQ(zero(&writer, 8192, 4096), 0);
	CHECK_EQ(zero(&writer, 0, 4096), 0);
	unit_init(&unit, &writer);
	unit.len = 5000;
	unit.granule_count = 1;
	CHECK_EQ(writer_place(&writer, &unit, &err), -1);
	unit.granule_count = 2;
	unit.granules[1].coded_len = 9;
	CHECK_EQ(writer_encode(&writer, NULL, &unit, &err), 0);
	CHECK_EQ(unit.granules[1].coded_len, 0);
	CHECK_EQ(writer_place(&writer, &unit, &err), 0);
	unit_free(&unit);
}

static void test_unit(void)
{
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct sink *other AUTO_SINK = files_memory_sink();
	struct writer writer;
	struct unit unit;
	struct err err = { 0 };
	size_t len;

	writer_init(&writer, &mute_ops, "mute", sink);
	unit_init(&unit, &writer);
	memset(unit.data, 'a', 4096);
	unit_store(&unit, sink, 100, unit.data, 10);
	unit_store(&unit, sink, 110, unit.data + 10, 5);
	CHECK_EQ(unit.store_count, 1);
	unit_store(&unit, sink, 115, unit.data + 20, 5); /* not in memory */
	unit_store(&unit, sink, 121, unit.data + 25, 5); /* not in the file */
	unit_store(&unit, other, 126, unit.data + 30, 5);
	CHECK_EQ(unit.store_count, 4);
	unit_store_take(&unit, sink, 130, mem_zalloc(8), 8);
	unit_store(&unit, sink, 138, unit.data, 1);
	unit_store(&unit, sink, 139, unit.data, 0);
	CHECK_EQ(unit.store_count, 6);
	CHECK_EQ(writer_store(&unit, &err), 0);
	CHECK_EQ(files_memory_bytes(sink, &len)[114], 'a');
	CHECK_EQ(len, 139);
	unit_reset(&unit);
	CHECK_EQ(unit.store_count, 0);
	unit_free(&unit);
}

static void test_survey(void)
{
	struct survey survey;
	struct err err = { 0 };

	CHECK_EQ(survey_init(&survey, 10 * 4096 + 1, 4096, &err), 0);
	survey_mark(&survey, 0);
	survey_mark(&survey, 10);
	survey_mark(&survey, 10);
	CHECK_EQ(survey.count, 2);
	CHECK(survey_has(&survey, 0) && !survey_has(&survey, 1));
	CHECK(survey_has(&survey, 10) && !survey_has(&survey, 11));
	CHECK(!survey_has(&survey, UINT64_MAX));
	survey_clear(&survey);
	CHECK_EQ(survey_init(&survey, (uint64_t)1 << 50, 512, &err), -1);
	CHECK_EQ(err.kind, ERR_LIMIT);
}

/* ---- overlays ---- */

static struct disk *below_disk(struct source *source)
{
	struct err err = { 0 };

	return driver_raw.open(source, NULL, &err);
}

static void test_overlay_disk(void)
{
	unsigned char bytes[8192] = { 0 }, want[12288] = { 0 };
	unsigned char got[12288];
	struct source *source AUTO_SOURCE =
		files_memory_source(bytes, sizeof bytes);
	struct err err = { 0 };
	struct extent extent;

	memset(bytes, 'b', sizeof bytes);

	struct disk *disk AUTO_DISK =
		overlay_disk(below_disk(source), sizeof want);
	static const struct {
		size_t offset, len;
		char with;
	} edits[] = { { 100, 50, 'c' }, { 8000, 400, 'd' }, { 120, 10, 'e' },
		      { 90, 15, 'f' },	{ 12287, 1, 'g' },  { 0, 0, 'h' } };

	memset(want, 'b', sizeof bytes);
	for (size_t i = 0; i < 6; i++) {
		char edit[512];

		memset(edit, edits[i].with, sizeof edit);
		memcpy(want + edits[i].offset, edit, edits[i].len);
		CHECK_EQ(overlay_disk_put(disk, edits[i].offset, edit,
					  edits[i].len, &err),
			 0);
	}
	CHECK_EQ(overlay_disk_put(disk, 12287, "xx", 2, &err), -1);
	CHECK_EQ(disk_read(disk, got, sizeof got, 0, &err), 0);
	CHECK(!memcmp(got, want, sizeof got));
	for (size_t at = 0; at < sizeof want; at += 37) {
		size_t len = min_u64(61, sizeof want - at);

		CHECK_EQ(disk_read(disk, got, len, at, &err), 0);
		CHECK(!memcmp(got, want + at, len));
	}
	/* Extents: below, patches (without place), below, patch, hole. */
	CHECK_EQ(disk_extent(disk, 0, 9999, &extent, &err), 0);
	CHECK(extent.length == 90 && extent.source == source);
	CHECK_EQ(disk_extent(disk, 110, 9999, &extent, &err), 0);
	CHECK(extent.kind == EXTENT_DATA && !extent.source);
	CHECK_EQ(extent.length, 10);
	CHECK_EQ(disk_extent(disk, 150, 9999, &extent, &err), 0);
	CHECK(extent.place == 150 && extent.length == 8000 - 150);
	CHECK_EQ(disk_extent(disk, 8400, 9999, &extent, &err), 0);
	CHECK(extent.kind == EXTENT_HOLE && extent.length == 12287 - 8400);
	/* Bounded. */
	unsigned char *much AUTO_FREE = mem_zalloc(OVERLAY_MAX);
	struct disk *big AUTO_DISK =
		overlay_disk(below_disk(source), 2 * OVERLAY_MAX);

	CHECK_EQ(overlay_disk_put(big, 5, much, OVERLAY_MAX, &err), 0);
	CHECK_EQ(overlay_disk_put(big, 0, much, 1, &err), -1);
	CHECK_EQ(err.kind, ERR_LIMIT);
}

/* All that a walk yields, as bytes; its result. `room` for one piece. */
static int drain(struct walk *walk, size_t room, unsigned char *out, size_t len,
		 struct err *err)
{
	unsigned char *buf AUTO_FREE = mem_zalloc(room);
	struct walk_piece piece;
	int got;

	memset(out, 0, len);
	while ((got = walk_next(walk, buf, room, &piece, err)) > 0) {
		CHECK(piece.offset + piece.length <= len);
		if (piece.stored)
			memcpy(out + piece.offset, buf, piece.stored);
	}
	return got;
}

static const struct walk_piece below_pieces[] = {
	{ 0, 100, EXTENT_DATA, ENCODING_PLAIN, 100 },
	{ 100, 1000, EXTENT_HOLE, ENCODING_PLAIN, 0 },
	{ 1100, 900, EXTENT_DATA, ENCODING_PLAIN, 900 },
};

static void below_bytes(unsigned char *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = i < 100 || (i >= 1100 && i < 2000)
				 ? (unsigned char)(i * 7 + 1)
				 : 0;
}

static void check_overlay_walk(uint64_t size, size_t peek)
{
	unsigned char want[4096], got[4096];
	const unsigned char *head;
	struct list_walk list;
	struct err err = { 0 };
	size_t head_len;
	uint64_t below;

	list_open(&list, below_pieces, 3);

	struct walk *walk AUTO_WALK = overlay_walk(&list.walk, size, true);

	below_bytes(want, sizeof want);
	if (peek) {
		CHECK_EQ(overlay_walk_peek(walk, &head, peek, &head_len, &err),
			 0);
		CHECK_EQ(head_len, min_u64(peek, 2000));
		CHECK(!memcmp(head, want, head_len));
	}
	static const size_t at[] = { 0, 95, 500, 1099, 1990 };

	for (size_t i = 0; i < 5; i++) {
		if (at[i] + 20 > size)
			continue;
		memset(want + at[i], (int)('A' + i), 20);
		CHECK_EQ(overlay_walk_put(walk, at[i], want + at[i], 20, &err),
			 0);
	}
	memset(want + size, 0, sizeof want - size);
	CHECK_EQ(drain(walk, 1000, got, sizeof got, &err), 0);
	CHECK(!memcmp(got, want, sizeof got));
	CHECK(overlay_walk_below_size(walk, &below));
	CHECK_EQ(below, 2000);
}

static void test_overlay_walk(void)
{
	static const uint64_t sizes[] = { 2000, 2500, 4096, 1999,
					  600,	100,  50,   0 };
	unsigned char got[4096];
	struct list_walk list;
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		check_overlay_walk(sizes[i], 0);
		check_overlay_walk(sizes[i], 60);
		check_overlay_walk(sizes[i], 1500);
		check_overlay_walk(sizes[i], 3000);
	}
	list_open(&list, below_pieces, 3);

	struct walk *walk AUTO_WALK = overlay_walk(&list.walk, 1200, false);

	CHECK_EQ(drain(walk, UNIT_LEN_MAX, got, sizeof got, &err), -1);
	CHECK_EQ(err.kind, ERR_REFUSED);
	CHECK(strstr(err.message, "2000"));
}

int main(void)
{
	test_disk();
	test_walk();
	test_writer();
	test_unit();
	test_survey();
	test_overlay_disk();
	test_overlay_walk();
	return check_result();
}
