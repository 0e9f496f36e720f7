/* SPDX-License-Identifier: MIT */
/*
 * The promise of the house: a format is one file and one row. Here are three
 * in one file, with a table of their own: a null driver (reads as nothing,
 * swallows everything), a recording writer, and "toy", a format as a third
 * party would add it: a magic, a bitmap of the 4 KiB blocks that hold data,
 * and these blocks. Nothing of imgconv's formats/images is linked by name.
 */
#include <stdarg.h>

#include "check.h"
#include "fakes.h"
#include "make_image.h"
#include "base/bytes.h"

/* ---- null ---- */

static int null_place(struct writer *writer, struct unit *unit, struct err *err)
{
	(void)writer, (void)unit, (void)err;
	return 0;
}

static int null_zero(struct writer *writer, uint64_t offset, uint64_t length,
		     enum extent_kind kind, struct err *err)
{
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0;
}

static int null_finish(struct writer *writer, uint64_t size, struct err *err)
{
	(void)size;
	return sink_finish(writer->sink, 0, err);
}

static void null_close(struct writer *writer)
{
	free(writer);
}

static const struct writer_ops null_ops = { .place = null_place,
					    .zero = null_zero,
					    .finish = null_finish,
					    .close = null_close };

static struct writer *null_create(struct sink *sink,
				  const struct create_options *options,
				  struct err *err)
{
	struct writer *writer = mem_zalloc(sizeof *writer);

	(void)options, (void)err;
	writer_init(writer, &null_ops, "null", sink);
	return writer;
}

static const struct driver driver_null = { .name = "null",
					   .title = "nothing",
					   .create = null_create };

/* ---- recording ---- */

#define RECORDS 64

struct recording {
	struct writer writer;
	unsigned count;
	char line[RECORDS][48];
};

__attribute__((format(printf, 2, 3))) static void
record(struct writer *writer, const char *format, ...)
{
	struct recording *recording = (struct recording *)writer;
	va_list args;

	if (recording->count == RECORDS)
		return;
	va_start(args, format);
	vsnprintf(recording->line[recording->count++],
		  sizeof recording->line[0], format, args);
	va_end(args);
}

static int recording_place(struct writer *writer, struct unit *unit,
			   struct err *err)
{
	(void)err;
	record(writer, "place %llu %zu", (unsigned long long)unit->offset,
	       unit->len);
	return 0;
}

static int recording_zero(struct writer *writer, uint64_t offset,
			  uint64_t length, enum extent_kind kind,
			  struct err *err)
{
	(void)err;
	record(writer, "%s %llu %llu", kind == EXTENT_HOLE ? "hole" : "zero",
	       (unsigned long long)offset, (unsigned long long)length);
	return 0;
}

static int recording_finish(struct writer *writer, uint64_t size,
			    struct err *err)
{
	(void)err;
	record(writer, "finish %llu", (unsigned long long)size);
	return 0;
}

static const struct writer_ops recording_ops = { .place = recording_place,
						 .zero = recording_zero,
						 .finish = recording_finish,
						 .close = null_close };

static struct writer *recording_create(struct sink *sink,
				       const struct create_options *options,
				       struct err *err)
{
	struct recording *recording = mem_zalloc(sizeof *recording);

	(void)options, (void)err;
	writer_init(&recording->writer, &recording_ops, "recording", sink);
	return &recording->writer;
}

static const struct driver driver_recording = { .name = "recording",
						.title = "what was asked",
						.create = recording_create };

/*
 * ---- toy ----
 *
 *   0   "TOYDISK1"
 *   8   u64 big-endian: guest size; 16: place of the bitmap
 *   24  blocks of 4096 bytes, those with data, ascending
 *       the bitmap, one bit a block
 */
#define TOY_HEAD 24
#define TOY_BLOCK 4096

struct toy_disk {
	struct disk disk;
	struct source *source;
	unsigned char *bits;
};

static bool toy_has(const unsigned char *bits, uint64_t block)
{
	return bits[block / 8] >> (block % 8) & 1;
}

