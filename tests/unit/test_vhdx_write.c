/* SPDX-License-Identifier: MIT */
/* The VHDX writer: to a sink that only appends, to one that fails, to one
 * that is not fresh, with runs reserved, in several orders, with wrong
 * options; and what the sink is asked to do. */
#include "vhdx_image.h"

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
	image_options(&options, text, guest);
	CHECK_EQ(image_write(seekable, &options, &making, &err), 0);
	CHECK_EQ(make_survey(guest, granule, &survey, &err), 0);
	options.survey = &survey;
	making.shuffle = false;
	if (image_write(&append->sink, &options, &making, &err)) {
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
	static const uint64_t sizes[] = { 0, 512, MIB - 512, 9 * MIB + 512 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct guest guest = { .size = sizes[i], .group = 64 * KIB };

		check_append(&guest, "block_size=1M", MIB);
		check_append(&guest, "block_size=2M", 64 * KIB);
		check_append(&guest, "block_size=4M,log_size=2M", MIB);
		check_append(&guest, "block_size=1M,block_state_zero=off", MIB);
		check_append(&guest, "subformat=fixed,block_size=2M", MIB);
	}
	/* Over bitmap entries (every 4 GiB) and pages of the BAT. */
	struct guest large = { .size = 66 * GIB,
			       .group = 64 * KIB,
			       .live = { { MIB, MIB },
					 { 4 * GIB - MIB, 2 * MIB },
					 { 65 * GIB, 64 * KIB } } };

	check_append(&large, "block_size=1M", MIB);
	check_append(&large, "block_size=1M,block_state_zero=off", MIB);
}

/* Across bitmap entries, read back where data is. */
static void test_chunks(void)
{
	struct guest guest = { .size = 9 * GIB,
			       .group = 64 * KIB,
			       .live = { { 4 * GIB - MIB, 2 * MIB },
					 { 8 * GIB, 128 * KIB } } };
	struct image image = image_make(&guest, "block_size=1M");
	struct source *source AUTO_SOURCE =
		files_memory_source(image.bytes, image.len);
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct disk *disk AUTO_DISK = driver_vhdx.open(source, &options, &err);
	unsigned char *want AUTO_FREE = mem_zalloc(4 * MIB);
	unsigned char *got AUTO_FREE = mem_zalloc(4 * MIB);

	CHECK(disk);
	for (uint64_t at = 4 * GIB - 2 * MIB; disk && at < 9 * GIB;
	     at += 4 * GIB) {
		CHECK_EQ(disk_read(disk, got, 4 * MIB, at, &err), 0);
		guest_fill(&guest, at, want, 4 * MIB);
		CHECK(!memcmp(want, got, 4 * MIB));
	}
	free(image.bytes);
}

/* Units as ranges or as zeros, stored backwards, the first one last. */
static void test_orders(void)
{
	struct guest guest = { .size = 7 * MIB + 512, .group = 64 * KIB };
	struct image plain = image_make(&guest, "block_size=1M");

	for (unsigned i = 0; i < 8; i++) {
		struct making making = { .guest = &guest,
					 .shuffle = i & 1,
					 .zeros_as_units = i & 2,
					 .head_last = i & 4 };
		struct sink *sink = files_memory_sink();
		struct create_options options;
		struct image image;
		struct err err = { 0 };

		image_options(&options, "block_size=1M", &guest);
		CHECK_EQ(image_write(sink, &options, &making, &err), 0);
		image.bytes = (unsigned char *)(uintptr_t)files_memory_bytes(
			sink, &image.len);
		image_same(&image, &guest);
		/* The order of blocks is that of their first data. */
		if (!(i & 4))
			CHECK(image.len == plain.len &&
			      !memcmp(image.bytes, plain.bytes, plain.len));
		sink_close(sink);
	}
	free(plain.bytes);
}

static void test_unknown_size(void)
{
	static const char *const some[] = { "block_size=1M",
					    "subformat=fixed,block_size=1M" };
	struct guest guest = { .size = 3 * MIB + 512, .group = 64 * KIB };
	struct making making = { .guest = &guest };

	for (size_t i = 0; i < 2; i++) {
		struct sink *sink = files_memory_sink();
		struct create_options options;
		struct image image;
		struct err err = { 0 };

		image_options(&options, some[i], &guest);
		options.size_known = false;
		options.size = 0;
		CHECK_EQ(image_write(sink, &options, &making, &err), 0);
		image.bytes = (unsigned char *)(uintptr_t)files_memory_bytes(
			sink, &image.len);
		image_same(&image, &guest);
		sink_close(sink);
	}
}

