/* SPDX-License-Identifier: MIT */
/*
 * What the units of writers with plain blocks share (VDI, QED, Parallels):
 * one patterned guest is written in every way that must not matter, and read
 * back through the driver's own disk face and check.
 */
#ifndef TESTS_DRIVER_TESTS_H
#define TESTS_DRIVER_TESTS_H

#include "check.h"
#include "fakes.h"
#include "make_image.h"

/* How one image is made. */
struct making_of {
	const struct driver *driver;
	const struct guest *guest;
	const char *options; /* "block_size=4K" */
	bool size_unknown;
	bool append;	 /* to a sink that takes no order but its own */
	bool dirty;	 /* to one that holds other bytes before */
	bool other_way;	 /* zeros as units, stores backwards */
	unsigned fail_at; /* this operation of the sink fails; 0: none */
	/* What the survey saw; NULL: the guest. */
	const struct guest *surveyed;
};

struct made {
	struct fake_sink *fake;
	struct sink *inner;
	const unsigned char *bytes;
	size_t len;
	bool done;
	struct err err;
};

/* Where old content is, for a dirty sink. */
#define DIRTY_LEN ((size_t)(6 * MIB))

static inline void made_close(struct made *made)
{
	sink_close(&made->fake->sink);
}

static inline void made_open(struct made *made, const struct making_of *of)
{
	unsigned char *old = NULL;

	memset(made, 0, sizeof *made);
	made->inner = files_memory_sink();
	if (of->dirty) {
		old = mem_zalloc(DIRTY_LEN);
		memset(old, 0xa5, DIRTY_LEN);
		CHECK_EQ(sink_write(made->inner, old, DIRTY_LEN, 0,
				    &made->err),
			 0);
		made->inner->fresh = false;
		free(old);
	}
	made->fake = fake_sink_open(made->inner);
	made->fake->fail_at = of->fail_at;
	if (of->append)
		made->fake->sink.seekable = false;
}

static inline void make(struct made *made, const struct making_of *of)
{
	struct create_options *options = mem_zalloc(sizeof *options);
	struct making making = { .guest = of->guest,
				 .shuffle = of->other_way && !of->append,
				 .zeros_as_units = of->other_way };
	struct survey survey = { 0 };
	struct writer *writer;

	made_open(made, of);
	make_options(options, of->options);
	options->size_known = !of->size_unknown;
	options->size = round_up(of->guest->size, 512);
	options->sector_size = 512;
	CHECK_EQ(driver_check_options(of->driver, options, &made->err), 0);
	if (of->append) {
		CHECK_EQ(make_survey(of->surveyed ? of->surveyed : of->guest,
				     of->driver->survey_granule(options),
				     &survey, &made->err),
			 0);
		options->survey = &survey;
	}
	writer = of->driver->create(&made->fake->sink, options, &made->err);
	/* As the worker does: nothing of them may be wanted later. */
	memset(options, 0x5a, sizeof *options);
	free(options);
	if (writer)
		made->done = !make_image(&making, writer, &made->err);
	writer_close(writer);
	survey_clear(&survey);
	if (!of->fail_at && !of->surveyed && !made->done)
		fprintf(stderr, "%s %s: %s\n", of->driver->name, of->options,
			made->err.message);
	made->bytes = files_memory_bytes(made->inner, &made->len);
}

static inline void print_finding(struct check_report *report, const char *line)
{
	(void)report;
	fprintf(stderr, "%s\n", line);
}

