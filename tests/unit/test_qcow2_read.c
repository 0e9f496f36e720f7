/* SPDX-License-Identifier: MIT */
/* The disk face of qcow2 against qemu-img: every byte, by reads of many
 * sizes, by extents and their places, and from several threads. */
#include <pthread.h>

#include "base/checked.h"
#include "formats/codecs/codec.h"
#include "qcow2_tools.h"

static struct references references = { tools_open_disk, tools_open_source };

static void check_reads(struct disk *disk, const unsigned char *expected,
			size_t step)
{
	unsigned char *buf = malloc(step);
	struct err err = { 0 };
	uint64_t at, len;
	bool same = true;

	for (at = 0; at < disk->size; at += len) {
		len = min_u64(step, disk->size - at);
		if (disk_read(disk, buf, (size_t)len, at, &err)) {
			CHECK_STR(err.message, "");
			break;
		}
		same &= !memcmp(buf, expected + at, (size_t)len);
	}
	CHECK(same);
	free(buf);
}

/* The bytes at an extent's place are the guest's. */
static bool check_place(const struct extent *extent,
			const unsigned char *expected)
{
	struct err err = { 0 };
	size_t len = (size_t)extent->length, stored = (size_t)extent->stored;
	unsigned char *bytes = malloc(stored), *plain = bytes;
	struct block_decoder *decoder = NULL;
	bool same;

	CHECK(!source_read_all(extent->source, bytes, stored, extent->place,
			       "test", &err));
	if (extent->encoding != ENCODING_PLAIN) {
		decoder = block_decoder_open(extent->encoding == ENCODING_ZSTD
						     ? BLOCK_ZSTD
						     : BLOCK_DEFLATE,
					     &err);
		plain = malloc(len);
		CHECK(!block_decode(decoder, bytes, stored, plain, len, &err));
		block_decoder_close(decoder);
	} else {
		CHECK_EQ(stored, len);
	}
	same = !memcmp(plain, expected + extent->offset, len);
	if (plain != bytes)
		free(plain);
	free(bytes);
	return same;
}

static void check_extents(struct disk *disk, const unsigned char *expected)
{
	struct extent extent, last = { .kind = EXTENT_DATA };
	struct err err = { 0 };
	bool same = true;

	for (uint64_t at = 0; at < disk->size; at += extent.length) {
		if (disk_extent(disk, at, disk->size - at, &extent, &err)) {
			CHECK_STR(err.message, "");
			return;
		}
		CHECK_EQ(extent.offset, at);
		CHECK(extent.length && extent.length <= disk->size - at);
		/* Holes are joined. */
		CHECK(extent.kind != EXTENT_HOLE || last.kind != EXTENT_HOLE ||
		      !at);
		if (extent.kind == EXTENT_DATA && extent.source)
			same &= check_place(&extent, expected);
		for (uint64_t i = at;
		     extent.kind != EXTENT_DATA && i < at + extent.length; i++)
			same &= !expected[i];
		last = extent;
	}
	CHECK(same);
}

/* `name` reads as `raw` does, from every side. */
static void check_image(const char *name, const char *snapshot,
			const unsigned char *expected, uint64_t size)
{
	static const size_t steps[] = { 1 << 20, 12345, 65536, 4000000 };
	struct source *source = tools_source(name);
	struct open_options options = { .references = &references,
					.snapshot = snapshot };
	struct err err = { 0 };
	struct disk *disk = qcow2_open(source, &options, &err);

	CHECK_STR(err.message, "");
	if (disk) {
		CHECK_EQ(disk->size, size);
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
			check_reads(disk, expected, steps[i]);
		check_extents(disk, expected);
		CHECK(!disk_finish(disk, &err));
	}
	disk_close(disk);
	source_close(source);
}

static void check_against_qemu(const char *name)
{
	unsigned char *expected;
	size_t len;

	CHECK(!tools_run("qemu-img convert -O raw %s raw", name));
	expected = tools_load("raw", &len);
	check_image(name, NULL, expected, len);
	free(expected);
}

static void test_cluster_sizes(void)
{
	static const char *const sizes[] = { "512", "4k", "64k", "2M" };

	for (size_t i = 0; i < 4; i++) {
		CHECK(!tools_run("qemu-img create -q -f qcow2 -o "
				 "cluster_size=%s a %d",
				 sizes[i], TOOLS_SIZE));
		CHECK(!tools_fill("a"));
		check_against_qemu("a");
		CHECK(!tools_run("qemu-img convert -c -O qcow2 -o "
				 "cluster_size=%s a b",
				 sizes[i]));
		check_against_qemu("b");
		if (tools_have_zstd()) {
			CHECK(!tools_run("qemu-img convert -c -O qcow2 -o "
					 "cluster_size=%s,"
					 "compression_type=zstd a c",
					 sizes[i]));
			check_against_qemu("c");
		}
		CHECK(!tools_run("qemu-img convert -O qcow2 -o "
				 "cluster_size=%s,compat=0.10 a d",
				 sizes[i]));
		check_against_qemu("d");
	}
}

