/* SPDX-License-Identifier: MIT */
/* Owns the table of coefficients and its text form. Reads no file, and does
 * not know what a coefficient is used for. */
#include "transforms/coefficients.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "imgconv-costs 1"
#define NS_BYTE "ns/byte"
#define US "us"
/* Of a name or number: longer words are none. */
#define WORD_LEN 64

const struct coefficients costs_default = {
#define COEFFICIENT(field, name, unit, value, what) .field = (value),
#include "transforms/coefficients.def"
#undef COEFFICIENT
};

static const struct row {
	const char *name, *unit, *what;
	size_t offset;
} rows[] = {
#define COEFFICIENT(field, name, unit, value, what) \
	{ name, unit, what, offsetof(struct coefficients, field) },
#include "transforms/coefficients.def"
#undef COEFFICIENT
};

#define ROWS (sizeof rows / sizeof *rows)

_Static_assert(ROWS * sizeof(double) == sizeof(struct coefficients),
	       "each coefficient has one row");

bool coefficients_row(const struct coefficients *from, size_t i,
		      struct coefficient *out)
{
	if (i >= ROWS)
		return false;
	out->name = rows[i].name;
	out->unit = rows[i].unit;
	out->what = rows[i].what;
	memcpy(&out->value, (const char *)from + rows[i].offset,
	       sizeof out->value);
	return true;
}

char *coefficients_number(double value, char buf[COEFFICIENT_NUMBER_LEN])
{
	/* Ends: 17 digits tell any two doubles apart. Fewer than six would give
	 * powers of ten to large numbers. */
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(buf, COEFFICIENT_NUMBER_LEN, "%.*g", digits, value);
		if (!(strtod(buf, NULL) < value) &&
		    !(strtod(buf, NULL) > value))
			break;
	}
	return buf;
}

/* ---- parsing ---- */

/* One line: its words, up to a '#'. */
struct line {
	const char *at, *end;
	unsigned number;
};

/* The next line of [text, end); false at the end. */
static bool next_line(const char **text, const char *end, struct line *line)
{
	const char *newline;

	if (*text == end)
		return false;
	newline = memchr(*text, '\n', (size_t)(end - *text));
	line->at = *text;
	line->end = newline ? newline : end;
	line->number++;
	*text = newline ? newline + 1 : end;
	return true;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line into `out`, cut to its room; false: none. */
static bool next_word(struct line *line, char out[WORD_LEN])
{
	size_t len = 0;

	while (line->at < line->end && blank(*line->at))
		line->at++;
	if (line->at == line->end || *line->at == '#')
		return false;
	while (line->at < line->end && !blank(*line->at) &&
	       *line->at != '#') {
		/* As it will be shown in a message. */
		char c = *line->at++;
		if (c <= ' ' || c >= 0x7f)
			c = '?';
		if (len < WORD_LEN - 1)
			out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

/* Decimal alone: strtod would also take hexadecimal, "inf" and "nan". */
static bool parse_number(const char *text, double *out)
{
	char *end;

	if (!*text || strspn(text, "0123456789.eE+-") != strlen(text))
		return false;
	*out = strtod(text, &end);
	return end > text && !*end && isfinite(*out) && *out > 0;
}

static int take_line(struct line *line, const char *name,
		     struct coefficients *out, bool seen[ROWS],
		     struct err *err)
{
	char text[WORD_LEN], more[WORD_LEN];
	double value;
	size_t i = 0;

	while (i < ROWS && strcmp(rows[i].name, name))
		i++;
	if (i == ROWS)
		return err_set(err, ERR_USAGE,
			       "line %u: there is no coefficient \"%s\" (see "
			       "imgconv plan --coefficients)",
			       line->number, name);
	if (seen[i])
		return err_set(err, ERR_USAGE,
			       "line %u: %s is there twice, once is allowed",
			       line->number, name);
	if (!next_word(line, text))
		return err_set(err, ERR_USAGE,
			       "line %u: %s needs a positive number behind it",
			       line->number, name);
	if (!parse_number(text, &value))
		return err_set(err, ERR_USAGE,
			       "line %u: %s cannot be \"%s\": a positive "
			       "finite number is allowed", line->number, name,
			       text);
	if (next_word(line, more))
		return err_set(err, ERR_USAGE,
			       "line %u: \"%s\" behind %s %s: one number is "
			       "allowed", line->number, more, name, text);
	memcpy((char *)out + rows[i].offset, &value, sizeof value);
	seen[i] = true;
	return 0;
}

int coefficients_parse(const char *text, size_t len, struct coefficients *out,
		       struct err *err)
{
	struct line line = { .number = 0 };
	const char *end = text + len;
	bool seen[ROWS] = { false };
	char word[WORD_LEN];

	if (len > COEFFICIENTS_TEXT_MOST)
		return err_set(err, ERR_USAGE,
			       "more than %zu bytes, which no table of costs "
			       "has", COEFFICIENTS_TEXT_MOST);
	if (!next_line(&text, end, &line) ||
	    (size_t)(line.end - line.at) != strlen(VERSION) ||
	    memcmp(line.at, VERSION, strlen(VERSION)) != 0)
		return err_set(err, ERR_USAGE,
			       "line 1 is not \"" VERSION "\", as that of a "
			       "table of costs");
	*out = costs_default;
	/* Ends: a line less each time. */
	while (next_line(&text, end, &line))
		if (next_word(&line, word) &&
		    take_line(&line, word, out, seen, err) < 0)
			return -1;
	return 0;
}