/* All of the disk by reads of `step`, and the same by its extents. */
static inline bool reads_as(struct disk *disk, const struct guest *guest,
			    size_t step, struct err *err)
{
	unsigned char *want AUTO_FREE = mem_zalloc(step);
	unsigned char *got AUTO_FREE = mem_zalloc(step);
	struct extent extent;

	for (uint64_t at = 0; at < disk->size;) {
		size_t len = (size_t)min_u64(step, disk->size - at);

		if (disk_extent(disk, at, disk->size - at, &extent, err))
			return false;
		if (extent.kind != EXTENT_DATA &&
		    guest_is_dead(guest, at, extent.length)) {
			at += extent.length;
			continue;
		}
		guest_fill(guest, at, want, len);
		if (disk_read(disk, got, len, at, err) ||
		    memcmp(got, want, len))
			return false;
		if (extent.kind == EXTENT_DATA) {
			size_t part = (size_t)min_u64(len, extent.length);

			CHECK_EQ(extent.stored, extent.length);
			if (source_read_all(extent.source, got, part,
					    extent.place, "test", err) ||
			    memcmp(got, want, part))
				return false;
		}
		at += len;
	}
	return true;
}

static inline void check_made(const struct made *made,
			      const struct making_of *of)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(made->bytes, made->len);
	struct check_report report = { .emit = print_finding };
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct disk *disk AUTO_DISK =
		of->driver->open(source, &options, &err);
	static const size_t steps[] = { UNIT_LEN, 300 * KIB + 512 };

	CHECK(disk);
	if (!disk) {
		fprintf(stderr, "%s %s: %s\n", of->driver->name, of->options,
			err.message);
		return;
	}
	CHECK_EQ(disk->size, round_up(of->guest->size, 512));
	for (size_t i = 0; i < 2; i++)
		CHECK(reads_as(disk, of->guest, steps[i], &err));
	CHECK_EQ(of->driver->check(source, &options, &report, &err), 0);
	CHECK_EQ(report.corruptions + report.leaks, 0);
}

static inline bool same_image(const struct made *a, const struct made *b)
{
	return a->done && b->done && a->len == b->len &&
	       !memcmp(a->bytes, b->bytes, a->len);
}

/* Everything that must not matter. */
static inline void check_ways(const struct driver *driver,
			      const struct guest *guest, const char *options)
{
	struct making_of of = { .driver = driver,
				.guest = guest,
				.options = options };
	struct made one, two;

	make(&one, &of);
	CHECK(one.done);
	check_made(&one, &of);
	of.other_way = true;
	make(&two, &of);
	CHECK(same_image(&one, &two));
	made_close(&two);
	of.append = true;
	for (int way = 0; way < 2; way++) {
		of.other_way = way;
		make(&two, &of);
		CHECK(same_image(&one, &two));
		made_close(&two);
	}
	of = (struct making_of){ .driver = driver,
				 .guest = guest,
				 .options = options,
				 .size_unknown = true };
	make(&two, &of);
	CHECK(same_image(&one, &two));
	made_close(&two);
	made_close(&one);
	of.size_unknown = false;
	of.dirty = true;
	make(&one, &of);
	CHECK(one.done);
	check_made(&one, &of);
	made_close(&one);
}

/* Every operation of the sink fails once: it is said, and nothing leaks. */
static inline void check_failures_of(const struct driver *driver,
				     const struct guest *guest,
				     const char *options, bool append)
{
	struct making_of of = { .driver = driver,
				.guest = guest,
				.options = options,
				.append = append };
	struct made made;
	unsigned count;

	make(&made, &of);
	CHECK(made.done);
	count = made.fake->count;
	made_close(&made);
	CHECK(count > 2);
	for (of.fail_at = 1; of.fail_at <= count; of.fail_at++) {
		make(&made, &of);
		CHECK(!made.done);
		CHECK(strstr(made.err.message, "injected"));
		made_close(&made);
	}
}

/* What was surveyed is not what comes: `both` when less is an error too. */
static inline void check_changed(const struct driver *driver,
				 const struct guest *guest,
				 const char *options, bool both)
{
	struct guest dead = { .size = guest->size,
			      .group = guest->group,
			      .live = { { guest->size, 512 } } };
	struct making_of of = { .driver = driver,
				.guest = guest,
				.options = options,
				.append = true,
				.surveyed = &dead };
	struct made made;

	for (int i = 0; i < (both ? 2 : 1); i++) {
		make(&made, &of);
		CHECK(!made.done);
		CHECK_EQ(made.err.kind, ERR_TEMPORARY);
		made_close(&made);
		of.guest = &dead;
		of.surveyed = guest;
	}
}

