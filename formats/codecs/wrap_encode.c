/* SPDX-License-Identifier: MIT */
/*
 * Owns the one encoding pipeline: a stream of bytes cut into blocks, encoded
 * by several threads, written in order. Does not know any format.
 *
 *   filled (by the caller) -> waiting -> encoding (a thread) -> done -> free
 *
 * Jobs live in a ring, in the order of the file; the caller's thread fills
 * them and writes out what is done, so the inner sink sees one thread. Where
 * blocks are cut depends on the bytes alone, never on threads or writes.
 */
#include "formats/codecs/wrap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/wrap_journal.h"
#include "io/stages.h"

enum job_state { JOB_FREE, JOB_WAITING, JOB_ENCODING, JOB_DONE, JOB_FAILED };

struct job {
	enum job_state state;
	bool zero; /* a whole block of zeros: `in` is not filled */
	unsigned char *in, *out;
	size_t in_len, out_len;
	struct err err;
};

struct worker {
	struct pipeline *pipeline;
	pthread_t thread;
	void *encoder;
};

struct pipeline {
	struct sink sink;
	const struct codec *codec;
	struct sink *inner;
	uint64_t written; /* bytes of `inner` */
	void *frame;
	size_t block_len, bound;
	int level;
	struct job *jobs;
	size_t job_count;
	/* Blocks by number; job i is jobs[i % job_count]. The one being
	 * filled is `filling`; those before `stored` are written. */
	uint64_t filling, stored;
	struct worker *workers;
	unsigned worker_count, started;
	pthread_mutex_t lock; /* of the jobs' states and of what follows */
	pthread_cond_t work;  /* a job waits, or it is time to stop */
	pthread_cond_t done;  /* a job is done */
	uint64_t taken;	      /* the next block to encode */
	uint64_t submitted;   /* blocks before this may be taken */
	bool stopping;
	pthread_mutex_t zero_lock; /* of the block of zeros, encoded once */
	unsigned char *zero_out;
	size_t zero_len;
	int result; /* -1: `failure` stays */
	struct err failure;
	struct journal *journal; /* borrowed, or NULL */
	bool replaying; /* it may have more blocks of an earlier run */
};

static struct job *job_of(struct pipeline *pipeline, uint64_t number)
{
	return &pipeline->jobs[number % pipeline->job_count];
}

/* ---- the threads ---- */

static int encode_bytes(struct worker *worker, struct job *job)
{
	struct pipeline *pipeline = worker->pipeline;
	struct stages *stages = pipeline->inner->stages;
	uint64_t begin = stages_begin(stages);
	int result = pipeline->codec->encode_block(
		worker->encoder, job->in, job->in_len, job->out,
		pipeline->bound, &job->out_len, &job->err);

	stages_end(stages, SPAN_ENCODE, begin, job->in_len);
	return result;
}

/* Blocks of zeros are all the same, and sparse disks are full of them. */
static int encode_zeros(struct worker *worker, struct job *job)
{
	struct pipeline *pipeline = worker->pipeline;
	int result = 0;

	pthread_mutex_lock(&pipeline->zero_lock);
	if (!pipeline->zero_out) {
		memset(job->in, 0, job->in_len);
		result = encode_bytes(worker, job);
		if (!result) {
			pipeline->zero_out = mem_buffer(job->out_len);
			pipeline->zero_len = job->out_len;
			memcpy(pipeline->zero_out, job->out, job->out_len);
		}
	} else {
		job->out_len = pipeline->zero_len;
		memcpy(job->out, pipeline->zero_out, job->out_len);
	}
	pthread_mutex_unlock(&pipeline->zero_lock);
	return result;
}

static void *encode_loop(void *opaque)
{
	struct worker *worker = opaque;
	struct pipeline *pipeline = worker->pipeline;

	pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->stopping) {
		if (pipeline->taken == pipeline->submitted) {
			pthread_cond_wait(&pipeline->work, &pipeline->lock);
			continue;
		}
		struct job *job = job_of(pipeline, pipeline->taken++);
		job->state = JOB_ENCODING;
		pthread_mutex_unlock(&pipeline->lock);
		if (!job->out)
			job->out = mem_buffer(pipeline->bound);
		int result = job->zero ? encode_zeros(worker, job)
				       : encode_bytes(worker, job);
		pthread_mutex_lock(&pipeline->lock);
		job->state = result ? JOB_FAILED : JOB_DONE;
		pthread_cond_signal(&pipeline->done);
	}
	pthread_mutex_unlock(&pipeline->lock);
	return NULL;
}

