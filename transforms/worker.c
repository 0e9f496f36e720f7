/* SPDX-License-Identifier: MIT */
/*
 * Owns the worker's side of the protocol: what was asked is handed to
 * tagging, run or inspect, and their answers, remarks and questions to the
 * conductor. Does none of the work.
 */
#include "transforms/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/library.h"
#include "base/mem.h"
#include "base/units.h"
#include "io/channel.h"
#include "io/files.h"
#include "io/journal.h"
#include "io/stages.h"
#include "io/trace.h"
#include "transforms/input.h"
#include "transforms/inspect.h"
#include "transforms/judge.h"
#include "transforms/run.h"
#include "transforms/tagging.h"
#include "transforms/worker_ask.h"
#include "transforms/worker_parts.h"
#include "transforms/worker_references.h"

/* Progress is told ten times a second. */
#define PROGRESS_NS 100000000

struct worker {
	struct log log; /* first: emit finds the worker by it */
	int channel;
	pthread_mutex_t sending;
	struct protocol_input about[2];
	struct input *input[2];
	struct image image[2];
	bool probed[2];
	int fd[PROTOCOL_FDS];
	struct worker_references references;
	struct timespec told;
	struct err refusal; /* of every request; ERR_NONE: it serves */
	bool mute; /* something could not be said: it must end */
};

/* Whoever waits for what was lost must not wait for ever: after this request
 * the process ends, which the conductor does hear. */
static void worker_send(struct worker *worker, enum protocol_type type,
			const void *body, size_t len)
{
	struct err ignored;

	pthread_mutex_lock(&worker->sending);
	if (!worker->mute &&
	    channel_send(worker->channel, type, body, len, -1, &ignored) < 0)
		worker->mute = true;
	pthread_mutex_unlock(&worker->sending);
}

static void worker_note(struct log *log, enum log_level level,
			const char *line)
{
	struct protocol_note note = { .level = level };

	snprintf(note.text, sizeof note.text, "%s", line);
	worker_send((struct worker *)log, PROTOCOL_NOTE, &note, sizeof note);
}

static void worker_step(void *opaque, const char *text)
{
	struct protocol_name *name = mem_zalloc(sizeof *name);

	snprintf(name->text, sizeof name->text, "%s", text);
	worker_send(opaque, PROTOCOL_STEP, name, sizeof *name);
	free(name);
}

static void worker_progress(void *opaque, uint64_t done, uint64_t total)
{
	struct worker *worker = opaque;
	struct protocol_progress progress = { done, total };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((now.tv_sec - worker->told.tv_sec) * 1000000000L +
		    (now.tv_nsec - worker->told.tv_nsec) <
	    PROGRESS_NS)
		return;
	worker->told = now;
	worker_send(worker, PROTOCOL_PROGRESS, &progress, sizeof progress);
}

static void worker_extents(void *opaque, const struct protocol_extent *list,
			   unsigned count)
{
	worker_send(opaque, PROTOCOL_EXTENTS, list, count * sizeof *list);
}

static void worker_done(struct worker *worker, int result,
			struct protocol_done *done, const struct err *err)
{
	if (result < 0)
		done->err = *err;
	else
		memset(&done->err, 0, sizeof done->err);
	worker_send(worker, PROTOCOL_DONE, done, sizeof *done);
}

static struct references *worker_allowed(struct worker *worker, unsigned which)
{
	return worker->about[which].references
		       ? worker_references_of(&worker->references, which)
		       : NULL;
}

static int worker_probe(struct worker *worker, unsigned which,
			struct err *err)
{
	if (worker->probed[which])
		return 0;
	if (!worker->input[which])
		return err_set(err, ERR_BUG, "nothing to probe");
	if (input_reach(worker->input[which], &worker->about[which], err) < 0)
		return -1;
	if (tagging_probe(input_source(worker->input[which]),
			  &worker->about[which],
			  worker_allowed(worker, which), &worker->log,
			  &worker->image[which], err) < 0)
		return -1;
	worker->probed[which] = true;
	return 0;
}

