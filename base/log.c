/* SPDX-License-Identifier: MIT */
/* Owns the formatting of remarks. Does not print them. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"

static void __attribute__((format(printf, 3, 0)))
log_emit(struct log *log, enum log_level level, const char *format,
	 va_list args)
{
	char line[1024];

	if (!log)
		return;
	vsnprintf(line, sizeof line, format, args);
	printable(line);
	log->emit(log, level, line);
}

void log_note(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_emit(log, LOG_NOTE, format, args);
	va_end(args);
}

void log_detail(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_emit(log, LOG_DETAIL, format, args);
	va_end(args);
}