static uint64_t toy_place(const struct toy_disk *toy, uint64_t block)
{
	uint64_t before = 0;

	for (uint64_t i = 0; i < block; i++)
		before += toy_has(toy->bits, i);
	return TOY_HEAD + before * TOY_BLOCK;
}

static int toy_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct toy_disk *toy = (struct toy_disk *)disk;
	uint64_t block = offset / TOY_BLOCK, in = offset % TOY_BLOCK;

	(void)err;
	out->length = out->stored = min_u64(limit, TOY_BLOCK - in);
	out->kind = toy_has(toy->bits, block) ? EXTENT_DATA : EXTENT_HOLE;
	out->source = toy->source;
	out->place = toy_place(toy, block) + in;
	return 0;
}

static int toy_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	unsigned char *to = buf;
	struct extent extent;

	for (; len; to += extent.length, offset += extent.length,
		    len -= extent.length) {
		if (disk_extent(disk, offset, len, &extent, err))
			return -1;
		if (extent.kind != EXTENT_DATA)
			memset(to, 0, extent.length);
		else if (source_read_all(extent.source, to, extent.length,
					 extent.place, "block", err))
			return -1;
	}
	return 0;
}

static void toy_close(struct disk *disk)
{
	free(((struct toy_disk *)disk)->bits);
	free(disk);
}

static const struct disk_ops toy_disk_ops = { .read = toy_read,
					      .extent = toy_extent,
					      .close = toy_close };

static struct disk *toy_open(struct source *source,
			     const struct open_options *options,
			     struct err *err)
{
	struct toy_disk *toy = mem_zalloc(sizeof *toy);
	struct disk *disk = &toy->disk;
	unsigned char head[TOY_HEAD];
	size_t len;

	(void)options;
	disk_init(disk, &toy_disk_ops, "toy");
	toy->source = source;
	if (source_read_all(source, head, TOY_HEAD, 0, "header", err))
		return disk_close(disk);
	if (memcmp(head, "TOYDISK1", 8)) {
		err_set(err, ERR_DAMAGED, "toy: not a toy");
		return disk_close(disk);
	}
	disk->size = bytes_be64(head + 8);
	len = div_up(div_up(disk->size, TOY_BLOCK), 8);
	toy->bits = mem_capped(len, 1, LIMIT_TABLE_LEN, "bitmap", err);
	if (!toy->bits || source_read_all(source, toy->bits, len,
					  bytes_be64(head + 16), "bitmap", err))
		return disk_close(disk);
	return disk;
}

struct toy_writer {
	struct writer writer;
	uint64_t next;
	unsigned char *bits;
	size_t bits_len;
};

static int toy_place_unit(struct writer *writer, struct unit *unit,
			  struct err *err)
{
	struct toy_writer *toy = (struct toy_writer *)writer;

	(void)err;
	for (size_t i = 0; i < unit->granule_count; i++) {
		uint64_t block = unit->offset / TOY_BLOCK + i;

		if (unit->granules[i].kind != EXTENT_DATA)
			continue;
		unit_store(unit, writer->sink, toy->next,
			   unit->data + i * TOY_BLOCK, TOY_BLOCK);
		toy->bits[block / 8] |= (unsigned char)(1u << block % 8);
		toy->next += TOY_BLOCK;
	}
	return 0;
}

static int toy_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct toy_writer *toy = (struct toy_writer *)writer;
	unsigned char head[TOY_HEAD] = "TOYDISK1";

	bytes_put_be64(head + 8, size);
	bytes_put_be64(head + 16, toy->next);
	if (sink_write(writer->sink, toy->bits, toy->bits_len, toy->next,
		       err) ||
	    sink_write(writer->sink, head, TOY_HEAD, 0, err))
		return -1;
	return sink_finish(writer->sink, toy->next + toy->bits_len, err);
}

static void toy_writer_close(struct writer *writer)
{
	free(((struct toy_writer *)writer)->bits);
	free(writer);
}

static const struct writer_ops toy_writer_ops = { .place = toy_place_unit,
						  .zero = null_zero,
						  .finish = toy_finish,
						  .close = toy_writer_close };

