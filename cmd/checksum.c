/* SPDX-License-Identifier: MIT */
/* Owns what --checksum's argument means and which line of a file is meant.
 * What a line looks like is checksum_line.c's. Reads no files. */
#include "cmd/checksum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/mem.h"
#include "base/printable.h"
#include "cmd/checksum_line.h"
#include "formats/codecs/codec.h"

/* So many names of a file are listed in a message. */
#define LISTED 8

/* ---- the option's argument ---- */

static int read_digits(const char *text, enum digest_kind kind,
		       struct checksum_word *out, struct err *err)
{
	size_t len = strlen(text), wanted = 2 * digest_len(kind);

	if (checksum_digits(text, len) != len || len != wanted)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not a %s: that has %zu hexadecimal "
			       "digits", text, digest_name(kind), wanted);
	out->expected.kind = kind;
	checksum_bytes(text, len, out->expected.digest);
	return 0;
}

int checksum_read_word(const char *text, struct checksum_word *out,
		       struct err *err)
{
	enum digest_kind kind;
	const char *colon;
	size_t len;

	memset(out, 0, sizeof *out);
	if (!strncasecmp(text, "inside:", 7)) {
		out->inside = true;
		text += 7;
	}
	len = strlen(text);
	if (!len)
		return err_set(err, ERR_USAGE,
			       "a digest or a file of digests is needed");
	if (checksum_digits(text, len) == len &&
	    checksum_kind_of_digits(len, &kind))
		return read_digits(text, kind, out, err);
	colon = strchr(text, ':');
	if (colon && checksum_kind(text, (size_t)(colon - text), &kind))
		return read_digits(colon + 1, kind, out, err);
	/* "sha3-256:..." is hardly the name of a file. */
	if (colon && checksum_digits(colon + 1, strlen(colon + 1)) ==
			     strlen(colon + 1) && strlen(colon + 1) >= 32)
		return err_set(err, ERR_USAGE,
			       "unknown kind \"%.*s\" (md5, sha1, sha224, "
			       "sha256, sha384, sha512, blake2b; ./ in front "
			       "of a file's name)",
			       (int)(colon - text), text);
	out->file = text;
	return 0;
}

/* ---- names ---- */

unsigned checksum_names(const char *base,
			struct checksum_name names[CHECKSUM_NAMES])
{
	unsigned count = 0;
	int id;

	if (!*base || strlen(base) >= sizeof names->name)
		return 0;
	snprintf(names[0].name, sizeof names[0].name, "%s", base);
	names[count++].depth = 0;
	while (count < CHECKSUM_NAMES &&
	       (id = codec_by_suffix(names[count - 1].name)) >= 0) {
		size_t len = strlen(names[count - 1].name) -
			     strlen(codec_get((enum codec_id)id)->suffix);

		if (!len)
			break;
		memcpy(names[count].name, names[count - 1].name, len);
		names[count].name[len] = '\0';
		names[count].depth = count;
		count++;
	}
	return count;
}

/* ---- a file ---- */

struct lines {
	struct checksum_line *line;
	size_t count, room;
};

static void add_line(struct lines *lines, const struct checksum_line *line)
{
	if (lines->count == lines->room) {
		lines->room = lines->room ? 2 * lines->room : 64;
		lines->line = mem_resize(lines->line, lines->room,
					 sizeof *lines->line);
	}
	lines->line[lines->count++] = *line;
}

static bool is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 &&
		    !memchr("\t\n\r\f", text[i], 4))
			return false;
	return true;
}

static bool line_is(const char *line, size_t len, const char *what)
{
	while (len && strchr("\r\t ", line[len - 1]))
		len--;
	return len == strlen(what) && !memcmp(line, what, len);
}

#define BEGIN_SIGNED "-----BEGIN PGP SIGNED MESSAGE-----"
#define BEGIN_SIGNATURE "-----BEGIN PGP SIGNATURE-----"

/* What a signed message (RFC 9580, section 7) is about, without what is
 * around it; all of the text where it is none. */
struct reading {
	bool clearsigned;
	enum { PLAIN, HEADERS, BODY, BEHIND } place;
};

/* Is there a line that begins a signed message? Nothing in front of it, or
 * behind it, counts then: anybody may have put it there. */
static bool is_clearsigned(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((stop ? stop : end) - text);

		if (line_is(text, line, BEGIN_SIGNED))
			return true;
		text += line + 1;
	}
	return false;
}

/* Does this line count? In a message's body, its dash-escape goes. */
static bool take_line(struct reading *reading, const char **line, size_t *len)
{
	if (!reading->clearsigned)
		return true;
	switch (reading->place) {
	case PLAIN:
		if (line_is(*line, *len, BEGIN_SIGNED))
			reading->place = HEADERS;
		return false;
	case HEADERS:
		if (line_is(*line, *len, ""))
			reading->place = BODY;
		return false;
	case BODY:
		if (line_is(*line, *len, BEGIN_SIGNATURE)) {
			reading->place = BEHIND;
			return false;
		}
		if (*len >= 2 && !memcmp(*line, "- ", 2)) {
			*line += 2;
			*len -= 2;
		}
		return true;
	default:
		return false;
	}
}

