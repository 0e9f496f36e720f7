/* SPDX-License-Identifier: MIT */
/*
 * The pump with a journal: a run fails at some of its writes, and another one
 * goes on with its file: the same bytes as without any failure, and what was
 * noted is not stored again.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "check.h"
#include "pump_toys.h"
#include "transforms/pump.h"

#define PATIENCE 300

static const unsigned char own[DIGEST_LEN] = "a run";

struct kind {
	const char *format, *compress;
	const char *option, *value;
};

static const struct kind kinds[] = {
	{ .format = "raw" },
	{ .format = "qcow2" },
	{ .format = "qcow2", .compress = "zlib" },
	/* Looks at all bytes when it places. */
	{ .format = "qcow2", .option = "extended_l2", .value = "on" },
	/* Needs the first 4 MiB for its identifiers. */
	{ .format = "vdi" },
	{ .format = "vhdx" },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* One run into `output`, from a disk or a walk. */
struct run {
	const struct kind *kind;
	unsigned threads, fail_write;
	enum toy_report report;
	bool walk, digest;
	bool unknown; /* the writer is not told the size */
	int output, journal; /* -1: none */
	/* What comes of it. */
	int result;
	struct err err;
	unsigned writes;
	uint64_t progress; /* that was there */
	unsigned char sum[DIGEST_LEN];
};

static int new_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

/* Its output, and a journal without records. */
static void begin(struct run *run)
{
	struct err err;

	run->output = new_file();
	run->journal = new_file();
	CHECK(!journal_begin(run->journal, run->output, own, &err));
}

static void end(const struct run *run)
{
	close(run->output);
	close(run->journal);
}

static struct writer *make_writer(const struct run *run, size_t len,
				  struct sink *sink, struct err *err)
{
	const struct driver *driver = driver_by_name(run->kind->format);
	struct create_options *create = mem_zalloc(sizeof *create);
	struct writer *writer;

	create->size_known = !run->unknown;
	create->size = run->unknown ? 0 : len;
	create->sector_size = 512;
	if (run->kind->compress)
		snprintf(create->compress, sizeof create->compress, "%s",
			 run->kind->compress);
	if (run->kind->option) {
		snprintf(create->option[0].name, sizeof create->option[0].name,
			 "%s", run->kind->option);
		snprintf(create->option[0].value,
			 sizeof create->option[0].value, "%s",
			 run->kind->value);
		create->option_count = 1;
	}
	writer = driver->create(sink, create, err);
	free(create);
	return writer;
}

static void go(struct run *run, const unsigned char *bytes, size_t len)
{
	struct sink *file = files_sink(dup(run->output), &run->err);
	struct fake_sink *sink = fake_sink_open(file);
	AUTO_SOURCE struct source *source = files_memory_source(bytes, len);
	struct fake_chunks chunks = { .bytes = bytes, .len = len,
				      .most = 70001 };
	struct open_options options = { .snapshot = NULL };
	struct source *stream = run->walk ? fake_chunks_open(&chunks) : NULL;
	struct toy_disk disk;
	struct pump pump = { .threads = run->threads,
			     .finish_once = run->unknown };

	toy_disk_init(&disk, bytes, source);
	disk.report = run->report;
	if (run->walk)
		pump.walk = driver_by_name("raw")->walk(stream, &options, -1,
							&run->err);
	else
		pump.disk = &disk.disk;
	if (run->digest)
		pump.digest = digest_open();
	if (run->journal >= 0) {
		pump.journal = journal_open(dup(run->journal), &run->err);
		run->progress = journal_progress(pump.journal);
		sink->sink.replay = run->progress > 0;
	}
	sink->fail_at = run->fail_write;
	pump.writer = make_writer(run, len, &sink->sink, &run->err);
	run->result = pump.writer ? pump_run(&pump, &run->err) : -1;
	writer_close(pump.writer);
	if (run->digest && !run->result)
		digest_get(pump.digest, run->sum);
	digest_close(pump.digest);
	journal_close(pump.journal);
	run->writes = sink->count;
	walk_close(pump.walk);
	source_close(stream);
	sink_close(&sink->sink);
}

static bool same_file(int a, int b)
{
	struct stat one, two;
	AUTO_FREE unsigned char *x = NULL, *y = NULL;

	if (fstat(a, &one) || fstat(b, &two) || one.st_size != two.st_size)
		return false;
	x = mem_buffer((size_t)one.st_size);
	y = mem_buffer((size_t)one.st_size);
	return pread(a, x, (size_t)one.st_size, 0) == one.st_size &&
	       pread(b, y, (size_t)one.st_size, 0) == one.st_size &&
	       !memcmp(x, y, (size_t)one.st_size);
}

