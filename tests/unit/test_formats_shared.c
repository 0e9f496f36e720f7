/* SPDX-License-Identifier: MIT */
/* What drivers of many formats share: compressed chunks at random, pieces of
 * tables, identifiers, and who uses which bytes. */
#include <pthread.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "fakes.h"
#include "formats/identity.h"
#include "formats/packed.h"
#include "formats/table_cache.h"
#include "formats/usage.h"
#include "tests/unit/check.h"

/* ---- packed ---- */

#define CHUNKS 8
#define CHUNK_LEN ((size_t)10000)

struct chunks {
	unsigned char plain[CHUNKS][CHUNK_LEN];
	unsigned char file[CHUNKS * (CHUNK_LEN + 100)];
	struct packed_chunk chunk[CHUNKS];
	size_t len;
};

/* Every other one raw deflate, the others zlib streams. */
static void fill_chunks(struct chunks *chunks)
{
	struct block_options options = { 1, 15 };
	struct err err;

	chunks->len = 0;
	for (unsigned i = 0; i < CHUNKS; i++) {
		enum block_codec_id id = i % 2 ? BLOCK_ZLIB : BLOCK_DEFLATE;
		struct block_encoder *encoder =
			block_encoder_open(id, &options, &err);
		size_t stored = 0;

		for (size_t k = 0; k < CHUNK_LEN; k++)
			chunks->plain[i][k] = (unsigned char)(k / (i + 2) + i);
		CHECK(!block_encode(encoder, chunks->plain[i], CHUNK_LEN,
				    chunks->file + chunks->len, CHUNK_LEN + 100,
				    &stored, &err));
		CHECK(stored);
		chunks->chunk[i] = (struct packed_chunk){
			id, chunks->len, stored, CHUNK_LEN
		};
		chunks->len += stored;
		block_encoder_close(encoder);
	}
}

static void test_packed(void)
{
	struct chunks *chunks = mem_zalloc(sizeof *chunks);
	unsigned char out[CHUNK_LEN];
	struct err err = { .message = "" };

	fill_chunks(chunks);
	struct fake_source *source = fake_source_open(
		files_memory_source(chunks->file, chunks->len));
	struct packed *packed = packed_open(&source->source, "chunk",
					    CHUNK_LEN + 100, CHUNK_LEN);

	for (unsigned i = 0; i < CHUNKS; i++) {
		CHECK(!packed_read(packed, &chunks->chunk[i], 0, out,
				   CHUNK_LEN, &err));
		CHECK(!memcmp(out, chunks->plain[i], CHUNK_LEN));
	}
	/* Small reads in a row: the chunk is fetched once. */
	unsigned long long before = source->reads;
	for (size_t at = 0; at < CHUNK_LEN; at += 1000) {
		CHECK(!packed_read(packed, &chunks->chunk[3], at, out, 1000,
				   &err));
		CHECK(!memcmp(out, chunks->plain[3] + at, 1000));
	}
	CHECK_EQ(source->reads - before, 1);
	/* Damage is damage, and does not stay in the cache. */
	chunks->file[chunks->chunk[5].place + 50] ^= 0x55;
	CHECK(packed_read(packed, &chunks->chunk[5], 10, out, 10, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "chunk at "));
	chunks->file[chunks->chunk[5].place + 50] ^= 0x55;
	CHECK(!packed_read(packed, &chunks->chunk[5], 10, out, 10, &err));
	/* Past what was promised. */
	CHECK(packed_read(packed, &chunks->chunk[0], CHUNK_LEN - 5, out, 6,
			  &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(!packed_close(packed));
	CHECK(!packed_close(NULL));
	source_close(&source->source);
	free(chunks);
}

struct reader {
	struct packed *packed;
	const struct chunks *chunks;
	unsigned wrong;
};

static void *read_all(void *opaque)
{
	struct reader *reader = opaque;
	unsigned char out[CHUNK_LEN];
	struct err err;

	for (unsigned i = 0; i < 50 * CHUNKS; i++) {
		unsigned n = i * 5 % CHUNKS;
		size_t at = i * 37 % (CHUNK_LEN - 100);

		if (packed_read(reader->packed, &reader->chunks->chunk[n], at,
				out, 100, &err) ||
		    memcmp(out, reader->chunks->plain[n] + at, 100))
			reader->wrong++;
	}
	return NULL;
}

static void test_packed_threads(void)
{
	struct chunks *chunks = mem_zalloc(sizeof *chunks);
	struct reader reader[4];
	pthread_t thread[4];

	fill_chunks(chunks);
	struct source *source = files_memory_source(chunks->file, chunks->len);
	struct packed *packed =
		packed_open(source, "chunk", CHUNK_LEN + 100, CHUNK_LEN);
	for (unsigned i = 0; i < 4; i++) {
		reader[i] = (struct reader){ packed, chunks, 0 };
		CHECK(!pthread_create(&thread[i], NULL, read_all, &reader[i]));
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		CHECK_EQ(reader[i].wrong, 0);
	}
	packed_close(packed);
	source_close(source);
	free(chunks);
}

/* ---- table_cache ---- */

static void test_table_cache(void)
{
	unsigned char file[64 * 512];
	struct table_slot *slot;
	const unsigned char *slice;
	struct err err = { .message = "" };

	for (size_t i = 0; i < sizeof file; i++)
		file[i] = (unsigned char)(i / 512);
	struct fake_source *source =
		fake_source_open(files_memory_source(file, sizeof file));
	/* Room for sixteen of the sixty-four. */
	struct table_cache *cache = table_cache_open(&source->source, "table",
						     512, (uint64_t)16 * 512);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 64; i++) {
			slice = table_cache_hold(cache, i * 512u, &slot, &err);
			CHECK(slice && slice[0] == i && slice[511] == i);
			table_cache_drop(cache, slot);
		}
	unsigned long long before = source->reads;
	for (unsigned i = 0; i < 10; i++) {
		CHECK(table_cache_hold(cache, 63 * 512u, &slot, &err));
		table_cache_drop(cache, slot);
	}
	CHECK(source->reads - before <= 1);
	/* Cut off within it. */
	CHECK(!table_cache_hold(cache, 63 * 512u + 256, &slot, &err));
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "table"));
	CHECK(!table_cache_close(cache));
	CHECK(!table_cache_close(NULL));
	source_close(&source->source);
}

