/* SPDX-License-Identifier: MIT */
/* Owns the cutting of a plan into runs and the files between them. How a step
 * works is its own file's; what is said is ui.c's. */
#include "cmd/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/job.h"
#include "cmd/remote_ssh.h"
#include "cmd/resume.h"
#include "cmd/tool.h"
#include "cmd/trace_file.h"
#include "io/spool.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* Where the image is between two runs. */
struct place {
	const struct execution *execution;
	int temp_fd;	/* -1: none; ours */
	bool at_output; /* in the output's file */
	bool untouched; /* still the user's input, not read yet */
};

static const char *tag_after(const struct plan_step *step, unsigned group)
{
	return step->after.tag[group];
}

static bool to_file(const struct execution *execution)
{
	return !execution->output ||
	       output_kind(execution->output) == OUTPUT_FILE;
}

static int open_temp(const struct execution *execution, struct err *err)
{
	const char *dir = execution->settings->tmpdir;

	if (!dir)
		dir = execution->output && to_file(execution)
			      ? output_dir(execution->output)
			      : "/var/tmp";
	return spool_open_fd(dir, err);
}

/* The steps from `first` on that move the data once. */
static unsigned pipeline_end(const struct plan *plan, unsigned first)
{
	unsigned end = first;

	while (end < plan->count &&
	       how_of(&plan->step[end])->where == HOW_PIPELINE) {
		end++;
		if (how_of(&plan->step[end - 1])->ends)
			break;
	}
	return end;
}

static bool goes_aside(const struct plan_step *last)
{
	return !strcmp(tag_after(last, TAG_PLACE), "temp");
}

/* Or does a run that ends so only look at the image, which stays? */
static bool moves_data(const struct plan_step *last)
{
	const char *place = tag_after(last, TAG_PLACE);

	return !strcmp(place, "temp") ? how_of(last)->ends
				      : strcmp(place, "input") != 0;
}

/* A walk that keeps bytes aside; not a run whose output is the temp file. */
static bool needs_spool(const struct plan *plan, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (plan->step[i].cost.temp && !how_of(&plan->step[i])->ends)
			return true;
	return false;
}

static void fill_job(const struct place *place, unsigned first, unsigned end,
		     bool aside, struct job *job)
{
	const struct job_piece piece = { .first = first,
					 .end = end,
					 .aside = aside,
					 .at_temp = place->temp_fd >= 0,
					 .at_output = place->at_output };

	job_fill(place->execution, &piece, job);
}

/* No descriptor but what is read. */
static void only_input(const struct place *place, int fds[PROTOCOL_FDS],
		       int input)
{
	for (unsigned i = 0; i < PROTOCOL_FDS; i++)
		fds[i] = -1;
	fds[PROTOCOL_FD_INPUT] = input;
	fds[PROTOCOL_FD_TRACE] = trace_file_fd(place->execution->trace);
}

static int run_worker(struct place *place, const struct job *job,
		      const int fds[PROTOCOL_FDS], struct protocol_done *done,
		      struct err *err)
{
	const struct execution *execution = place->execution;
	struct protocol_done *now = mem_zalloc(sizeof *now);
	struct conductor *worker = execution->input;
	int result = -1;

	if (!place->untouched)
		worker = conductor_open_bare(execution->settings,
					     execution->ui,
					     execution->input_path, err);
	if (worker)
		conductor_parts(worker, execution->parts);
	if (worker)
		conductor_output(worker, execution->server);
	if (worker)
		result = conductor_run(worker, job, fds, now, err);
	if (worker != execution->input)
		conductor_close(worker);
	if (!result) {
		done->spooled += now->spooled;
		done->measured += now->measured;
		done->made = now->made;
		done->wall += now->wall;
		done->processor += now->processor;
		for (unsigned i = 0; i < STAGE_COUNT; i++) {
			done->stage[i].busy += now->stage[i].busy;
			done->stage[i].bytes += now->stage[i].bytes;
			done->stage[i].waiting += now->stage[i].waiting;
		}
		done->verified += now->verified;
		if (now->has_size) {
			done->has_size = true;
			done->size = now->size;
			done->padded = now->padded;
		}
		if (now->has_digest) {
			done->has_digest = true;
			memcpy(done->digest, now->digest,
			       sizeof done->digest);
		}
	}
	free(now);
	place->untouched = false;
	return result;
}

