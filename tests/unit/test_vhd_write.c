/* SPDX-License-Identifier: MIT */
/*
 * The VHD writers: every form written from a patterned guest, compared by the
 * image tool of reference where it is installed, read back by our own reader,
 * found clean by our own check; to sinks that append or fail; sizes.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/bytes.h"
#include "check.h"
#include "fakes.h"
#include "formats/images/vhd/vhd.h"
#include "make_image.h"

extern const struct driver driver_vhd;

static char folder[64];
static bool have_tool;

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static void write_file(const char *name, const unsigned char *bytes, size_t len)
{
	char *path AUTO_FREE = mem_printf("%s/%s", folder, name);
	FILE *file = fopen(path, "wb");

	CHECK(file);
	if (!file)
		return;
	if (len)
		CHECK_EQ(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static uint64_t guest_end(const struct guest *guest)
{
	return round_up(guest->size, 512);
}

/* The guest as a sparse raw file. */
static void write_raw(const struct guest *guest)
{
	char *path AUTO_FREE = mem_printf("%s/guest.raw", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)guest_end(guest)));
	for (uint64_t at = 0; at < guest->size; at += UNIT_LEN) {
		size_t len = min_u64(UNIT_LEN, guest->size - at);

		if (guest_is_dead(guest, at, len))
			continue;
		guest_fill(guest, at, buf, len);
		CHECK_EQ(pwrite(fd, buf, len, (off_t)at), len);
	}
	close(fd);
}

/* The guest through a writer into `sink`; 0 or -1. */
static int make(struct sink *sink, struct create_options *options,
		const struct making *making, struct err *err)
{
	struct writer *writer;
	int result;

	options->size = guest_end(making->guest);
	writer = driver_vhd.create(sink, options, err);
	result = writer ? make_image(making, writer, err) : -1;
	writer_close(writer);
	return result;
}

static struct sink *made(const struct making *making, const char *text,
			 bool size_known)
{
	struct sink *sink = files_memory_sink();
	struct create_options options;
	struct err err = { 0 };
	int failed;

	make_options(&options, text);
	CHECK_EQ(driver_check_options(&driver_vhd, &options, &err), 0);
	options.size_known = size_known;
	failed = make(sink, &options, making, &err);
	if (failed)
		fprintf(stderr, "with %s: %s\n", text, err.message);
	CHECK(!failed);
	return sink;
}

static void report_emit(struct check_report *report, const char *line)
{
	(void)report;
	fprintf(stderr, "found: %s\n", line);
}

/* Our own reader sees the guest, and finds nothing wrong. */
static void check_reader(struct sink *sink, const struct guest *guest)
{
	size_t len;
	const unsigned char *bytes = files_memory_bytes(sink, &len);
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	unsigned char *want AUTO_FREE = mem_zalloc(UNIT_LEN);
	unsigned char *got AUTO_FREE = mem_zalloc(UNIT_LEN);
	struct check_report report = { .emit = report_emit };
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct disk *disk AUTO_DISK = driver_vhd.open(source, &options, &err);

	CHECK(disk);
	if (!disk)
		return;
	CHECK_EQ(disk->size, guest_end(guest));
	for (uint64_t at = 0; at < guest->size; at += UNIT_LEN) {
		size_t part = min_u64(UNIT_LEN, guest->size - at);

		if (guest_is_dead(guest, at, part))
			continue;
		guest_fill(guest, at, want, part);
		CHECK_EQ(disk_read(disk, got, part, at, &err), 0);
		CHECK(!memcmp(got, want, part));
	}
	CHECK_EQ(driver_vhd.check(source, &options, &report, &err), 0);
	CHECK_EQ(report.corruptions + report.leaks, 0);
}

static void check_tool(struct sink *sink, const char *what)
{
	size_t len;
	const unsigned char *bytes = files_memory_bytes(sink, &len);
	int failed;

	/* It takes a lone footer for the copy of one. */
	if (!have_tool || len == VHD_FOOTER_LEN)
		return;
	write_file("image.vhd", bytes, len);
	/* Different sizes are a warning to it. */
	failed = run("cd %s && qemu-img compare -f vpc -F raw image.vhd "
		     "guest.raw >log 2>&1 && ! grep -q mismatch log",
		     folder);
	if (failed) {
		fprintf(stderr, "with %s:\n", what);
		run("head -5 %s/log >&2", folder);
	}
	CHECK(!failed);
}

static void check_same(struct sink *a, struct sink *b)
{
	size_t a_len, b_len;
	const unsigned char *a_bytes = files_memory_bytes(a, &a_len);
	const unsigned char *b_bytes = files_memory_bytes(b, &b_len);

	CHECK_EQ(a_len, b_len);
	CHECK(a_len == b_len && !memcmp(a_bytes, b_bytes, a_len));
}

