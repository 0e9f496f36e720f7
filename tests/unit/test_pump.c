/* SPDX-License-Identifier: MIT */
/*
 * The pump by its operations: how much is read at once, in which order things
 * are written, and that nothing but the guest's content decides the bytes.
 * Each of its ends is made to fail at each call.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "check.h"
#include "io/head_sink.h"
#include "pump_toys.h"
#include "transforms/pump.h"

/* A hang is a failure, not a wait: no single test comes near this. */
#define PATIENCE 300

/* As formats do that count sectors. */
static uint64_t pad_sectors(void *opaque, uint64_t size)
{
	(void)opaque;
	return round_up(size, 512);
}

struct setup {
	const char *format;   /* the writer's */
	const char *compress; /* -c, or NULL */
	enum toy_report report;
	unsigned threads;
	bool walk, append, head_last, stale; /* stale: old bytes in the sink */
	bool placed, clone;
	bool sectors;
	bool refused; /* the input turns out to be wrong at its end */
	unsigned read_delay, write_delay, delay_at;
	unsigned fail_read, fail_write;
	size_t pull; /* bytes a pull, of a walk over a stream */
};

struct outcome {
	int result;
	struct err err;
	unsigned char *bytes;
	size_t len;
	uint64_t size, padded;
	unsigned char digest[DIGEST_LEN];
	unsigned long long reads, peak, largest, unit_len;
	struct fake_op *ops;
	unsigned op_count;
	bool held_back; /* the first byte was not there before the last op */
};

static void outcome_clear(struct outcome *outcome)
{
	free(outcome->bytes);
	free(outcome->ops);
	memset(outcome, 0, sizeof *outcome);
}

static void take_output(struct outcome *out, struct fake_sink *sink)
{
	const unsigned char *bytes = files_memory_bytes(sink->inner, &out->len);

	out->bytes = mem_buffer(out->len + 1);
	if (out->len)
		memcpy(out->bytes, bytes, out->len);
	out->op_count = sink->count;
	out->ops = mem_zalloc((sink->count + 1) * sizeof *out->ops);
	if (sink->count)
		memcpy(out->ops, sink->ops, sink->count * sizeof *out->ops);
}

static int refuse(void *opaque, struct err *err)
{
	(void)opaque;
	return err_set(err, ERR_DAMAGED, "refused");
}

static struct fake_sink *make_sink(const struct setup *setup, size_t len)
{
	struct fake_sink *sink = fake_sink_open(files_memory_sink());
	struct err err;

	if (setup->stale) {
		unsigned char *old = mem_buffer(len + 1);

		memset(old, 0xee, len + 1);
		if (len)
			CHECK(!sink_write(sink->inner, old, len, 0, &err));
		free(old);
		sink->sink.fresh = sink->inner->fresh = false;
	}
	sink->sink.seekable = !setup->append;
	sink->delay = setup->write_delay;
	sink->delay_at = setup->delay_at;
	sink->fail_at = setup->fail_write;
	return sink;
}

static struct writer *make_writer(const struct setup *setup, size_t len,
				  struct sink *sink, struct err *err)
{
	const struct driver *driver = driver_by_name(setup->format);
	struct create_options *create = mem_zalloc(sizeof *create);
	struct writer *writer;

	create->size_known = !setup->walk;
	create->size = driver_round_size(driver, create, len);
	create->sector_size = 512;
	if (setup->compress)
		snprintf(create->compress, sizeof create->compress, "%s",
			 setup->compress);
	writer = driver->create(sink, create, err);
	free(create);
	return writer;
}