static void serve_probe(struct worker *worker)
{
	struct protocol_done done = { .differs = false };
	struct err err;

	if (worker_probe(worker, 0, &err) < 0)
		worker_done(worker, -1, &done, &err);
	else
		worker_send(worker, PROTOCOL_IMAGE, &worker->image[0],
			    sizeof worker->image[0]);
}

/* The file that a run reads: the input as probed, or whatever descriptor was
 * handed over in its place. */
static int attach_input(struct worker *worker, unsigned which,
			struct err *err)
{
	enum protocol_fd name = which ? PROTOCOL_FD_SECOND : PROTOCOL_FD_INPUT;
	const enum protocol_fd direct = PROTOCOL_FD_INPUT_DIRECT;

	bool remote = worker->about[which].place != PROTOCOL_PLACE_LOCAL;

	if (worker->fd[name] < 0 && !remote)
		return err_set(err, ERR_BUG, "no input descriptor");
	if (!worker->input[which]) {
		struct protocol_input about = { .seekable = true };
		worker->input[which] =
			input_open(worker->channel, which, &about, -1);
	}
	if (remote && input_reach(worker->input[which], &worker->about[which],
				  err) < 0)
		return -1;
	return input_attach(worker->input[which], STEAL_FD(worker->fd[name]),
			    which ? -1 : STEAL_FD(worker->fd[direct]),
			    worker->references.cache, err);
}

static int connect_output(void *opaque, struct err *err)
{
	struct worker *worker = opaque;
	int fd;

	return worker_ask_connection(worker->channel, 2, &fd, err) < 0 ? -1
								       : fd;
}

/* Of the output, if it has one; *out is NULL if not. */
static int take_journal(struct worker *worker, struct journal **out,
			struct err *err)
{
	char text[32];
	int fd = STEAL_FD(worker->fd[PROTOCOL_FD_JOURNAL]);

	*out = NULL;
	if (fd < 0)
		return 0;
	*out = journal_open(fd, err);
	if (!*out)
		return -1;
	if (journal_progress(*out))
		log_note(&worker->log,
			 "goes on behind the %s that an interrupted run made",
			 units_about(journal_progress(*out), text,
				     sizeof text));
	return 0;
}

static int run_attached(struct worker *worker, const struct job *job,
			struct worker_parts *parts, struct stages *stages,
			struct protocol_done *done, struct err *err)
{
	struct run_events events = { worker_step, worker_progress, worker };
	struct run run = {
		.job = job,
		.input = input_source(worker->input[0]),
		.output_fd = worker->fd[PROTOCOL_FD_OUTPUT],
		.direct_fd = worker->fd[PROTOCOL_FD_OUTPUT_DIRECT],
		.data_fd = worker->fd[PROTOCOL_FD_DATA],
		.spool_fd = worker->fd[PROTOCOL_FD_SPOOL],
		.more = { connect_output, worker },
		.served_fd = &worker->fd[PROTOCOL_FD_SERVED],
		.references = job->references
				      ? worker_references_of(
						&worker->references, 0)
				      : NULL,
		.parts = &parts->base,
		.stages = stages,
		.log = &worker->log,
		.events = &events,
	};
	int result = take_journal(worker, &run.journal, err);

	if (!result)
		result = run_job(&run, done, err);
	journal_close(run.journal);
	return result;
}

/* Nanoseconds, of all threads. */
static uint64_t processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void serve_run(struct worker *worker, const struct job *job)
{
	AUTO_FREE struct worker_parts *parts = mem_zalloc(sizeof *parts);
	AUTO_FREE struct protocol_done *done = mem_zalloc(sizeof *done);
	int trace_fd = worker->fd[PROTOCOL_FD_TRACE];
	struct trace *trace =
		trace_fd < 0 ? NULL : trace_open(trace_fd, "worker");
	struct stages *stages = stages_open(trace);
	uint64_t begin = trace_now(), processor = processor_time();
	struct err err;
	int result;

	worker->references.cache = (enum page_cache)job->cache;
	result = attach_input(worker, 0, &err);
	worker_parts_init(parts, worker->channel, &worker->sending);
	parts->options.sync = job->sync;
	parts->options.cache = (enum page_cache)job->cache;
	parts->options.direct = -1;
	parts->stages = stages;
	if (job->measure)
		parts->measured = &done->measured;
	if (!result)
		result = run_attached(worker, job, parts, stages, done, &err);
	worker_parts_clear(parts);
	stages_rows(stages, done->stage);
	done->wall = trace_now() - begin;
	done->processor = processor_time() - processor;
	stages_close(stages);
	trace_close(trace);
	worker_done(worker, result, done, &err);
}

