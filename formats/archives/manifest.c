/* SPDX-License-Identifier: MIT */
/* Owns the reading of a manifest. What is digested, and when, is others'. */
#include "formats/archives/manifest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const struct {
	const char *word;
	enum digest_kind kind;
} kinds[] = {
	{ "SHA1", DIGEST_SHA1 },     { "SHA-1", DIGEST_SHA1 },
	{ "SHA256", DIGEST_SHA256 }, { "SHA-256", DIGEST_SHA256 },
	{ "SHA512", DIGEST_SHA512 }, { "SHA-512", DIGEST_SHA512 },
};

static int find_kind(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i].word) == len &&
		    !strncasecmp(kinds[i].word, word, len))
			return (int)kinds[i].kind;
	return -1;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* All of `len` bytes of digest, and nothing behind them but blanks. */
static bool read_hex(const char *text, unsigned char *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return !text[2 * len + strspn(text + 2 * len, " \t\r")];
}

/* "SHA256(NAME)= HEX", with blanks where tools put them. A name may have
 * brackets of its own: its end is the last one. */
static bool read_line(const char *text, struct manifest_line *out)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	const char *word_end = open;
	size_t len;
	int kind;

	if (!open || !close || close < open)
		return false;
	while (word_end > text && word_end[-1] == ' ')
		word_end--;
	kind = find_kind(text, (size_t)(word_end - text));
	len = (size_t)(close - open - 1);
	if (kind < 0 || !len || len >= sizeof out->file)
		return false;
	out->kind = (enum digest_kind)kind;
	memcpy(out->file, open + 1, len);
	out->file[len] = '\0';
	close++;
	close += strspn(close, " \t");
	if (*close != '=')
		return false;
	close++;
	close += strspn(close, " \t");
	return read_hex(close, out->digest, digest_len(out->kind));
}

static int add_line(const char *text, unsigned number, struct manifest *out,
		    struct err *err)
{
	if (!text[strspn(text, " \t\r")])
		return 0;
	if (out->count == MANIFEST_LINES)
		return err_set(err, ERR_LIMIT, "manifest: more than %d lines",
			       MANIFEST_LINES);
	out->line = mem_resize(out->line, out->count + 1, sizeof *out->line);
	memset(&out->line[out->count], 0, sizeof *out->line);
	if (!read_line(text, &out->line[out->count]))
		return err_set(err, ERR_DAMAGED,
			       "manifest: line %u is no SHA-1, SHA-256 or "
			       "SHA-512 of a file", number);
	out->count++;
	return 0;
}

int manifest_read(const char *text, size_t len, struct manifest *out,
		  struct err *err)
{
	AUTO_FREE char *copy = mem_zalloc(len + 1);
	unsigned number = 0;
	char *line = copy, *next;

	memset(out, 0, sizeof *out);
	memcpy(copy, text, len);
	if (strlen(copy) != len)
		return err_set(err, ERR_DAMAGED, "manifest: is no text");
	/* Ends: the text gets shorter. */
	for (; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (add_line(line, ++number, out, err) < 0) {
			manifest_clear(out);
			return -1;
		}
	}
	return 0;
}

void manifest_clear(struct manifest *manifest)
{
	free(manifest->line);
	manifest->line = NULL;
	manifest->count = 0;
}

const struct manifest_line *manifest_find(const struct manifest *manifest,
					  const char *file)
{
	for (unsigned i = 0; i < manifest->count; i++)
		if (!strcmp(archive_plain_name(manifest->line[i].file), file))
			return &manifest->line[i];
	return NULL;
}