/* Fail at write n, go on with `second`'s view of the input. */
static void interrupt(const struct kind *kind, unsigned n, unsigned threads,
		      enum toy_report second, const unsigned char *bytes,
		      size_t len, int wanted, unsigned *saved)
{
	struct run run = { .kind = kind,
			   .threads = threads,
			   .fail_write = n,
			   .report = TOY_ALL_DATA };
	struct err err;
	unsigned all;

	begin(&run);
	go(&run, bytes, len);
	CHECK(run.result < 0);
	run.fail_write = 0;
	run.report = second;
	run.threads = 4 - threads;
	go(&run, bytes, len);
	CHECK(!run.result);
	CHECK(same_file(run.output, wanted));
	all = run.writes;
	*saved += run.progress > 0;
	/* Once more: all of it is there. */
	if (journal_is(run.journal, own, &err) > 0) {
		go(&run, bytes, len);
		CHECK(!run.result);
		CHECK_EQ(run.progress, len);
		CHECK(run.writes <= all);
		CHECK(same_file(run.output, wanted));
	}
	end(&run);
}

static void test_any_write_may_be_the_last(void)
{
	size_t len = 7 * UNIT_LEN + 512;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (size_t k = 0; k < KINDS; k++) {
		struct run whole = { .kind = &kinds[k],
				     .threads = 1,
				     .output = new_file(),
				     .journal = -1 };
		unsigned saved = 0;

		go(&whole, bytes, len);
		CHECK(!whole.result);
		CHECK(whole.writes > 2);
		for (unsigned n = 1; n <= whole.writes;
		     n += 1 + whole.writes / 12) {
			interrupt(&kinds[k], n, 1, TOY_HOLES, bytes, len,
				  whole.output, &saved);
			interrupt(&kinds[k], n, 3, TOY_MIXED, bytes, len,
				  whole.output, &saved);
		}
		/* It was of use. */
		CHECK(saved > 2);
		close(whole.output);
	}
}

/* A stream is read again, and not stored again; so for a digest. */
static void test_walk_and_digest(void)
{
	size_t len = 6 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct run whole = { .kind = &kinds[0], .threads = 2, .digest = true,
			     .output = new_file(), .journal = -1 };

	go(&whole, bytes, len);
	for (unsigned walk = 0; walk < 2; walk++)
		for (unsigned n = 1; n <= whole.writes;
		     n += 1 + whole.writes / 12) {
			struct run run = { .kind = &kinds[0],
					   .threads = 2,
					   .walk = walk,
					   .digest = true,
					   .fail_write = n };

			begin(&run);
			go(&run, bytes, len);
			/* A walk joins what a disk tells apart. */
			CHECK(run.result < 0 || walk);
			run.fail_write = 0;
			go(&run, bytes, len);
			CHECK(!run.result);
			CHECK(same_file(run.output, whole.output));
			CHECK(!memcmp(run.sum, whole.sum, DIGEST_LEN));
			end(&run);
		}
	close(whole.output);
}

/* Where finishing moves what is stored, the end of it can be had only from the
 * start: the journal is empty before that. */
static void test_finished_once(void)
{
	size_t len = 3 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (unsigned unknown = 0; unknown < 2; unknown++) {
		struct run run = { .kind = &kinds[4], .threads = 1,
				   .walk = true, .unknown = unknown };
		struct err err;

		begin(&run);
		go(&run, bytes, len);
		CHECK(!run.result);
		CHECK_EQ(journal_is(run.journal, own, &err), !unknown);
		end(&run);
	}
}

/* Records of another input, however valid: an error, no wrong output. */
static void test_misfit(void)
{
	size_t len = 4 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	for (unsigned walk = 0; walk < 2; walk++) {
		struct run run = { .kind = &kinds[0], .threads = 1,
				   .walk = walk };

		begin(&run);
		go(&run, bytes, len);
		CHECK(!run.result);
		go(&run, bytes, len - UNIT_LEN - 4096);
		CHECK(run.result < 0);
		CHECK_EQ(run.err.kind, ERR_DAMAGED);
		CHECK(strstr(run.err.message, "does not fit"));
		end(&run);
	}
}

/* Any payload: refused, or what it says is inside the disk. */
static void test_hostile_records(void)
{
	size_t len = 2 * UNIT_LEN;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	uint32_t state = 99;

	for (unsigned round = 0; round < 600; round++) {
		unsigned char record[56] = { 0 };
		struct run run = { .kind = &kinds[round % KINDS],
				   .threads = 1 };
		struct journal *journal;
		struct err err;

		for (size_t i = 0; i < sizeof record; i++) {
			state = sequence32(state);
			/* Mostly small numbers: more of them fit. */
			record[i] = state >> 28 ? 0 : (unsigned char)(state >> 16);
		}
		record[0] = (unsigned char)(state >> 20) % 4;
		record[4] = (unsigned char)(state >> 8) % 6;
		begin(&run);
		journal = journal_open(dup(run.journal), &err);
		CHECK(!journal_add(journal, record, 1 + round % 56, 1, &err));
		CHECK(!journal_sync(journal, &err));
		journal_close(journal);
		go(&run, bytes, len);
		CHECK(!run.result || run.err.kind == ERR_DAMAGED ||
		      run.err.kind == ERR_BUG);
		end(&run);
	}
}

int main(void)
{
	alarm(PATIENCE);
	test_any_write_may_be_the_last();
	test_walk_and_digest();
	test_finished_once();
	test_misfit();
	test_hostile_records();
	return check_result();
}