struct worker_check {
	struct check_report report; /* first: emit finds the rest by it */
	struct worker *worker;
};

static void worker_finding(struct check_report *report, const char *line)
{
	struct protocol_name *name = mem_zalloc(sizeof *name);

	snprintf(name->text, sizeof name->text, "%s", line);
	worker_send(((struct worker_check *)report)->worker, PROTOCOL_FINDING,
		    name, sizeof *name);
	free(name);
}

static void prepare(struct worker *worker, unsigned which,
		    struct inspected *out)
{
	memset(out, 0, sizeof *out);
	out->source = input_source(worker->input[which]);
	out->image = &worker->image[which];
	out->about = &worker->about[which];
	out->references = worker_allowed(worker, which);
	out->log = &worker->log;
	/* One spool a side: the second comes in the place of an output. */
	out->spool_fd = worker->fd[which ? PROTOCOL_FD_OUTPUT
					 : PROTOCOL_FD_SPOOL];
}

static int inspect_one(struct worker *worker, enum protocol_type what,
		       struct inspected *image, struct protocol_done *done,
		       struct err *err)
{
	struct worker_check check = { .report.emit = worker_finding,
				      .worker = worker };
	struct facts *facts;
	int result;

	switch (what) {
	case PROTOCOL_INFO:
		facts = mem_zalloc(sizeof *facts);
		result = inspect_info(image, facts, err);
		if (!result)
			worker_send(worker, PROTOCOL_FACTS, facts,
				    sizeof *facts);
		free(facts);
		return result;
	case PROTOCOL_MAP:
		return inspect_map(image, worker_extents, worker, err);
	default:
		result = inspect_check(image, &check.report, err);
		done->verified = image->expect ? image->expect->count : 0;
		done->corruptions = check.report.corruptions;
		done->leaks = check.report.leaks;
		return result;
	}
}

static int inspect_two(struct worker *worker, struct inspected *a,
		       struct protocol_done *done, struct err *err)
{
	struct inspected b;
	int result;

	if (worker_probe(worker, 1, err) < 0 ||
	    attach_input(worker, 1, err) < 0)
		return err_in(err, "second image");
	prepare(worker, 1, &b);
	result = inspect_compare(a, &b, done, worker_progress, worker, err);
	inspect_close(&b);
	return result;
}

static void serve_inspection(struct worker *worker,
			     const struct channel_message *message)
{
	enum protocol_type what = message->type;
	struct protocol_done done = { .differs = false };
	struct inspected image;
	struct err err;
	int result = worker_probe(worker, 0, &err);

	if (!result)
		result = attach_input(worker, 0, &err);
	if (!result) {
		prepare(worker, 0, &image);
		if (what == PROTOCOL_CHECK &&
		    message->len == sizeof *image.expect)
			image.expect = (const void *)message->body;
		result = what == PROTOCOL_COMPARE
				 ? inspect_two(worker, &image, &done, &err)
				 : inspect_one(worker, what, &image, &done,
					       &err);
		inspect_close(&image);
	}
	worker_done(worker, result, &done, &err);
}

/* Probe and all: whatever the image is, the answer says so. */
static void serve_judging(struct worker *worker)
{
	AUTO_FREE struct judgement *verdict = mem_zalloc(sizeof *verdict);
	struct protocol_done done = { .differs = false };
	struct err probed, err;
	struct inspected image;
	bool named = !worker_probe(worker, 0, &probed);
	int result = worker->input[0] ? attach_input(worker, 0, &err)
				      : err_set(&err, ERR_BUG, "no input");

	if (!result) {
		prepare(worker, 0, &image);
		verdict->image = worker->image[0];
		image.image = &verdict->image;
		/* What there is to say is said by the verdict. */
		image.log = NULL;
		result = judge_image(&image, named ? NULL : &probed, verdict,
				     &err);
		inspect_close(&image);
	} else if (!named) {
		err = probed; /* it was never reached */
	}
	if (result < 0)
		worker_done(worker, -1, &done, &err);
	else
		worker_send(worker, PROTOCOL_VERDICT, verdict,
			    sizeof *verdict);
}