/* Pump `len` bytes through what `setup` says; toy: or NULL. */
static void pump(const struct setup *setup, const unsigned char *bytes,
		 size_t len, struct walk *toy, struct outcome *out)
{
	struct fake_sink *sink = make_sink(setup, len);
	struct fake_source *source =
		fake_source_open(files_memory_source(bytes, len));
	struct fake_chunks chunks = { .bytes = bytes, .len = len,
				      .most = setup->pull,
				      .fail_at = setup->fail_read };
	struct source *stream = setup->pull ? fake_chunks_open(&chunks) : NULL;
	struct open_options options = { .snapshot = NULL };
	struct sink *head = &sink->sink;
	struct toy_disk disk;
	struct pump pump = { .threads = setup->threads,
			     .clone = setup->clone,
			     .pad = setup->sectors ? pad_sectors : NULL };

	memset(out, 0, sizeof *out);
	source->delay = setup->read_delay;
	source->fail_at = setup->fail_read;
	toy_disk_init(&disk, bytes, &source->source);
	disk.report = setup->report;
	disk.placed = setup->placed;
	pump.walk = toy ? toy : stream ? driver_by_name("raw")->walk(
						 stream, &options, -1, &out->err)
				       : NULL;
	pump.disk = pump.walk ? NULL : &disk.disk;
	if (!pump.walk || pump.walk->ordered)
		pump.digest = digest_open();
	if (setup->refused)
		pump.check = refuse;
	if (setup->head_last)
		head = head_sink(&sink->sink, false);
	pump.writer = make_writer(setup, len, head, &out->err);
	if (pump.writer) {
		out->unit_len = pump.writer->unit_len;
		out->result = pump_run(&pump, &out->err);
		writer_close(pump.writer);
	} else {
		out->result = -1;
	}
	if (!out->result && pump.digest)
		digest_get(pump.digest, out->digest);
	digest_close(pump.digest);
	out->size = pump.size;
	out->padded = pump.padded;
	out->reads = source->reads;
	out->peak = source->peak;
	out->largest = source->largest;
	take_output(out, sink);
	if (!toy)
		walk_close(pump.walk);
	source_close(stream);
	source_close(&source->source);
	sink_close(head);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return !a->result && !b->result && a->len == b->len &&
	       !memcmp(a->bytes, b->bytes, a->len);
}

static void digest_whole(const unsigned char *bytes, size_t len,
			 unsigned char out[DIGEST_LEN])
{
	struct digest *digest = digest_open();

	digest_add(digest, bytes, len);
	digest_get(digest, out);
	digest_close(digest);
}

static const struct setup plain = { .format = "raw", .threads = 3 };

/* The formats and compressions whose bytes must not depend on anything. */
static const struct setup kinds[] = {
	{ .format = "raw" },
	{ .format = "qcow2" },
	{ .format = "qcow2", .compress = "zlib" },
	{ .format = "qcow2", .compress = "zstd" },
};

static bool built(const struct setup *setup)
{
	return !setup->compress || strcmp(setup->compress, "zstd") ||
	       block_codec_library(BLOCK_ZSTD);
}

/* Does a qcow2 made by the pump hold these bytes? */
static bool holds(const struct outcome *out, const unsigned char *bytes,
		  size_t len)
{
	AUTO_SOURCE struct source *source =
		files_memory_source(out->bytes, out->len);
	struct open_options options = { .snapshot = NULL };
	struct err err;
	AUTO_DISK struct disk *disk =
		driver_by_name("qcow2")->open(source, &options, &err);
	AUTO_FREE unsigned char *back = mem_zalloc(round_up(len, 512) + 1);

	return disk && disk->size == round_up(len, 512) &&
	       !disk_read(disk, back, round_up(len, 512), 0, &err) &&
	       !memcmp(back, bytes, len);
}

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

