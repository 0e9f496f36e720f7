/* SPDX-License-Identifier: MIT */
/*
 * Owns standard error: notes, steps, progress and the one error line, as text
 * or as JSON lines. Does not know what runs.
 *
 * A bar is the last line of a terminal; whatever else is said wipes it first
 * and it is drawn again when progress comes next. Where stderr is no terminal
 * a plain line comes each tenth of the way instead.
 */
#include "cmd/ui.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/json.h"
#include "cmd/posture.h"
#include "cmd/progress.h"

#define DRAW_SECONDS 0.1 /* between two drawings of the bar */
#define LINE_SECONDS 10	 /* between plain lines, total unknown */

struct ui {
	const char *program;
	bool quiet, verbose, terminal;
	enum progress_style style;
	bool drawn;	 /* a bar stands on the terminal's last line */
	double opened;	 /* when everything began */
	double started;	 /* when `done` was 0 */
	double shown;	 /* when progress was last said */
	bool behind;	 /* there was progress since */
	unsigned tenths; /* plain lines: how many were printed */
	uint64_t done, total;
	bool closed_in; /* there was a worker: */
	struct sandbox_posture posture;
	char step[128];
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct ui *ui_open(const struct settings *settings)
{
	struct ui *ui = mem_zalloc(sizeof *ui);

	ui->program = settings->program;
	ui->quiet = settings->quiet;
	ui->verbose = settings->verbose;
	ui->style = settings->progress;
	if (ui->quiet && ui->style == PROGRESS_BAR)
		ui->style = PROGRESS_NONE;
	/* The error that says so must not need it. */
	if (ui->style == PROGRESS_JSON && !json_library())
		ui->style = PROGRESS_NONE;
	ui->terminal = isatty(STDERR_FILENO);
	ui->opened = ui->started = ui->shown = now();
	return ui;
}

static void wipe(struct ui *ui)
{
	if (ui->drawn)
		fputs("\r\033[K", stderr);
	ui->drawn = false;
}

static void say_json(struct json *take)
{
	json_print(stderr, take);
	fputc('\n', stderr);
	fflush(stderr);
}

static struct json *event(const char *name)
{
	struct json *json = json_object_open();

	json_put_text(json, "event", name);
	return json;
}

struct json *ui_event(const struct ui *ui, const char *name)
{
	return ui->style == PROGRESS_JSON ? event(name) : NULL;
}

void ui_say_event(struct json *take)
{
	if (take)
		say_json(take);
}

static void say(struct ui *ui, const char *what, const char *text)
{
	wipe(ui);
	fprintf(stderr, "%s: %s%s\n", ui->program, what, text);
	fflush(stderr);
}

void ui_note(struct ui *ui, enum log_level level, const char *text)
{
	if (level == LOG_DETAIL ? !ui->verbose : ui->quiet)
		return;
	if (ui->style != PROGRESS_JSON) {
		say(ui, level == LOG_DETAIL ? "" : "note: ", text);
		return;
	}
	struct json *json = event("note");

	json_put_text(json, "level", level == LOG_DETAIL ? "detail" : "note");
	json_put_text(json, "text", text);
	say_json(json);
}

void ui_step(struct ui *ui, const char *step)
{
	snprintf(ui->step, sizeof ui->step, "%s", step);
	if (ui->style == PROGRESS_JSON) {
		struct json *json = event("step");

		json_put_text(json, "step", step);
		say_json(json);
	} else if (ui->verbose) {
		say(ui, "step: ", step);
	}
}

static bool same_posture(const struct sandbox_posture *a,
			 const struct sandbox_posture *b)
{
	return a->no_new_privileges == b->no_new_privileges &&
	       a->seccomp == b->seccomp && a->landlock == b->landlock;
}

void ui_posture(struct ui *ui, const struct sandbox_posture *posture)
{
	char text[64], line[96];

	if (!ui->closed_in || !same_posture(&ui->posture, posture)) {
		snprintf(line, sizeof line, "sandbox: %s",
			 sandbox_text(posture, text, sizeof text));
		ui_note(ui, LOG_DETAIL, line);
	}
	ui->closed_in = true;
	ui->posture = *posture;
}

static unsigned columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 79;
	/* In the last column a terminal may wrap. */
	return size.ws_col - 1U;
}

