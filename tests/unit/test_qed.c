/* SPDX-License-Identifier: MIT */
/* QED: what the writer makes is read back, in every way of writing; zeros over
 * a backing file hide it; damaged headers and tables are refused. */
#include "base/bytes.h"
#include "driver_tests.h"
#include "formats/images/qed/qed.h"

extern const struct driver driver_qed, driver_raw;

static const char *const forms[] = { "", "cluster_size=4K,table_size=1",
				     "cluster_size=8K,table_size=16",
				     "cluster_size=1M,table_size=1" };

static const struct guest small = { .size = 6 * MIB, .group = 16 * KIB };

static void test_ways(void)
{
	/* Many L2 tables, each of 2 MiB of guest. */
	struct guest guest = { .size = 160 * MIB + 512, .group = 4 * KIB,
			       .live = { { 63 * MIB, 2 * MIB },
					 { 159 * MIB, 2 * MIB } } };

	check_sizes(&driver_qed, forms, sizeof forms / sizeof *forms);
	check_large(&driver_qed, "");
	check_ways(&driver_qed, &guest, "cluster_size=4K,table_size=1");
	check_ways(&driver_qed, &small, "cluster_size=8M,table_size=1");
	check_failures_of(&driver_qed, &small, "cluster_size=4K,table_size=1",
			  false);
	check_failures_of(&driver_qed, &small, "cluster_size=4K,table_size=1",
			  true);
	check_changed(&driver_qed, &small, "", true);
	check_changed(&driver_qed, &small, "cluster_size=4K,table_size=1",
		      true);
}

static void test_cuts(void)
{
	struct guest guest = { .size = 3 * MIB, .group = 3 * MIB };
	unsigned char first = 0;

	/* One that is data as a whole. */
	for (; !first; guest.seed++)
		guest_fill(&guest, 0, &first, 1);
	guest.seed--;
	check_cuts(&driver_qed, &guest, "");
	check_cuts(&driver_qed, &guest, "cluster_size=4K,table_size=1");
}

static void test_reserve(void)
{
	struct guest guest = { .size = 16 * MIB + 512, .group = 16 * KIB };

	check_reserve(&driver_qed, &guest, "", 5 * MIB, 9 * MIB + 192 * KIB);
	/* Across four L2 tables. */
	check_reserve(&driver_qed, &guest, "cluster_size=4K,table_size=1",
		      5 * MIB, 11 * MIB + 12 * KIB);
	check_reserve(&driver_qed, &guest, "", 5 * MIB, 16 * MIB + 512);
}

/* ---- over a backing file ---- */

struct below {
	struct references references;
	const unsigned char *bytes;
	size_t len;
	char name[32], format[16];
};

static struct disk *open_below(struct references *references, const char *name,
			       const char *format, struct source **source,
			       struct err *err)
{
	struct below *below = (struct below *)references;
	struct open_options options = { 0 };

	snprintf(below->name, sizeof below->name, "%s", name);
	snprintf(below->format, sizeof below->format, "%s",
		 format ? format : "NULL");
	*source = files_memory_source(below->bytes, below->len);
	return driver_raw.open(*source, &options, err);
}

static void check_over(struct below *below, const struct making_of *of)
{
	struct open_options options = { .references = &below->references };
	struct err err = { 0 };
	struct made made;

	make(&made, of);
	CHECK(made.done);

	struct source *source AUTO_SOURCE =
		files_memory_source(made.bytes, made.len);
	struct disk *disk AUTO_DISK = qed_open(source, &options, &err);

	CHECK(disk && reads_as(disk, of->guest, UNIT_LEN, &err));
	CHECK_STR(below->name, "below.raw");
	CHECK_STR(below->format, strstr(of->options, "=raw") ? "raw" : "NULL");
	options.references = NULL;
	CHECK(!qed_open(source, &options, &err));
	CHECK_EQ(err.kind, ERR_REFUSED);
	options.metadata_only = true;

	struct disk *looked AUTO_DISK = qed_open(source, &options, &err);

	CHECK(looked && looked->size == of->guest->size);
	made_close(&made);
}

