/* SPDX-License-Identifier: MIT */
/* One run of the pump as a test sets it up, and what came of it: bytes,
 * operations in their order, how much was read at once. */
#ifndef TESTS_PUMP_RUNS_H
#define TESTS_PUMP_RUNS_H

#include "base/limits.h"
#include "check.h"
#include "io/head_sink.h"
#include "pump_toys.h"
#include "transforms/pump.h"

/* A hang is a failure, not a wait: no single test comes near this. */
#define PATIENCE 300

/* As formats do that count sectors. */
static inline uint64_t pad_sectors(void *opaque, uint64_t size)
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

static inline void outcome_clear(struct outcome *outcome)
{
	free(outcome->bytes);
	free(outcome->ops);
	memset(outcome, 0, sizeof *outcome);
}

static inline void take_output(struct outcome *out, struct fake_sink *sink)
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

static inline int refuse(void *opaque, struct err *err)
{
	(void)opaque;
	return err_set(err, ERR_DAMAGED, "refused");
}

static inline struct fake_sink *make_sink(const struct setup *setup, size_t len)
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

static inline struct writer *make_writer(const struct setup *setup, size_t len,
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
static inline void pump(const struct setup *setup, const unsigned char *bytes,
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

static inline bool same(const struct outcome *a, const struct outcome *b)
{
	return !a->result && !b->result && a->len == b->len &&
	       !memcmp(a->bytes, b->bytes, a->len);
}

static inline void digest_whole(const unsigned char *bytes, size_t len,
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

static inline bool built(const struct setup *setup)
{
	return !setup->compress || strcmp(setup->compress, "zstd") ||
	       block_codec_library(BLOCK_ZSTD);
}

/* Does a qcow2 made by the pump hold these bytes? */
static inline bool holds(const struct outcome *out, const unsigned char *bytes,
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

#endif
