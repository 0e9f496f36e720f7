/* SPDX-License-Identifier: MIT */
/* Owns GUIDs and UTF-16 as text. Does not know what they name. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "formats/identity.h"
#include "formats/images/vhdx/vhdx.h"

const char *vhdx_guid_text(const unsigned char guid[VHDX_GUID_LEN],
			   char out[VHDX_GUID_TEXT_LEN])
{
	unsigned char bytes[VHDX_GUID_LEN];

	memcpy(bytes, guid, sizeof bytes);
	identity_swap(bytes);
	identity_text(bytes, out);
	return out;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool vhdx_guid_parse(const char *text, unsigned char out[VHDX_GUID_LEN])
{
	size_t len = strlen(text);

	if (len == 38 && text[0] == '{' && text[37] == '}') {
		text++;
		len -= 2;
	}
	if (len != 36)
		return false;
	for (unsigned i = 0; i < VHDX_GUID_LEN; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*text++ != '-')
				return false;
		high = digit(text[0]);
		low = digit(text[1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
		text += 2;
	}
	identity_swap(out);
	return true;
}

bool vhdx_guid_is_zero(const unsigned char guid[VHDX_GUID_LEN])
{
	static const unsigned char zero[VHDX_GUID_LEN];

	return !memcmp(guid, zero, sizeof zero);
}

/* The bytes of one code point; how many. */
static size_t encode(uint32_t point, char *out)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

bool vhdx_utf8(const unsigned char *text, size_t len, char *out, size_t room)
{
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i + 2 <= len; i += 2) {
		uint32_t point = bytes_le16(text + i), low;

		if (!point)
			break;
		if (point >= 0xd800 && point < 0xe000) {
			low = i + 4 <= len ? bytes_le16(text + i + 2) : 0;
			if (point >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
				return false;
			point = 0x10000 + ((point - 0xd800) << 10) +
				(low - 0xdc00);
			i += 2;
		}
		if (used + 5 > room)
			return false;
		used += encode(point, out + used);
		out[used] = '\0';
	}
	return len % 2 == 0;
}