static void stop(struct pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->stopping = true;
	pthread_cond_broadcast(&pipeline->work);
	pthread_mutex_unlock(&pipeline->lock);
	for (unsigned i = 0; i < pipeline->started; i++)
		pthread_join(pipeline->workers[i].thread, NULL);
	pipeline->started = 0;
}

/* ---- the caller's side ---- */

static int fail(struct pipeline *pipeline, const struct err *err)
{
	struct err ignored;

	/* What is written is written, whatever else went wrong. */
	if (!pipeline->result && pipeline->journal)
		journal_sync(pipeline->journal, &ignored);
	if (!pipeline->result)
		pipeline->failure = *err;
	pipeline->result = -1;
	return -1;
}

static int check_failed(struct pipeline *pipeline, struct err *err)
{
	if (pipeline->result)
		*err = pipeline->failure;
	return pipeline->result;
}

static int put(struct pipeline *pipeline, const void *bytes, size_t len,
	       struct err *err)
{
	if (sink_write(pipeline->inner, bytes, len, pipeline->written, err))
		return -1;
	pipeline->written += len;
	return 0;
}

/* 1: the block that is filled is written already, and the next one's place is
 * free. No thread has anything to do meanwhile. */
static int replay(struct pipeline *pipeline, struct err *err)
{
	struct job *job = job_of(pipeline, pipeline->filling);
	int got;

	if (!pipeline->replaying)
		return 0;
	if (!job->out)
		job->out = mem_buffer(pipeline->bound);
	got = wrap_journal_next(pipeline->journal, pipeline->inner,
				pipeline->written, job->in_len, job->out,
				pipeline->bound, &job->out_len, err);
	pipeline->replaying = got > 0;
	if (got <= 0)
		return got;
	if (pipeline->frame &&
	    pipeline->codec->frame_block(pipeline->frame, job->out,
					 job->out_len, err))
		return -1;
	pipeline->written += job->out_len;
	pthread_mutex_lock(&pipeline->lock);
	pipeline->taken = pipeline->submitted = ++pipeline->filling;
	pthread_mutex_unlock(&pipeline->lock);
	pipeline->stored = pipeline->filling;
	return 1;
}

/* The oldest block, when it is encoded (or once it is, with `wait`); *stored
 * tells. */
static int store_one(struct pipeline *pipeline, bool wait, bool *stored,
		     struct err *err)
{
	const struct codec *codec = pipeline->codec;
	struct job *job = job_of(pipeline, pipeline->stored);
	enum job_state state;

	pthread_mutex_lock(&pipeline->lock);
	while ((state = job->state) < JOB_DONE && wait)
		pthread_cond_wait(&pipeline->done, &pipeline->lock);
	pthread_mutex_unlock(&pipeline->lock);
	*stored = state >= JOB_DONE;
	if (!*stored)
		return 0;
	if (state == JOB_FAILED) {
		*err = job->err;
		return err_in(err, "%s", codec->name);
	}
	if (put(pipeline, job->out, job->out_len, err) ||
	    (pipeline->frame &&
	     codec->frame_block(pipeline->frame, job->out, job->out_len,
				err)) ||
	    (pipeline->journal &&
	     wrap_journal_add(pipeline->journal, job->in_len, job->out,
			      job->out_len, err)))
		return -1;
	/* No thread looks at a done job. */
	job->state = JOB_FREE;
	pipeline->stored++;
	return 0;
}

/* Write out what is done, and more until at most `most` blocks are left.
 * Ends because each turn stores one or is the last. */
static int store(struct pipeline *pipeline, uint64_t most, struct err *err)
{
	bool stored = true;

	while (stored && pipeline->stored < pipeline->filling) {
		bool wait = pipeline->filling - pipeline->stored > most;

		if (store_one(pipeline, wait, &stored, err))
			return -1;
	}
	return 0;
}

