/* SPDX-License-Identifier: MIT */
/* Units for what answers of a web server are good for: one row an answer. */
#include "io/http_check.h"
#include "tests/unit/check.h"

/* What is known when it is not the first answer. */
static struct http_version known(void)
{
	struct http_head head = { .status = 206,
				  .has_range = true,
				  .has_total = true,
				  .end = 100,
				  .total = 1000,
				  .etag = "\"a\"",
				  .modified = "Mon, 01 Jan 2024 00:00:00 GMT" };
	struct http_version version = { .known = false };

	http_version_set(&version, &head);
	return version;
}

/* The head of an answer to bytes 100-199 of 1000. */
#define PART(start_, end_, total_)                                          \
	.status = 206, .has_range = true, .start = (start_), .end = (end_), \
	.has_total = (total_) != 0, .total = (total_), .framed = true
#define RIGHT PART(100, 200, 1000)

static const struct {
	const char *name;
	struct http_head head;
	bool first, whole;
	enum http_what what;
	enum err_kind kind;
} rows[] = {
	{ "right", { RIGHT }, false, false, HTTP_TAKE, ERR_NONE },
	{ "same validators",
	  { RIGHT, .etag = "\"a\"" },
	  false, false, HTTP_TAKE, ERR_NONE },
	{ "length as the range's",
	  { RIGHT, .has_length = true, .length = 100 },
	  false, false, HTTP_TAKE, ERR_NONE },
	{ "other length",
	  { RIGHT, .has_length = true, .length = 101 },
	  false, false, HTTP_FAIL, ERR_IO },
	{ "shorter part",
	  { PART(100, 150, 1000) },
	  false, false, HTTP_TAKE, ERR_NONE },
	{ "longer part", { PART(100, 201, 1000) }, false, false, HTTP_FAIL,
	  ERR_IO },
	{ "another start", { PART(99, 200, 1000) }, false, false, HTTP_FAIL,
	  ERR_IO },
	{ "later start", { PART(101, 200, 1000) }, false, false, HTTP_FAIL,
	  ERR_IO },
	{ "another total", { PART(100, 200, 1001) }, false, false, HTTP_FAIL,
	  ERR_TEMPORARY },
	{ "no total", { PART(100, 200, 0) }, false, false, HTTP_TAKE,
	  ERR_NONE },
	{ "no range said", { .status = 206 }, false, false, HTTP_FAIL,
	  ERR_IO },
	{ "another tag", { RIGHT, .etag = "\"b\"" }, false, false, HTTP_FAIL,
	  ERR_TEMPORARY },
	{ "another date",
	  { RIGHT, .modified = "Tue, 02 Jan 2024 00:00:00 GMT" },
	  false, false, HTTP_FAIL, ERR_TEMPORARY },
	{ "all of another version",
	  { .status = 200, .etag = "\"b\"", .framed = true },
	  false, false, HTTP_FAIL, ERR_TEMPORARY },
	{ "all of this version",
	  { .status = 200, .etag = "\"a\"", .framed = true },
	  false, false, HTTP_LATER, ERR_TEMPORARY },
	{ "a part of a whole", { RIGHT }, false, true, HTTP_FAIL, ERR_IO },
	{ "past the end",
	  { .status = 416, .has_total = true, .total = 50 },
	  false, false, HTTP_FAIL, ERR_TEMPORARY },
	{ "first: right", { RIGHT }, true, false, HTTP_TAKE, ERR_NONE },
	{ "first: no total", { PART(100, 200, 0) }, true, false,
	  HTTP_ASK_WHOLE, ERR_NONE },
	{ "first: all",
	  { .status = 200, .framed = true },
	  true, false, HTTP_TAKE, ERR_NONE },
	{ "first: all, its end a guess",
	  { .status = 200 },
	  true, false, HTTP_FAIL, ERR_UNSUPPORTED },
	{ "first: empty",
	  { .status = 416, .has_total = true },
	  true, false, HTTP_EMPTY, ERR_NONE },
	{ "first: no such range",
	  { .status = 416 },
	  true, false, HTTP_ASK_WHOLE, ERR_NONE },
	{ "first: no such range, of all",
	  { .status = 416 },
	  true, true, HTTP_FAIL, ERR_NO_INPUT },
	{ "moved",
	  { .status = 302, .location = "http://x/" },
	  true, false, HTTP_REDIRECT, ERR_NONE },
	{ "moved nowhere", { .status = 302 }, true, false, HTTP_FAIL,
	  ERR_NO_INPUT },
	{ "choices",
	  { .status = 300, .location = "http://x/" },
	  true, false, HTTP_FAIL, ERR_NO_INPUT },
	{ "no content", { .status = 204 }, true, false, HTTP_FAIL,
	  ERR_NO_INPUT },
	{ "401", { .status = 401 }, true, false, HTTP_GONE, ERR_REFUSED },
	{ "403", { .status = 403 }, false, false, HTTP_GONE, ERR_REFUSED },
	{ "404", { .status = 404 }, true, false, HTTP_GONE, ERR_NO_INPUT },
	{ "410", { .status = 410 }, true, false, HTTP_GONE, ERR_NO_INPUT },
	{ "407", { .status = 407 }, true, false, HTTP_FAIL, ERR_REFUSED },
	{ "429", { .status = 429 }, true, false, HTTP_LATER, ERR_TEMPORARY },
	{ "408", { .status = 408 }, true, false, HTTP_LATER, ERR_TEMPORARY },
	{ "503", { .status = 503 }, false, false, HTTP_LATER, ERR_TEMPORARY },
	{ "501", { .status = 501 }, true, false, HTTP_FAIL, ERR_TEMPORARY },
	{ "nonsense", { .status = 999 }, true, false, HTTP_FAIL,
	  ERR_TEMPORARY },
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_version version = { .known = false };
		struct http_wanted wanted = { rows[i].first, rows[i].whole,
					      100, 200 };
		struct http_verdict verdict;

		if (!rows[i].first)
			version = known();
		http_check(&version, &wanted, &rows[i].head, &verdict);
		if (verdict.what != rows[i].what ||
		    verdict.err.kind != rows[i].kind)
			fprintf(stderr, "%s: %u, kind %u (%s)\n",
				rows[i].name, verdict.what, verdict.err.kind,
				verdict.err.message);
		CHECK_EQ(verdict.what, rows[i].what);
		CHECK_EQ(verdict.err.kind, rows[i].kind);
	}
}

static void test_validators(void)
{
	struct http_head head = { .etag = "\"x\"", .modified = "date" };
	struct http_version version = { .known = false };

	http_version_set(&version, &head);
	CHECK_STR(version.if_range, "\"x\"");
	/* A weak tag cannot prove that bytes are the same. */
	strcpy(head.etag, "W/\"x\"");
	http_version_set(&version, &head);
	CHECK_STR(version.if_range, "");
	*head.etag = '\0';
	http_version_set(&version, &head);
	CHECK_STR(version.if_range, "date");
}

int main(void)
{
	test_rows();
	test_validators();
	return check_result();
}