static void test_backing(void)
{
	struct below below = { .references.open_disk = open_below,
			       .len = 3 * MIB };
	unsigned char *bytes AUTO_FREE = mem_zalloc(below.len);
	struct making_of of = {
		.driver = &driver_qed,
		.guest = &small,
		.options = "backing_file=below.raw,backing_fmt=raw",
	};
	struct create_options options;
	struct err err = { 0 };
	struct writer *writer;

	memset(bytes, 'b', below.len);
	below.bytes = bytes;
	check_over(&below, &of);
	of.options = "backing_file=below.raw,cluster_size=4K,table_size=1";
	check_over(&below, &of);
	of.other_way = true;
	check_over(&below, &of);
	of.options = "backing_file=below.raw,cluster_size=8M,table_size=1";
	check_over(&below, &of);

	/* An empty overlay shows what is below, and zeros where that ends. */
	struct sink *sink AUTO_SINK = files_memory_sink();

	make_options(&options, "backing_file=below.raw");
	writer = qed_create(sink, &options, &err);
	CHECK(writer && !writer_finish(writer, 4 * MIB, &err));
	writer_close(writer);
	CHECK_EQ(qed_append(&options), APPEND_NEVER);

	size_t len;
	const unsigned char *image = files_memory_bytes(sink, &len);
	struct source *source AUTO_SOURCE = files_memory_source(image, len);
	struct open_options opening = { .references = &below.references };
	struct disk *disk AUTO_DISK = qed_open(source, &opening, &err);
	unsigned char *got AUTO_FREE = mem_zalloc(4 * MIB);
	struct extent extent;

	CHECK(disk && !disk_read(disk, got, 4 * MIB, 0, &err));
	CHECK(!memcmp(got, bytes, below.len));
	CHECK(zero_is(got + below.len, MIB));
	CHECK_EQ(disk_extent(disk, 4096, 4 * MIB, &extent, &err), 0);
	CHECK_EQ(extent.kind, EXTENT_DATA);
	CHECK_EQ(extent.place, 4096);
	CHECK_EQ(disk_extent(disk, 3 * MIB, MIB, &extent, &err), 0);
	CHECK_EQ(extent.kind, EXTENT_HOLE);
}

/* ---- damage ---- */

/* cluster_size=4K,table_size=1: header, L1, L2 of 2 MiB, data. */
#define L1_AT 4096
#define L2_AT 8192

struct spoilt {
	size_t at;
	uint32_t value;
	enum err_kind kind;
	const char *message;
};

static const struct spoilt spoilt[] = {
	{ 0, 0x00444550, ERR_DAMAGED, "magic" },
	{ QED_CLUSTER_SIZE_AT, 2048, ERR_DAMAGED, "cluster size 2048" },
	{ QED_CLUSTER_SIZE_AT, 5000, ERR_DAMAGED, "cluster size 5000" },
	{ QED_CLUSTER_SIZE_AT, 1u << 27, ERR_DAMAGED, "cluster size" },
	{ QED_TABLE_SIZE_AT, 0, ERR_DAMAGED, "table size 0" },
	{ QED_TABLE_SIZE_AT, 3, ERR_DAMAGED, "table size 3" },
	{ QED_TABLE_SIZE_AT, 32, ERR_DAMAGED, "table size 32" },
	{ QED_HEADER_SIZE_AT, 0, ERR_DAMAGED, "header size" },
	{ QED_HEADER_SIZE_AT, 2, ERR_DAMAGED, "overlaps the header" },
	{ QED_FEATURES_AT, 8, ERR_UNSUPPORTED, "features 0x8" },
	{ QED_FEATURES_AT + 4, 1, ERR_UNSUPPORTED, "features" },
	{ QED_FEATURES_AT, 1, ERR_DAMAGED, "name of 0 bytes" },
	{ QED_COMPAT_AT, 1, ERR_NONE, "" },
	{ QED_AUTOCLEAR_AT, 1, ERR_NONE, "" },
	{ QED_FEATURES_AT, 2, ERR_NONE, "" }, /* needs a check: it is sound */
	{ QED_L1_AT, 4097, ERR_DAMAGED, "not a multiple" },
	{ QED_L1_AT, 0, ERR_DAMAGED, "overlaps the header" },
	{ QED_L1_AT + 4, 1, ERR_DAMAGED, "past the end" },
	{ QED_SIZE_AT, 513, ERR_DAMAGED, "multiple of 512" },
	{ QED_SIZE_AT + 4, 1, ERR_DAMAGED, "more than its tables map" },
	{ QED_SIZE_AT + 4, 1u << 30, ERR_LIMIT, "size" },
	{ L1_AT, L2_AT + 1, ERR_DAMAGED, "not a multiple" },
	{ L1_AT, L1_AT, ERR_DAMAGED, "overlaps" },
	{ L1_AT + 4, 1, ERR_DAMAGED, "past the end" },
	{ L1_AT + 8, L2_AT, ERR_DAMAGED, "used twice" },
	{ L2_AT, 0, ERR_NONE, "" },
	{ L2_AT, 1, ERR_NONE, "" },
	{ L2_AT, 2, ERR_DAMAGED, "not a multiple" },
	{ L2_AT, 4096, ERR_DAMAGED, "overlaps" },
	{ L2_AT + 4, 1, ERR_DAMAGED, "past the end" },
	{ L2_AT + 4, 1u << 31, ERR_DAMAGED, "past the end" },
};

