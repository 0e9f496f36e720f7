/* SPDX-License-Identifier: MIT */
/* Units for random access into compressed files: who reads what how often,
 * from how many threads, and which files are not suited. */
#include <pthread.h>

#include "tests/unit/codec_tools.h"

#define READERS 4

/* Blocks of level 1 are 4 MiB for both codecs that can do this. */
#define BLOCK_LEN ((size_t)(4 * MIB))
#define BLOCKS 3
#define SIZE (BLOCKS * BLOCK_LEN - 1000)

struct file {
	enum codec_id id;
	struct text in, coded;
	struct fake_source *fake; /* over `coded` */
	struct source *source;	  /* over `fake` */
};

static struct file file_open(enum codec_id id, struct text in)
{
	struct file file = { .id = id, .in = in };
	struct err err = { .message = "" };

	file.coded = codec_encode(id, in, 1, 2);
	file.fake = fake_source_open(
		files_memory_source(file.coded.at, file.coded.len));
	file.source = wrap_random(id, &file.fake->source, &err);
	if (!file.source)
		CHECK_STR(err.message, "no error");
	return file;
}

static void file_close(struct file *file)
{
	source_close(file->source);
	source_close(&file->fake->source);
	text_free(&file->coded);
}

static bool reads_well(struct file *file, uint64_t offset, size_t len)
{
	struct text out = text_new(len);
	struct err err = { .message = "" };
	size_t got = 0;
	bool good =
		!source_read(file->source, out.at, len, offset, &got, &err) &&
		got == len && !memcmp(out.at, file->in.at + offset, len);

	if (*err.message)
		CHECK_STR(err.message, "no error");
	text_free(&out);
	return good;
}

static void test_reads(enum codec_id id, struct text in)
{
	struct file file = file_open(id, in);
	struct source *source = file.source;
	struct err err;
	size_t got;
	char byte;

	CHECK(source->seekable && source->size_known);
	CHECK_EQ(source->size, SIZE);
	CHECK_EQ(source->granule, BLOCK_LEN);
	unsigned long long before = atomic_load(&file.fake->reads);
	CHECK(reads_well(&file, SIZE - 1, 1));
	CHECK(reads_well(&file, SIZE - 5000, 5000));
	CHECK_EQ(atomic_load(&file.fake->reads), before + 1);
	CHECK(reads_well(&file, 0, 512));
	CHECK(reads_well(&file, BLOCK_LEN - 1, 2));
	CHECK(reads_well(&file, BLOCK_LEN, 1));
	CHECK(reads_well(&file, 1000, 2 * BLOCK_LEN));
	CHECK(reads_well(&file, 0, SIZE));
	CHECK_EQ(atomic_load(&file.fake->reads), before + BLOCKS);
	CHECK(!source_read(source, &byte, 1, SIZE, &got, &err));
	CHECK_EQ(got, 0);
	CHECK(!source_finish(source, &err));
	CHECK_EQ(atomic_load(&file.fake->finishes), 1);
	file_close(&file);
}

struct reader {
	pthread_t thread;
	struct file *file;
	uint64_t start, step;
	bool good;
};

static void *read_all(void *opaque)
{
	struct reader *reader = opaque;

	reader->good = true;
	for (uint64_t at = reader->start; at + 65536 <= SIZE;
	     at += reader->step)
		reader->good &= reads_well(reader->file, at, 65536);
	return NULL;
}

/* Many readers everywhere: each block is read and decoded once. */
static void test_readers(enum codec_id id, struct text in)
{
	struct file file = file_open(id, in);
	unsigned long long before = atomic_load(&file.fake->reads);
	struct reader readers[READERS];

	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .file = &file,
					      .start = i * 65536u,
					      .step = READERS * 65536u };
		CHECK(!pthread_create(&readers[i].thread, NULL, read_all,
				      &readers[i]));
	}
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		CHECK(readers[i].good);
	}
	CHECK_EQ(atomic_load(&file.fake->reads), before + BLOCKS);
	file_close(&file);
}

/* A source whose reads of blocks wait for one another: two must be under way
 * at once, or the second never comes and the unit is killed by its limit. */
struct gate {
	struct source source;
	struct source *inner;
	bool shut;
	atomic_uint reads;
	pthread_barrier_t barrier;
};