static void read_lines(const char *text, size_t len, bool blake,
		       struct reading *reading, struct lines *lines)
{
	const char *end = text + len;
	struct checksum_line found;

	reading->clearsigned = is_clearsigned(text, len);
	/* Ends: each turn takes a line. */
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = (size_t)((stop ? stop : end) - text);
		const char *line = text;

		text += line_len + 1;
		if (take_line(reading, &line, &line_len) &&
		    checksum_line_read(line, line_len, blake, &found))
			add_line(lines, &found);
	}
}

/* ---- choice ---- */

/* The strongest digest of `name`; "": of what has no name; NULL: of all
 * lines. 1 with *out, 0: none; ERR_USAGE: two that contradict each other. */
static int choose(const struct lines *lines, const char *name,
		  const struct checksum_line **out, struct err *err)
{
	const struct checksum_line *best = NULL;

	for (size_t i = 0; i < lines->count; i++) {
		const struct checksum_line *line = &lines->line[i];

		if (name && (line->named ? strcmp(line->name, name) != 0
					 : *name != '\0'))
			continue;
		if (best && best->kind == line->kind &&
		    memcmp(best->digest, line->digest,
			   digest_len(line->kind)))
			return err_set(err, ERR_USAGE,
				       "has two different lines for %s; give "
				       "the digest itself",
				       line->named ? line->name : "the input");
		if (!best || line->kind > best->kind)
			best = line;
	}
	*out = best;
	return best != NULL;
}

static bool one_name(const struct lines *lines)
{
	for (size_t i = 1; i < lines->count; i++)
		if (strcmp(lines->line[i].name, lines->line[0].name))
			return false;
	return true;
}

static bool no_names(const struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->line[i].named)
			return false;
	return true;
}

static int refuse(const struct lines *lines, const char *name, struct err *err)
{
	char list[600] = "";
	size_t used = 0;
	unsigned listed = 0;

	for (size_t i = 0; i < lines->count && listed <= LISTED; i++) {
		const char *next = lines->line[i].named ? lines->line[i].name
							: "(no name)";
		if (i && !strcmp(lines->line[i].name, lines->line[i - 1].name))
			continue;
		if (listed++ == LISTED)
			next = "...";
		used += (size_t)snprintf(list + used, sizeof list - used,
					 "%s%.60s", used ? ", " : "", next);
	}
	printable(list);
	if (!*name)
		return err_set(err, ERR_USAGE,
			       "is of several files, and the input has no name "
			       "to choose by (%s); give the digest itself",
			       list);
	return err_set(err, ERR_USAGE, "has no line for %s (but for %s)", name,
		       list);
}

static const struct checksum_line *find(const struct lines *lines,
					const struct checksum_name *names,
					unsigned count, unsigned *depth,
					struct err *err)
{
	const struct checksum_line *line = NULL;

	for (unsigned i = 0; i < count; i++) {
		int result = choose(lines, names[i].name, &line, err);

		*depth = names[i].depth;
		if (result)
			return result < 0 ? NULL : line;
	}
	*depth = 0;
	if (no_names(lines) || (!count && one_name(lines)))
		return choose(lines, NULL, &line, err) < 0 ? NULL : line;
	refuse(lines, count ? names[0].name : "", err);
	return NULL;
}

int checksum_find(const char *text, size_t len, const char *origin,
		  const struct checksum_name *names, unsigned count,
		  struct checksum_found *out, struct err *err)
{
	const char *slash = strrchr(origin, '/');
	const char *base = slash ? slash + 1 : origin;
	bool blake = strcasestr(base, "b2") || strcasestr(base, "blake2");
	struct reading reading = { .place = PLAIN };
	struct lines lines = { .line = NULL };
	const struct checksum_line *line = NULL;
	int result = -1;

	memset(out, 0, sizeof *out);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* UTF-8 says so */
		text += 3;
		len -= 3;
	}
	if (!is_text(text, len))
		return err_set(err, ERR_DAMAGED,
			       "is no text with checksums");
	read_lines(text, len, blake, &reading, &lines);
	if (lines.count)
		line = find(&lines, names, count, &out->depth, err);
	else
		err_set(err, ERR_DAMAGED, "has no line with a checksum");
	if (line) {
		out->kind = line->kind;
		memcpy(out->digest, line->digest, sizeof out->digest);
		out->clearsigned = reading.clearsigned;
		result = 0;
	}
	free(lines.line);
	return result;
}
