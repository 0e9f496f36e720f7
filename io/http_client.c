/* SPDX-License-Identifier: MIT */
/*
 * Owns libcurl, the only file that knows it: one multi handle, requests on it,
 * and who gets to know a secret. Knows nothing of retries, versions or
 * ranges that belong together.
 *
 * The library comes with some thirty others, so it is loaded by whoever serves
 * (base/library.h). Passwords and certificates go to the origin of the URL
 * that the user gave, never to where a redirect leads.
 */
#include "io/http_client.h"

#ifdef HAVE_CURL

/* Its checks are macros, which hide the functions. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/library.h"
#include "base/limits.h"
#include "base/mem.h"

/* Of an answer that is not wanted, so much is read for the connection's sake. */
#define DRAIN_MAX ((uint64_t)(64 * KIB))

#define FUNCTIONS(F)                                                        \
	F(curl_global_init) F(curl_multi_init) F(curl_multi_cleanup)        \
	F(curl_multi_add_handle) F(curl_multi_remove_handle)                \
	F(curl_multi_perform) F(curl_multi_poll) F(curl_multi_info_read)    \
	F(curl_multi_setopt) F(curl_easy_init) F(curl_easy_cleanup)         \
	F(curl_easy_setopt) F(curl_easy_getinfo) F(curl_easy_pause)         \
	F(curl_easy_strerror) F(curl_slist_append) F(curl_slist_free_all)   \
	F(curl_url) F(curl_url_set) F(curl_url_get) F(curl_url_cleanup)     \
	F(curl_free)

struct curl {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

/* A URL's parts that say whom one talks to. */
struct origin {
	char scheme[8], host[256], port[8];
};

struct http_client {
	struct curl curl;
	const struct http_options *options;
	CURLM *multi;
	struct http_get *gets;
	struct origin origin;
	char *url, *user, *password; /* user, password: or NULL */
};

struct http_get {
	struct http_get *next;
	struct http_client *client;
	CURL *easy;
	char *url;
	struct curl_slist *headers;
	const struct http_get_ops *ops;
	void *opaque;
	struct http_head head;
	bool headed, unwanted, stopped;
	uint64_t drained;
	char error[CURL_ERROR_SIZE];
};

bool http_built(void)
{
	return true;
}

/* ---- heads ---- */

/* Absolute, as seen from where the request went. */
static void resolve_location(struct http_get *get)
{
	struct curl *curl = &get->client->curl;
	char *location = get->head.location, *found = NULL;
	CURLU *url = curl->curl_url();

	if (url && !curl->curl_url_set(url, CURLUPART_URL, get->url, 0) &&
	    !curl->curl_url_set(url, CURLUPART_URL, location,
				CURLU_URLENCODE) &&
	    !curl->curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) &&
	    !curl->curl_url_get(url, CURLUPART_URL, &found, 0) &&
	    strlen(found) < sizeof get->head.location)
		snprintf(location, sizeof get->head.location, "%s", found);
	else
		*location = '\0';
	curl->curl_free(found);
	curl->curl_url_cleanup(url);
}

static enum http_wish end_of_head(struct http_get *get)
{
	struct http_head *head = &get->head;
	enum http_wish wish;

	get->headed = true;
	if (*head->location)
		resolve_location(get);
	wish = get->ops->head(get->opaque, head);
	/* A short answer is read to its end, and the connection lives. */
	get->unwanted = wish == HTTP_STOP;
	if (get->unwanted && head->has_length && head->length <= DRAIN_MAX)
		wish = HTTP_GO_ON;
	return wish;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *opaque)
{
	struct http_get *get = opaque;
	size_t len = size * count;

	if (get->headed) /* a trailer */
		return len;
	if (!http_head_line(&get->head, bytes, len) ||
	    end_of_head(get) == HTTP_GO_ON)
		return len;
	get->stopped = true;
	return len + 1; /* an error by the library's rules */
}

static size_t on_body(char *bytes, size_t size, size_t count, void *opaque)
{
	struct http_get *get = opaque;
	size_t len = size * count;
	enum http_wish wish = HTTP_STOP;

	if (!get->unwanted) {
		wish = get->ops->body(get->opaque, (unsigned char *)bytes,
				      len);
	} else if (get->drained + len <= DRAIN_MAX) {
		get->drained += len;
		wish = HTTP_GO_ON;
	}
	if (wish == HTTP_PAUSE)
		return CURL_WRITEFUNC_PAUSE;
	if (wish == HTTP_GO_ON)
		return len;
	get->stopped = true;
	return len + 1;
}

/* ---- results ---- */

static enum http_result result_of(const struct http_get *get, CURLcode code)
{
	if (get->stopped || (code == CURLE_OK && get->unwanted))
		return HTTP_STOPPED;
	switch (code) {
	case CURLE_OK:
		return get->headed ? HTTP_DONE : HTTP_WRONG;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_UNRESOLVED;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return HTTP_BROKEN;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return HTTP_UNTRUSTED;
	default:
		return HTTP_WRONG;
	}
}

