/* SPDX-License-Identifier: MIT */
/* Remarks on the way up: what a conversion changes or gives up, and on what
 * evidence something was decided. Passed in, never global; cmd/ decides what
 * is shown. A NULL log is silent. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_NOTE,  /* shown unless -q: something the user should know */
	LOG_DETAIL /* shown with -v: how it was decided */
};

struct log {
	/* Safe to call from any thread. `line` has no newline. */
	void (*emit)(struct log *log, enum log_level level, const char *line);
};

void log_note(struct log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_detail(struct log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