/* Where a run reads: -1 is the input as it was opened. */
static int reading_fd(const struct place *place)
{
	if (place->at_output)
		return output_fd(place->execution->output);
	return place->temp_fd;
}

/* A step of [first, end) whose program serves the input while the run lasts:
 * starts it. The socket is -1 where there is none. */
static int serve_input(const struct place *place, unsigned first,
		       unsigned end, struct tool_server *server,
		       struct err *err)
{
	const struct execution *execution = place->execution;
	const struct settings *settings = execution->settings;
	const struct plan_step *step = &execution->plan->step[first];
	AUTO_FREE struct tool *tool = mem_zalloc(sizeof *tool);
	AUTO_FD int secret = -1;
	int in = reading_fd(place);

	server->socket = -1;
	while (first < end && !how_of(step)->command)
		step = &execution->plan->step[++first];
	if (first == end)
		return 0;
	secret = open(settings->secret, O_RDONLY | O_CLOEXEC);
	if (secret < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "%s", settings->secret);
	tool->snapshot = settings->snapshot;
	tool->goal = &execution->planning->problem.goal;
	server->input_fd = in >= 0 ? in : conductor_input_fd(execution->input);
	server->secret_fd = secret;
	return tool_serve(server, tool, step, settings->tmpdir, err);
}

static int run_served(struct place *place, const struct job *job,
		      int fds[PROTOCOL_FDS], struct tool_server *server,
		      struct protocol_done *done, struct err *err)
{
	int result;

	fds[PROTOCOL_FD_SERVED] = server->socket;
	result = run_worker(place, job, fds, done, err);
	/* Why the server ended says more than that it did. */
	if (server->socket >= 0 && tool_serve_end(server, result < 0, err) < 0)
		result = -1;
	return result;
}

static int run_pipeline(struct place *place, unsigned first, unsigned end,
			struct protocol_done *done, struct err *err)
{
	const struct execution *execution = place->execution;
	const struct plan *plan = execution->plan;
	bool moves = moves_data(&plan->step[end - 1]);
	bool aside = moves && goes_aside(&plan->step[end - 1]);
	struct output *made = moves && !aside ? execution->output : NULL;
	AUTO_FREE struct job *job = mem_zalloc(sizeof *job);
	AUTO_FD int temp = -1;
	AUTO_FD int spool = -1;
	AUTO_FD int server_fd = -1;
	struct tool_server server;
	int fds[PROTOCOL_FDS];

	only_input(place, fds, reading_fd(place));
	fill_job(place, first, end, aside || !moves, job);
	if (aside)
		temp = open_temp(execution, err);
	if (aside && temp < 0)
		return -1;
	if (needs_spool(plan, first, end)) {
		spool = open_temp(execution, err);
		if (spool < 0)
			return -1;
	}
	if (aside) {
		fds[PROTOCOL_FD_OUTPUT] = temp;
	} else if (execution->server && moves) {
		server_fd = STEAL_FD(execution->server->socket);
		fds[PROTOCOL_FD_OUTPUT] = server_fd;
	} else if (made) {
		if (resume_begin(execution, job, err) < 0)
			return -1;
		fds[PROTOCOL_FD_OUTPUT] = output_fd(made);
		fds[PROTOCOL_FD_JOURNAL] = output_journal(made);
	}
	fds[PROTOCOL_FD_SPOOL] = spool;
	fds[PROTOCOL_FD_DATA] =
		execution->data ? output_fd(execution->data) : -1;
	if (serve_input(place, first, end, &server, err) < 0 ||
	    run_served(place, job, fds, &server, done, err) < 0)
		return -1;
	if (!moves)
		return 0;
	if (place->temp_fd >= 0)
		close(place->temp_fd);
	place->temp_fd = STEAL_FD(temp);
	place->at_output = !aside;
	return 0;
}

