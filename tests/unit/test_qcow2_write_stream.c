/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 writer in other circumstances: to a sink that only appends, to
 * one that fails, with runs reserved for copying, with wrong options, and
 * with an input that is not what was surveyed.
 */
#include "check.h"
#include "fakes.h"
#include "make_image.h"

extern const struct driver driver_qcow2;

static void set_size(struct create_options *options, const struct guest *guest)
{
	options->size_known = true;
	options->size = round_up(guest->size, 512);
}

/* The guest through a writer into `sink`; 0 or -1. */
static int make(struct sink *sink, struct create_options *options,
		const struct making *making, struct err *err)
{
	struct writer *writer = driver_qcow2.create(sink, options, err);
	int result = writer ? make_image(making, writer, err) : -1;

	writer_close(writer);
	return result;
}

static void check_append(const struct guest *guest, const char *text,
			 uint32_t granule)
{
	struct making making = { .guest = guest, .shuffle = true };
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	struct sink *seekable = files_memory_sink();
	struct sink *memory = files_memory_sink();
	struct fake_sink *append = fake_sink_open(memory);
	const unsigned char *a, *b;
	size_t a_len, b_len;

	append->sink.seekable = false;
	make_options(&options, text);
	set_size(&options, guest);
	CHECK_EQ(make(seekable, &options, &making, &err), 0);
	CHECK_EQ(make_survey(guest, granule, &survey, &err), 0);
	options.survey = &survey;
	making.shuffle = false;
	if (make(&append->sink, &options, &making, &err)) {
		fprintf(stderr, "%s by %u: %s\n", text, granule, err.message);
		CHECK(!"append");
	}
	a = files_memory_bytes(seekable, &a_len);
	b = files_memory_bytes(memory, &b_len);
	CHECK_EQ(a_len, b_len);
	CHECK(a_len == b_len && !memcmp(a, b, a_len));
	survey_clear(&survey);
	sink_close(seekable);
	sink_close(&append->sink);
}

static void test_append(void)
{
	static const uint64_t sizes[] = { 0, 512, 70000, 2 * MIB + 512 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct guest guest = { .size = sizes[i], .group = 4 * KIB };

		check_append(&guest, "", 64 * KIB);
		check_append(&guest, "", 4096);
		check_append(&guest, "cluster_size=512", 512);
		check_append(&guest, "cluster_size=1K,refcount_bits=64", 512);
		check_append(&guest, "cluster_size=2M", 2 * MIB);
		check_append(&guest, "compat=0.10", 64 * KIB);
		check_append(&guest, "extended_l2=on", 2 * KIB);
		check_append(&guest, "extended_l2=on,cluster_size=16K", 512);
	}
	struct guest large = { .size = 2 * TIB + 64 * KIB,
			       .group = 64 * KIB,
			       .live = { { 0, MIB },
					 { TIB - MIB, 2 * MIB },
					 { 2 * TIB, 64 * KIB } } };

	check_append(&large, "", 64 * KIB);
	check_append(&large, "cluster_size=16K", 16 * KIB);
	large.size = 4 * GIB + 512;
	large.live[1].offset = 2 * GIB;
	large.live[2].offset = 4 * GIB;
	check_append(&large, "cluster_size=512,refcount_bits=64", 512);
}

/* Create must refuse, and say why. */
static void check_refused(const char *text, const char *compress,
			  bool with_survey, enum err_kind kind)
{
	struct guest guest = { .size = MIB, .group = 4096 };
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	struct sink *sink = files_memory_sink();

	sink->seekable = false;
	make_options(&options, text);
	snprintf(options.compress, sizeof options.compress, "%s", compress);
	set_size(&options, &guest);
	CHECK_EQ(make_survey(&guest, 64 * KIB, &survey, &err), 0);
	options.survey = with_survey ? &survey : NULL;
	options.data_sink = sink;
	CHECK(!driver_qcow2.create(sink, &options, &err));
	CHECK_EQ(err.kind, kind);
	CHECK(*err.message);
	survey_clear(&survey);
	sink_close(sink);
}

static void test_append_refused(void)
{
	check_refused("", "", false, ERR_UNSUPPORTED);
	check_refused("", "zlib", true, ERR_UNSUPPORTED);
	check_refused("backing_file=x", "", true, ERR_UNSUPPORTED);
	check_refused("preallocation=full", "", true, ERR_UNSUPPORTED);
	check_refused("data_file=x", "", true, ERR_UNSUPPORTED);
	check_refused("cluster_size=4K", "", true, ERR_BUG);
	check_refused("cluster_size=16K,extended_l2=on", "", true, ERR_BUG);
}

