/* SPDX-License-Identifier: MIT */
/* Owns the words of heads (RFC 9110, RFC 9112). Judges nothing. */
#include "io/http_head.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

static bool digits(const char **at, uint64_t *out)
{
	uint64_t value = 0;
	const char *from = *at;

	for (; isdigit((unsigned char)**at); ++*at)
		if (!checked_mul(value, 10, &value) ||
		    !checked_add(value, (uint64_t)(**at - '0'), &value))
			return false;
	*out = value;
	return *at > from;
}

/* "bytes 0-99/1000", "bytes 0-99/?" with a star, "bytes ?/1000" with one.
 * What cannot be read is as if it were not there, and then not what was
 * asked for. */
static void parse_range(struct http_head *head, const char *text)
{
	uint64_t first = 0, last = 0, total = 0;
	bool range = false, has_total = false;

	if (strncasecmp(text, "bytes ", 6))
		return;
	text += 6;
	if (*text == '*') {
		text++;
	} else {
		range = digits(&text, &first) && *text++ == '-' &&
			digits(&text, &last) && last >= first &&
			last < INT64_MAX;
		if (!range)
			return;
	}
	if (*text++ != '/')
		return;
	if (*text != '*') {
		has_total = digits(&text, &total) && total <= INT64_MAX;
		if (!has_total || (range && last >= total))
			return;
	}
	head->has_range = range;
	head->start = first;
	head->end = range ? last + 1 : 0;
	head->has_total = has_total;
	head->total = total;
}

static void parse_status(struct http_head *head, const char *line)
{
	unsigned major = 0, minor = 0, status = 0;
	int at = 0;

	memset(head, 0, sizeof *head);
	/* NOLINTBEGIN(cert-err34-c): three digits fit */
	if (sscanf(line, "HTTP/%1u.%1u %3u%n", &major, &minor, &status, &at) !=
	    3)
		sscanf(line, "HTTP/%1u %3u%n", &major, &status, &at);
	/* NOLINTEND(cert-err34-c) */
	head->status = status;
	head->framed = major >= 2;
	while (line[at] == ' ')
		at++;
	snprintf(head->reason, sizeof head->reason, "%s", line + at);
}

static void parse_field(struct http_head *head, char *line)
{
	char *value = strchr(line, ':');
	const char *rest;

	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	rest = value;
	if (!strcasecmp(line, "content-length"))
		head->framed |= head->has_length =
			digits(&rest, &head->length) && !*rest &&
			head->length <= INT64_MAX;
	else if (!strcasecmp(line, "content-range"))
		parse_range(head, value);
	else if (!strcasecmp(line, "location") &&
		 strlen(value) < sizeof head->location)
		snprintf(head->location, sizeof head->location, "%s", value);
	else if (!strcasecmp(line, "transfer-encoding"))
		head->framed |= strcasestr(value, "chunked") != NULL;
	/* Cut, two validators could look the same. */
	else if (!strcasecmp(line, "etag") &&
		 strlen(value) < sizeof head->etag)
		snprintf(head->etag, sizeof head->etag, "%s", value);
	else if (!strcasecmp(line, "last-modified") &&
		 strlen(value) < sizeof head->modified)
		snprintf(head->modified, sizeof head->modified, "%s", value);
}

bool http_head_line(struct http_head *head, const char *bytes, size_t len)
{
	char line[HTTP_URL_MAX];
	size_t end = min_u64(len, sizeof line - 1);
	bool cut = end < len;

	memcpy(line, bytes, end);
	while (end && isspace((unsigned char)line[end - 1]))
		end--;
	line[end] = '\0';
	if (!end)
		return head->status >= 200;
	if (!strncmp(line, "HTTP/", 5))
		parse_status(head, line);
	else if (!cut) /* so long a line means nothing to us */
		parse_field(head, line);
	return false;
}
