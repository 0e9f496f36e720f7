/* SPDX-License-Identifier: MIT */
/* Owns what a terminal is not to get. Does not print. */
#include "base/printable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"

/* Control characters of both sets, and those that turn the direction. */
static bool obeyed(uint32_t value)
{
	return value < 0x20 || (value >= 0x7f && value < 0xa0) ||
	       (value >= 0x2028 && value <= 0x202e) ||
	       (value >= 0x2066 && value <= 0x2069);
}

void printable(char *text)
{
	/* Ends: each turn takes a byte or more of the text. */
	while (*text) {
		uint32_t value;
		size_t len = utf8_character(text, &value);
		bool shown = len && !obeyed(value);

		for (len = len ? len : 1; len; len--, text++)
			if (!shown)
				*text = '?';
	}
}