static void test_streams(void)
{
	static const size_t sizes[] = { 0, 1, 511, 512, 513, 70000,
					UNIT_LEN - 512, UNIT_LEN,
					UNIT_LEN + 1, 2 * UNIT_LEN + 100 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_FREE unsigned char *bytes = toy_guest(sizes[i]);
		for (size_t k = 0; k < 2; k++) {
			static const size_t pulls[] = { 1, 1000, 1 << 20 };
			struct outcome first, out;
			struct setup setup = kinds[k];

			setup.threads = 2;
			setup.sectors = k;
			setup.append = !k;
			pump(&setup, bytes, sizes[i], NULL, &first);
			CHECK(!first.result);
			for (size_t p = 0; p < 3; p++) {
				setup.pull = pulls[p];
				setup.walk = true;
				pump(&setup, bytes, sizes[i], NULL, &out);
				CHECK(!out.result);
				CHECK(k ? holds(&out, bytes, sizes[i])
					: same(&first, &out));
				CHECK_EQ(out.size, sizes[i]);
				outcome_clear(&out);
			}
			outcome_clear(&first);
		}
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

static void test_ordered_pieces(void)
{
	size_t len = 3 * UNIT_LEN + 12345;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	unsigned char wanted[DIGEST_LEN];

	digest_whole(bytes, len, wanted);
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (unsigned seed = 1; seed <= 6; seed++) {
			struct setup setup = kinds[k];
			struct toy_walk walk;
			struct outcome out, other;

			if (!built(&setup))
				continue;
			setup.threads = 1 + seed % 3;
			setup.walk = true;
			setup.sectors = k;
			toy_walk_init(&walk, bytes, len, true);
			walk.state = seed;
			walk.most = seed > 4 ? 1000000 : 3000;
			walk.zeros = seed % 2;
			pump(&setup, bytes, len, &walk.walk, &out);
			if (out.result)
				fprintf(stderr, "%s\n", out.err.message);
			CHECK(!out.result);
			CHECK(!memcmp(out.digest, wanted, DIGEST_LEN));
			/* The same as one piece after the other would give. */
			setup.pull = UNIT_LEN;
			pump(&setup, bytes, len, NULL, &other);
			CHECK(same(&out, &other));
			outcome_clear(&out);
			outcome_clear(&other);
			walk_close(&walk.walk);
		}
}

static void test_scattered(void)
{
	size_t len = 40 * TOY_CLUSTER + 1000;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	memset(bytes + 30 * TOY_CLUSTER, 0, 4 * TOY_CLUSTER);
	for (int codec = -1; codec <= BLOCK_ZLIB; codec++)
		for (unsigned threads = 1; threads <= 4; threads++)
			for (int stale = 0; stale < 2; stale++) {
				struct block_options options = { 0, 15 };
				struct setup setup = plain;
				struct toy_walk walk;
				struct outcome out;
				struct err err;

				if (codec >= 0 && !block_codec_library(codec))
					continue;
				setup.threads = threads;
				setup.stale = setup.head_last = stale;
				toy_walk_init(&walk, bytes, len, false);
				toy_walk_shuffle(&walk);
				if (codec >= 0) {
					walk.codec = codec;
					walk.encoder = block_encoder_open(
						codec, &options, &err);
				}
				pump(&setup, bytes, len, &walk.walk, &out);
				CHECK(!out.result && out.len == len &&
				      !memcmp(out.bytes, bytes, len));
				/* On a device the head is last here too. */
				if (stale)
					CHECK_EQ(out.ops[out.op_count - 2]
						 .offset, 0);
				walk_close(&walk.walk);
				outcome_clear(&out);
			}
}

static void test_scattered_failures(void)
{
	size_t len = 20 * TOY_CLUSTER;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct setup setup = plain;
	struct outcome out;
	struct toy_walk walk;

	/* The last one is the end. */
	for (unsigned n = 1, count = 1; n <= count; n++) {
		toy_walk_init(&walk, bytes, len, false);
		toy_walk_shuffle(&walk);
		count = (unsigned)walk.count + 1;
		walk.fail_at = n;
		pump(&setup, bytes, len, &walk.walk, &out);
		CHECK(out.result < 0);
		CHECK(strstr(out.err.message, "injected"));
		outcome_clear(&out);
		walk_close(&walk.walk);
	}
	/* Content in the order of the file has no digest, and fits no writer
	 * that wants order. */
	toy_walk_init(&walk, bytes, len, false);
	toy_walk_shuffle(&walk);
	setup.append = true;
	pump(&setup, bytes, len, &walk.walk, &out);
	CHECK(out.result < 0);
	CHECK_EQ(out.err.kind, ERR_BUG);
	outcome_clear(&out);
	walk_close(&walk.walk);
}

/* Progress only grows, and ends at the whole. */
struct watch {
	uint64_t done, total;
	unsigned calls, backwards;
};

static void watch(void *opaque, uint64_t done, uint64_t total)
{
	struct watch *seen = opaque;

	seen->calls++;
	seen->backwards += done < seen->done;
	seen->done = done;
	seen->total = total;
}

static void test_progress(void)
{
	size_t len = 6 * UNIT_LEN + 5;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct toy_walk walk;
	struct err err;

	for (int ordered = 0; ordered < 2; ordered++) {
		AUTO_SINK struct sink *sink = files_memory_sink();
		struct watch seen = { 0 };

		toy_walk_init(&walk, bytes, len, ordered);
		if (!ordered)
			toy_walk_shuffle(&walk);
		struct pump pump = { .walk = &walk.walk, .threads = 4,
				     .progress = watch, .opaque = &seen };
		pump.writer = make_writer(&plain, len, sink, &err);
		CHECK(!pump_run(&pump, &err));
		writer_close(pump.writer);
		CHECK(seen.calls && !seen.backwards);
		if (ordered)
			CHECK_EQ(seen.done, len);
		else
			CHECK_EQ(seen.total, len);
		walk_close(&walk.walk);
	}
}

int main(void)
{
	alarm(PATIENCE);
	test_reads_are_bounded();
	test_window_is_bounded();
	test_bytes_depend_on_content();
	test_delays_change_nothing();
	test_streams();
	test_sizes_and_padding();
	test_head_last();
	test_no_head_of_a_wrong_input();
	test_every_read_failure_is_returned();
	test_every_write_failure_is_returned();
	test_clone_falls_back();
	test_mapped_twice();
	test_ordered_pieces();
	test_scattered();
	test_scattered_failures();
	test_progress();
	return check_result();
}