static int gate_read(struct source *source, void *buf, size_t len,
		     uint64_t offset, size_t *got, struct err *err)
{
	struct gate *gate = (struct gate *)source;

	/* The first two: later ones, ahead of what is asked for, pass. */
	if (gate->shut && atomic_fetch_add(&gate->reads, 1) < 2)
		pthread_barrier_wait(&gate->barrier);
	return source_read(gate->inner, buf, len, offset, got, err);
}

static void gate_close(struct source *source)
{
	source_close(((struct gate *)source)->inner);
}

static void *read_one(void *opaque)
{
	struct reader *reader = opaque;

	reader->good = reads_well(reader->file, reader->start, 100);
	return NULL;
}

/* Two readers at `starts`, each of which must be at a read of its own. */
static void read_at_once(enum codec_id id, struct text in,
			 const uint64_t starts[2])
{
	static const struct source_ops ops = { .read = gate_read,
					       .close = gate_close };
	struct text coded = codec_encode(id, in, 1, 2);
	struct gate gate = { .shut = false };
	struct reader readers[2];
	struct err err = { .message = "" };

	source_init(&gate.source, &ops);
	gate.inner = files_memory_source(coded.at, coded.len);
	gate.source.seekable = gate.source.size_known = true;
	gate.source.size = coded.len;
	pthread_barrier_init(&gate.barrier, NULL, 2);
	struct file file = { .id = id, .in = in };
	file.source = wrap_random(id, &gate.source, &err);
	CHECK_STR(err.message, "");
	gate.shut = true;
	for (unsigned i = 0; i < 2; i++) {
		readers[i] = (struct reader){ .file = &file,
					      .start = starts[i] };
		CHECK(!pthread_create(&readers[i].thread, NULL, read_one,
				      &readers[i]));
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(readers[i].thread, NULL);
		CHECK(readers[i].good);
	}
	source_close(file.source);
	source_close(&gate.source);
	pthread_barrier_destroy(&gate.barrier);
	text_free(&coded);
}

static void test_parallel(enum codec_id id, struct text in)
{
	read_at_once(id, in, (const uint64_t[]){ 0, BLOCK_LEN });
}

/* Two in one block: who does not decode it goes on with the next. */
static void test_ahead(enum codec_id id, struct text in)
{
	read_at_once(id, in, (const uint64_t[]){ 0, BLOCK_LEN / 2 });
}

/* More blocks than the cache may hold: the oldest go, and come again. */
static void test_eviction(void)
{
	enum { COUNT = 16, LEN = 8 << 20 };
	struct err err = { .message = "" };
	struct sink *memory = files_memory_sink();
	struct sink *sink = wrap_encode(CODEC_XZ, memory, 6, 1, &err);
	size_t len, got;
	char byte = 1;

	CHECK(!sink_zero(sink, 0, (uint64_t)COUNT * LEN, SINK_ZERO_SPARSE,
			 &err));
	CHECK(!sink_finish(sink, (uint64_t)COUNT * LEN, &err));
	const unsigned char *coded = files_memory_bytes(memory, &len);
	struct fake_source *fake =
		fake_source_open(files_memory_source(coded, len));
	struct source *source = wrap_random(CODEC_XZ, &fake->source, &err);
	unsigned long long before = atomic_load(&fake->reads);
	for (uint64_t i = 0; i < COUNT; i++) {
		CHECK(!source_read(source, &byte, 1, i * LEN, &got, &err));
		CHECK(got == 1 && !byte);
	}
	CHECK_EQ(atomic_load(&fake->reads), before + COUNT);
	/* The last one is still there, the first is not. */
	CHECK(!source_read(source, &byte, 1, (COUNT - 1) * (uint64_t)LEN, &got,
			   &err));
	CHECK_EQ(atomic_load(&fake->reads), before + COUNT);
	CHECK(!source_read(source, &byte, 1, 0, &got, &err));
	CHECK_EQ(atomic_load(&fake->reads), before + COUNT + 1);
	source_close(source);
	source_close(&fake->source);
	sink_close(sink);
}