/* A worker reads, or changes, the file where it lies. `spool`: for what it
 * has to hand over; or -1. */
static int run_at_rest(struct place *place, unsigned at, int spool,
		       struct protocol_done *done, struct err *err)
{
	AUTO_FREE struct job *job = mem_zalloc(sizeof *job);
	int fds[PROTOCOL_FDS];

	only_input(place, fds, output_fd(place->execution->output));
	fds[PROTOCOL_FD_SPOOL] = spool;
	place->at_output = true;
	/* resize in place: the input worker has another view of the file. */
	place->untouched = false;
	fill_job(place, at, at + 1, false, job);
	return run_worker(place, job, fds, done, err);
}

static int run_command(const struct place *place, unsigned at, int in, int out,
		       struct tool_piece piece, struct err *err)
{
	const struct execution *execution = place->execution;
	const struct plan_step *step = &execution->plan->step[at];
	AUTO_FREE struct tool *tool = mem_zalloc(sizeof *tool);
	char from[32], to[32];

	snprintf(from, sizeof from, "/proc/self/fd/%d", in);
	snprintf(to, sizeof to, "/proc/self/fd/%d", out);
	tool->input = from;
	tool->output = to;
	tool->goal = &execution->planning->problem.goal;
	tool->piece = piece;
	how_of(step)->command(tool, step);
	return tool_run(tool, in, out, err);
}

/* A tool that works with what a worker has prepared, piece by piece. */
static int run_pieces(struct place *place, unsigned at,
		      struct protocol_done *done, struct err *err)
{
	const struct execution *execution = place->execution;
	struct tool_pieces pieces;
	AUTO_FD int spool = open_temp(execution, err);
	uint64_t from = sizeof pieces;

	if (spool < 0 || run_at_rest(place, at, spool, done, err) < 0 ||
	    tool_pieces(spool, &pieces, err) < 0)
		return -1;
	for (uint64_t i = 0; i < pieces.count; i++) {
		AUTO_FD int piece = tool_piece(spool, from,
					       pieces.piece[i].len, err);
		if (piece < 0 ||
		    run_command(place, at, piece, output_fd(execution->output),
				pieces.piece[i], err) < 0)
			return -1;
		from += pieces.piece[i].len;
	}
	return 0;
}

static int run_tool(struct place *place, unsigned at, struct err *err)
{
	const struct execution *execution = place->execution;
	const struct plan_step *step = &execution->plan->step[at];
	const struct tool_piece none = { 0, 0 };
	AUTO_FD int temp = -1;
	char text[128];
	int in = reading_fd(place), out = output_fd(execution->output);

	if (in < 0)
		in = conductor_input_fd(execution->input);
	if (goes_aside(step)) {
		temp = open_temp(execution, err);
		if (temp < 0)
			return -1;
		out = temp;
	}
	ui_step(execution->ui, plan_step_text(step, text, sizeof text));
	if (run_command(place, at, in, out, none, err) < 0)
		return -1;
	if (place->temp_fd >= 0)
		close(place->temp_fd);
	place->temp_fd = STEAL_FD(temp);
	place->at_output = place->temp_fd < 0;
	place->untouched = false;
	return 0;
}

static int run_fetch(struct place *place, unsigned at, struct err *err)
{
	const struct execution *execution = place->execution;
	int fetched = conductor_input_fd(execution->input);
	AUTO_FD int temp = fetched < 0
				   ? open_temp(execution, err)
				   : fcntl(fetched, F_DUPFD_CLOEXEC, 3);
	char text[128];

	if (temp < 0)
		return fetched < 0 ? -1
				   : err_sys(err, ERR_TEMPORARY,
					     "take what was fetched");
	ui_step(execution->ui, plan_step_text(&execution->plan->step[at],
					      text, sizeof text));
	if (fetched < 0 &&
	    remote_ssh_fetch(execution->input_path, execution->settings, temp,
			     err) < 0)
		return -1;
	place->temp_fd = STEAL_FD(temp);
	place->untouched = false;
	return 0;
}

