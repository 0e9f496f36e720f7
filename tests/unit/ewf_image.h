/* SPDX-License-Identifier: MIT */
/* What the units of EWF share: a builder that knows the format by itself, and
 * reading all of what it made. */
#ifndef TESTS_EWF_IMAGE_H
#define TESTS_EWF_IMAGE_H

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"
#include "io/files.h"
#include "tests/unit/check.h"

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
	unsigned per_table; /* chunks in a table */
	unsigned segments;  /* 1 or 2: half of the tables each */
	bool smart, base;   /* EWF-S01; entries count from a base */
	/* One mistake, by the place it is made at. */
	unsigned chunk_count; /* in the volume, if not 0 */
	uint32_t chunk_sectors;
	bool bad_set, bad_table_sum, no_volume;
	int entry_change;   /* added to entry 1 of each table */
	uint64_t sectors;   /* in the volume, if not 0 */
	uint32_t entries;   /* in each table's header, if not 0 */
	uint64_t past_base; /* added to the base of each table */
	uint64_t hidden;    /* bytes less than there are, in "sectors" */
	/* One more section behind the volume. */
	const char *extra;
	const unsigned char *extra_data;
	size_t extra_len;
	uint64_t memory; /* for tables, if not 0 */
};

static inline uint32_t adler(const unsigned char *bytes, size_t len)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < len; i++) {
		a = (a + bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* A hash of the place, modulo 2^64. */
WRAPS static inline unsigned char guest_at(uint64_t at)
{
	uint64_t x = (at + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;

	/* Every third chunk cannot be compressed. */
	return at / CHUNK % 3 ? (unsigned char)(at / 7 % 61)
			      : (unsigned char)(x >> 56 ^ x >> 31);
}

static inline void put(struct file *file, const void *bytes, size_t len)
{
	memcpy(file->bytes + file->len, bytes, len);
	file->len += len;
}

static inline void put_sum(struct file *file, size_t from)
{
	unsigned char sum[4];

	bytes_put_le32(sum, adler(file->bytes + from, file->len - from));
	put(file, sum, 4);
}

static inline void start_file(struct file *file, unsigned number)
{
	unsigned char header[13] = "EVF\x09\x0d\x0a\xff\0\1";

	file->bytes = mem_zalloc(ROOM);
	file->len = 0;
	bytes_put_le16(header + 9, (uint16_t)number);
	put(file, header, sizeof header);
}

static inline size_t start_section(struct file *file)
{
	size_t at = file->len;

	file->len += 76;
	return at;
}

static inline void end_section(struct file *file, size_t at, const char *type)
{
	unsigned char *bytes = file->bytes + at;
	bool last = !strcmp(type, "done") || !strcmp(type, "next");

	memcpy(bytes, type, strlen(type));
	bytes_put_le64(bytes + 16, last ? at : file->len);
	bytes_put_le64(bytes + 24, file->len - at);
	bytes_put_le32(bytes + 72, adler(bytes, 72));
}

static inline void put_volume(struct file *file, const struct recipe *recipe,
			      const char *type)
{
	unsigned char volume[1052] = { 1 };
	size_t at = start_section(file), from = file->len;

	bytes_put_le32(volume + 4,
		       recipe->chunk_count
			       ? recipe->chunk_count
			       : (uint32_t)div_up(recipe->size, CHUNK));
	bytes_put_le32(volume + 8, recipe->chunk_sectors ? recipe->chunk_sectors
							 : CHUNK_SECTORS);
	bytes_put_le32(volume + 12, SECTOR);
	bytes_put_le64(volume + 16, recipe->sectors ? recipe->sectors
						    : recipe->size / SECTOR);
	if (!recipe->smart)
		volume[64] = recipe->bad_set && !strcmp(type, "data") ? 9 : 7;
	put(file, volume, recipe->smart ? 90 : 1048);
	put_sum(file, from);
	end_section(file, at, type);
}

static inline uint32_t put_chunk(struct file *file, const struct recipe *recipe,
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

static inline void put_table(struct file *file, const struct recipe *recipe,
			     const char *type, const uint32_t *entry,
			     unsigned count)
{
	unsigned char header[24] = { 0 }, bytes[4];
	size_t at = start_section(file), from = file->len, entries;

	bytes_put_le32(header, recipe->entries ? recipe->entries : count);
	bytes_put_le64(header + 8, (recipe->base ? 13 : 0) + recipe->past_base);
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

static inline void put_extra(struct file *file, const struct recipe *recipe)
{
	size_t at = start_section(file);

	put(file, recipe->extra_data, recipe->extra_len);
	end_section(file, at, recipe->extra);
}

/* The section says that it is shorter than it is. */
static inline void hide(struct file *file, size_t at, uint64_t len)
{
	unsigned char *bytes = file->bytes + at;

	bytes_put_le64(bytes + 24, file->len - at - len);
	bytes_put_le32(bytes + 72, adler(bytes, 72));
}

static inline void make(const struct recipe *recipe, struct file out[2])
{
	uint64_t chunks = div_up(recipe->size, CHUNK), number = 0;
	uint32_t *entry = mem_zalloc(64 * sizeof *entry);

	for (unsigned s = 0; s < recipe->segments; s++) {
		uint64_t end = s + 1 == recipe->segments ? chunks : chunks / 2;
		start_file(&out[s], s + 1);
		if (!recipe->no_volume)
			put_volume(&out[s], recipe, s ? "data" : "volume");
		if (recipe->extra && !s)
			put_extra(&out[s], recipe);
		while (number < end) {
			unsigned count = (unsigned)min_u64(recipe->per_table,
							   end - number);
			size_t at = start_section(&out[s]);
			for (unsigned i = 0; i < count; i++)
				entry[i] = put_chunk(&out[s], recipe, number++);
			end_section(&out[s], at, "sectors");
			if (recipe->hidden)
				hide(&out[s], at, recipe->hidden);
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

static inline struct source *open_other(struct references *references,
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
static inline enum err_kind
read_all(struct file file[2], const struct recipe *recipe, struct err *err)
{
	struct other other = { .base.open_source = open_other,
			       .file = &file[1] };
	struct open_options options = { .references = &other.base,
					.memory = recipe->memory,
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

static inline void clear(struct file file[2])
{
	free(file[0].bytes);
	free(file[1].bytes);
	memset(file, 0, 2 * sizeof *file);
}

#endif