/* Cut anywhere, an image whose last block is full is not read to its end. The
 * guest's last group holds data. */
static inline void check_cuts(const struct driver *driver,
			      const struct guest *guest, const char *options)
{
	struct making_of of = { .driver = driver,
				.guest = guest,
				.options = options };
	struct open_options open_options = { 0 };
	struct made made;

	make(&made, &of);
	for (size_t len = made.len; made.done && len;
	     len = len > 70000 ? len - 65536 : len - 1 - len / 50) {
		struct source *source AUTO_SOURCE =
			files_memory_source(made.bytes, len);
		struct err err = { 0 };
		struct disk *disk AUTO_DISK =
			driver->open(source, &open_options, &err);
		bool good = disk && reads_as(disk, guest, UNIT_LEN, &err);

		CHECK_EQ(good, len == made.len);
		if (!good)
			CHECK(err.kind == ERR_DAMAGED);
	}
	made_close(&made);
}

/* Runs that are shared rather than written lie where the reader looks. `from`
 * is a whole number of units. */
static inline void check_reserve(const struct driver *driver,
				 const struct guest *guest,
				 const char *options_text, uint64_t from,
				 uint64_t to)
{
	struct making_of of = { .driver = driver,
				.guest = guest,
				.options = options_text };
	unsigned char *buf AUTO_FREE = mem_zalloc((size_t)(to - from));
	struct making making = { .guest = guest };
	struct create_options options;
	struct writer *writer;
	uint64_t place = 0;
	struct made made;

	made_open(&made, &of);
	make_options(&options, options_text);
	options.size_known = true;
	options.size = guest->size;
	writer = driver->create(&made.fake->sink, &options, &made.err);
	CHECK(writer && writer_can_reserve(writer));
	CHECK(from >= writer->units_until);
	CHECK_EQ(make_range(&making, writer, NULL, 0, from, &made.err), 0);
	CHECK_EQ(writer_reserve(writer, from, to - from, &place, &made.err), 0);
	guest_fill(guest, from, buf, (size_t)(to - from));
	CHECK_EQ(sink_write(&made.fake->sink, buf, (size_t)(to - from), place,
			    &made.err),
		 0);
	CHECK_EQ(make_range(&making, writer, NULL, to, guest->size, &made.err),
		 0);
	CHECK_EQ(writer_finish(writer, guest->size, &made.err), 0);
	writer_close(writer);
	made.bytes = files_memory_bytes(made.inner, &made.len);
	check_made(&made, &of);
	made_close(&made);
}

/* The sizes and contents that find off-by-one errors. */
static inline void check_sizes(const struct driver *driver,
			       const char *const *options, size_t count)
{
	static const uint64_t sizes[] = {
		0, 512, 4096, 65536 - 512, 65536 + 512,
		MIB - 512, MIB, 5 * MIB + 5 * KIB + 512
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct guest guest = { .size = sizes[i],
				       .seed = (unsigned)i,
				       .group = i % 2 ? 8 * KIB : 512 };

		for (size_t k = 0; k < count; k++)
			check_ways(driver, &guest, options[k]);
	}
}

/* Far apart in a large disk that is mostly empty. */
static inline void check_large(const struct driver *driver,
			       const char *options)
{
	struct guest guest = {
		.size = 2 * TIB + 64 * KIB,
		.group = 64 * KIB,
		.live = { { 0, 3 * MIB },
			  { TIB - MIB, 2 * MIB },
			  { 2 * TIB - MIB, MIB + 64 * KIB } },
	};
	struct making_of of = { .driver = driver,
				.guest = &guest,
				.options = options };
	struct made made;

	make(&made, &of);
	CHECK(made.done);
	if (made.done)
		check_made(&made, &of);
	made_close(&made);
}

#endif