static const char *const forms[] = {
	"",
	"block_size=512K",
	"block_size=16M",
	"block_size=512K,alignment=512",
	"alignment=64K",
	"subformat=fixed",
	"subformat=fixed,preallocation=falloc",
	"subformat=fixed,preallocation=full",
};

#define FORMS (sizeof forms / sizeof *forms)

/* What was announced is enough. */
static void check_measure(const struct guest *guest, const char *text,
			  struct sink *sink)
{
	struct create_options options;
	size_t len;

	files_memory_bytes(sink, &len);
	make_options(&options, text);
	CHECK(len <=
	      driver_vhd.measure(&options, guest_end(guest), guest_end(guest)));
	CHECK(driver_vhd.measure(&options, guest_end(guest), 0) <= len);
}

/* What a sink that only appends gets is what a file gets. */
static void check_append(const struct making *making, const char *text,
			 struct sink *want)
{
	struct sink *memory = files_memory_sink();
	struct fake_sink *append = fake_sink_open(memory);
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };

	append->sink.seekable = false;
	make_options(&options, text);
	options.size_known = true;
	CHECK_EQ(make_survey(making->guest, driver_vhd.survey_granule(&options),
			     &survey, &err),
		 0);
	options.survey = &survey;
	CHECK_EQ(make(&append->sink, &options, making, &err), 0);
	if (err.kind)
		fprintf(stderr, "with %s: %s\n", text, err.message);
	check_same(want, memory);
	survey_clear(&survey);
	sink_close(&append->sink);
}

static void check_form(const struct guest *guest, const char *text)
{
	struct making making = { .guest = guest };
	struct sink *one = made(&making, text, true), *two;

	check_tool(one, text);
	check_reader(one, guest);
	check_measure(guest, text, one);
	check_append(&making, text, one);
	/* Neither the order of stores nor how zeros are told matters. */
	making.shuffle = making.zeros_as_units = true;
	two = made(&making, text, true);
	check_same(one, two);
	sink_close(two);
	making.head_last = true;
	two = made(&making, text, true);
	check_same(one, two);
	sink_close(two);
	sink_close(one);
	/* The other layout: the block table at the end. */
	one = made(&making, text, false);
	check_tool(one, text);
	check_reader(one, guest);
	sink_close(one);
}

static void test_forms(void)
{
	struct guest guest = { .size = 11 * MIB + 5 * KIB + 512,
			       .group = 128 * KIB };

	write_raw(&guest);
	for (size_t i = 0; i < FORMS; i++)
		check_form(&guest, forms[i]);
	/* Nothing at all, and only the last byte's group. */
	guest.live[0].offset = guest.size - 512;
	guest.live[0].length = 512;
	for (guest.seed = 0; guest.seed < 8; guest.seed++) {
		write_raw(&guest);
		check_form(&guest, "");
		check_form(&guest, "subformat=fixed");
	}
}

static void test_sizes(void)
{
	static const uint64_t sizes[] = {
		0, 512, 1024, MIB - 512, MIB, 2 * MIB, 2 * MIB + 512, 5 * MIB
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct guest guest = { .size = sizes[i],
				       .seed = (unsigned)i,
				       .group = 512 };

		write_raw(&guest);
		check_form(&guest, "");
		check_form(&guest, "block_size=512K");
		check_form(&guest, "subformat=fixed");
	}
}

/* Many blocks, few of them there; the largest disk of all. */
static void test_large(void)
{
	struct guest guest = {
		.size = VHD_SIZE_MAX,
		.group = 64 * KIB,
		.live = { { 0, 3 * MIB },
			  { 5 * GIB - MIB, 2 * MIB },
			  { VHD_SIZE_MAX - 64 * KIB, 64 * KIB } },
	};
	struct making making = { .guest = &guest };
	struct create_options options;
	struct err err;

	for (int known = 0; known < 2; known++) {
		struct sink *sink = made(&making, "", known);
		size_t len;

		files_memory_bytes(sink, &len);
		CHECK(len < 20 * MIB);
		check_reader(sink, &guest);
		if (known)
			check_append(&making, "", sink);
		sink_close(sink);
	}
	guest.size += 512;
	for (int known = 0; known < 2; known++) {
		struct sink *sink = files_memory_sink();

		make_options(&options, "");
		options.size_known = known;
		CHECK_EQ(make(sink, &options, &making, &err), -1);
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "vhdx"));
		sink_close(sink);
	}
}

/* Any operation of the sink may fail: nothing leaks, the error is told. Ends:
 * there are not so many operations. */
