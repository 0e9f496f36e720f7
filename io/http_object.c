/* SPDX-License-Identifier: MIT */
/*
 * Owns the course of a fetch. An attempt is one request; its head decides what
 * it is good for (the verdict), its end what comes next:
 *
 *   start -> head -> bytes ... -> done -+-> all there: the end
 *     ^        \-> verdict -------------+-> next attempt: at once (redirect,
 *     |                                 |   a shorter part than asked for), or
 *     +---------- when it is due -------+   later (broken, busy)
 *
 * Ends: redirects are counted, attempts that bring little are counted, others
 * bring the fetch nearer to its end.
 */
#include "io/http_object.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/http_check.h"

/* As many as libcurl's own tool is content with: more are a loop. */
#define HOPS_MAX 10

/* The first wait, doubled each time up to the most. A server that asks for
 * more patience gets it up to its own bound. */
#define WAIT_MS ((uint64_t)500)
#define WAIT_MS_MOST ((uint64_t)8000)
#define RETRY_AFTER_MS_MOST ((uint64_t)60000)

/* An attempt that brings so much was a good one: those before it are
 * forgotten. */
#define PROGRESS_LEN ((uint64_t)(64 * KIB))

struct http_object {
	struct http_client *client;
	const struct http_options *options;
	char *url; /* where it was found; the user's until then */
	struct http_version version;
	struct http_fetch *fetches;
};

struct http_fetch {
	struct http_fetch *next;
	struct http_object *object;
	const struct http_fetch_ops *ops;
	void *opaque;
	bool first; /* ... and nothing is known of the object */
	bool whole; /* no range is asked for */
	uint64_t at, end; /* what is still to come */
	uint64_t part;	  /* where the current answer ends */
	uint64_t begun;	  /* `at` of this attempt */
	struct http_get *get;
	char *url; /* of this attempt */
	unsigned hops, attempts;
	bool resolved; /* the user's URL was asked again */
	struct http_verdict verdict;
	char *location; /* of a redirect */
	uint64_t due;	/* ms; 0: not waiting */
	uint64_t moved; /* ms: when something came, or was asked for */
	bool paused;	/* by us */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void free_fetch(struct http_fetch *fetch)
{
	struct http_fetch **link = &fetch->object->fetches;

	while (*link != fetch)
		link = &(*link)->next;
	*link = fetch->next;
	http_client_cancel(fetch->get);
	free(fetch->url);
	free(fetch->location);
	free(fetch);
}

static void finish(struct http_fetch *fetch, const struct err *err)
{
	const struct http_fetch_ops *ops = fetch->ops;
	void *opaque = fetch->opaque;
	struct err failure;

	if (err)
		failure = *err; /* it may be the fetch's */
	free_fetch(fetch);
	ops->done(opaque, err ? &failure : NULL);
}

/* ---- the answer ---- */

/* Found: what is known from now on, and what the first fetch is told. */
static void learn(struct http_fetch *fetch, const struct http_head *head)
{
	struct http_object *object = fetch->object;

	free(object->url);
	object->url = mem_strdup(fetch->url);
	fetch->hops = 0;
	fetch->resolved = false;
	if (object->version.known)
		return;
	http_version_set(&object->version, head);
	fetch->ops->shape(fetch->opaque, fetch->verdict.ranges,
			  fetch->verdict.size_known, fetch->verdict.size);
	if (fetch->verdict.ranges)
		fetch->end = min_u64(fetch->end, object->version.size);
	else
		fetch->whole = true;
}

static enum http_wish on_head(void *opaque, const struct http_head *head)
{
	struct http_fetch *fetch = opaque;
	const struct http_wanted wanted = {
		.first = !fetch->object->version.known,
		.whole = fetch->whole,
		.start = fetch->at,
		.end = fetch->end,
	};