/* ---- identity ---- */

struct made {
	unsigned char uuid[IDENTITY_UUID_LEN], other[IDENTITY_UUID_LEN];
	uint32_t number;
	int64_t time;
};

/* An image of which `byte` at `at` is not zero, handed over in units of `len`
 * from the last to the first or in order. */
static struct made make(const struct create_options *options, uint64_t at,
			size_t len, bool backwards)
{
	static const struct writer_ops none = { .close = NULL };
	struct granule granule = { .kind = EXTENT_DATA };
	unsigned char *data = mem_zalloc(len);
	struct writer writer;
	struct made made;
	size_t count = 8 * MIB / len;

	writer_init(&writer, &none, "toy", NULL);
	struct identity *identity = identity_open(&writer, options);
	CHECK_EQ(writer.units_until, IDENTITY_LEN);
	for (size_t i = 0; i < count; i++) {
		uint64_t offset = (backwards ? count - 1 - i : i) * len;
		struct unit unit = { .offset = offset,
				     .len = len,
				     .data = data,
				     .granules = &granule,
				     .granule_count = 1 };

		memset(data, 0, len);
		if (at >= offset && at < offset + len)
			data[at - offset] = 7;
		else if (i % 2) /* zeros may be given as such, or left out */
			granule.kind = EXTENT_ZERO;
		identity_unit(identity, &unit, (uint32_t)len);
		granule.kind = EXTENT_DATA;
	}
	identity_uuid(identity, 8 * MIB, "image", made.uuid);
	identity_uuid(identity, 8 * MIB, "other", made.other);
	made.number = identity_number(identity, 8 * MIB, "number");
	made.time = identity_time(identity);
	CHECK(!identity_close(identity));
	free(data);
	return made;
}

static bool same(const struct made *a, const struct made *b)
{
	return !memcmp(a->uuid, b->uuid, sizeof a->uuid) &&
	       !memcmp(a->other, b->other, sizeof a->other) &&
	       a->number == b->number;
}

static void test_identity(void)
{
	struct create_options *options = mem_zalloc(sizeof *options);
	struct made first, other;
	char text[IDENTITY_TEXT_LEN];

	options->sector_size = 512;
	first = make(options, 100, 64 * KIB, false);
	/* Cut otherwise, in another order: the same. */
	other = make(options, 100, 512 * KIB, true);
	CHECK(same(&first, &other));
	CHECK(memcmp(first.uuid, first.other, sizeof first.uuid));
	CHECK_EQ(first.time, 0);
	CHECK_EQ(first.uuid[6] >> 4, 4);
	CHECK_EQ(first.uuid[8] >> 6, 2);
	identity_text(first.uuid, text);
	CHECK(strlen(text) == 36 && text[8] == '-' && text[14] == '4');
	/* What counts, and what does not. */
	other = make(options, 101, 64 * KIB, false);
	CHECK(!same(&first, &other));
	first = make(options, 5 * MIB, 64 * KIB, false);
	other = make(options, 6 * MIB, 64 * KIB, false);
	CHECK(same(&first, &other));
	options->option_count = 1;
	strcpy(options->option[0].name, "block_size");
	strcpy(options->option[0].value, "1M");
	other = make(options, 6 * MIB, 64 * KIB, false);
	CHECK(!same(&first, &other));
	options->option_count = 0;
	/* Given, and unique. */
	options->has_uuid = true;
	options->uuid[0] = 0xab;
	other = make(options, 5 * MIB, 64 * KIB, false);
	CHECK(other.uuid[0] == 0xab && other.uuid[6] == 0);
	CHECK(!memcmp(first.other, other.other, sizeof first.other));
	options->has_uuid = false;
	options->seed[3] = 1;
	options->now = 1700000000;
	other = make(options, 5 * MIB, 64 * KIB, false);
	CHECK(!same(&first, &other));
	CHECK_EQ(other.time, 1700000000);
	free(options);
	CHECK(!identity_ready(IDENTITY_LEN - 1, 8 * MIB));
	CHECK(identity_ready(IDENTITY_LEN, 8 * MIB));
	CHECK(identity_ready(1000, 1000));
}