static void test_refcount_widths(void)
{
	for (unsigned bits = 1; bits <= 64; bits *= 2) {
		CHECK(!tools_run("qemu-img create -q -f qcow2 -o "
				 "refcount_bits=%u a %d",
				 bits, TOOLS_SIZE));
		CHECK(!tools_fill("a"));
		check_against_qemu("a");
	}
}

static void test_extended_l2(void)
{
	CHECK(!tools_run("qemu-img create -q -f qcow2 -o extended_l2=on,"
			 "cluster_size=128k a %d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("a"));
	check_against_qemu("a");
	CHECK(!tools_run("qemu-img convert -c -O qcow2 -o extended_l2=on a b"));
	check_against_qemu("b");
}

/* The base is smaller than the overlay, and ends within a cluster. */
static void test_backing(void)
{
	CHECK(!tools_run("qemu-img create -q -f qcow2 base 3000832 && "
			 "qemu-io -f qcow2 -c 'write -P 7 0 3000832' base "
			 ">/dev/null"));
	CHECK(!tools_run("qemu-img create -q -f qcow2 -b base -F qcow2 mid 5M "
			 "&& qemu-io -f qcow2 -c 'write -P 6 1M 300k' mid "
			 ">/dev/null"));
	CHECK(!tools_run("qemu-img create -q -f qcow2 -b mid -F qcow2 top %d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("top"));
	check_against_qemu("top");
	CHECK(!tools_run("qemu-img create -q -f qcow2 -o extended_l2=on -b mid "
			 "-F qcow2 sub %d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("sub"));
	check_against_qemu("sub");
}

static void test_data_file(void)
{
	CHECK(!tools_run("qemu-img create -q -f qcow2 -o data_file=data a %d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("a"));
	check_against_qemu("a");
	CHECK(!tools_run("qemu-img create -q -f qcow2 -o data_file=data2,"
			 "data_file_raw=on b %d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("b"));
	check_against_qemu("b");
}

static void test_snapshots(void)
{
	unsigned char *before, *after;
	struct open_options options = { .snapshot = "third" };
	struct err err = { 0 };
	struct source *source;
	size_t len;

	CHECK(!tools_run("qemu-img create -q -f qcow2 a %d", TOOLS_SIZE));
	CHECK(!tools_fill("a"));
	CHECK(!tools_run("qemu-img convert -O raw a raw"));
	before = tools_load("raw", &len);
	CHECK(!tools_run("qemu-img snapshot -c first a && qemu-img resize -q a "
			 "20M && qemu-io -f qcow2 -c 'write -P 5 0 7M' a "
			 ">/dev/null && qemu-img snapshot -c second a && "
			 "qemu-io -f qcow2 -c 'write -P 4 0 1M' a >/dev/null"));
	/* The snapshot remembers the size the disk had. */
	check_image("a", "first", before, TOOLS_SIZE);
	check_image("a", "1", before, TOOLS_SIZE);
	CHECK(!tools_run("qemu-img convert -O raw -l second a raw"));
	after = tools_load("raw", &len);
	check_image("a", "second", after, 20 << 20);
	check_against_qemu("a");
	source = tools_source("a");
	CHECK(!qcow2_open(source, &options, &err));
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK_STR(err.message,
		  "there is no snapshot third (there are: first (1), second "
		  "(2))");
	source_close(source);
	free(before);
	free(after);
}

static const char *fact(const struct facts *facts, const char *name)
{
	static char text[300];

	for (unsigned i = 0; i < facts->count; i++) {
		const struct fact *one = &facts->fact[i];

		if (strcmp(one->name, name))
			continue;
		if (one->type == FACT_TEXT)
			return one->text;
		snprintf(text, sizeof text, "%llu",
			 (unsigned long long)one->number);
		return text;
	}
	return "absent";
}

/* For info an overlay opens without its base; reading it is a bug. */
static void test_info(void)
{
	struct open_options options = { .metadata_only = true };
	struct facts facts = { 0 };
	struct err err = { 0 };
	struct source *source;
	struct disk *disk;

	CHECK(!tools_run("qemu-img create -q -f qcow2 -u -b gone -F raw -o "
			 "lazy_refcounts=on,cluster_size=32k,refcount_bits=8,"
			 "compression_type=zstd a 1M && qemu-img bitmap -F raw "
			 "--add a b0 2>/dev/null; qemu-img snapshot -U -c one "
			 "a 2>/dev/null; true"));
	source = tools_source("a");
	disk = qcow2_open(source, &options, &err);
	CHECK_STR(err.message, "");
	if (disk) {
		disk_info(disk, &facts);
		CHECK_STR(fact(&facts, "version"), "3");
		CHECK_STR(fact(&facts, "compat"), "1.1");
		CHECK_STR(fact(&facts, "cluster-size"), "32768");
		CHECK_STR(fact(&facts, "refcount-bits"), "8");
		CHECK_STR(fact(&facts, "compression"), "zstd");
		CHECK_STR(fact(&facts, "lazy-refcounts"), "1");
		CHECK_STR(fact(&facts, "backing-file"), "gone");
		CHECK_STR(fact(&facts, "backing-format"), "raw");
		CHECK_STR(fact(&facts, "data-file"), "absent");
	}
	disk_close(disk);
	source_close(source);
}

struct notes {
	struct log log;
	char text[300];
};

static void keep_note(struct log *log, enum log_level level, const char *line)
{
	struct notes *notes = (struct notes *)log;

	if (level == LOG_NOTE)
		snprintf(notes->text, sizeof notes->text, "%s", line);
}

/* A writer that was killed leaves the dirty bit: the content is all there,
 * and the user is told. */
static void test_dirty(void)
{
	struct notes notes = { .log.emit = keep_note };
	struct open_options options = { .log = &notes.log };
	struct err err = { 0 };
	struct source *source;

	CHECK(!tools_run("qemu-img create -q -f qcow2 -o lazy_refcounts=on a "
			 "%d",
			 TOOLS_SIZE));
	tools_run("qemu-io -f qcow2 -c 'write -P 1 0 5M' -c flush -c abort a "
		  ">/dev/null 2>&1");
	check_against_qemu("a");
	source = tools_source("a");
	disk_close(qcow2_open(source, &options, &err));
	CHECK(strstr(notes.text, "was not closed properly"));
	source_close(source);
}

/* A terabyte of nothing is one extent, found without looking at it. */
static void test_huge(void)
{
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct extent extent;
	struct source *source;
	struct disk *disk;

	CHECK(!tools_run("qemu-img create -q -f qcow2 a 1T"));
	source = tools_source("a");
	disk = qcow2_open(source, &options, &err);
	CHECK(disk);
	if (disk && !disk_extent(disk, 0, disk->size, &extent, &err)) {
		CHECK_EQ(extent.kind, EXTENT_HOLE);
		CHECK_EQ(extent.length, (uint64_t)1 << 40);
	}
	disk_close(disk);
	source_close(source);
}

struct reader {
	struct disk *disk;
	const unsigned char *expected;
	unsigned seed;
	bool same;
};

/* Scattered small reads: they meet in the caches. */
static void *read_scattered(void *opaque)
{
	struct reader *reader = opaque;
	unsigned char buf[3000];
	struct err err;

	reader->same = true;
	for (unsigned i = 0; i < 4000; i++) {
		uint64_t at = (uint64_t)rand_r(&reader->seed) %
			      (reader->disk->size - sizeof buf);

		if (disk_read(reader->disk, buf, sizeof buf, at, &err) ||
		    memcmp(buf, reader->expected + at, sizeof buf))
			reader->same = false;
	}
	return NULL;
}

/* With hardly any memory for tables, so that they come and go. */
static void test_threads(void)
{
	struct open_options options = { .memory = 4096 };
	struct reader readers[4];
	pthread_t threads[4];
	struct err err = { 0 };
	unsigned char *expected;
	struct source *source;
	struct disk *disk;
	size_t len;

	CHECK(!tools_run("qemu-img create -q -f qcow2 -o cluster_size=512 a "
			 "%d",
			 TOOLS_SIZE));
	CHECK(!tools_fill("a"));
	CHECK(!tools_run("qemu-img convert -c -O qcow2 -o cluster_size=4k a b "
			 "&& qemu-img convert -O raw a raw"));
	expected = tools_load("raw", &len);
	for (int pass = 0; pass < 2; pass++) {
		source = tools_source(pass ? "a" : "b");
		disk = qcow2_open(source, &options, &err);
		CHECK(disk);
		for (unsigned i = 0; disk && i < 4; i++) {
			readers[i] = (struct reader){ disk, expected, i, 0 };
			CHECK(!pthread_create(&threads[i], NULL,
					      read_scattered, &readers[i]));
		}
		for (unsigned i = 0; disk && i < 4; i++) {
			pthread_join(threads[i], NULL);
			CHECK(readers[i].same);
		}
		disk_close(disk);
		source_close(source);
	}
	free(expected);
}

int main(void)
{
	if (!tools_begin())
		return 77;
	test_cluster_sizes();
	test_refcount_widths();
	test_extended_l2();
	test_backing();
	test_data_file();
	test_snapshots();
	test_info();
	test_dirty();
	test_huge();
	test_threads();
	tools_end();
	return check_result();
}
