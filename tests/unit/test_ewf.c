/* SPDX-License-Identifier: MIT */
/* EWF out of a builder that knows the format by itself: both kinds of chunks,
 * table borders, segments; and each field told wrong. */
#include "check.h"

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"
#include "io/files.h"

extern const struct driver driver_ewf;

#define SECTOR 512
#define CHUNK_SECTORS 64
#define CHUNK ((size_t)(SECTOR * CHUNK_SECTORS))
#define ROOM ((size_t)(2 * MIB))

/* ---- the builder ---- */

struct file {
	unsigned char *bytes;
	size_t len;
};

/* What is made, and what is wrong with it. */
struct recipe {
	uint64_t size;
	unsigned per_table;   /* chunks in a table */
	unsigned segments;    /* 1 or 2: half of the tables each */
	bool smart, base;     /* EWF-S01; entries count from a base */
	/* One mistake, by the place it is made at. */
	unsigned chunk_count; /* in the volume, if not 0 */
	uint32_t chunk_sectors;
	bool bad_set, bad_table_sum, no_volume;
	int entry_change; /* added to entry 1 of each table */
};

static uint32_t adler(const unsigned char *bytes, size_t len)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < len; i++) {
		a = (a + bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* A hash of the place, modulo 2^64. */
WRAPS static unsigned char guest_at(uint64_t at)
{
	uint64_t x = (at + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;

	/* Every third chunk cannot be compressed. */
	return at / CHUNK % 3 ? (unsigned char)(at / 7 % 61)
			      : (unsigned char)(x >> 56 ^ x >> 31);
}

static void put(struct file *file, const void *bytes, size_t len)
{
	memcpy(file->bytes + file->len, bytes, len);
	file->len += len;
}

static void put_sum(struct file *file, size_t from)
{
	unsigned char sum[4];

	bytes_put_le32(sum, adler(file->bytes + from, file->len - from));
	put(file, sum, 4);
}

static void start_file(struct file *file, unsigned number)
{
	unsigned char header[13] = "EVF\x09\x0d\x0a\xff\0\1";

	file->bytes = mem_zalloc(ROOM);
	file->len = 0;
	bytes_put_le16(header + 9, (uint16_t)number);
	put(file, header, sizeof header);
}

static size_t start_section(struct file *file)
{
	size_t at = file->len;

	file->len += 76;
	return at;
}

static void end_section(struct file *file, size_t at, const char *type)
{
	unsigned char *bytes = file->bytes + at;
	bool last = !strcmp(type, "done") || !strcmp(type, "next");

	memcpy(bytes, type, strlen(type));
	bytes_put_le64(bytes + 16, last ? at : file->len);
	bytes_put_le64(bytes + 24, file->len - at);
	bytes_put_le32(bytes + 72, adler(bytes, 72));
}

static void put_volume(struct file *file, const struct recipe *recipe,
		       const char *type)
{
	unsigned char volume[1052] = { 1 };
	size_t at = start_section(file), from = file->len;

	bytes_put_le32(volume + 4, recipe->chunk_count
					   ? recipe->chunk_count
					   : (uint32_t)div_up(recipe->size,
							      CHUNK));
	bytes_put_le32(volume + 8, recipe->chunk_sectors
					   ? recipe->chunk_sectors
					   : CHUNK_SECTORS);
	bytes_put_le32(volume + 12, SECTOR);
	bytes_put_le64(volume + 16, recipe->size / SECTOR);
	if (!recipe->smart)
		volume[64] = recipe->bad_set && !strcmp(type, "data") ? 9 : 7;
	put(file, volume, recipe->smart ? 90 : 1048);
	put_sum(file, from);
	end_section(file, at, type);
}

static uint32_t put_chunk(struct file *file, const struct recipe *recipe,
			  uint64_t number)
{
	static unsigned char plain[CHUNK], packed[2 * CHUNK];
	const struct block_options options = { .level = 6, .window_log = 15 };
	size_t len = (size_t)min_u64(CHUNK, recipe->size - number * CHUNK);
	size_t at = file->len, packed_len = 0;
	struct err err;

	for (size_t i = 0; i < len; i++)
		plain[i] = guest_at(number * CHUNK + i);
	struct block_encoder *encoder =
		block_encoder_open(BLOCK_ZLIB, &options, &err);
	CHECK(encoder && !block_encode(encoder, plain, len, packed,
				       recipe->smart ? sizeof packed : len,
				       &packed_len, &err));
	block_encoder_close(encoder);
	if (packed_len) {
		put(file, packed, packed_len);
		return (uint32_t)at | 0x80000000u;
	}
	put(file, plain, len);
	put_sum(file, at);
	return (uint32_t)at;
}

static void put_table(struct file *file, const struct recipe *recipe,
		      const char *type, const uint32_t *entry, unsigned count)
{
	unsigned char header[24] = { 0 }, bytes[4];
	size_t at = start_section(file), from = file->len, entries;

	bytes_put_le32(header, count);
	bytes_put_le64(header + 8, recipe->base ? 13 : 0);
	put(file, header, 20);
	put_sum(file, from);
	entries = file->len;
	for (unsigned i = 0; i < count; i++) {
		uint32_t value = entry[i] - (recipe->base ? 13 : 0);
		if (i == 1)
			value = (uint32_t)((int64_t)value +
					   recipe->entry_change);
		bytes_put_le32(bytes, value);
		put(file, bytes, 4);
	}
	if (!recipe->smart)
		put_sum(file, entries);
	if (recipe->bad_table_sum)
		file->bytes[file->len - 1] ^= 1;
	end_section(file, at, type);
}

static void make(const struct recipe *recipe, struct file out[2])
{
	uint64_t chunks = div_up(recipe->size, CHUNK), number = 0;
	uint32_t *entry = mem_zalloc(64 * sizeof *entry);

	for (unsigned s = 0; s < recipe->segments; s++) {
		uint64_t end = s + 1 == recipe->segments ? chunks : chunks / 2;
		start_file(&out[s], s + 1);
		if (!recipe->no_volume)
			put_volume(&out[s], recipe, s ? "data" : "volume");
		while (number < end) {
			unsigned count = (unsigned)min_u64(recipe->per_table,
							   end - number);
			size_t at = start_section(&out[s]);
			for (unsigned i = 0; i < count; i++)
				entry[i] = put_chunk(&out[s], recipe,
						     number++);
			end_section(&out[s], at, "sectors");
			put_table(&out[s], recipe, "table", entry, count);
			put_table(&out[s], recipe, "table2", entry, count);
		}
		size_t at = start_section(&out[s]);
		end_section(&out[s], at,
			    s + 1 == recipe->segments ? "done" : "next");
	}
	free(entry);
}

/* ---- opening ---- */

struct other {
	struct references base;
	struct file *file;
	uint64_t claim; /* bytes, instead of what it has; 0: none */
	char asked[64];
};

static struct source *open_other(struct references *references,
				 const char *name, struct err *err)
{
	struct other *other = (struct other *)references;

	snprintf(other->asked, sizeof other->asked, "%s", name);
	if (!other->file) {
		err_set(err, ERR_NO_INPUT, "%s: not there", name);
		return NULL;
	}
	struct source *source =
		files_memory_source(other->file->bytes, other->file->len);

	if (other->claim)
		source->size = other->claim;
	return source;
}

/* Opens and reads all; the kind of what went wrong. */
static enum err_kind read_all(struct file file[2], const struct recipe *recipe,
			      struct err *err)
{
	struct other other = { .base.open_source = open_other,
			       .file = &file[1] };
	struct open_options options = { .references = &other.base,
					.name = "disk.E01" };
	AUTO_SOURCE struct source *source =
		files_memory_source(file[0].bytes, file[0].len);
	AUTO_DISK struct disk *disk = driver_ewf.open(source, &options, err);
	AUTO_FREE unsigned char *buf = mem_buffer(CHUNK);
	uint64_t wrong = 0;

	if (!disk)
		return err->kind;
	CHECK_EQ(disk->size, recipe->size);
	/* Steps that cross chunks, and begin within them. */
	for (uint64_t at = 0; at < disk->size;) {
		size_t len = (size_t)min_u64(CHUNK - 100, disk->size - at);
		if (disk_read(disk, buf, len, at, err))
			return err->kind;
		for (size_t i = 0; i < len; i++)
			wrong += buf[i] != guest_at(at + i);
		at += len;
	}
	CHECK_EQ(wrong, 0);
	return ERR_NONE;
}

static void clear(struct file file[2])
{
	free(file[0].bytes);
	free(file[1].bytes);
	memset(file, 0, 2 * sizeof *file);
}

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
