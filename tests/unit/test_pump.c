/* SPDX-License-Identifier: MIT */
/*
 * The pump by its operations: how much is read at once, in which order things
 * are written, and that nothing but the guest's content decides the bytes.
 * Each of its ends is made to fail at each call. Walks are test_pump_walks.c's.
 */
#include <fcntl.h>
#include <unistd.h>

#include "pump_runs.h"

static void test_reads_are_bounded(void)
{
	size_t len = 12 * UNIT_LEN + 777;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (unsigned threads = 1; threads <= 4; threads++) {
		struct setup setup = plain;
		struct outcome out;

		setup.threads = threads;
		setup.read_delay = 300;
		pump(&setup, bytes, len, NULL, &out);
		CHECK(!out.result && out.len == len &&
		      !memcmp(out.bytes, bytes, len));
		CHECK(out.peak <= threads);
		CHECK_EQ(out.largest, out.unit_len);
		CHECK_EQ(out.reads, 13);
		outcome_clear(&out);
	}
}

/* A stopped writer stops the reader: no more than the ring is read. */
static void test_window_is_bounded(void)
{
	size_t len = 24 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (unsigned threads = 1; threads <= 3; threads++) {
		struct setup setup = plain;
		struct outcome out;

		setup.threads = threads;
		setup.append = true;
		setup.fail_write = 1;
		setup.write_delay = 30000;
		pump(&setup, bytes, len, NULL, &out);
		CHECK(out.result < 0);
		CHECK(out.reads <= 2 * threads + 1);
		outcome_clear(&out);
	}
}

static void test_bytes_depend_on_content(void)
{
	size_t len = 5 * UNIT_LEN + 1536;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		static const unsigned threads[] = { 1, 2, 3, 8 };
		struct outcome first, out;
		struct setup setup = kinds[k];

		if (!built(&setup))
			continue;
		setup.threads = 1;
		setup.sectors = true;
		pump(&setup, bytes, len, NULL, &first);
		CHECK(!first.result);
		CHECK(strcmp(setup.format, "raw")
			      ? holds(&first, bytes, len)
			      : first.len == len &&
					!memcmp(first.bytes, bytes, len));
		for (size_t t = 0; t < 4; t++)
			for (enum toy_report report = TOY_ALL_DATA;
			     report <= TOY_MIXED; report++) {
				setup.threads = threads[t];
				setup.report = report;
				pump(&setup, bytes, len, NULL, &out);
				if (!same(&first, &out))
					fprintf(stderr, "%s %s: %u threads, "
						"report %d\n", setup.format,
						setup.compress ? setup.compress
							       : "",
						threads[t], report);
				CHECK(same(&first, &out));
				outcome_clear(&out);
			}
		outcome_clear(&first);
	}
}

static void test_delays_change_nothing(void)
{
	size_t len = 6 * UNIT_LEN + 512;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		struct outcome first, out;
		struct setup setup = kinds[k];
		uint32_t state = 1;

		if (!built(&setup))
			continue;
		setup.threads = 3;
		setup.sectors = true;
		pump(&setup, bytes, len, NULL, &first);
		for (unsigned at = 1; at <= first.op_count && at <= 12; at++) {
			state = sequence32(state);
			setup.delay_at = at;
			setup.write_delay = 1000 + (state >> 16) % 20000;
			setup.read_delay = (state >> 8) % 500;
			pump(&setup, bytes, len, NULL, &out);
			CHECK(same(&first, &out));
			outcome_clear(&out);
		}
		outcome_clear(&first);
	}
}

static void test_sizes_and_padding(void)
{
	static const size_t sizes[] = { 0, 1, 511, 512, 513, 4095, 4097,
					MIB - 512, UNIT_LEN + 1,
					3 * UNIT_LEN - 1 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_FREE unsigned char *bytes = toy_guest(sizes[i]);
		unsigned char wanted[DIGEST_LEN];

		digest_whole(bytes, sizes[i], wanted);
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			for (int report = 0; report <= TOY_MIXED; report++) {
				struct setup setup = kinds[k];
				struct outcome out;

				if (!built(&setup))
					continue;
				setup.threads = 2;
				setup.report = report;
				setup.sectors = k;
				pump(&setup, bytes, sizes[i], NULL, &out);
				CHECK(!out.result);
				/* The guest's bytes, not what pads them. */
				CHECK(!memcmp(out.digest, wanted, DIGEST_LEN));
				CHECK_EQ(out.size, sizes[i]);
				CHECK_EQ(out.padded,
					 k ? round_up(sizes[i], 512)
					   : sizes[i]);
				CHECK(k ? holds(&out, bytes, sizes[i])
					: out.len == sizes[i] &&
					  !memcmp(out.bytes, bytes, sizes[i]));
				outcome_clear(&out);
			}
	}
}

/* A device: the old head goes first, the new one comes last. */
static void test_head_last(void)
{
	size_t len = 9 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (unsigned threads = 1; threads <= 4; threads++) {
		struct setup setup = plain;
		struct outcome out;
		unsigned last = 0;

		setup.threads = threads;
		setup.head_last = setup.stale = true;
		pump(&setup, bytes, len, NULL, &out);
		CHECK(!out.result && out.len == len &&
		      !memcmp(out.bytes, bytes, len));
		for (unsigned i = 0; i < out.op_count; i++)
			if (out.ops[i].kind == FAKE_WRITE)
				last = i;
		CHECK(out.ops[last].offset < UNIT_LEN);
		for (unsigned i = 0; i < out.op_count; i++)
			if (out.ops[i].kind == FAKE_WRITE &&
			    out.ops[i].offset >= UNIT_LEN)
				CHECK(i < last);
		/* Whatever made the old content valid is gone before. */
		unsigned gone = out.op_count;
		for (unsigned i = 0; i < gone; i++)
			if (out.ops[i].kind == FAKE_ZERO &&
			    !out.ops[i].offset &&
			    out.ops[i].length >= UNIT_LEN)
				gone = i;
		CHECK(gone < last);
		outcome_clear(&out);
	}
}

