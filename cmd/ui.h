/* SPDX-License-Identifier: MIT */
/*
 * Talking to people while something runs: notes, steps, the progress bar or
 * JSON lines, the one error line. Everything goes to stderr; stdout carries
 * data and answers only. Owned by the conductor's one thread.
 */
#ifndef CMD_UI_H
#define CMD_UI_H

#include "base/err.h"
#include "base/log.h"
#include "cmd/settings.h"

struct json;
struct ui;

struct ui *ui_open(const struct settings *settings);
/* "imgconv: note: TEXT"; details only with -v, nothing with -q. */
void ui_note(struct ui *ui, enum log_level level, const char *text);
/* A step of the plan has begun ("decompress xz"). Part of the trace that -v
 * prints and --progress=json emits. */
void ui_step(struct ui *ui, const char *step);
/* `total` 0: unknown. Draws at most ten times a second. */
void ui_progress(struct ui *ui, uint64_t done, uint64_t total);
/* With --progress=json {"event":NAME, ...}; otherwise nothing. `take` is an
 * object of ui_event, which is NULL then. */
struct json *ui_event(const struct ui *ui, const char *name);
void ui_say_event(struct json *take);
/* How a worker is closed in: the last one is told at the end. */
void ui_posture(struct ui *ui, const struct sandbox_posture *posture);
/* The end: the bar is completed or wiped, a last JSON object says how it went
 * ({"event":"done","status":0,...}); an error is one line "imgconv: MESSAGE"
 * (shown even with -q). Returns the exit status. */
int ui_end(struct ui *ui, const struct err *err);
/* Accepts NULL, returns NULL. */
struct ui *ui_close(struct ui *ui);

#endif