static void show_json(const struct progress *progress)
{
	struct json *json = event("progress");

	json_put_number(json, "done", progress->done);
	if (progress->total)
		json_put_number(json, "total", progress->total);
	json_put_number(json, "rate", (uint64_t)progress_rate(progress));
	if (progress_left(progress) >= 0)
		json_put_number(json, "left",
				(uint64_t)progress_left(progress));
	json_put_text(json, "step", progress->step);
	say_json(json);
}

/* Is it time for another plain line? */
static bool line_due(struct ui *ui, double time)
{
	unsigned tenths;

	if (!ui->total)
		return time - ui->shown >= LINE_SECONDS;
	tenths =
		ui->done >= ui->total
			? 10
			: (unsigned)((double)ui->done / (double)ui->total * 10);
	if (tenths <= ui->tenths)
		return false;
	ui->tenths = tenths;
	return true;
}

static void show(struct ui *ui, double time)
{
	struct progress progress = { ui->done, ui->total, time - ui->started,
				     ui->step };
	char text[512];

	ui->shown = time;
	ui->behind = false;
	if (ui->style == PROGRESS_JSON) {
		show_json(&progress);
		return;
	}
	if (!ui->terminal) {
		say(ui, "", progress_line(&progress, text, sizeof text));
		return;
	}
	progress_bar(&progress, columns(), text, sizeof text);
	fprintf(stderr, "\r\033[K%s", text);
	fflush(stderr);
	ui->drawn = true;
}

void ui_progress(struct ui *ui, uint64_t done, uint64_t total)
{
	double time;

	if (ui->style == PROGRESS_NONE)
		return;
	time = now();
	if (done < ui->done) { /* another run of the plan has begun */
		ui->started = time;
		ui->tenths = 0;
	}
	ui->done = done;
	ui->total = total;
	ui->behind = true;
	if (ui->style == PROGRESS_BAR && !ui->terminal) {
		if (line_due(ui, time))
			show(ui, time);
	} else if (time - ui->shown >= DRAW_SECONDS) {
		show(ui, time);
	}
}

static void end_json(struct ui *ui, const struct err *err, int status)
{
	struct json *json = event("done");

	json_put_number(json, "status", (uint64_t)status);
	json_put_real(json, "seconds", now() - ui->opened);
	if (ui->closed_in)
		json_put(json, "sandbox", posture_json(&ui->posture));
	if (err && err->kind != ERR_NONE) {
		if (err->signal)
			json_put_number(json, "signal", (uint64_t)err->signal);
		json_put_text(json, "message", err->message);
	}
	say_json(json);
}

/* Whoever watches wants to see the end, whenever the last drawing was. */
static void complete(struct ui *ui)
{
	if (ui->total && ui->done < ui->total) {
		ui->done = ui->total;
		ui->behind = true;
	}
	if (ui->behind &&
	    (ui->terminal || ui->style == PROGRESS_JSON || ui->tenths < 10))
		show(ui, now());
	if (ui->drawn)
		fputc('\n', stderr);
	ui->drawn = false;
}

int ui_end(struct ui *ui, const struct err *err)
{
	bool failed = err && err->kind != ERR_NONE;
	int status = failed ? err_status(err->kind) : 0;

	if (failed && err->kind == ERR_INTERRUPTED && err->signal > 0)
		status = 128 + err->signal;
	if (!failed)
		complete(ui);
	if (ui->style == PROGRESS_JSON) {
		end_json(ui, err, status);
		return status;
	}
	/* Who closed the other end of a pipe does not want to hear of it. */
	if (failed && !(err->kind == ERR_INTERRUPTED && err->signal == SIGPIPE))
		say(ui, "", err->message);
	wipe(ui);
	return status;
}

struct ui *ui_close(struct ui *ui)
{
	if (ui)
		wipe(ui);
	free(ui);
	return NULL;
}