/* An input found wrong when all of it was read has left no head. */
static void test_no_head_of_a_wrong_input(void)
{
	size_t len = 9 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct setup setup = plain;
	struct outcome out;

	setup.threads = 3;
	setup.head_last = setup.stale = setup.refused = true;
	pump(&setup, bytes, len, NULL, &out);
	CHECK(out.result < 0 && out.err.kind == ERR_DAMAGED);
	CHECK(out.op_count > 1);
	for (unsigned i = 0; i < out.op_count; i++)
		CHECK(out.ops[i].kind != FAKE_WRITE ||
		      out.ops[i].offset >= UNIT_LEN);
	outcome_clear(&out);
}

static void test_every_read_failure_is_returned(void)
{
	size_t len = 5 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (size_t k = 0; k < 3; k++)
		for (unsigned threads = 1; threads <= 3; threads += 2)
			for (unsigned n = 1; n <= 5; n++) {
				struct setup setup = kinds[k];
				struct outcome out;

				setup.threads = threads;
				setup.fail_read = n;
				pump(&setup, bytes, len, NULL, &out);
				CHECK(out.result < 0);
				CHECK_EQ(out.err.kind, ERR_IO);
				CHECK(strstr(out.err.message, "injected"));
				outcome_clear(&out);
				setup.pull = 300000;
				setup.walk = true;
				pump(&setup, bytes, len, NULL, &out);
				CHECK(out.result < 0);
				CHECK(strstr(out.err.message, "injected"));
				outcome_clear(&out);
			}
}

static void test_every_write_failure_is_returned(void)
{
	size_t len = 4 * UNIT_LEN + 512;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (size_t k = 0; k < 3; k++)
		for (unsigned threads = 1; threads <= 3; threads += 2) {
			struct setup setup = kinds[k];
			struct outcome out;
			unsigned count;

			setup.threads = threads;
			setup.head_last = !k;
			pump(&setup, bytes, len, NULL, &out);
			count = out.op_count;
			CHECK(count > 2);
			outcome_clear(&out);
			for (unsigned n = 1; n <= count; n++) {
				setup.fail_write = n;
				pump(&setup, bytes, len, NULL, &out);
				CHECK(out.result < 0);
				CHECK(strstr(out.err.message, "injected"));
				outcome_clear(&out);
			}
		}
}

/* Sharing is asked for where there is none: the bytes are copied. */
static void test_clone_falls_back(void)
{
	size_t len = 5 * UNIT_LEN + 100;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	char name[] = "/tmp/imgconv-unit-XXXXXX";
	int fd = mkstemp(name);
	struct err err;

	CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	unlink(name);
	for (size_t k = 0; k < 3; k++)
		for (int append = 0; append < (k ? 1 : 2); append++) {
			AUTO_SOURCE struct source *source =
				files_source(dup(fd), &err);
			struct fake_sink *sink =
				fake_sink_open(files_memory_sink());
			struct setup setup = kinds[k];
			struct toy_disk disk;
			struct outcome out = { 0 };

			sink->sink.seekable = !append;
			toy_disk_init(&disk, bytes, source);
			disk.placed = true;
			struct pump pump = { .disk = &disk.disk, .threads = 2,
					     .clone = true,
					     .pad = pad_sectors };
			pump.writer = make_writer(&setup, len, &sink->sink,
						  &err);
			CHECK(!pump_run(&pump, &err));
			writer_close(pump.writer);
			take_output(&out, sink);
			CHECK(k ? holds(&out, bytes, len)
				: out.len == round_up(len, 512) &&
					  !memcmp(out.bytes, bytes, len));
			outcome_clear(&out);
			sink_close(&sink->sink);
		}
	close(fd);
}

/* A few tables can claim terabytes: what is plainly mapped is counted. */
static void test_mapped_twice(void)
{
	size_t len = 4 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (int clone = 0; clone < 2; clone++) {
		AUTO_SOURCE struct source *half =
			files_memory_source(bytes, len / 2);
		AUTO_SINK struct sink *sink = files_memory_sink();
		struct setup setup = plain;
		struct toy_disk disk;
		struct err err;

		toy_disk_init(&disk, bytes, half);
		disk.disk.size = len;
		disk.placed = disk.twice = true;
		/* Reads land in the half that is there. */
		AUTO_SOURCE struct source *all = files_memory_source(bytes,
								     len);
		struct pump pump = { .disk = &disk.disk, .threads = 2,
				     .clone = clone };
		disk.report = TOY_ALL_DATA;
		(void)all;
		pump.writer = make_writer(&setup, len, sink, &err);
		CHECK(pump_run(&pump, &err) < 0);
		CHECK_EQ(err.kind, ERR_DAMAGED);
		writer_close(pump.writer);
	}
}

int main(void)
{
	alarm(PATIENCE);
	test_reads_are_bounded();
	test_window_is_bounded();
	test_bytes_depend_on_content();
	test_delays_change_nothing();
	test_sizes_and_padding();
	test_head_last();
	test_no_head_of_a_wrong_input();
	test_every_read_failure_is_returned();
	test_every_write_failure_is_returned();
	test_clone_falls_back();
	test_mapped_twice();
	return check_result();
}