/* The block being filled goes to the threads; the next one's place in the
 * ring becomes free. */
static int submit(struct pipeline *pipeline, struct err *err)
{
	struct job *job = job_of(pipeline, pipeline->filling);
	int there = replay(pipeline, err);

	if (there < 0)
		return -1;
	if (!there) {
		pthread_mutex_lock(&pipeline->lock);
		job->state = JOB_WAITING;
		pipeline->submitted = ++pipeline->filling;
		pthread_cond_signal(&pipeline->work);
		pthread_mutex_unlock(&pipeline->lock);
	}
	if (store(pipeline, pipeline->job_count - 1, err))
		return -1;
	job = job_of(pipeline, pipeline->filling);
	job->in_len = 0;
	job->zero = false;
	return 0;
}

static struct job *filling(struct pipeline *pipeline)
{
	struct job *job = job_of(pipeline, pipeline->filling);

	if (!job->in)
		job->in = mem_buffer(pipeline->block_len);
	return job;
}

static int add_bytes(struct pipeline *pipeline, const unsigned char *bytes,
		     size_t len, struct err *err)
{
	/* Ends because each turn takes a byte or more. */
	while (len) {
		struct job *job = filling(pipeline);
		size_t now = min_u64(len, pipeline->block_len - job->in_len);

		memcpy(job->in + job->in_len, bytes, now);
		job->in_len += now;
		bytes += now;
		len -= now;
		if (job->in_len == pipeline->block_len && submit(pipeline, err))
			return -1;
	}
	return 0;
}

static int add_zeros(struct pipeline *pipeline, uint64_t length,
		     struct err *err)
{
	/* Ends because each turn takes a byte or more. */
	while (length) {
		struct job *job = filling(pipeline);
		size_t now = min_u64(length, pipeline->block_len - job->in_len);

		job->zero = now == pipeline->block_len;
		if (!job->zero)
			memset(job->in + job->in_len, 0, now);
		job->in_len += now;
		length -= now;
		if (job->in_len == pipeline->block_len && submit(pipeline, err))
			return -1;
	}
	return 0;
}

static int encode_write(struct sink *sink, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct pipeline *pipeline = (struct pipeline *)sink;

	(void)offset; /* the gateway keeps the order */
	if (check_failed(pipeline, err))
		return -1;
	if (add_bytes(pipeline, buf, len, err))
		return fail(pipeline, err);
	return 0;
}

static int encode_zero(struct sink *sink, uint64_t offset, uint64_t length,
		       enum sink_zero how, struct err *err)
{
	struct pipeline *pipeline = (struct pipeline *)sink;

	(void)offset;
	(void)how; /* compressed zeros are zeros */
	if (check_failed(pipeline, err))
		return -1;
	if (add_zeros(pipeline, length, err))
		return fail(pipeline, err);
	return 0;
}

static int put_frame_end(struct pipeline *pipeline, struct err *err)
{
	const struct codec *codec = pipeline->codec;
	size_t room = codec->frame_end_bound(pipeline->frame), len;
	AUTO_FREE unsigned char *out = mem_buffer(room);

	if (codec->frame_end(pipeline->frame, out, room, &len, err))
		return err_in(err, "%s", codec->name);
	return put(pipeline, out, len, err);
}

static int encode_rest(struct pipeline *pipeline, struct err *err)
{
	/* An empty file needs a member, if there is no frame around. */
	bool empty = !pipeline->filling && !pipeline->frame;

	if ((filling(pipeline)->in_len || empty) && submit(pipeline, err))
		return -1;
	if (store(pipeline, 0, err))
		return -1;
	if (pipeline->journal && journal_sync(pipeline->journal, err))
		return -1;
	if (pipeline->frame && put_frame_end(pipeline, err))
		return -1;
	return sink_finish(pipeline->inner, pipeline->written, err);
}

static int encode_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct pipeline *pipeline = (struct pipeline *)sink;

	(void)size; /* the gateway filled up to it */
	if (check_failed(pipeline, err))
		return -1;
	if (encode_rest(pipeline, err))
		return fail(pipeline, err);
	return 0;
}