static struct writer *toy_create(struct sink *sink,
				 const struct create_options *options,
				 struct err *err)
{
	struct toy_writer *toy = mem_zalloc(sizeof *toy);

	(void)err;
	writer_init(&toy->writer, &toy_writer_ops, "toy", sink);
	toy->writer.granule = TOY_BLOCK;
	toy->next = TOY_HEAD;
	toy->bits_len = div_up(div_up(options->size, TOY_BLOCK), 8);
	toy->bits = mem_zalloc(toy->bits_len);
	return &toy->writer;
}

static const struct driver driver_toy = { .name = "toy",
					  .title = "a third party's format",
					  .open = toy_open,
					  .create = toy_create };

/* The rows. */
static const struct driver *const toys[] = { &driver_null, &driver_recording,
					     &driver_toy, NULL };

static const struct driver *toy_by_name(const char *name)
{
	for (const struct driver *const *row = toys; *row; row++)
		if (!strcmp((*row)->name, name))
			return *row;
	return NULL;
}

/* ---- the tests ---- */

static struct writer *create(const char *name, struct sink *sink, uint64_t size)
{
	struct create_options options = { .size_known = true, .size = size };
	struct err err = { 0 };
	const struct driver *driver = toy_by_name(name);
	struct writer *writer;

	CHECK(driver && !driver_check_options(driver, &options, &err));
	writer = driver ? driver->create(sink, &options, &err) : NULL;
	CHECK(writer);
	return writer;
}

static void test_null(void)
{
	struct guest guest = { .size = 3 * MIB + 512, .group = 4096 };
	struct making making = { .guest = &guest };
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct writer *writer AUTO_WRITER = create("null", sink, guest.size);
	struct err err = { 0 };
	size_t len;

	CHECK_EQ(make_image(&making, writer, &err), 0);
	files_memory_bytes(sink, &len);
	CHECK_EQ(len, 0);
}

static void test_recording(void)
{
	struct guest guest = { .size = 4 * GIB + 512,
			       .group = 4096,
			       .live = { { MIB, MIB }, { 4 * GIB, 512 } } };
	struct making making = { .guest = &guest };
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct writer *writer AUTO_WRITER =
		create("recording", sink, guest.size);
	const struct recording *recording = (struct recording *)writer;
	struct err err = { 0 };
	static const char *const want[] = { "hole 0 1048576",
					    "place 1048576 1048576",
					    "hole 2097152 4292870144",
					    "place 4294967296 512",
					    "finish 4294967808" };

	CHECK_EQ(make_image(&making, writer, &err), 0);
	CHECK_EQ(recording->count, 5);
	for (unsigned i = 0; i < 5 && i < recording->count; i++)
		CHECK_STR(recording->line[i], want[i]);
}

static void test_toy(void)
{
	struct guest guest = { .size = 3 * MIB + 512, .group = 4096 };
	struct making making = { .guest = &guest, .shuffle = true };
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct err err = { 0 };
	unsigned char *want AUTO_FREE = mem_zalloc(guest.size);
	unsigned char *got AUTO_FREE = mem_zalloc(guest.size);
	size_t len;
	struct writer *writer AUTO_WRITER = create("toy", sink, guest.size);

	CHECK_EQ(make_image(&making, writer, &err), 0);

	const unsigned char *bytes = files_memory_bytes(sink, &len);
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct disk *disk AUTO_DISK =
		toy_by_name("toy")->open(source, NULL, &err);

	CHECK(disk);
	if (!disk)
		return;
	guest_fill(&guest, 0, want, guest.size);
	CHECK_EQ(disk_read(disk, got, guest.size, 0, &err), 0);
	CHECK(!memcmp(got, want, guest.size));

	struct source *cut AUTO_SOURCE = files_memory_source(bytes, len - 1);

	CHECK(!toy_by_name("toy")->open(cut, NULL, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
}

int main(void)
{
	test_null();
	test_recording();
	test_toy();
	return check_result();
}