static int read_all(const unsigned char *bytes, size_t len, struct err *err)
{
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct open_options options = { 0 };
	struct disk *disk AUTO_DISK = qed_open(source, &options, err);
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN);

	if (!disk)
		return -1;
	for (uint64_t at = 0; at < disk->size; at += UNIT_LEN)
		if (disk_read(disk, buf,
			      (size_t)min_u64(UNIT_LEN, disk->size - at), at,
			      err))
			return -1;
	return 0;
}

static void test_spoilt(void)
{
	struct making_of of = { .driver = &driver_qed,
				.guest = &small,
				.options = "cluster_size=4K,table_size=1" };
	struct facts facts = { 0 };
	struct made made;
	uint64_t size;

	make(&made, &of);
	CHECK_EQ(bytes_le32(made.bytes + L1_AT), L2_AT);
	for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
		const struct spoilt *one = &spoilt[i];
		unsigned char *bytes AUTO_FREE = mem_zalloc(made.len);
		struct err err = { 0 };
		int failed;

		memcpy(bytes, made.bytes, made.len);
		bytes_put_le32(bytes + one->at, one->value);
		failed = read_all(bytes, made.len, &err);
		CHECK_EQ(failed != 0, one->kind != ERR_NONE);
		CHECK_EQ(failed ? err.kind : ERR_NONE, one->kind);
		CHECK(!failed || strstr(err.message, one->message));
		if (failed && !strstr(err.message, one->message))
			fprintf(stderr, "%zu: %s\n", i, err.message);
	}
	CHECK_EQ(qed_peek(made.bytes, 63, &size, &facts, &made.err), 1);
	CHECK_EQ(qed_peek(made.bytes, 64, &size, &facts, &made.err), 0);
	CHECK_EQ(size, small.size);
	made_close(&made);
}

/* A cluster mapped twice: found by a check, and by reading an image that was
 * not closed properly. */
static void test_unclean(void)
{
	struct making_of of = { .driver = &driver_qed,
				.guest = &small,
				.options = "cluster_size=4K,table_size=1" };
	struct check_report report = { 0 };
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct made made;

	make(&made, &of);
	unsigned char *bytes AUTO_FREE = mem_zalloc(made.len);

	memcpy(bytes, made.bytes, made.len);
	/* The last entry of the table gets a cluster that has an owner. */
	bytes_put_le32(bytes + L2_AT + 511 * 8, L2_AT + 4096);
	bytes_put_le32(bytes + QED_FEATURES_AT, QED_F_NEED_CHECK);
	CHECK_EQ(read_all(bytes, made.len, &err), -1);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	CHECK(strstr(err.message, "not closed properly"));

	struct source *source AUTO_SOURCE =
		files_memory_source(bytes, made.len);

	CHECK_EQ(qed_check(source, &options, &report, &err), 0);
	CHECK(report.corruptions >= 1);
	made_close(&made);
}

int main(void)
{
	test_ways();
	test_cuts();
	test_reserve();
	test_backing();
	test_spoilt();
	test_unclean();
	return check_result();
}