static int run_move(struct place *place, unsigned at, struct err *err)
{
	const struct execution *execution = place->execution;
	char text[128];

	ui_step(execution->ui, plan_step_text(&execution->plan->step[at],
					      text, sizeof text));
	return output_adopt(execution->output, execution->input_path, err);
}

/* Which promises do not hold is said before anything is done. */
static void tell_caveats(const struct execution *execution)
{
	const struct plan *plan = execution->plan;
	char text[512];

	for (unsigned i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		if (!how_of(step)->caveat)
			continue;
		snprintf(text, sizeof text, "%s: %s", step->transition->name,
			 how_of(step)->caveat);
		ui_note(execution->ui, LOG_NOTE, text);
	}
}

int execute_plan(const struct execution *execution,
		 struct protocol_done *done, struct err *err)
{
	const struct plan *plan = execution->plan;
	struct place place = { .execution = execution,
			       .temp_fd = -1,
			       .untouched = true };
	int result = 0;

	tell_caveats(execution);
	for (unsigned i = 0; i < plan->count && !result;) {
		unsigned end = i + 1;
		switch (how_of(&plan->step[i])->where) {
		case HOW_PIPELINE:
			end = pipeline_end(plan, i);
			result = run_pipeline(&place, i, end, done, err);
			break;
		case HOW_REST:
			result = run_at_rest(&place, i, -1, done, err);
			break;
		case HOW_TOOL:
			result = how_of(&plan->step[i])->rest
					 ? run_pieces(&place, i, done, err)
					 : run_tool(&place, i, err);
			break;
		case HOW_FETCH:
			result = run_fetch(&place, i, err);
			break;
		case HOW_MOVE:
			result = run_move(&place, i, err);
			break;
		}
		i = end;
	}
	/* Whatever the plan was. */
	if (!result &&
	    done->verified < execution->planning->price_list.expect.count)
		result = err_set(err, ERR_BUG,
				 "a checksum was not looked at");
	if (place.temp_fd >= 0)
		close(place.temp_fd);
	return result;
}

/* What a server has is read as any input on it. */
static int verify_served(const struct execution *execution,
			 const struct job *job, const int fds[PROTOCOL_FDS],
			 struct err *err)
{
	struct protocol_done *ignored = mem_zalloc(sizeof *ignored);
	struct conductor *reader =
		conductor_open(execution->output_path, execution->settings,
			       execution->ui, err);
	int result = -1;

	if (reader)
		result = conductor_run(reader, job, fds, ignored, err);
	conductor_close(reader);
	free(ignored);
	return result;
}

int execute_verify(const struct execution *execution,
		   struct protocol_done *done, struct err *err)
{
	struct place place = { .execution = execution,
			       .temp_fd = -1,
			       .at_output = true };
	const struct plan *plan = execution->plan;
	AUTO_FREE struct job *job = mem_zalloc(sizeof *job);
	AUTO_FD int spool = -1;
	int fds[PROTOCOL_FDS];

	if (!execution->settings->verify || !done->has_digest)
		return 0;
	only_input(&place, fds, output_fd(execution->output));
	fill_job(&place, 0, 0, false, job);
	job->output_export = false;
	job->start = plan->step[plan->count - 1].after;
	snprintf(job->format, sizeof job->format, "%s",
		 job->start.tag[TAG_FORMAT]);
	job->verify = true;
	job->expected_size = done->size;
	memcpy(job->expected, done->digest, sizeof job->expected);
	/* Inside compressions, what cannot be read in order is unpacked. */
	if (*job->start.tag[TAG_WRAPS]) {
		spool = open_temp(execution, err);
		if (spool < 0)
			return -1;
	}
	fds[PROTOCOL_FD_SPOOL] = spool;
	return execution->server ? verify_served(execution, job, fds, err)
				 : run_worker(&place, job, fds, done, err);
}
