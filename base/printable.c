/* SPDX-License-Identifier: MIT */
/* Owns what a terminal is not to get. Does not print. */
#include "base/printable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `text`, 0 if it is no UTF-8 (RFC 3629). */
static size_t character(const unsigned char *text, uint32_t *value)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = text[0] < 0x80	       ? 1
		     : (text[0] & 0xe0) == 0xc0 ? 2
		     : (text[0] & 0xf0) == 0xe0 ? 3
		     : (text[0] & 0xf8) == 0xf0 ? 4
						: 0;

	if (len < 2) {
		*value = text[0];
		return len;
	}
	*value = text[0] & (0x7fu >> len);
	/* Stops at the end of the text, too: NUL does not continue. */
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (text[i] & 0x3f);
	}
	if (*value < least[len] || *value > 0x10ffff ||
	    (*value >= 0xd800 && *value < 0xe000))
		return 0;
	return len;
}

/* Control characters of both sets, and those that turn the direction. */
static bool obeyed(uint32_t value)
{
	return value < 0x20 || (value >= 0x7f && value < 0xa0) ||
	       (value >= 0x2028 && value <= 0x202e) ||
	       (value >= 0x2066 && value <= 0x2069);
}

void printable(char *text)
{
	unsigned char *at = (unsigned char *)text;

	/* Ends: each turn takes a byte or more of the text. */
	while (*at) {
		uint32_t value;
		size_t len = character(at, &value);
		bool shown = len && !obeyed(value);

		for (len = len ? len : 1; len; len--, at++)
			if (!shown)
				*at = '?';
	}
}
