/* SPDX-License-Identifier: MIT */
/* Units for what is fetched and when: a server that answers when it is told
 * to, and counts. */
#include <stdlib.h>

#include "io/http_cache.h"
#include "tests/unit/check.h"

#define MI ((uint64_t)1 << 20)
#define SIZE (256 * MI + 12345)

/* ---- a server ---- */

#define FETCHES 64

struct http_fetch {
	uint64_t start, end;
	const struct http_fetch_ops *ops;
	void *opaque;
};

static struct http_fetch fetches[FETCHES];
static unsigned fetch_count, fetch_total;
static uint64_t fetched;

struct http_fetch *http_object_fetch(struct http_object *object,
				     uint64_t start, uint64_t end,
				     const struct http_fetch_ops *ops,
				     void *opaque)
{
	(void)object;
	CHECK(start < end && end <= SIZE);
	for (unsigned i = 0; i < fetch_count; i++)
		CHECK(end <= fetches[i].start || start >= fetches[i].end);
	fetches[fetch_count] = (struct http_fetch){ start, end, ops, opaque };
	fetch_total++;
	fetched += end - start;
	return &fetches[fetch_count++];
}

static void answer(const struct err *err)
{
	static const unsigned char zeros[65536];
	struct http_fetch now = fetches[0];

	memmove(fetches, fetches + 1, --fetch_count * sizeof *fetches);
	for (uint64_t at = now.start; !err && at < now.end;) {
		size_t len = now.end - at < sizeof zeros
				     ? (size_t)(now.end - at) : sizeof zeros;
		now.ops->bytes(now.opaque, zeros, len);
		at += len;
	}
	now.ops->done(now.opaque, err);
}

/* ---- a worker ---- */

static uint64_t wanted_start, wanted_end;
static unsigned failures;

static bool on_wanted(void *opaque, uint64_t start, uint64_t end)
{
	(void)opaque;
	return wanted_start < end && wanted_end > start;
}

static void on_failed(void *opaque, uint64_t start, uint64_t end,
		      const struct err *err)
{
	(void)opaque, (void)err;
	failures += on_wanted(NULL, start, end);
}

static const struct http_cache_events events = { on_wanted, on_failed };

static struct http_cache *open_cache(unsigned connections, uint64_t memory)
{
	struct http_options options = { .connections = connections,
					.memory = memory };

	fetch_count = fetch_total = failures = 0;
	fetched = 0;
	wanted_start = wanted_end = 0;
	return http_cache_open(NULL, SIZE, &options, &events, NULL);
}

static void ask(struct http_cache *cache, uint64_t offset, uint64_t len)
{
	wanted_start = offset;
	wanted_end = offset + len;
	http_cache_note(cache, offset, len);
	http_cache_demand(cache, offset, offset + len);
	http_cache_ahead(cache);
}

/* Until all of it was sent; what is fetched ahead is answered in turn. */
static bool get(struct http_cache *cache, uint64_t offset, uint64_t len)
{
	ask(cache, offset, len);
	for (unsigned turns = 0; wanted_start < wanted_end; turns++) {
		struct http_segment *segment =
			http_cache_find(cache, wanted_start);
		uint64_t end;

		if (!segment || segment->coming) {
			if (!fetch_count || turns > 1000)
				return false;
			answer(NULL);
			http_cache_demand(cache, wanted_start, wanted_end);
			http_cache_ahead(cache);
			continue;
		}
		end = segment->start + segment->have;
		end = end < wanted_end ? end : wanted_end;
		http_segment_pin(segment);
		http_segment_unpin(segment, (size_t)(end - wanted_start));
		wanted_start = end;
	}
	return true;
}

static void stop(struct http_cache *cache)
{
	while (fetch_count)
		answer(NULL);
	http_cache_close(cache);
}