static void test_swap(void)
{
	unsigned char uuid[IDENTITY_UUID_LEN];
	static const unsigned char swapped[IDENTITY_UUID_LEN] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
	};

	for (unsigned i = 0; i < IDENTITY_UUID_LEN; i++)
		uuid[i] = (unsigned char)i;
	identity_swap(uuid);
	CHECK(!memcmp(uuid, swapped, sizeof uuid));
}

/* ---- usage ---- */

struct findings {
	struct check_report report;
	char last[512];
};

static void keep(struct check_report *report, const char *line)
{
	struct findings *findings = (struct findings *)report;

	snprintf(findings->last, sizeof findings->last, "%s", line);
}

static void test_usage(void)
{
	struct findings found = { .report.emit = keep };
	struct usage *usage = usage_open(10000);
	struct err err;

	CHECK(!usage_claim(usage, &found.report, "header", 0, 512, &err));
	/* Out of order, touching, empty. */
	CHECK(!usage_claim(usage, &found.report, "block", 5000, 1000, &err));
	CHECK(!usage_claim(usage, &found.report, "block", 4000, 1000, &err));
	CHECK(!usage_claim(usage, &found.report, "block", 100, 0, &err));
	usage_report(usage, &found.report, 0);
	CHECK_EQ(found.report.corruptions + found.report.leaks, 0);
	/* 512..4000 and 6000..10000. */
	usage_report(usage, &found.report, 3489);
	CHECK_EQ(found.report.leaks, 1);
	CHECK_STR(found.last, "4000 bytes at 6000 are used by nothing");
	CHECK(!usage_claim(usage, &found.report, "block", 5500, 100, &err));
	usage_report(usage, &found.report, 0);
	CHECK_EQ(found.report.corruptions, 1);
	CHECK(strstr(found.last, "block at 5500 overlaps block at 4000"));
	CHECK(!usage_claim(usage, &found.report, "block", 9999, 2, &err));
	CHECK_EQ(found.report.corruptions, 2);
	CHECK(strstr(found.last, "past the end of the file (10000)"));
	CHECK(!usage_claim(usage, &found.report, "block", UINT64_MAX, 2,
			   &err));
	CHECK_EQ(found.report.corruptions, 3);
	CHECK(!usage_close(usage));
	CHECK(!usage_close(NULL));
}

static void test_usage_shared(void)
{
	struct findings found = { .report.emit = keep };
	struct usage *usage = usage_open(10000);
	struct err err;

	CHECK(!usage_share(usage, &found.report, "packed", 100, 300, &err));
	CHECK(!usage_share(usage, &found.report, "packed", 300, 300, &err));
	usage_report(usage, &found.report, 0);
	CHECK_EQ(found.report.corruptions, 0);
	CHECK(!usage_claim(usage, &found.report, "table", 500, 200, &err));
	usage_report(usage, &found.report, 0);
	CHECK_EQ(found.report.corruptions, 1);
	usage_close(usage);
}

/* More pieces than there is memory for is said, not swallowed. */
static void test_usage_bound(void)
{
	struct findings found = { .report.emit = keep };
	struct usage *usage = usage_open((uint64_t)1 << 50);
	struct err err = { .message = "" };
	uint64_t i;

	for (i = 0; i < 20000000; i++)
		if (usage_claim(usage, &found.report, "block", i * 1024, 512,
				&err))
			break;
	CHECK(i < 20000000);
	CHECK_EQ(err.kind, ERR_LIMIT);
	usage_close(usage);
}

int main(void)
{
	test_packed();
	test_packed_threads();
	test_table_cache();
	test_identity();
	test_swap();
	test_usage();
	test_usage_shared();
	test_usage_bound();
	return check_result();
}