	fetch->moved = now_ms();
	http_check(&fetch->object->version, &wanted, head, &fetch->verdict);
	if (fetch->verdict.what == HTTP_REDIRECT)
		fetch->location = mem_strdup(head->location);
	if (fetch->verdict.what != HTTP_TAKE &&
	    fetch->verdict.what != HTTP_EMPTY)
		return HTTP_STOP;
	learn(fetch, head);
	fetch->part = head->has_range ? head->end
		      : head->has_length ? head->length : UINT64_MAX;
	return fetch->verdict.what == HTTP_TAKE ? HTTP_GO_ON : HTTP_STOP;
}

static enum http_wish on_body(void *opaque, const unsigned char *bytes,
			      size_t len)
{
	struct http_fetch *fetch = opaque;
	enum http_wish wish;

	if (len > fetch->part - fetch->at) {
		fetch->verdict.what = HTTP_FAIL;
		err_set(&fetch->verdict.err, ERR_IO,
			"the server sends more than it said");
		return HTTP_STOP;
	}
	fetch->moved = now_ms();
	wish = fetch->ops->bytes(fetch->opaque, bytes, len);
	fetch->paused = wish == HTTP_PAUSE;
	if (wish == HTTP_GO_ON)
		fetch->at += len;
	return wish;
}

/* ---- attempts ---- */

static void on_done(void *opaque, enum http_result result, unsigned wait,
		    const char *text);

static const struct http_get_ops get_ops = { .head = on_head,
					     .body = on_body,
					     .done = on_done };

static void attempt(struct http_fetch *fetch)
{
	struct http_object *object = fetch->object;

	fetch->due = 0;
	fetch->begun = fetch->at;
	fetch->moved = now_ms();
	fetch->paused = false;
	memset(&fetch->verdict, 0, sizeof fetch->verdict);
	fetch->get = http_client_get(object->client, fetch->url, fetch->at,
				     fetch->whole ? 0 : fetch->end,
				     object->version.if_range, &get_ops, fetch);
	/* No handle: wait as for a server. Nobody is called back from here. */
	if (!fetch->get)
		fetch->due = now_ms() + WAIT_MS;
}

/* From where the object was found. */
static void start(struct http_fetch *fetch)
{
	free(fetch->url);
	fetch->url = mem_strdup(fetch->object->url);
	attempt(fetch);
}

/* `reason` is passing: again, later, unless it was enough. */
static void again_later(struct http_fetch *fetch, const struct err *reason,
			unsigned wait)
{
	unsigned retries = fetch->object->options->retries;
	struct err failure = *reason;
	uint64_t ms = WAIT_MS;

	failure.kind = ERR_TEMPORARY;
	/* Half of a stream cannot be asked for. */
	if (fetch->whole && fetch->at) {
		err_in(&failure, "the transfer broke at byte %llu, and the "
		       "server cannot go on there",
		       (unsigned long long)fetch->at);
		finish(fetch, &failure);
		return;
	}
	if (fetch->at - fetch->begun >= PROGRESS_LEN) {
		fetch->attempts = 0;
		ms = 1; /* it breaks, but it works */
	}
	if (fetch->attempts >= retries) {
		if (retries)
			err_in(&failure, "tried %u times", retries + 1);
		finish(fetch, &failure);
		return;
	}
	for (unsigned i = 0; i < fetch->attempts && ms < WAIT_MS_MOST; i++)
		ms *= 2;
	ms = max_u64(ms, min_u64((uint64_t)wait * 1000, RETRY_AFTER_MS_MOST));
	fetch->attempts++;
	fetch->due = now_ms() + ms;
}

static void fail(struct http_fetch *fetch, enum err_kind kind,
		 const char *text)
{
	struct err err;

	err_set(&err, kind, "%s", text);
	finish(fetch, &err);
}

static bool is_scheme(const char *url, const char *scheme)
{
	return !strncasecmp(url, scheme, strlen(scheme));
}

static void follow(struct http_fetch *fetch)
{
	const char *to = fetch->location;

	if (!is_scheme(to, "https://") && !is_scheme(to, "http://"))
		fail(fetch, ERR_REFUSED,
		     "the server leads to somewhere that is neither http nor "
		     "https");
	else if (is_scheme(fetch->url, "https://") &&
		 is_scheme(to, "http://"))
		fail(fetch, ERR_REFUSED,
		     "the server leads from https to http, where anybody can "
		     "change what comes");
	else if (++fetch->hops > HOPS_MAX)
		fail(fetch, ERR_NO_INPUT, "the server leads in circles");
	else {
		free(fetch->url);
		fetch->url = STEAL(fetch->location);
		attempt(fetch);
	}
}

/* A URL that was good for some time only: ask the one that led there. */
static bool resolve_again(struct http_fetch *fetch)
{
	struct http_object *object = fetch->object;
	const char *original = http_client_url(object->client);

	if (!object->version.known || fetch->resolved ||
	    !strcmp(fetch->url, original))
		return false;
	free(object->url);
	object->url = mem_strdup(original);
	fetch->resolved = true;
	fetch->hops = 0;
	start(fetch);
	return true;
}

/* The answer, as far as it was taken, has come to its end. */
static void ended(struct http_fetch *fetch)
{
	struct err short_;

	err_set(&short_, ERR_TEMPORARY, "the server sends less than it said");
	if (fetch->part != UINT64_MAX && fetch->at < fetch->part)
		again_later(fetch, &short_, 0);
	else if (!fetch->whole && fetch->at < fetch->end)
		attempt(fetch); /* the rest of what was asked for */
	else
		finish(fetch, NULL);
}

static void broke(struct http_fetch *fetch, enum http_result result,
		  const char *text)
{
	struct err err;

	err_set(&err, ERR_TEMPORARY, "%s", text);
	switch (result) {
	case HTTP_DONE:
	case HTTP_STOPPED:
		ended(fetch);
		break;
	case HTTP_UNRESOLVED:
		/* A name that was never known is rather a wrong one. */
		if (fetch->object->version.known)
			again_later(fetch, &err, 0);
		else
			finish(fetch, &err);
		break;
	case HTTP_BROKEN:
		again_later(fetch, &err, 0);
		break;
	case HTTP_UNTRUSTED:
		err_set(&err, ERR_REFUSED,
			"%s; --cacert says whom else to trust", text);
		finish(fetch, &err);
		break;
	default:
		fail(fetch, ERR_IO, text);
	}
}

static void on_done(void *opaque, enum http_result result, unsigned wait,
		    const char *text)
{
	struct http_fetch *fetch = opaque;

	fetch->get = NULL;
	switch (fetch->verdict.what) {
	case HTTP_NOTHING:
	case HTTP_TAKE:
		broke(fetch, result, text);
		break;
	case HTTP_EMPTY:
		finish(fetch, NULL);
		break;
	case HTTP_REDIRECT:
		follow(fetch);
		break;
	case HTTP_ASK_WHOLE:
		fetch->whole = true;
		attempt(fetch);
		break;
	case HTTP_LATER:
		again_later(fetch, &fetch->verdict.err, wait);
		break;
	case HTTP_GONE:
		if (!resolve_again(fetch))
			finish(fetch, &fetch->verdict.err);
		break;
	case HTTP_FAIL:
		finish(fetch, &fetch->verdict.err);
		break;
	}
	/* `fetch` may be gone. */
}

/* ---- the object ---- */

static struct http_fetch *begin(struct http_object *object, uint64_t start_at,
				uint64_t end, const struct http_fetch_ops *ops,
				void *opaque)
{
	struct http_fetch *fetch = mem_zalloc(sizeof *fetch);

	fetch->object = object;
	fetch->ops = ops;
	fetch->opaque = opaque;
	fetch->at = start_at;
	fetch->end = end;
	fetch->next = object->fetches;
	object->fetches = fetch;
	start(fetch);
	return fetch;
}

struct http_fetch *http_object_first(struct http_object *object, size_t len,
				     const struct http_fetch_ops *ops,
				     void *opaque)
{
	return begin(object, 0, len, ops, opaque);
}

struct http_fetch *http_object_fetch(struct http_object *object,
				     uint64_t start_at, uint64_t end,
				     const struct http_fetch_ops *ops,
				     void *opaque)
{
	return begin(object, start_at, end, ops, opaque);
}

void http_object_resume(struct http_fetch *fetch)
{
	fetch->paused = false;
	fetch->moved = now_ms();
	if (fetch->get)
		http_client_resume(fetch->get);
}

/* The server has forgotten us. */
static void silent(struct http_fetch *fetch)
{
	struct err err;

	fetch->get = http_client_cancel(fetch->get);
	err_set(&err, ERR_TEMPORARY, "the server was silent for %u seconds",
		fetch->object->options->timeout);
	again_later(fetch, &err, 0);
}

/* When something is to be done about it; 0: nothing, ever. */
static uint64_t alarm_of(const struct http_fetch *fetch)
{
	if (fetch->due)
		return fetch->due;
	if (!fetch->get || fetch->paused)
		return 0;
	return fetch->moved + (uint64_t)fetch->object->options->timeout * 1000;
}

void http_object_version(const struct http_object *object,
			 struct remote_version *out)
{
	const struct http_version *version = &object->version;
	struct digest *digest;