static void take_input(struct worker *worker, struct channel_message *message)
{
	const struct protocol_input *about = (const void *)message->body;
	unsigned which = worker->input[0] != NULL;

	worker->about[which] = *about;
	worker->references.cache = (enum page_cache)about->cache;
	worker->input[which] = input_open(worker->channel, which, about,
					  STEAL_FD(message->fd));
}

static void take_fd(struct worker *worker, struct channel_message *message)
{
	uint32_t name;

	memcpy(&name, message->body, sizeof name);
	if (name >= PROTOCOL_FDS)
		return;
	if (worker->fd[name] >= 0)
		close(worker->fd[name]);
	worker->fd[name] = STEAL_FD(message->fd);
}

static bool is_request(uint32_t type)
{
	return type == PROTOCOL_PROBE || type == PROTOCOL_RUN ||
	       type == PROTOCOL_INFO || type == PROTOCOL_MAP ||
	       type == PROTOCOL_CHECK || type == PROTOCOL_COMPARE ||
	       type == PROTOCOL_JUDGE;
}

static void serve(struct worker *worker, struct channel_message *message)
{
	struct protocol_done refused = { .differs = false };

	if (worker->refusal.kind != ERR_NONE && is_request(message->type)) {
		worker_done(worker, -1, &refused, &worker->refusal);
		return;
	}
	switch (message->type) {
	case PROTOCOL_INPUT:
		take_input(worker, message);
		break;
	case PROTOCOL_FD:
		take_fd(worker, message);
		break;
	case PROTOCOL_PROBE:
		serve_probe(worker);
		break;
	case PROTOCOL_RUN:
		serve_run(worker, (const void *)message->body);
		break;
	case PROTOCOL_INFO:
	case PROTOCOL_MAP:
	case PROTOCOL_CHECK:
	case PROTOCOL_COMPARE:
		serve_inspection(worker, message);
		break;
	case PROTOCOL_JUDGE:
		serve_judging(worker);
		break;
	default:
		break;
	}
}

static void close_in(struct worker *worker, const struct worker_terms *terms)
{
	struct sandbox_posture posture;
	struct err err;

	if (terms->sandbox.mode != SANDBOX_OFF)
		library_preload(terms->libraries);
	if (sandbox_enter(&terms->sandbox, &posture, &err) < 0)
		worker->refusal = err;
	worker_send(worker, PROTOCOL_POSTURE, &posture, sizeof posture);
}

int worker_main(int channel, const struct worker_terms *terms)
{
	struct worker *worker = mem_zalloc(sizeof *worker);
	struct channel_message message;
	struct err err;
	int heard = 0, status = 0;

	worker->log.emit = worker_note;
	worker->channel = channel;
	pthread_mutex_init(&worker->sending, NULL);
	for (unsigned i = 0; i < PROTOCOL_FDS; i++)
		worker->fd[i] = -1;
	worker_references_init(&worker->references, channel, &worker->log);
	close_in(worker, terms);
	while (!worker->mute &&
	       (heard = channel_receive(channel, &message, &err)) > 0) {
		serve(worker, &message);
		if (message.fd >= 0)
			close(message.fd);
		message.fd = -1;
		channel_message_clear(&message);
	}
	input_close(worker->input[0]);
	input_close(worker->input[1]);
	for (unsigned i = 0; i < PROTOCOL_FDS; i++)
		if (worker->fd[i] >= 0)
			close(worker->fd[i]);
	worker_references_clear(&worker->references);
	pthread_mutex_destroy(&worker->sending);
	if (heard < 0)
		status = err_status(err.kind);
	if (worker->mute)
		status = err_status(ERR_IO);
	free(worker);
	close(channel);
	return status;
}