static void test_failing(void)
{
	struct guest guest = { .size = 5 * MIB, .group = 64 * KIB };
	struct making making = { .guest = &guest };

	for (size_t i = 0; i < FORMS; i++) {
		for (unsigned nth = 1;; nth += 1 + nth / 8) {
			struct fake_sink *sink =
				fake_sink_open(files_memory_sink());
			struct create_options options;
			struct err err = { 0 };
			int failed;

			sink->sink.fresh = false;
			sink->fail_at = nth;
			make_options(&options, forms[i]);
			options.size_known = true;
			failed = make(&sink->sink, &options, &making, &err);
			CHECK_EQ(failed, sink->count >= nth ? -1 : 0);
			if (failed)
				CHECK_EQ(err.kind, ERR_IO);
			sink_close(&sink->sink);
			if (!failed)
				break;
		}
	}
}

/* A disk that was something else shows nothing of it. */
static void test_stale(void)
{
	struct guest guest = { .size = 5 * MIB + 512, .group = 128 * KIB };
	struct making making = { .guest = &guest };
	unsigned char *junk AUTO_FREE = mem_buffer(20 * MIB);

	memset(junk, 0xa5, 20 * MIB);
	for (size_t i = 0; i < FORMS; i++) {
		struct sink *memory = files_memory_sink();
		struct fake_sink *sink = fake_sink_open(memory);
		struct create_options options;
		struct err err = { 0 };

		sink->sink.fresh = memory->fresh = false;
		CHECK_EQ(sink_write(memory, junk, 20 * MIB, 0, &err), 0);
		make_options(&options, forms[i]);
		options.size_known = true;
		CHECK_EQ(make(&sink->sink, &options, &making, &err), 0);
		check_reader(memory, &guest);
		sink_close(&sink->sink);
	}
}

/* What comes must be what was surveyed. */
static void test_changed(void)
{
	struct guest seen = { .size = 8 * MIB,
			      .group = 64 * KIB,
			      .live = { { 0, MIB } } };
	struct guest comes = { .size = 8 * MIB,
			       .group = 64 * KIB,
			       .live = { { 4 * MIB, MIB } } };
	struct guest less = { .size = 8 * MIB,
			      .group = 64 * KIB,
			      .live = { { 7 * MIB, 0 }, { 7 * MIB, 1 } } };
	const struct guest *guests[] = { &comes, &less };

	less.live[0].length = 1;
	for (size_t i = 0; i < 2; i++) {
		struct making making = { .guest = guests[i] };
		struct sink *sink = files_memory_sink();
		struct create_options options;
		struct survey survey;
		struct err err = { 0 };

		sink->seekable = false;
		make_options(&options, "");
		options.size_known = true;
		CHECK_EQ(make_survey(&seen, UNIT_LEN, &survey, &err), 0);
		options.survey = &survey;
		CHECK_EQ(make(sink, &options, &making, &err), -1);
		CHECK_EQ(err.kind, ERR_TEMPORARY);
		survey_clear(&survey);
		sink_close(sink);
	}
}

/* Runs for copying: where the guest has them. */
static void test_reserve(void)
{
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct create_options options;
	struct err err = { 0 };
	uint64_t place = 0;

	make_options(&options, "subformat=fixed");
	options.size_known = true;
	options.size = 64 * MIB;

	struct writer *writer AUTO_WRITER =
		driver_vhd.create(sink, &options, &err);

	CHECK(writer && writer_can_reserve(writer));
	CHECK(writer->units_until > 0);
	CHECK_EQ(writer_reserve(writer, 8 * MIB, MIB, &place, &err), 0);
	CHECK_EQ(place, 8 * MIB);
}

static void test_round_size(void)
{
	static const struct {
		uint64_t size, chs;
	} rows[] = {
		{ 0, 0 },
		{ 1, 68 * 512 }, /* 1/4/17 */
		{ 68 * 512, 68 * 512 },
		{ 69 * 512, 136 * 512 },
		{ MIB, 1079296 }, /* 31/4/17 */
		{ 10 * GIB, 10737893376 },
		/* From the largest geometry on each size is as good. */
		{ 136899993600, 136899993600 },
		{ 136899993600 + 512, 136899993600 + 512 },
		{ VHD_SIZE_MAX, VHD_SIZE_MAX },
	};
	struct create_options exact, chs, off;

	make_options(&exact, "");
	make_options(&chs, "force_chs=on");
	make_options(&off, "force_size=off,subformat=fixed");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK_EQ(driver_vhd.round_size(&exact, rows[i].size),
			 round_up(rows[i].size, 512));
		CHECK_EQ(driver_vhd.round_size(&chs, rows[i].size),
			 rows[i].chs);
		CHECK_EQ(driver_vhd.round_size(&off, rows[i].size),
			 rows[i].chs);
	}
	/* What is rounded stays as it is, and is less than a cylinder more. */
	for (uint64_t size = 512; size < 137 * GIB; size += size / 3 + 512) {
		uint64_t up = driver_vhd.round_size(&chs, size);

		CHECK(up >= round_up(size, 512));
		CHECK(up - size <= 16 * 255 * 512 + 512);
		CHECK_EQ(driver_vhd.round_size(&chs, up), up);
	}
}

