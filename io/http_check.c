/* SPDX-License-Identifier: MIT */
/* Owns the judgement of heads: which part of which version an answer holds,
 * and what statuses mean. Does not ask anybody. */
#include "io/http_check.h"

#include <stdio.h>
#include <string.h>

#define ULL(x) ((unsigned long long)(x))

void http_version_set(struct http_version *version,
		      const struct http_head *head)
{
	version->known = true;
	version->size = head->has_total ? head->total : 0;
	memcpy(version->etag, head->etag, sizeof version->etag);
	memcpy(version->modified, head->modified, sizeof version->modified);
	/* A weak tag says "as good as", not "the same bytes". */
	snprintf(version->if_range, sizeof version->if_range, "%s",
		 !*head->etag	       ? head->modified
		 : head->etag[0] == '"' ? head->etag
					: "");
}

static void set(struct http_verdict *out, enum http_what what)
{
	out->what = what;
}

static void changed(struct http_verdict *out, const char *how)
{
	out->what = HTTP_FAIL;
	err_set(&out->err, ERR_TEMPORARY,
		"the object was changed meanwhile (%s); try again", how);
}

/* A validator that is not told says nothing. */
static bool differs(const char *then, const char *now)
{
	return *then && *now && strcmp(then, now) != 0;
}

static bool check_version(const struct http_version *version,
			  const struct http_head *head,
			  struct http_verdict *out)
{
	if (!version->known)
		return true;
	if (differs(version->etag, head->etag))
		changed(out, "it has another ETag");
	else if (differs(version->modified, head->modified))
		changed(out, "it has another Last-Modified");
	else if (head->has_total && head->total != version->size)
		changed(out, "it has another size");
	return !out->what;
}

static void check_part(const struct http_wanted *wanted,
		       const struct http_head *head, struct http_verdict *out)
{
	out->what = HTTP_FAIL;
	if (wanted->whole)
		err_set(&out->err, ERR_IO,
			"the server sends a part where all was asked for");
	else if (!head->has_range)
		err_set(&out->err, ERR_IO,
			"the server sends a part and does not say which");
	else if (head->start != wanted->start || head->end > wanted->end)
		err_set(&out->err, ERR_IO,
			"the server sends bytes %llu-%llu where %llu-%llu were "
			"asked for", ULL(head->start), ULL(head->end - 1),
			ULL(wanted->start), ULL(wanted->end - 1));
	else if (head->has_length && head->length != head->end - head->start)
		err_set(&out->err, ERR_IO,
			"the server says %llu bytes and sends %llu",
			ULL(head->end - head->start), ULL(head->length));
	else if (wanted->first && !head->has_total)
		set(out, HTTP_ASK_WHOLE);
	else
		set(out, HTTP_TAKE);
	out->ranges = out->size_known = true;
	out->size = head->total;
}

static void check_whole(const struct http_wanted *wanted,
			const struct http_head *head, struct http_verdict *out)
{
	if (!wanted->first && !wanted->whole) {
		out->what = HTTP_LATER;
		err_set(&out->err, ERR_TEMPORARY,
			"the server gives no ranges any more");
	} else if (!head->framed) {
		/* An end and a break look the same. */
		out->what = HTTP_FAIL;
		err_set(&out->err, ERR_UNSUPPORTED,
			"the server does not say how long it is, so that an "
			"end cannot be trusted; download it first");
	} else {
		out->what = HTTP_TAKE;
		out->ranges = false;
		out->size_known = head->has_length;
		out->size = head->length;
	}
}

/* 416: what was asked for lies past the end. */
static void check_unsatisfied(const struct http_wanted *wanted,
			      const struct http_head *head,
			      struct http_verdict *out)
{
	if (!wanted->first) {
		changed(out, "it has become shorter");
	} else if (head->has_total && !head->total) {
		out->what = HTTP_EMPTY;
		out->ranges = out->size_known = true;
		out->size = 0;
	} else {
		set(out, HTTP_ASK_WHOLE);
	}
}

static void check_status(const struct http_head *head,
			 struct http_verdict *out)
{
	const char *space = *head->reason ? " " : "";
	const char *remedy = "";
	enum err_kind kind = ERR_NO_INPUT;

	set(out, HTTP_FAIL);
	switch (head->status) {
	case 401:
		remedy = "; --netrc or a name and password in the URL may help";
		kind = ERR_REFUSED;
		set(out, HTTP_GONE);
		break;
	case 403:
		kind = ERR_REFUSED;
		set(out, HTTP_GONE);
		break;
	case 404:
	case 410:
		set(out, HTTP_GONE);
		break;
	case 407:
		kind = ERR_REFUSED;
		break;
	case 408:
	case 425:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		kind = ERR_TEMPORARY;
		set(out, HTTP_LATER);
		break;
	default:
		if (head->status >= 500)
			kind = ERR_TEMPORARY;
	}
	err_set(&out->err, kind, "the server answers %u%s%s%s", head->status,
		space, head->reason, remedy);
}

static bool is_redirect(const struct http_head *head)
{
	return *head->location &&
	       (head->status == 301 || head->status == 302 ||
		head->status == 303 || head->status == 307 ||
		head->status == 308);
}

void http_check(const struct http_version *version,
		const struct http_wanted *wanted, const struct http_head *head,
		struct http_verdict *out)
{
	memset(out, 0, sizeof *out);
	if (is_redirect(head)) {
		set(out, HTTP_REDIRECT);
	} else if (head->status == 206) {
		if (check_version(version, head, out))
			check_part(wanted, head, out);
	} else if (head->status == 200) {
		if (check_version(version, head, out))
			check_whole(wanted, head, out);
	} else if (head->status == 416 && !wanted->whole) {
		check_unsatisfied(wanted, head, out);
	} else {
		check_status(head, out);
	}
}