/* A damaged block spoils what reads it, each time, and nothing else. */
static void test_damaged(enum codec_id id, struct text in)
{
	struct file file = file_open(id, in);
	struct err err = { .message = "" };
	size_t got;
	char byte;

	file.coded.at[file.coded.len / 2] ^= 1;
	CHECK(reads_well(&file, 0, BLOCK_LEN));
	CHECK(reads_well(&file, 2 * BLOCK_LEN, 1000));
	for (int i = 0; i < 2; i++) {
		CHECK(source_read(file.source, &byte, 1, BLOCK_LEN, &got,
				  &err));
		CHECK_EQ(err.kind, ERR_DAMAGED);
		CHECK(strstr(err.message, "damaged"));
	}
	CHECK(reads_well(&file, 0, BLOCK_LEN));
	file_close(&file);
}

static bool opens(enum codec_id id, struct text coded, uint64_t *size,
		  bool *hinted)
{
	struct source *inner = files_memory_source(coded.at, coded.len);
	struct err err = { .message = "" };
	struct source *source = wrap_random(id, inner, &err);
	bool random, opened = source;

	if (!source) {
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		CHECK(*err.message);
	}
	*size = 0;
	*hinted = wrap_size_hint(id, inner, size, &random);
	CHECK_EQ(opened, *hinted && random);
	source_close(source);
	source_close(inner);
	return opened;
}

/* Several streams, padding (xz) or skippable frames (zstd) between them. */
static void test_joined(enum codec_id id, struct text in)
{
	static const char skip[] = "\x50\x2a\x4d\x18\x04\x00\x00\x00skip";
	struct text part = { in.at, 100000 };
	struct text coded = codec_encode(id, part, 1, 1);
	struct text gap = id == CODEC_XZ ? text_new(12) : text_copy(skip, 12);
	struct text first = text_join(coded, gap);
	struct text both = text_join(first, coded);
	uint64_t size;
	bool hinted;

	CHECK(opens(id, both, &size, &hinted));
	CHECK_EQ(size, 2 * part.len);
	CHECK(!opens(id, coded, &size, &hinted));
	CHECK(hinted);
	CHECK_EQ(size, part.len);
	struct source *inner = files_memory_source(both.at, both.len);
	struct err err = { .message = "" };
	struct source *source = wrap_random(id, inner, &err);
	struct text out = text_new(2 * part.len);
	size_t got = 0;
	CHECK(!source_read(source, out.at, out.len, 0, &got, &err));
	CHECK_EQ(got, out.len);
	CHECK(!memcmp(out.at, in.at, part.len));
	CHECK(!memcmp(out.at + part.len, in.at, part.len));
	source_close(source);
	source_close(inner);
	/* Cut anywhere there is nothing to go by, or the gap's own edge. */
	for (size_t len = 0; len < coded.len; len += 1 + len / 50)
		CHECK(!opens(id, (struct text){ coded.at, len }, &size,
			     &hinted) &&
		      !hinted);
	CHECK(!opens(id, (struct text){ both.at, both.len - 1 }, &size,
		     &hinted));
	CHECK(!hinted);
	text_free(&out);
	text_free(&coded);
	text_free(&gap);
	text_free(&first);
	text_free(&both);
}

/* A frame of no bytes that says it has 2^64 - 1. */
static void test_vast_frame(void)
{
	static unsigned char frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, /* magic */
		0xe0, /* one segment, its size in 8 bytes */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		1, 0, 0, /* the last block, plain, empty */
	};
	bool hinted;
	uint64_t size;

	CHECK(!opens(CODEC_ZSTD, (struct text){ frame, sizeof frame }, &size,
		     &hinted));
	CHECK(!hinted);
}

static void test_unsuited(void)
{
	struct text in = text_words(1000);
	struct text coded = codec_encode(CODEC_GZIP, in, 1, 1);
	uint64_t size;
	bool hinted;

	CHECK(!opens(CODEC_GZIP, coded, &size, &hinted));
	CHECK(!hinted);
	text_free(&coded);
	text_free(&in);
}

int main(void)
{
	static const enum codec_id ids[] = { CODEC_XZ, CODEC_ZSTD };
	struct text in = text_words(SIZE);

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		if (!codec_get(ids[i])->index_open)
			continue;
		test_reads(ids[i], in);
		test_readers(ids[i], in);
		test_parallel(ids[i], in);
		test_ahead(ids[i], in);
		test_damaged(ids[i], in);
		test_joined(ids[i], in);
	}
	test_eviction();
	test_vast_frame();
	test_unsuited();
	text_free(&in);
	return check_result();
}
