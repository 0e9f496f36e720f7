/* SPDX-License-Identifier: MIT */
/* EWF out of a builder that knows the format by itself: both kinds of chunks,
 * table borders, segments; and each field told wrong. */
#include "ewf_image.h"

/* ---- tests ---- */

static void test_sound(void)
{
	static const struct recipe rows[] = {
		{ .size = 0, .per_table = 4, .segments = 1 },
		{ .size = 512, .per_table = 4, .segments = 1 },
		{ .size = 11 * CHUNK - 512, .per_table = 4, .segments = 1 },
		{ .size = 11 * CHUNK, .per_table = 20, .segments = 1 },
		{ .size = 11 * CHUNK, .per_table = 3, .segments = 2 },
		{ .size = 7 * CHUNK + 512, .per_table = 3, .segments = 1,
		  .base = true },
		{ .size = 7 * CHUNK + 512, .per_table = 3, .segments = 1,
		  .smart = true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct file file[2] = { { NULL, 0 } };
		struct err err = { .kind = ERR_NONE };
		make(&rows[i], file);
		CHECK_EQ(read_all(file, &rows[i], &err), ERR_NONE);
		if (err.kind)
			fprintf(stderr, "  row %zu: %s\n", i, err.message);
		clear(file);
	}
}

static void test_extents(void)
{
	const struct recipe recipe = { .size = 7 * CHUNK, .per_table = 3,
				       .segments = 1 };
	struct open_options options = { .name = "disk.E01" };
	struct file file[2] = { { NULL, 0 } };
	struct extent extent;
	struct err err;

	make(&recipe, file);
	struct source *source =
		files_memory_source(file[0].bytes, file[0].len);
	struct disk *disk = driver_ewf.open(source, &options, &err);
	CHECK(disk != NULL);
	/* Plain ones tell no place: it would be read without its sum. */
	CHECK(!disk_extent(disk, 10, disk->size - 10, &extent, &err));
	CHECK_EQ(extent.length, CHUNK - 10);
	CHECK(!extent.source && extent.kind == EXTENT_DATA);
	CHECK(!disk_extent(disk, CHUNK, disk->size - CHUNK, &extent, &err));
	CHECK_EQ(extent.length, CHUNK);
	CHECK_EQ(extent.encoding, ENCODING_ZLIB);
	CHECK(extent.source && extent.stored < CHUNK);
	disk_close(disk);
	source_close(source);
	clear(file);
}

static void test_mistakes(void)
{
	static const struct {
		struct recipe recipe;
		enum err_kind kind;
		const char *word;
	} rows[] = {
		{ { .chunk_count = 5 }, ERR_DAMAGED, "volume says 5" },
		{ { .chunk_sectors = 0x80000000u }, ERR_LIMIT, "out of range" },
		{ { .chunk_sectors = 32 }, ERR_DAMAGED, "chunks" },
		{ { .bad_set = true, .segments = 2 }, ERR_DAMAGED,
		  "another image" },
		{ { .bad_table_sum = true }, ERR_DAMAGED, "checksum" },
		{ { .no_volume = true }, ERR_DAMAGED, "volume" },
		{ { .entry_change = 1 }, ERR_DAMAGED, "" },
		{ { .entry_change = 0x40000000 }, ERR_DAMAGED, "not within" },
		{ { .entry_change = -0x7000 }, ERR_DAMAGED, "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct recipe recipe = rows[i].recipe;
		struct file file[2] = { { NULL, 0 } };
		struct err err = { .kind = ERR_NONE };
		recipe.size = 9 * CHUNK;
		recipe.per_table = 4;
		recipe.segments = recipe.segments ? recipe.segments : 1;
		make(&recipe, file);
		CHECK_EQ(read_all(file, &recipe, &err), rows[i].kind);
		CHECK(strstr(err.message, rows[i].word));
		if (!strstr(err.message, rows[i].word))
			fprintf(stderr, "  row %zu: %s\n", i, err.message);
		clear(file);
	}
}

/* Each byte of the file is covered by a sum, or by the number of chunks. */
static void test_each_byte(void)
{
	const struct recipe recipe = { .size = 2 * CHUNK, .per_table = 1,
				       .segments = 1 };
	struct file file[2] = { { NULL, 0 } };
	struct err err;
	size_t silent = 0;

	make(&recipe, file);
	for (size_t at = 0; at < file[0].len; at += at < 2000 ? 1 : 97) {
		file[0].bytes[at] ^= 0x10;
		err.kind = ERR_NONE;
		/* Wrong bytes without an error fail in read_all. */
		silent += read_all(file, &recipe, &err) == ERR_NONE;
		file[0].bytes[at] ^= 0x10;
	}
	/* The file header's constants, and the copies of tables. */
	CHECK(silent < 60);
	clear(file);
}

static void test_cuts(void)
{
	const struct recipe recipe = { .size = 3 * CHUNK, .per_table = 2,
				       .segments = 1 };
	struct file file[2] = { { NULL, 0 } };
	struct err err;

	make(&recipe, file);
	size_t len = file[0].len;
	for (size_t cut = 1; cut < len; cut += cut < 300 ? 7 : 1009) {
		file[0].len = len - cut;
		CHECK(read_all(file, &recipe, &err) != ERR_NONE);
	}
	file[0].len = len;
	clear(file);
}

/* The name that is asked for after the first file's. */
static void check_name(const char *first, const char *wanted)
{
	const struct recipe recipe = { .size = 4 * CHUNK, .per_table = 2,
				       .segments = 2 };
	struct other other = { .base.open_source = open_other };
	struct open_options options = { .references = &other.base,
					.name = first };
	struct file file[2] = { { NULL, 0 } };
	struct err err = { .kind = ERR_NONE };

	make(&recipe, file);
	struct source *source =
		files_memory_source(file[0].bytes, file[0].len);
	CHECK(!driver_ewf.open(source, &options, &err));
	CHECK_STR(other.asked, wanted);
	CHECK_EQ(err.kind, *wanted ? ERR_NO_INPUT : ERR_UNSUPPORTED);
	/* Without permission it is named; and looked at all the same. */
	options.references = NULL;
	CHECK(!driver_ewf.open(source, &options, &err));
	CHECK_EQ(err.kind, *wanted ? ERR_REFUSED : ERR_UNSUPPORTED);
	options.metadata_only = true;
	struct disk *disk = driver_ewf.open(source, &options, &err);
	CHECK(disk && disk->size == recipe.size);
	struct facts *facts = mem_zalloc(sizeof *facts);
	bool named = false;
	if (disk)
		disk_info(disk, facts);
	for (unsigned i = 0; i < facts->count; i++)
		named |= !strcmp(facts->fact[i].name, "data-file");
	CHECK(named);
	free(facts);
	disk_close(disk);
	source_close(source);
	clear(file);
}

static void test_second_alone(void)
{
	const struct recipe recipe = { .size = 4 * CHUNK, .per_table = 2,
				       .segments = 2 };
	struct file file[2] = { { NULL, 0 } }, swapped[2];
	struct err err;

	make(&recipe, file);
	swapped[0] = file[1];
	swapped[1] = file[0];
	CHECK_EQ(read_all(swapped, &recipe, &err), ERR_UNSUPPORTED);
	CHECK(strstr(err.message, "give the first"));
	/* The first once more in the place of the second. */
	swapped[0] = swapped[1] = file[0];
	CHECK_EQ(read_all(swapped, &recipe, &err), ERR_DAMAGED);
	CHECK(strstr(err.message, "segment 2 is wanted"));
	clear(file);
}

/* The files are one behind the other: their sum must be a size, too. */
static void test_vast_segment(void)
{
	static const uint64_t claims[] = { INT64_MAX, UINT64_MAX };
	const struct recipe recipe = { .size = 4 * CHUNK, .per_table = 2,
				       .segments = 2 };
	struct file file[2] = { { NULL, 0 } };

	make(&recipe, file);
	for (unsigned i = 0; i < 2; i++) {
		struct other other = { .base.open_source = open_other,
				       .file = &file[1], .claim = claims[i] };
		struct open_options options = { .references = &other.base,
						.name = "disk.E01" };
		AUTO_SOURCE struct source *source =
			files_memory_source(file[0].bytes, file[0].len);
		struct err err = { .kind = ERR_NONE };

		CHECK(!driver_ewf.open(source, &options, &err));
		CHECK_EQ(err.kind, ERR_LIMIT);
		CHECK(strstr(err.message, "segment 2 (disk.E02)"));
	}
	clear(file);
}

int main(void)
{
	test_sound();
	test_vast_segment();
	test_extents();
	test_mistakes();
	test_each_byte();
	test_cuts();
	check_name("disk.E01", "disk.E02");
	check_name("disk.e01", "disk.e02");
	check_name("a.b.s01", "a.b.s02");
	check_name("disk.bin", "");
	check_name(NULL, "");
	test_second_alone();
	return check_result();
}