static void encode_close(struct sink *sink)
{
	struct pipeline *pipeline = (struct pipeline *)sink;

	stop(pipeline);
	for (unsigned i = 0; i < pipeline->worker_count; i++)
		if (pipeline->workers[i].encoder)
			pipeline->codec->encoder_close(
				pipeline->workers[i].encoder);
	for (size_t i = 0; i < pipeline->job_count; i++) {
		free(pipeline->jobs[i].in);
		free(pipeline->jobs[i].out);
	}
	if (pipeline->frame)
		pipeline->codec->frame_close(pipeline->frame);
	pthread_mutex_destroy(&pipeline->zero_lock);
	pthread_mutex_destroy(&pipeline->lock);
	pthread_cond_destroy(&pipeline->work);
	pthread_cond_destroy(&pipeline->done);
	free(pipeline->zero_out);
	free(pipeline->workers);
	free(pipeline->jobs);
	sink_close(pipeline->inner);
	free(pipeline);
}

static const struct sink_ops encode_ops = {
	.write = encode_write,
	.zero = encode_zero,
	.finish = encode_finish,
	.close = encode_close,
};

/* ---- opening ---- */

static int open_frame(struct pipeline *pipeline, struct err *err)
{
	const struct codec *codec = pipeline->codec;
	unsigned char out[64];
	size_t len;

	if (!codec->frame_open)
		return 0;
	pipeline->frame = codec->frame_open(err);
	if (!pipeline->frame ||
	    codec->frame_start(pipeline->frame, out, sizeof out, &len, err))
		return -1;
	return put(pipeline, out, len, err);
}

static int start_workers(struct pipeline *pipeline, struct err *err)
{
	for (unsigned i = 0; i < pipeline->worker_count; i++) {
		struct worker *worker = &pipeline->workers[i];

		worker->pipeline = pipeline;
		worker->encoder =
			pipeline->codec->encoder_open(pipeline->level, err);
		if (!worker->encoder)
			return -1;
		if (pthread_create(&worker->thread, NULL, encode_loop, worker))
			return err_set(err, ERR_LIMIT,
				       "cannot start thread %u of %u", i + 1,
				       pipeline->worker_count);
		pipeline->started++;
	}
	return 0;
}

struct sink *wrap_encode(enum codec_id id, struct sink *take_inner, int level,
			 unsigned threads, struct err *err)
{
	AUTO_SINK struct sink *inner = take_inner;
	const struct codec *codec = codec_get(id);

	if (wrap_encode_check(id, level, err))
		return NULL;
	struct pipeline *pipeline = mem_zalloc(sizeof *pipeline);
	AUTO_SINK struct sink *sink = &pipeline->sink;
	sink_init(sink, &encode_ops);
	pipeline->codec = codec;
	pipeline->inner = STEAL(inner);
	pipeline->level = level ? level : codec->level_default;
	pipeline->block_len = codec->block_len(pipeline->level);
	pipeline->bound = codec->encode_bound(pipeline->block_len);
	pipeline->worker_count = threads ? threads : 1;
	pipeline->job_count =
		wrap_encode_jobs(id, level, pipeline->worker_count);
	pipeline->workers =
		mem_zalloc(pipeline->worker_count * sizeof *pipeline->workers);
	pipeline->jobs =
		mem_zalloc(pipeline->job_count * sizeof *pipeline->jobs);
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_mutex_init(&pipeline->zero_lock, NULL);
	pthread_cond_init(&pipeline->work, NULL);
	pthread_cond_init(&pipeline->done, NULL);
	if (open_frame(pipeline, err) || start_workers(pipeline, err)) {
		err_in(err, "%s", codec->name);
		return NULL;
	}
	return STEAL(sink);
}

void wrap_encode_journal(struct sink *sink, struct journal *journal)
{
	struct pipeline *pipeline = (struct pipeline *)sink;

	pipeline->journal = journal;
	pipeline->replaying = journal != NULL;
	if (journal)
		journal_guard(journal, pipeline->inner->fd);
}