/* The appendix of the specification. */
static void test_geometry(void)
{
	static const struct {
		uint64_t sectors;
		unsigned cylinders, heads, track;
	} rows[] = {
		{ 0, 0, 4, 17 },
		{ 8192, 120, 4, 17 }, /* as Windows has it for 4 MiB */
		{ 204800, 1003, 12, 17 },
		{ 278527, 1023, 16, 17 },
		{ 278528, 561, 16, 31 },
		{ 16 * 31 * 1000, 1000, 16, 31 },
		{ 65535ULL * 16 * 63 - 1, 65534, 16, 63 },
		{ 65535ULL * 16 * 63, 16191, 16, 255 },
		{ 65535ULL * 16 * 255 + 1, 65535, 16, 255 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint16_t cylinders;
		uint8_t heads, track;

		vhd_geometry(rows[i].sectors * 512, &cylinders, &heads, &track);
		CHECK_EQ(cylinders, rows[i].cylinders);
		CHECK_EQ(heads, rows[i].heads);
		CHECK_EQ(track, rows[i].track);
	}
}

static void test_options(void)
{
	static const char *const bad[] = {
		"block_size=3M",
		"block_size=256K",
		"block_size=128M",
		"alignment=1000",
		"alignment=128K",
		"subformat=differencing",
		"preallocation=full",
		"subformat=fixed,block_size=1M",
		"subformat=fixed,alignment=4K",
		"force_size=on,force_chs=on",
		"static=on",
	};
	struct create_options options;
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		make_options(&options, bad[i]);
		err.kind = ERR_NONE;
		CHECK(driver_check_options(&driver_vhd, &options, &err));
		CHECK_EQ(err.kind, ERR_USAGE);
	}
	make_options(&options, "force_size=off,force_chs=on");
	CHECK(!driver_check_options(&driver_vhd, &options, &err));
	CHECK_EQ(driver_vhd.append(&options), APPEND_SURVEY);
	CHECK_EQ(driver_vhd.survey_granule(&options), UNIT_LEN);
	make_options(&options, "subformat=fixed");
	CHECK_EQ(driver_vhd.append(&options), APPEND_FREELY);
	make_options(&options, "block_size=512K");
	CHECK_EQ(driver_vhd.survey_granule(&options), 512 * KIB);
}

/* Identifier and time as they are told. */
static void test_identity(void)
{
	static const char *const kinds[] = { "subformat=dynamic",
					     "subformat=fixed" };
	struct guest guest = { .size = MIB, .group = 4096 };
	struct making making = { .guest = &guest };
	struct create_options options;
	struct err err = { 0 };
	size_t len;

	for (int fixed = 0; fixed < 2; fixed++) {
		struct sink *sink = files_memory_sink();

		make_options(&options, kinds[fixed]);
		options.size_known = options.has_uuid = options.unique = true;
		memset(options.uuid, 0x42, sizeof options.uuid);
		options.now = VHD_EPOCH + 1234;
		CHECK_EQ(make(sink, &options, &making, &err), 0);

		const unsigned char *bytes = files_memory_bytes(sink, &len);
		const unsigned char *footer = bytes + len - 512;

		CHECK(!memcmp(footer + VHD_UUID, options.uuid, 16));
		CHECK_EQ(bytes_be32(footer + VHD_TIME), 1234);
		CHECK(fixed || !memcmp(footer, bytes, 512));
		sink_close(sink);
	}
}

int main(void)
{
	snprintf(folder, sizeof folder, "/tmp/test_vhd_write.XXXXXX");
	if (!mkdtemp(folder))
		return 77;
	have_tool = !system("qemu-img --version >/dev/null 2>&1");
	if (!have_tool)
		printf("qemu-img is not installed: not compared with it\n");
	test_forms();
	test_sizes();
	test_large();
	test_failing();
	test_stale();
	test_changed();
	test_reserve();
	test_round_size();
	test_geometry();
	test_options();
	test_identity();
	run("rm -rf %s", folder);
	return check_result();
}
