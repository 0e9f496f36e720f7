/* SPDX-License-Identifier: MIT */
/* Owns the making of an external tool's command line. Running it is the
 * conductor's. */
#include "transforms/how.h"

#include <stdarg.h>
#include <stdio.h>

void tool_add(struct tool *tool, const char *format, ...)
{
	va_list args;

	if (tool->count == TOOL_ARGUMENTS)
		return;
	va_start(args, format);
	vsnprintf(tool->argument[tool->count], sizeof tool->argument[0],
		  format, args);
	va_end(args);
	tool->count++;
}