/* What was on a device must not show. */
static void test_not_fresh(void)
{
	static const char *const some[] = {
		"block_size=1M", "block_size=1M,block_state_zero=off",
		"subformat=fixed,block_size=1M"
	};
	struct guest guest = { .size = 3 * MIB + 512, .group = 64 * KIB };
	struct making making = { .guest = &guest };
	unsigned char *junk AUTO_FREE = mem_buffer(16 * MIB);

	memset(junk, 0xaa, 16 * MIB);
	for (size_t i = 0; i < 3; i++) {
		struct image wanted = image_make(&guest, some[i]);
		struct sink *sink = files_memory_sink();
		struct create_options options;
		struct err err = { 0 };
		const unsigned char *bytes;
		size_t len;

		CHECK_EQ(sink_write(sink, junk, 16 * MIB, 0, &err), 0);
		sink->fresh = false;
		image_options(&options, some[i], &guest);
		CHECK_EQ(image_write(sink, &options, &making, &err), 0);
		bytes = files_memory_bytes(sink, &len);
		CHECK_EQ(len, wanted.len);
		CHECK(len == wanted.len && !memcmp(bytes, wanted.bytes, len));
		free(wanted.bytes);
		sink_close(sink);
	}
}

static void check_refused(const char *text, bool size, bool with_survey,
			  enum err_kind kind)
{
	struct guest guest = { .size = MIB, .group = 4096 };
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	struct sink *sink = files_memory_sink();

	sink->seekable = false;
	image_options(&options, text, &guest);
	options.size_known = size;
	CHECK_EQ(make_survey(&guest, 64 * KIB, &survey, &err), 0);
	options.survey = with_survey ? &survey : NULL;
	CHECK(!driver_vhdx.create(sink, &options, &err));
	CHECK_EQ(err.kind, kind);
	survey_clear(&survey);
	sink_close(sink);
}

/* The survey of one guest, the bytes of another. */
static void test_changed(void)
{
	struct guest guest = { .size = 8 * MIB,
			       .group = 64 * KIB,
			       .live = { { 0, 512 * KIB } } };
	struct guest other = { .size = 8 * MIB, .group = 64 * KIB };
	struct making making = { .guest = &other };
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	struct sink *sink = files_memory_sink();

	sink->seekable = false;
	image_options(&options, "block_size=1M", &guest);
	CHECK_EQ(make_survey(&guest, MIB, &survey, &err), 0);
	options.survey = &survey;
	CHECK_EQ(image_write(sink, &options, &making, &err), -1);
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	survey_clear(&survey);
	sink_close(sink);
}

/* Every operation fails once; nothing leaks (the sanitizer looks). */
static void check_failing(const char *text, bool append)
{
	struct guest guest = { .size = 3 * MIB + 512, .group = 256 * KIB };
	struct making making = { .guest = &guest };
	struct create_options options;
	struct survey survey;
	struct err err;
	unsigned operations = 1;

	image_options(&options, text, &guest);
	CHECK_EQ(make_survey(&guest, MIB, &survey, &err), 0);
	options.survey = &survey;
	for (unsigned nth = 0; nth <= operations; nth++) {
		struct fake_sink *sink = fake_sink_open(files_memory_sink());

		memset(&err, 0, sizeof err);
		sink->sink.seekable = !append;
		sink->sink.fresh = false;
		sink->fail_at = nth;

		int result = image_write(&sink->sink, &options, &making, &err);

		CHECK_EQ(result, nth ? -1 : 0);
		if (nth)
			CHECK(err.kind == ERR_IO &&
			      strstr(err.message, "injected"));
		else
			operations = sink->count;
		sink_close(&sink->sink);
	}
	CHECK(operations > 4);
	survey_clear(&survey);
}

/* A fresh sink is asked for nothing but data and tables, the header last. */
static void test_operations(void)
{
	struct guest guest = { .size = 64 * MIB,
			       .group = 64 * KIB,
			       .live = { { 40 * MIB, 64 * KIB } } };
	struct making making = { .guest = &guest };
	struct fake_sink *sink = fake_sink_open(files_memory_sink());
	struct create_options options;
	struct err err = { 0 };

	guest.seed = 1;
	image_options(&options, "", &guest);
	CHECK_EQ(image_write(&sink->sink, &options, &making, &err), 0);
	for (unsigned i = 0; i < sink->count; i++)
		CHECK(sink->ops[i].kind != FAKE_ZERO);
	CHECK(sink->count >= 4);
	CHECK_EQ(sink->ops[sink->count - 1].kind, FAKE_FINISH);
	CHECK_EQ(sink->ops[sink->count - 2].kind, FAKE_WRITE);
	CHECK_EQ(sink->ops[sink->count - 2].offset, 0);
	CHECK(sink->bytes < MIB);
	sink_close(&sink->sink);
}