/* A survey by clusters is enough for extended entries, if less precise. */
static void test_coarse(void)
{
	struct guest guest = { .size = 2 * MIB, .group = 4 * KIB };
	struct making making = { .guest = &guest };
	unsigned char *want AUTO_FREE = mem_zalloc(guest.size);
	unsigned char *got AUTO_FREE = mem_zalloc(guest.size);
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct open_options open = { 0 };
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	size_t len;

	sink->seekable = false;
	make_options(&options, "extended_l2=on");
	CHECK_EQ(driver_qcow2.survey_granule(&options), 2 * KIB);
	set_size(&options, &guest);
	CHECK_EQ(make_survey(&guest, 64 * KIB, &survey, &err), 0);
	options.survey = &survey;
	CHECK_EQ(make(sink, &options, &making, &err), 0);

	const unsigned char *bytes = files_memory_bytes(sink, &len);
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct disk *disk AUTO_DISK = driver_qcow2.open(source, &open, &err);

	CHECK(disk && !disk_read(disk, got, guest.size, 0, &err));
	guest_fill(&guest, 0, want, guest.size);
	CHECK(!memcmp(want, got, guest.size));
	survey_clear(&survey);
}

/* The survey of one guest, the bytes of another. */
static void test_changed(void)
{
	struct guest guest = { .size = 3 * MIB, .group = 64 * KIB };
	struct guest other = { .size = 3 * MIB, .group = 64 * KIB };

	for (unsigned seed = 1; seed < 8; seed++) {
		struct making making = { .guest = &other };
		struct create_options options;
		struct survey survey;
		struct err err = { 0 };
		struct sink *sink = files_memory_sink();

		other.seed = seed;
		making.zeros_as_units = seed % 2;
		sink->seekable = false;
		make_options(&options, "");
		set_size(&options, &guest);
		CHECK_EQ(make_survey(&guest, 64 * KIB, &survey, &err), 0);
		options.survey = &survey;
		CHECK_EQ(make(sink, &options, &making, &err), -1);
		CHECK_EQ(err.kind, ERR_TEMPORARY);
		survey_clear(&survey);
		sink_close(sink);
	}
}

/* Every operation fails once; nothing leaks (the sanitizer looks). */
static void check_failing(const char *text, const char *compress, bool append)
{
	struct guest guest = { .size = MIB + 512, .group = 16 * KIB };
	struct making making = { .guest = &guest };
	struct create_options options;
	struct survey survey;
	struct err err;
	unsigned operations = 1;

	make_options(&options, text);
	snprintf(options.compress, sizeof options.compress, "%s", compress);
	set_size(&options, &guest);
	CHECK_EQ(make_survey(&guest, 64 * KIB, &survey, &err), 0);
	options.survey = &survey;
	for (unsigned nth = 0; nth <= operations; nth++) {
		struct fake_sink *sink = fake_sink_open(files_memory_sink());
		struct fake_sink *data = fake_sink_open(files_memory_sink());

		memset(&err, 0, sizeof err);
		sink->sink.seekable = !append;
		sink->sink.fresh = data->sink.fresh = false;
		sink->fail_at = nth;
		options.data_sink = &data->sink;

		int result = make(&sink->sink, &options, &making, &err);

		CHECK_EQ(result, nth ? -1 : 0);
		if (nth)
			CHECK(err.kind == ERR_IO &&
			      strstr(err.message, "injected"));
		else
			operations = sink->count;
		sink_close(&sink->sink);
		sink_close(&data->sink);
	}
	CHECK(operations > 4);
	survey_clear(&survey);
}

static void test_failing(void)
{
	check_failing("", "", false);
	check_failing("", "", true);
	check_failing("cluster_size=4K", "zlib", false);
	check_failing("preallocation=full", "", false);
	check_failing("data_file=x,data_file_raw=on", "", false);
	check_failing("backing_file=x", "", false);
}

/* Runs are reserved and copied into, tables in front. */
static void test_reserve(void)
{
	static const char *const some[] = { "", "cluster_size=512",
					    "extended_l2=on" };
	struct guest guest = { .size = 2 * MIB + 512, .group = 16 * KIB };
	unsigned char *want AUTO_FREE = mem_zalloc(guest.size);
	unsigned char *got AUTO_FREE = mem_zalloc(guest.size);

	guest_fill(&guest, 0, want, guest.size);
	for (size_t i = 0; i < 3; i++) {
		static const uint64_t cuts[] = { 0, 64 * KIB, MIB,
						 2 * MIB + 512 };
		struct create_options options;
		struct open_options open = { 0 };
		struct err err = { 0 };
		struct sink *sink = files_memory_sink();
		uint64_t place;
		size_t len;

		make_options(&options, some[i]);
		set_size(&options, &guest);

		struct writer *writer =
			driver_qcow2.create(sink, &options, &err);

		CHECK(writer && writer_can_reserve(writer));
		for (size_t k = 0; k < 3; k++) {
			CHECK_EQ(writer_reserve(writer, cuts[k],
						cuts[k + 1] - cuts[k], &place,
						&err),
				 0);
			CHECK_EQ(sink_write(sink, want + cuts[k],
					    cuts[k + 1] - cuts[k], place, &err),
				 0);
		}
		CHECK_EQ(writer_finish(writer, guest.size, &err), 0);
		writer_close(writer);

		const unsigned char *bytes = files_memory_bytes(sink, &len);
		struct source *source = files_memory_source(bytes, len);
		struct disk *disk = driver_qcow2.open(source, &open, &err);
		struct check_report report = { 0 };

		CHECK(disk);
		if (disk)
			CHECK_EQ(disk_read(disk, got, guest.size, 0, &err), 0);
		CHECK(!memcmp(want, got, guest.size));
		disk_close(disk);
		CHECK_EQ(driver_qcow2.check(source, &open, &report, &err), 0);
		CHECK_EQ(report.corruptions + report.leaks, 0);
		source_close(source);
		sink_close(sink);
	}
}