static void free_get(struct http_get *get)
{
	struct http_client *client = get->client;
	struct http_get **link = &client->gets;

	while (*link != get)
		link = &(*link)->next;
	*link = get->next;
	if (get->easy) {
		client->curl.curl_multi_remove_handle(client->multi,
						      get->easy);
		client->curl.curl_easy_cleanup(get->easy);
	}
	client->curl.curl_slist_free_all(get->headers);
	free(get->url);
	free(get);
}

struct http_get *http_client_cancel(struct http_get *get)
{
	if (get)
		free_get(get);
	return NULL;
}

static void finish(struct http_get *get, CURLcode code)
{
	struct http_client *client = get->client;
	const struct http_get_ops *ops = get->ops;
	void *opaque = get->opaque;
	enum http_result result = result_of(get, code);
	curl_off_t wait = 0;
	char text[CURL_ERROR_SIZE];

	snprintf(text, sizeof text, "%s",
		 *get->error ? get->error
			     : client->curl.curl_easy_strerror(code));
	client->curl.curl_easy_getinfo(get->easy, CURLINFO_RETRY_AFTER, &wait);
	free_get(get);
	ops->done(opaque, result,
		  wait > 0 ? (unsigned)min_u64((uint64_t)wait, UINT32_MAX) : 0,
		  text);
}

short http_client_turn(struct http_client *client, int fd, short events,
		       int ms)
{
	struct curl_waitfd extra = { .fd = fd, .events = events };
	struct curl *curl = &client->curl;
	CURLMsg *message;
	int running, left;

	/* What was asked for meanwhile does not wait here. */
	curl->curl_multi_poll(client->multi, &extra, 1, ms, NULL);
	curl->curl_multi_perform(client->multi, &running);
	/* Ends: each message takes one get away; those that `done` adds are
	 * not performed before the next turn. */
	while ((message = curl->curl_multi_info_read(client->multi, &left))) {
		struct http_get *get = client->gets;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		while (get && get->easy != message->easy_handle)
			get = get->next;
		if (get)
			finish(get, code);
	}
	return extra.revents;
}

/* ---- requests ---- */

static char *url_part(struct http_client *client, CURLU *url, CURLUPart part,
		      unsigned flags)
{
	char *text = NULL, *copy;

	if (client->curl.curl_url_get(url, part, &text, flags))
		return NULL;
	copy = mem_strdup(text);
	client->curl.curl_free(text);
	return copy;
}

static bool origin_of(struct http_client *client, CURLU *url,
		      struct origin *out)
{
	AUTO_FREE char *scheme = url_part(client, url, CURLUPART_SCHEME, 0);
	AUTO_FREE char *host = url_part(client, url, CURLUPART_HOST, 0);
	AUTO_FREE char *port = url_part(client, url, CURLUPART_PORT,
					CURLU_DEFAULT_PORT);

	memset(out, 0, sizeof *out);
	if (!scheme || !host || !port || strlen(host) >= sizeof out->host)
		return false;
	snprintf(out->scheme, sizeof out->scheme, "%s", scheme);
	snprintf(out->host, sizeof out->host, "%s", host);
	snprintf(out->port, sizeof out->port, "%s", port);
	return true;
}

static bool at_origin(struct http_client *client, const char *text)
{
	CURLU *url = client->curl.curl_url();
	struct origin other;
	bool same = url &&
		    !client->curl.curl_url_set(url, CURLUPART_URL, text, 0) &&
		    origin_of(client, url, &other) &&
		    !strcasecmp(other.scheme, client->origin.scheme) &&
		    !strcasecmp(other.host, client->origin.host) &&
		    !strcmp(other.port, client->origin.port);

	client->curl.curl_url_cleanup(url);
	return same;
}

static void set_text(struct http_get *get, CURLoption option, const char *text)
{
	if (text)
		get->client->curl.curl_easy_setopt(get->easy, option, text);
}

static void set_number(struct http_get *get, CURLoption option, long number)
{
	get->client->curl.curl_easy_setopt(get->easy, option, number);
}

static void set_secrets(struct http_get *get)
{
	const struct http_client *client = get->client;
	const struct http_options *options = client->options;

	set_text(get, CURLOPT_USERNAME, client->user);
	set_text(get, CURLOPT_PASSWORD, client->password);
	set_text(get, CURLOPT_SSLCERT, options->cert_file);
	set_text(get, CURLOPT_SSLKEY, options->key_file);
	if (options->netrc || options->netrc_file)
		set_number(get, CURLOPT_NETRC, CURL_NETRC_OPTIONAL);
	set_text(get, CURLOPT_NETRC_FILE, options->netrc_file);
}

