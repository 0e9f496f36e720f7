/* SPDX-License-Identifier: MIT */
/* Owns the wording machinery of errors: formatting, context, statuses. Does
 * not print. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* err.h has macros of these names for who calls. */
#undef err_set
#undef err_sys
#undef err_in

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	err->kind = kind;
	err->signal = 0;
	printable(err->message);
	return -1;
}

int err_sys(struct err *err, enum err_kind kind, const char *format, ...)
{
	int number = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	size_t used = strlen(err->message);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): known texts are const */
	const char *reason = strerror(number);
	snprintf(err->message + used, sizeof err->message - used, ": %s",
		 reason);
	err->kind = kind;
	err->signal = 0;
	printable(err->message);
	return -1;
}

int err_in(struct err *err, const char *format, ...)
{
	char context[ERR_MESSAGE_LEN], inner[ERR_MESSAGE_LEN];
	size_t room, len;
	va_list args;

	memcpy(inner, err->message, sizeof inner);
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	/* What happened matters more than where: the context gives way. */
	len = strlen(inner);
	room = sizeof err->message - 1 - len;
	if (room < sizeof ": ")
		return -1;
	snprintf(err->message, sizeof err->message, "%.*s: %.*s",
		 (int)(room - strlen(": ")), context, (int)len, inner);
	printable(err->message);
	return -1;
}

enum err_kind err_kind_of_errno(int number, enum err_kind otherwise)
{
	return number == EACCES || number == EPERM ? ERR_REFUSED : otherwise;
}

int err_status(enum err_kind kind)
{
	static const int statuses[ERR_KINDS] = {
#define ERR(name, status, meaning) [ERR_##name] = (status),
#include "base/err.def"
#undef ERR
	};

	return kind < ERR_KINDS ? statuses[kind] : statuses[ERR_BUG];
}