/* A small read is one small request, and nothing is guessed from it. */
static void test_tables(void)
{
	struct http_cache *cache = open_cache(4, 64 * MI);

	CHECK(get(cache, 100 * MI + 5, 100));
	CHECK_EQ(fetch_total, 1);
	CHECK_EQ(fetched, 65536);
	CHECK(get(cache, 100 * MI + 60000, 16));
	CHECK_EQ(fetch_total, 1);
	CHECK(get(cache, 200 * MI, 65536));
	CHECK_EQ(fetch_total, 2);
	/* The last bytes: not past the end. */
	CHECK(get(cache, SIZE - 512, 512));
	stop(cache);
}

/* In order: each byte once, in few requests, several at a time. */
static void test_in_order(void)
{
	for (unsigned connections = 1; connections <= 8; connections *= 2) {
		struct http_cache *cache = open_cache(connections, 64 * MI);
		unsigned most = 0;

		for (uint64_t at = 0; at < SIZE; at += MI) {
			CHECK(get(cache, at, at + MI < SIZE ? MI : SIZE - at));
			most = fetch_count > most ? fetch_count : most;
			CHECK(fetch_count <= connections);
		}
		CHECK_EQ(fetched, SIZE);
		CHECK(fetch_total < 200);
		CHECK_EQ(most, connections > 1 ? connections - 1 : 1);
		stop(cache);
	}
}

/* Two threads, each a unit ahead of the other, are one reader. */
static void test_side_by_side(void)
{
	struct http_cache *cache = open_cache(4, 64 * MI);

	for (uint64_t at = 0; at + 2 * MI <= SIZE; at += 2 * MI) {
		CHECK(get(cache, at + MI, MI));
		CHECK(get(cache, at, MI));
	}
	CHECK(fetched <= SIZE);
	CHECK(fetch_total < 200);
	stop(cache);
}

/* Little memory: it is enough, and not exceeded. */
static void test_memory(void)
{
	struct http_cache *cache = open_cache(4, 4 * MI);

	for (uint64_t at = 0; at + 4 * MI <= 64 * MI; at += 4 * MI)
		CHECK(get(cache, at, 4 * MI));
	for (unsigned i = 0; i < 200; i++)
		CHECK(get(cache, (uint64_t)i * 7919 * 4096 % (200 * MI), 300000));
	stop(cache);
}

/* Who jumps finds a connection that is not reading ahead. */
static void test_jump(void)
{
	struct http_cache *cache = open_cache(4, 64 * MI);

	for (uint64_t at = 0; at < 20 * MI; at += MI)
		CHECK(get(cache, at, MI));
	CHECK(fetch_count > 0 && fetch_count < 4);
	unsigned before = fetch_count;
	ask(cache, 200 * MI, 512);
	CHECK_EQ(fetch_count, before + 1);
	stop(cache);
}

static void test_failure(void)
{
	struct err err = { .kind = ERR_TEMPORARY };
	struct http_cache *cache = open_cache(4, 64 * MI);

	ask(cache, 0, 100);
	answer(&err);
	CHECK_EQ(failures, 1);
	CHECK(!http_cache_find(cache, 0));
	/* Asked again, it is fetched again. */
	CHECK(get(cache, 0, 100));
	/* A guess that fails is nobody's failure. */
	CHECK(get(cache, 65536, 256 << 10));
	CHECK(fetch_count > 0);
	wanted_start = wanted_end = 0;
	while (fetch_count)
		answer(&err);
	CHECK_EQ(failures, 1);
	http_cache_ahead(cache);
	CHECK_EQ(fetch_count, 0);
	/* Bytes being sent outlive the segment's failure. */
	ask(cache, 100 * MI, 100);
	struct http_segment *segment = http_cache_find(cache, 100 * MI);
	http_segment_pin(segment);
	answer(&err);
	CHECK(!http_cache_find(cache, 100 * MI));
	CHECK(segment->bytes != NULL && segment->gone);
	http_segment_unpin(segment, 10);
	stop(cache);
}

int main(void)
{
	test_tables();
	test_in_order();
	test_side_by_side();
	test_memory();
	test_jump();
	test_failure();
	return check_result();
}