	memset(out, 0, sizeof *out);
	out->known = version->etag[0] == '"';
	if (!out->known)
		return;
	digest = digest_open();
	digest_add(digest, version->etag, strlen(version->etag));
	digest_add(digest, &version->size, sizeof version->size);
	digest_get(digest, out->digest);
	digest_close(digest);
}

int http_object_turn(struct http_object *object, int most)
{
	struct http_fetch *fetch = object->fetches;
	uint64_t now = now_ms(), next = now + (uint64_t)most;

	/* Ends: what was done puts the alarm into the future, or the fetch
	 * away; after that the list may be another, and is begun anew. */
	while (fetch) {
		uint64_t alarm = alarm_of(fetch);

		if (alarm && alarm <= now) {
			(fetch->due ? start : silent)(fetch);
			fetch = object->fetches;
			continue;
		}
		if (alarm)
			next = min_u64(next, alarm);
		fetch = fetch->next;
	}
	return (int)(next - now);
}

struct http_object *http_object_open(struct http_client *client,
				     const struct http_options *options)
{
	struct http_object *object = mem_zalloc(sizeof *object);

	object->client = client;
	object->options = options;
	object->url = mem_strdup(http_client_url(client));
	return object;
}

struct http_object *http_object_close(struct http_object *object)
{
	if (!object)
		return NULL;
	while (object->fetches)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): of this list */
		free_fetch(object->fetches);
	free(object->url);
	free(object);
	return NULL;
}