static void test_options(void)
{
	static const struct {
		const char *text, *compress, *message;
	} rows[] = {
		{ "cluster_size=3K", "", "not a power of two" },
		{ "cluster_size=256", "", "out of range (512..2M)" },
		{ "cluster_size=4M", "", "out of range (512..2M)" },
		{ "cluster_size=x", "", "is not one of 512..2M" },
		{ "compat=1.2", "", "is not one of 0.10|1.1" },
		{ "refcount_bits=3", "", "not a power of two" },
		{ "refcount_bits=128", "", "out of range (1..64)" },
		{ "compat=0.10,refcount_bits=8", "", "refcount_bits" },
		{ "compat=0.10,extended_l2=on", "", "extended_l2" },
		{ "compat=0.10,lazy_refcounts=on", "", "lazy_refcounts" },
		{ "compat=0.10,data_file=x", "", "data_file" },
		{ "compat=0.10", "zstd", "zstd" },
		{ "extended_l2=on,cluster_size=8K", "", "at least 16K" },
		{ "extended_l2=yes", "", "is not one of on|off" },
		{ "preallocation=some", "", "off|metadata|falloc|full" },
		{ "backing_fmt=raw", "", "needs backing_file" },
		{ "backing_file=x,preallocation=full", "", "exclude" },
		{ "data_file_raw=on", "", "needs data_file" },
		{ "data_file=x", "zlib", "cannot be compressed" },
		{ "data_file=x,data_file_raw=on,backing_file=y", "",
		  "exclude" },
		{ "preallocation=full", "zlib", "exclude" },
		{ "window=4k", "", "needs compression with zlib" },
		{ "window=4k", "zstd", "needs compression with zlib" },
		{ "window=8k", "zlib", "is not one of 4k|32k" },
		{ "", "lzma", "no compression lzma" },
		{ "colour=red", "", "has no option colour" },
		{ "backing_file=", "", "needs a value" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct create_options options;
		struct err err = { 0 };

		make_options(&options, rows[i].text);
		snprintf(options.compress, sizeof options.compress, "%s",
			 rows[i].compress);
		CHECK_EQ(driver_check_options(&driver_qcow2, &options, &err),
			 -1);
		CHECK_EQ(err.kind, ERR_USAGE);
		if (!strstr(err.message, rows[i].message))
			CHECK_STR(err.message, rows[i].message);
	}
}

static void test_sizes_refused(void)
{
	struct create_options options;
	struct err err = { 0 };
	struct sink *sink = files_memory_sink();
	struct writer *writer;

	make_options(&options, "cluster_size=512");
	options.size_known = true;
	options.size = 128 * GIB + 512;
	CHECK_EQ(driver_check_options(&driver_qcow2, &options, &err), -1);
	CHECK(strstr(err.message, "larger cluster_size"));
	options.size = MIB;
	writer = driver_qcow2.create(sink, &options, &err);
	CHECK(writer);
	CHECK_EQ(writer_finish(writer, 2 * MIB, &err), -1);
	CHECK_EQ(err.kind, ERR_BUG);
	writer_close(writer);
	options.size_known = false;
	writer = driver_qcow2.create(sink, &options, &err);
	CHECK(writer);
	CHECK_EQ(writer_finish(writer, 1000, &err), -1);
	CHECK_EQ(err.kind, ERR_BUG);
	writer_close(writer);
	sink_close(sink);
}

/* What is measured is never less than what is written. */
static void test_measure(void)
{
	static const char *const some[] = { "", "cluster_size=512",
					    "cluster_size=2M,refcount_bits=64",
					    "preallocation=metadata" };
	struct guest guest = { .size = 2 * MIB + 512, .group = 64 * KIB };
	struct making making = { .guest = &guest };

	for (size_t i = 0; i < 4; i++) {
		struct create_options options;
		struct err err = { 0 };
		struct sink *sink = files_memory_sink();
		size_t len;

		make_options(&options, some[i]);
		set_size(&options, &guest);
		CHECK_EQ(make(sink, &options, &making, &err), 0);
		files_memory_bytes(sink, &len);
		CHECK(driver_qcow2.measure(&options, options.size,
					   options.size) >= len);
		sink_close(sink);
	}
}

int main(void)
{
	test_append();
	test_append_refused();
	test_coarse();
	test_changed();
	test_failing();
	test_reserve();
	test_options();
	test_sizes_refused();
	test_measure();
	return check_result();
}
