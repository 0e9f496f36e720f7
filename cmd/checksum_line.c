/* SPDX-License-Identifier: MIT */
/* Owns the forms of lines. Which line counts is checksum.c's. */
#include "cmd/checksum_line.h"

#include <string.h>
#include <strings.h>

#include "base/checked.h"

static const struct {
	const char *name;
	enum digest_kind kind;
} kind_names[] = {
	{ "MD5", DIGEST_MD5 },
	{ "SHA1", DIGEST_SHA1 },
	{ "SHA-1", DIGEST_SHA1 },
	{ "SHA224", DIGEST_SHA224 },
	{ "SHA-224", DIGEST_SHA224 },
	{ "SHA2-224", DIGEST_SHA224 },
	{ "SHA256", DIGEST_SHA256 },
	{ "SHA-256", DIGEST_SHA256 },
	{ "SHA2-256", DIGEST_SHA256 },
	{ "SHA384", DIGEST_SHA384 },
	{ "SHA-384", DIGEST_SHA384 },
	{ "SHA2-384", DIGEST_SHA384 },
	{ "SHA512", DIGEST_SHA512 },
	{ "SHA-512", DIGEST_SHA512 },
	{ "SHA2-512", DIGEST_SHA512 },
	{ "BLAKE2b", DIGEST_BLAKE2B },
	{ "BLAKE2b-512", DIGEST_BLAKE2B },
	{ "BLAKE2b512", DIGEST_BLAKE2B },
};

bool checksum_kind(const char *text, size_t len, enum digest_kind *out)
{
	for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
		if (strlen(kind_names[i].name) == len &&
		    !strncasecmp(kind_names[i].name, text, len)) {
			*out = kind_names[i].kind;
			return true;
		}
	return false;
}

bool checksum_kind_of_digits(size_t digits, enum digest_kind *out)
{
	static const enum digest_kind kinds[] = { DIGEST_MD5,	 DIGEST_SHA1,
						  DIGEST_SHA224, DIGEST_SHA256,
						  DIGEST_SHA384,
						  DIGEST_SHA512 };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (2 * digest_len(kinds[i]) == digits) {
			*out = kinds[i];
			return true;
		}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t checksum_digits(const char *text, size_t len)
{
	size_t digits = 0;

	while (digits < len && hex_digit(text[digits]) >= 0)
		digits++;
	return digits;
}

void checksum_bytes(const char *text, size_t digits, unsigned char *out)
{
	for (size_t i = 0; i + 1 < digits; i += 2)
		out[i / 2] = (unsigned char)(hex_digit(text[i]) * 16 +
					     hex_digit(text[i + 1]));
}

/* ---- lines ---- */

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The last part of a path. Programs write "-" for what came from a pipe, and
 * openssl "stdin". */
static void set_name(struct checksum_line *line, const char *name, size_t len,
		     bool escaped)
{
	const char *slash = memrchr(name, '/', len);
	size_t used = 0;

	if (slash) {
		len -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	for (size_t i = 0; i < len && used + 1 < sizeof line->name; i++) {
		char c = name[i];

		if (escaped && c == '\\' && i + 1 < len) {
			c = name[++i];
			c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c);
		}
		line->name[used++] = c;
	}
	line->name[used] = '\0';
	line->named = used && strcmp(line->name, "-") &&
		      strcmp(line->name, "stdin");
}

/* "KIND (name) = HEX", "KIND(name)= HEX". */
static bool read_tagged(const char *text, size_t len, bool escaped,
			struct checksum_line *out)
{
	const char *open = memchr(text, '(', len);
	const char *close = memrchr(text, ')', len);
	size_t word, at, digits;

	if (!open || !close || close < open)
		return false;
	word = (size_t)(open - text);
	while (word && blank(text[word - 1]))
		word--;
	at = (size_t)(close + 1 - text);
	while (at < len && blank(text[at]))
		at++;
	if (at == len || text[at++] != '=')
		return false;
	while (at < len && blank(text[at]))
		at++;
	digits = len - at;
	/* An older openssl does not say the kind of what came from a pipe. */
	if (!(word ? checksum_kind(text, word, &out->kind)
		   : checksum_kind_of_digits(digits, &out->kind)))
		return false;
	if (digits != 2 * digest_len(out->kind) ||
	    checksum_digits(text + at, digits) != digits)
		return false;
	checksum_bytes(text + at, digits, out->digest);
	set_name(out, open + 1, (size_t)(close - open - 1), escaped);
	return true;
}

/* "HEX  name", "HEX *name", "HEX". */
static bool read_plain(const char *text, size_t len, bool escaped, bool blake,
		       struct checksum_line *out)
{
	size_t digits = checksum_digits(text, len);

	if (!checksum_kind_of_digits(digits, &out->kind))
		return false;
	if (out->kind == DIGEST_SHA512 && blake)
		out->kind = DIGEST_BLAKE2B;
	checksum_bytes(text, digits, out->digest);
	text += digits;
	len -= digits;
	if (len && !blank(*text))
		return false;
	if (len) {
		text++;
		len--;
	}
	/* Text or binary; some write one space only. */
	if (len && (blank(*text) || *text == '*')) {
		text++;
		len--;
	}
	set_name(out, text, len, escaped);
	return true;
}

bool checksum_line_read(const char *line, size_t len, bool blake,
			struct checksum_line *out)
{
	bool escaped;

	memset(out, 0, sizeof *out);
	while (len && blank(*line)) {
		line++;
		len--;
	}
	while (len && (line[len - 1] == '\r' || blank(line[len - 1])))
		len--;
	if (!len || *line == '#')
		return false;
	escaped = *line == '\\';
	line += escaped;
	len -= escaped;
	return read_plain(line, len, escaped, blake, out) ||
	       read_tagged(line, len, escaped, out);
}
