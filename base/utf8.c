/* SPDX-License-Identifier: MIT */
/* Owns what is UTF-8 and what is not. */
#include "base/utf8.h"

size_t utf8_character(const char *text, uint32_t *value)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	size_t len = byte[0] < 0x80	       ? 1
		     : (byte[0] & 0xe0) == 0xc0 ? 2
		     : (byte[0] & 0xf0) == 0xe0 ? 3
		     : (byte[0] & 0xf8) == 0xf0 ? 4
						: 0;

	*value = byte[0];
	if (len < 2)
		return len;
	*value = byte[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (byte[i] & 0x3f);
	}
	if (*value < least[len] || *value > 0x10ffff ||
	    (*value >= 0xd800 && *value < 0xe000))
		return 0;
	return len;
}
