/* SPDX-License-Identifier: MIT */
/*
 * Measures what single pieces of the program cost on this machine, a piece a
 * coefficient, with the program's own code: codecs, zero scan, digest, files
 * and pipes. What only whole runs show is bench/calibrate's, which runs this.
 *
 *	calibrate SAMPLE DIR
 *
 * SAMPLE is a file of real data without zeros, DIR where outputs would be.
 * Prints "name value" lines. Work of the processor is measured as processor
 * time, with as many threads at once as the program would use, because they
 * share caches and memory; what is waited for as time.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/codecs/wrap.h"
#include "io/digest.h"
#include "io/files.h"
#include "io/zero.h"

#define ROUNDS 5
#define CLUSTER ((size_t)64 * 1024)
#define DECODER_MEMORY ((uint64_t)256 << 20)
/* What slow codecs get of the sample. */
#define SLOW_LEN ((size_t)16 << 20)
#define PIPE_LEN ((size_t)64 << 20)

struct bench {
	unsigned char *sample, *zeros, *out;
	size_t len; /* of each */
	const char *path, *dir;
	unsigned threads;
};

__attribute__((noreturn)) static void fail(const struct err *err)
{
	fprintf(stderr, "calibrate: %s\n", err->message);
	exit(1);
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The quickest of some rounds: what else the machine does can only add. */
static double quickest(const double *list, unsigned count)
{
	double least = list[0];

	for (unsigned i = 1; i < count; i++)
		if (list[i] < least)
			least = list[i];
	return least;
}

static void tell(const char *name, double value)
{
	printf("%s %.4g\n", name, value);
	fflush(stdout);
}

/* ---- many threads, each with a part ---- */

struct part {
	struct bench *bench;
	void (*work)(struct bench *bench, size_t at, size_t len, void *opaque);
	void *opaque;
	size_t at, len;
};

static void *part_thread(void *argument)
{
	struct part *part = argument;

	part->work(part->bench, part->at, part->len, part->opaque);
	return NULL;
}

/* Nanoseconds of a processor for each byte of `len`, once. */
static double shared(struct bench *bench, size_t len,
		     void (*work)(struct bench *, size_t, size_t, void *),
		     void *opaque)
{
	pthread_t thread[64];
	struct part part[64];
	size_t each = len / bench->threads / UNIT_LEN * UNIT_LEN;
	double start = now(CLOCK_PROCESS_CPUTIME_ID);

	for (unsigned i = 0; i < bench->threads; i++) {
		part[i] = (struct part){ bench, work, opaque, i * each, each };
		pthread_create(&thread[i], NULL, part_thread, &part[i]);
	}
	for (unsigned i = 0; i < bench->threads; i++)
		pthread_join(thread[i], NULL);
	return (now(CLOCK_PROCESS_CPUTIME_ID) - start) /
	       (double)(each * bench->threads);
}

static void tell_shared(struct bench *bench, const char *name,
			void (*work)(struct bench *, size_t, size_t, void *),
			void *opaque)
{
	double list[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++)
		list[i] = shared(bench, bench->len, work, opaque);
	tell(name, quickest(list, ROUNDS));
}

/* ---- memory ---- */

static void work_copy(struct bench *bench, size_t at, size_t len, void *opaque)
{
	(void)opaque;
	memcpy(bench->out + at, bench->sample + at, len);
}

/* A granule of data shows at once that it is none: only zeros are read. */
static void work_scan(struct bench *bench, size_t at, size_t len, void *opaque)
{
	size_t *found = opaque;

	for (size_t end = at + len; at < end; at += CLUSTER)
		if (!zero_is(bench->zeros + at, CLUSTER))
			__atomic_fetch_add(found, 1, __ATOMIC_RELAXED);
}

static void measure_digest(struct bench *bench)
{
	unsigned char sum[DIGEST_LEN];
	double list[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct digest *digest = digest_open();
		double start = now(CLOCK_PROCESS_CPUTIME_ID);

		digest_add(digest, bench->sample, bench->len);
		digest_get(digest, sum);
		list[i] = (now(CLOCK_PROCESS_CPUTIME_ID) - start) /
			  (double)bench->len;
		digest_close(digest);
	}
	tell("digest", quickest(list, ROUNDS));
}

/* ---- files ---- */

static void work_read(struct bench *bench, size_t at, size_t len, void *opaque)
{
	unsigned char *buf = mem_buffer(UNIT_LEN);
	struct err err;

	for (size_t end = at + len; at < end; at += UNIT_LEN)
		if (source_read_all(opaque, buf, UNIT_LEN, at, "sample",
				    &err) < 0)
			fail(&err);
	free(buf);
	(void)bench;
}

static void work_write(struct bench *bench, size_t at, size_t len,
		       void *opaque)
{
	struct err err;

	for (size_t end = at + len; at < end; at += UNIT_LEN)
		if (sink_write(opaque, bench->sample + at, UNIT_LEN, at,
			       &err) < 0)
			fail(&err);
}

static void measure_read(struct bench *bench)
{
	struct err err;
	struct source *source =
		files_source(open(bench->path, O_RDONLY | O_CLOEXEC), &err);

	if (!source)
		fail(&err);
	shared(bench, bench->len, work_read, source);
	tell_shared(bench, "read", work_read, source);
	source_close(source);
}

static void measure_write(struct bench *bench)
{
	double write[ROUNDS + 1], wait[ROUNDS + 1];

	/* The first one meets memory that nobody had before. */
	for (unsigned i = 0; i <= ROUNDS; i++) {
		struct err err = { .kind = ERR_NONE };
		int fd = open(bench->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		struct sink *sink = fd < 0 ? NULL : files_sink(fd, &err);
		double start;

		if (!sink) {
			fprintf(stderr, "calibrate: %s: no file there\n",
				bench->dir);
			exit(1);
		}
		write[i] = shared(bench, bench->len, work_write, sink);
		start = now(CLOCK_MONOTONIC);
		if (fsync(sink->fd)) {
			perror("calibrate: fsync");
			exit(1);
		}
		wait[i] = (now(CLOCK_MONOTONIC) - start) / (double)bench->len;
		sink_close(sink);
	}
	tell("write", quickest(write + 1, ROUNDS));
	/* Where nothing is waited for the number must still be one. */
	double sync = quickest(wait + 1, ROUNDS);
	tell("sync", sync > 0.001 ? sync : 0.001);
}

static void *pipe_thread(void *argument)
{
	struct bench *bench = argument;
	int fd = (int)bench->threads;
	size_t len = PIPE_LEN < bench->len ? PIPE_LEN : bench->len;

	for (size_t at = 0; at < len;) {
		ssize_t got = write(fd, bench->sample + at,
				    len - at < 131072 ? len - at : 131072);
		if (got <= 0)
			break;
		at += (size_t)got;
	}
	close(fd);
	return NULL;
}

/* Both ends at work: what one waits for the other counts. */
static void measure_pipe(const struct bench *bench)
{
	unsigned char *buf = mem_buffer(UNIT_LEN);
	double list[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct bench writer = *bench;
		struct source *source;
		struct err err;
		pthread_t thread;
		size_t got, all = 0;
		int ends[2];

		if (pipe2(ends, O_CLOEXEC))
			exit(1);
		writer.threads = (unsigned)ends[1];
		source = files_source(ends[0], &err);
		if (!source)
			fail(&err);
		files_stream_forget(source);
		double start = now(CLOCK_MONOTONIC);
		pthread_create(&thread, NULL, pipe_thread, &writer);
		do {
			if (source_read(source, buf, UNIT_LEN, all, &got,
					&err) < 0)
				fail(&err);
			all += got;
		} while (got);
		pthread_join(thread, NULL);
		list[i] = (now(CLOCK_MONOTONIC) - start) / (double)all;
		source_close(source);
	}
	free(buf);
	tell("pipe", quickest(list, ROUNDS));
}

/* ---- codecs ---- */

/* Encode `bytes`, decode what came out: nanoseconds a byte of each. */
static void wrap_once(const struct bench *bench, enum codec_id id, int level,
		      const unsigned char *bytes, size_t len, double *encode,
		      double *decode)
{
	unsigned char *buf = mem_buffer(UNIT_LEN);
	struct sink *sink;
	size_t coded_len, got, all = 0;
	struct source *inner, *source;
	double start = now(CLOCK_PROCESS_CPUTIME_ID);
	/* wrap_encode takes its sink, and the bytes are wanted after. */
	int fd = open(bench->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct err err = { .kind = ERR_NONE };

	if (fd < 0)
		exit(1);
	sink = wrap_encode(id, files_stream_sink(dup(fd)), level,
			   bench->threads, &err);
	if (!sink)
		fail(&err);
	for (size_t at = 0; at < len; at += UNIT_LEN)
		if (sink_write(sink, bytes + at,
			       len - at < UNIT_LEN ? len - at : UNIT_LEN, at,
			       &err) < 0)
			fail(&err);
	if (sink_finish(sink, len, &err) < 0)
		fail(&err);
	sink_close(sink);
	*encode = (now(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)len;
	coded_len = (size_t)lseek(fd, 0, SEEK_END);
	unsigned char *copy = mem_buffer(coded_len);
	if (pread(fd, copy, coded_len, 0) != (ssize_t)coded_len)
		exit(1);
	close(fd);
	inner = files_memory_source(copy, coded_len);
	start = now(CLOCK_PROCESS_CPUTIME_ID);
	source = wrap_decode(id, inner, 1, DECODER_MEMORY, &err);
	if (!source)
		fail(&err);
	do {
		if (source_read(source, buf, UNIT_LEN, all, &got, &err) < 0)
			fail(&err);
		all += got;
	} while (got);
	*decode = (now(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)all;
	source_close(source);
	source_close(inner);
	free(copy);
	free(buf);
}

static void measure_wraps(const struct bench *bench)
{
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		bool slow = id == CODEC_XZ || id == CODEC_BZIP2;
		/* A block for each thread at least. */
		size_t least = codec_built(codec_get(id))
				       ? codec_get(id)->block_len(
						 codec_get(id)->level_default)
				       : 0;
		size_t len = slow && SLOW_LEN < bench->len ? SLOW_LEN
							   : bench->len;
		unsigned rounds = slow ? 1 : ROUNDS;
		double in[ROUNDS], out[ROUNDS];
		char name[32];

		if (!least)
			continue;
		if (len < least && least <= bench->len)
			len = least;
		for (unsigned i = 0; i < rounds; i++)
			wrap_once(bench, id, 0, bench->sample, len, &in[i],
				  &out[i]);
		snprintf(name, sizeof name, "decode_%s", codec_get(id)->tag);
		tell(name, quickest(out, rounds));
		snprintf(name, sizeof name, "encode_%s", codec_get(id)->tag);
		tell(name, quickest(in, rounds));
		wrap_once(bench, id, codec_get(id)->level_min, bench->sample,
			  len, &in[0], &out[0]);
		snprintf(name, sizeof name, "encode_%s_fast",
			 codec_get(id)->tag);
		tell(name, in[0]);
		wrap_once(bench, id, 0, bench->zeros, len, &in[0], &out[0]);
		snprintf(name, sizeof name, "decode_%s_zeros",
			 codec_get(id)->tag);
		tell(name, out[0]);
		snprintf(name, sizeof name, "encode_%s_zeros",
			 codec_get(id)->tag);
		tell(name, in[0]);
	}
}

static void measure_clusters(const struct bench *bench, enum block_codec_id id,
			     const char *encode, const char *decode)
{
	const struct block_options options = { .window_log = 15 };
	unsigned char *room = mem_buffer(CLUSTER), *back = mem_buffer(CLUSTER);
	double in = 0, out = 0;
	size_t count = 0, coded;
	struct block_encoder *encoder;
	struct block_decoder *decoder;
	struct err err;

	if (!block_codec_library(id))
		return;
	encoder = block_encoder_open(id, &options, &err);
	decoder = block_decoder_open(id, &err);
	if (!encoder || !decoder)
		fail(&err);
	for (size_t at = 0; at + CLUSTER <= bench->len; at += CLUSTER) {
		double start = now(CLOCK_THREAD_CPUTIME_ID);

		if (block_encode(encoder, bench->sample + at, CLUSTER, room,
				 CLUSTER - 1, &coded, &err) < 0)
			fail(&err);
		in += now(CLOCK_THREAD_CPUTIME_ID) - start;
		count++;
		/* What does not shrink is stored plain, and read as such. */
		if (!coded)
			continue;
		start = now(CLOCK_THREAD_CPUTIME_ID);
		if (block_decode(decoder, room, coded, back, CLUSTER, &err) <
		    0)
			fail(&err);
		out += now(CLOCK_THREAD_CPUTIME_ID) - start;
	}
	tell(encode, in / (double)(count * CLUSTER));
	if (decode)
		tell(decode, out / (double)(count * CLUSTER));
	block_encoder_close(encoder);
	block_decoder_close(decoder);
	free(room);
	free(back);
}

/* ---- all ---- */

static void load(struct bench *bench)
{
	int fd = open(bench->path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &about) ||
	    about.st_size < (off_t)(8 * UNIT_LEN)) {
		fprintf(stderr, "calibrate: %s: a file of 8 MiB at least is "
			"needed\n", bench->path);
		exit(1);
	}
	bench->len = (size_t)about.st_size / UNIT_LEN * UNIT_LEN;
	bench->sample = mem_buffer(bench->len);
	bench->zeros = mem_zalloc(bench->len);
	bench->out = mem_buffer(bench->len);
	/* Ends: each turn reads something. */
	while (at < bench->len) {
		ssize_t got = read(fd, bench->sample + at, bench->len - at);
		if (got <= 0)
			exit(1);
		at += (size_t)got;
	}
	close(fd);
	memset(bench->out, 1, bench->len);
	memset(bench->zeros, 0, bench->len);
}

int main(int argc, char **argv)
{
	struct bench bench = { .threads = 1 };
	size_t found = 0;
	cpu_set_t set;

	if (argc != 3) {
		fprintf(stderr, "usage: calibrate SAMPLE DIR\n");
		return 64;
	}
	bench.path = argv[1];
	bench.dir = argv[2];
	if (!sched_getaffinity(0, sizeof set, &set))
		bench.threads = (unsigned)CPU_COUNT(&set);
	if (bench.threads > 64)
		bench.threads = 64;
	load(&bench);
	tell_shared(&bench, "copy", work_copy, NULL);
	tell_shared(&bench, "scan", work_scan, &found);
	measure_digest(&bench);
	measure_read(&bench);
	measure_write(&bench);
	measure_pipe(&bench);
	measure_clusters(&bench, BLOCK_DEFLATE, "cluster_deflate",
			 "cluster_decode");
	measure_clusters(&bench, BLOCK_ZSTD, "cluster_zstd", NULL);
	measure_wraps(&bench);
	return found ? 1 : 0;
}