static void set_common(struct http_get *get)
{
	const struct http_options *options = get->client->options;
	struct curl *curl = &get->client->curl;
	long timeout = (long)options->timeout;

	curl->curl_easy_setopt(get->easy, CURLOPT_PRIVATE, get);
	curl->curl_easy_setopt(get->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->curl_easy_setopt(get->easy, CURLOPT_HEADERDATA, get);
	curl->curl_easy_setopt(get->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->curl_easy_setopt(get->easy, CURLOPT_WRITEDATA, get);
	curl->curl_easy_setopt(get->easy, CURLOPT_ERRORBUFFER, get->error);
	set_number(get, CURLOPT_NOSIGNAL, 1);
	set_number(get, CURLOPT_NOPROGRESS, 1);
	set_number(get, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_number(get, CURLOPT_BUFFERSIZE, 512L * 1024);
	/* Several connections are what several requests are for; HTTP/2 would
	 * put them all on one. */
	set_number(get, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
	set_text(get, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	set_number(get, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	set_number(get, CURLOPT_CONNECTTIMEOUT, timeout);
	set_text(get, CURLOPT_USERAGENT, options->agent);
	set_text(get, CURLOPT_CAINFO, options->ca_file);
	set_text(get, CURLOPT_PROXY, options->proxy);
}

struct http_get *http_client_get(struct http_client *client, const char *url,
				 uint64_t start, uint64_t end,
				 const char *if_range,
				 const struct http_get_ops *ops, void *opaque)
{
	struct http_get *get = mem_zalloc(sizeof *get);
	char text[HTTP_VALIDATOR_MAX + 64];

	get->client = client;
	get->url = mem_strdup(url);
	get->ops = ops;
	get->opaque = opaque;
	get->next = client->gets;
	client->gets = get;
	get->easy = client->curl.curl_easy_init();
	if (!get->easy)
		return http_client_cancel(get);
	set_common(get);
	set_text(get, CURLOPT_URL, url);
	if (at_origin(client, url))
		set_secrets(get);
	if (end) {
		snprintf(text, sizeof text, "%llu-%llu",
			 (unsigned long long)start,
			 (unsigned long long)end - 1);
		set_text(get, CURLOPT_RANGE, text);
	}
	if (end && *if_range) {
		snprintf(text, sizeof text, "If-Range: %s", if_range);
		get->headers = client->curl.curl_slist_append(NULL, text);
		client->curl.curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER,
					      get->headers);
	}
	if (client->curl.curl_multi_add_handle(client->multi, get->easy))
		return http_client_cancel(get);
	return get;
}

void http_client_resume(struct http_get *get)
{
	get->client->curl.curl_easy_pause(get->easy, CURLPAUSE_CONT);
}

const char *http_client_url(const struct http_client *client)
{
	return client->url;
}

/* ---- the client ---- */

/* The options' URL, and apart from it whose it is. */
static int take_url(struct http_client *client, struct err *err)
{
	CURLU *url = client->curl.curl_url();
	const char *text = client->options->url;
	bool good = url &&
		    !client->curl.curl_url_set(url, CURLUPART_URL, text, 0) &&
		    origin_of(client, url, &client->origin);

	if (good) {
		client->user = url_part(client, url, CURLUPART_USER,
					CURLU_URLDECODE);
		client->password = url_part(client, url, CURLUPART_PASSWORD,
					    CURLU_URLDECODE);
		client->curl.curl_url_set(url, CURLUPART_USER, NULL, 0);
		client->curl.curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
		client->curl.curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
		client->url = url_part(client, url, CURLUPART_URL, 0);
		good = client->url != NULL;
	}
	client->curl.curl_url_cleanup(url);
	return good ? 0 : err_set(err, ERR_USAGE, "this is not a URL");
}

struct http_client *http_client_open(const struct http_options *options,
				     struct err *err)
{
	struct http_client *client = mem_zalloc(sizeof *client);

	client->options = options;
	if (library_load(CURL_SONAME, names, &client->curl, err) < 0) {
		free(client);
		return NULL;
	}
	client->curl.curl_global_init(CURL_GLOBAL_DEFAULT);
	client->multi = client->curl.curl_multi_init();
	if (!client->multi) {
		err_set(err, ERR_IO, "libcurl does not start");
		return http_client_close(client);
	}
	client->curl.curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
				       (long)options->connections);
	return take_url(client, err) < 0 ? http_client_close(client) : client;
}

struct http_client *http_client_close(struct http_client *client)
{
	if (!client)
		return NULL;
	while (client->gets)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): of this list */
		free_get(client->gets);
	if (client->multi)
		client->curl.curl_multi_cleanup(client->multi);
	free(client->url);
	free(client->user);
	free(client->password);
	free(client);
	return NULL;
}

#endif
