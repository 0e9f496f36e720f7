/* SPDX-License-Identifier: MIT */
/* Units for the heads of answers: what is read from them, and what is not
 * believed. */
#include "io/http_head.h"
#include "tests/unit/check.h"

static bool line(struct http_head *head, const char *text)
{
	return http_head_line(head, text, strlen(text));
}

static const struct {
	const char *text;
	bool has_range, has_total;
	uint64_t start, end, total;
} ranges[] = {
	{ "bytes 0-99/1000", true, true, 0, 100, 1000 },
	{ "Bytes 999-999/1000", true, true, 999, 1000, 1000 },
	{ "bytes 0-99/*", true, false, 0, 100, 0 },
	{ "bytes */0", false, true, 0, 0, 0 },
	{ "bytes */77", false, true, 0, 0, 77 },
	{ "bytes 0-9223372036854775806/9223372036854775807", true, true, 0,
	  INT64_MAX, INT64_MAX },
	/* Not to be believed. */
	{ "bytes 100-99/1000", false, false, 0, 0, 0 },
	{ "bytes 0-1000/1000", false, false, 0, 0, 0 },
	{ "bytes 0-9223372036854775807/*", false, false, 0, 0, 0 },
	{ "bytes 0-18446744073709551616/*", false, false, 0, 0, 0 },
	{ "bytes 0-9/18446744073709551617", false, false, 0, 0, 0 },
	{ "bytes -1-9/10", false, false, 0, 0, 0 },
	{ "bytes 0-/10", false, false, 0, 0, 0 },
	{ "bytes 5/10", false, false, 0, 0, 0 },
	{ "bytes", false, false, 0, 0, 0 },
	{ "bytes ", false, false, 0, 0, 0 },
	{ "bytes */", false, false, 0, 0, 0 },
	{ "lines 0-9/10", false, false, 0, 0, 0 },
	{ "", false, false, 0, 0, 0 },
};

static void test_ranges(void)
{
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		struct http_head head;
		char text[100];

		line(&head, "HTTP/1.1 206 Partial Content\r\n");
		snprintf(text, sizeof text, "Content-Range: %s\r\n",
			 ranges[i].text);
		CHECK(!line(&head, text));
		if (head.has_range != ranges[i].has_range ||
		    head.has_total != ranges[i].has_total)
			fprintf(stderr, "\"%s\"\n", ranges[i].text);
		CHECK_EQ(head.has_range, ranges[i].has_range);
		CHECK_EQ(head.has_total, ranges[i].has_total);
		CHECK_EQ(head.start, ranges[i].start);
		CHECK_EQ(head.end, ranges[i].end);
		CHECK_EQ(head.total, ranges[i].total);
	}
}

static void test_fields(void)
{
	struct http_head head = { .status = 0 };

	CHECK(!line(&head, "HTTP/1.1 100 Continue\r\n"));
	CHECK(!line(&head, "ETag: \"old\"\r\n"));
	CHECK(!line(&head, "\r\n"));
	CHECK(!line(&head, "HTTP/1.1 200 All is well\r\n"));
	CHECK_STR(head.etag, "");
	CHECK_STR(head.reason, "All is well");
	CHECK(!head.framed);
	line(&head, "eTaG:\"new\"  \r\n");
	line(&head, "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n");
	line(&head, "no colon\r\n");
	CHECK_STR(head.etag, "\"new\"");
	CHECK_STR(head.modified, "Mon, 01 Jan 2024 00:00:00 GMT");
	line(&head, "Content-Length: 12x\r\n");
	CHECK(!head.has_length && !head.framed);
	/* More than any file has, and more than 64 bits hold. */
	line(&head, "Content-Length: 9223372036854775808\r\n");
	CHECK(!head.has_length && !head.framed);
	line(&head, "Content-Length: 18446744073709551628\r\n");
	CHECK(!head.has_length && !head.framed);
	line(&head, "Content-Length: 12\r\n");
	CHECK(head.has_length && head.framed);
	CHECK_EQ(head.length, 12);
	CHECK(line(&head, "\r\n"));
	line(&head, "HTTP/1.1 200\n");
	CHECK(!head.framed);
	CHECK_STR(head.reason, "");
	line(&head, "Transfer-Encoding: gzip, Chunked\n");
	CHECK(head.framed);
	CHECK(line(&head, "\n"));
	/* Frames are what HTTP/2 consists of. */
	line(&head, "HTTP/2 200 \r\n");
	CHECK_EQ(head.status, 200);
	CHECK(head.framed);
}

/* Cut, two tags could look the same: rather none. */
static void test_long(void)
{
	static char text[20000];
	struct http_head head;

	line(&head, "HTTP/1.1 200 OK\r\n");
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "ETag: ", 6);
	line(&head, text);
	CHECK_STR(head.etag, "");
	memcpy(text, "Location: ", 10);
	line(&head, text);
	CHECK(!*head.location);
	memcpy(text, "HTTP/1.1 200 ", 13);
	line(&head, text);
	CHECK_EQ(strlen(head.reason), sizeof head.reason - 1);
}

int main(void)
{
	test_ranges();
	test_fields();
	test_long();
	return check_result();
}