/* Runs are reserved and copied into. */
static void test_reserve(void)
{
	static const char *const some[] = { "block_size=1M", "",
					    "subformat=fixed" };
	static const uint64_t cuts[] = { 0, 64 * KIB, 5 * MIB,
					 6 * MIB + 64 * KIB, 9 * MIB };
	struct guest guest = { .size = 9 * MIB, .group = 64 * KIB };
	unsigned char *want AUTO_FREE = mem_zalloc(guest.size);

	guest_fill(&guest, 0, want, guest.size);
	for (size_t i = 0; i < 3; i++) {
		struct create_options options;
		struct err err = { 0 };
		struct sink *sink = files_memory_sink();
		struct image image;
		uint64_t place;

		image_options(&options, some[i], &guest);

		struct writer *writer =
			driver_vhdx.create(sink, &options, &err);

		CHECK(writer && writer_can_reserve(writer));
		for (size_t k = 0; k < 4; k++) {
			CHECK_EQ(writer_reserve(writer, cuts[k],
						cuts[k + 1] - cuts[k], &place,
						&err),
				 0);
			CHECK_EQ(place % 4096, 0);
			CHECK_EQ(sink_write(sink, want + cuts[k],
					    cuts[k + 1] - cuts[k], place, &err),
				 0);
		}
		CHECK_EQ(writer_finish(writer, guest.size, &err), 0);
		writer_close(writer);
		image.bytes = (unsigned char *)(uintptr_t)files_memory_bytes(
			sink, &image.len);
		image_same(&image, &guest);
		sink_close(sink);
	}
}

static void test_options(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "block_size=3M", "is not a power of two (1M..256M)" },
		{ "block_size=512K", "out of range (1M..256M)" },
		{ "block_size=512M", "out of range (1M..256M)" },
		{ "log_size=1M512", "is not one of" },
		{ "log_size=1049600", "is not in whole MiB" },
		{ "log_size=2G", "out of range (1M..1G)" },
		{ "subformat=sparse", "is not one of dynamic|fixed" },
		{ "preallocation=full", "needs subformat=fixed" },
		{ "physical_sector_size=1024", "is not one of 512|4096" },
		{ "block_state_zero=yes", "is not one of on|off" },
		{ "colour=red", "has no option colour" },
	};
	struct create_options options;
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make_options(&options, rows[i].text);
		CHECK_EQ(driver_check_options(&driver_vhdx, &options, &err),
			 -1);
		CHECK_EQ(err.kind, ERR_USAGE);
		if (!strstr(err.message, rows[i].message))
			CHECK_STR(err.message, rows[i].message);
	}
	make_options(&options, "");
	options.sector_size = 4096;
	CHECK_EQ(driver_vhdx.round_size(&options, 4097), 8192);
	options.size_known = true;
	options.size = 64 * TIB;
	CHECK_EQ(driver_check_options(&driver_vhdx, &options, &err), 0);
	options.size += 4096;
	CHECK_EQ(driver_check_options(&driver_vhdx, &options, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	make_options(&options, "subformat=fixed");
	CHECK_EQ(driver_append(&driver_vhdx, &options), APPEND_SURVEY);
	options.size_known = true;
	CHECK_EQ(driver_append(&driver_vhdx, &options), APPEND_FREELY);
}

/* Another size in the end than was told; one that there cannot be. */
static void test_sizes(void)
{
	struct sink *sink = files_memory_sink();
	struct create_options options;
	struct err err = { 0 };
	struct writer *writer;

	make_options(&options, "");
	options.size_known = true;
	options.size = MIB;
	writer = driver_vhdx.create(sink, &options, &err);
	CHECK(writer);
	CHECK_EQ(writer_finish(writer, 2 * MIB, &err), -1);
	CHECK_EQ(err.kind, ERR_BUG);
	writer_close(writer);
	options.size_known = false;
	writer = driver_vhdx.create(sink, &options, &err);
	CHECK(writer);
	CHECK_EQ(writer_finish(writer, 65 * TIB, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	writer_close(writer);
	sink_close(sink);
}

/* What is measured is never less than what is written. */
static void test_measure(void)
{
	static const char *const some[] = { "", "block_size=1M",
					    "subformat=fixed", "log_size=5M" };
	struct guest guest = { .size = 5 * MIB + 512, .group = 64 * KIB };

	for (size_t i = 0; i < 4; i++) {
		struct image image = image_make(&guest, some[i]);
		struct create_options options;

		image_options(&options, some[i], &guest);
		CHECK(driver_vhdx.measure(&options, options.size,
					  options.size) >= image.len);
		free(image.bytes);
	}
}

int main(void)
{
	test_append();
	test_chunks();
	test_orders();
	test_unknown_size();
	test_not_fresh();
	check_refused("", true, false, ERR_UNSUPPORTED);
	check_refused("", false, true, ERR_UNSUPPORTED);
	check_refused("subformat=fixed", false, true, ERR_UNSUPPORTED);
	test_changed();
	check_failing("block_size=1M", false);
	check_failing("block_size=1M", true);
	check_failing("subformat=fixed,preallocation=full", false);
	check_failing("subformat=fixed,preallocation=falloc", false);
	check_failing("subformat=fixed", true);
	test_operations();
	test_reserve();
	test_options();
	test_sizes();
	test_measure();
	return check_result();
}
