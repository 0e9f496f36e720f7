/* SPDX-License-Identifier: MIT */
/* Units for the codecs' stream face: round trips, the same bytes for any
 * number of threads, and everything that can be wrong with a file. */
#include "tests/unit/codec_tools.h"

/* A codec that is switched off has no encoder, and nothing to test. */
static bool built(enum codec_id id)
{
	return codec_get(id)->encode_block;
}

static void test_registry(void)
{
	CHECK_EQ(codec_by_suffix("disk.raw.xz"), CODEC_XZ);
	CHECK_EQ(codec_by_suffix("DISK.GZ"), CODEC_GZIP);
	CHECK_EQ(codec_by_suffix("a.b/c"), -1);
	CHECK_EQ(codec_by_suffix("a/.gz"), -1);
	CHECK_EQ(codec_by_suffix(".gz"), -1);
	CHECK_EQ(codec_by_suffix("x.tgz"), -1);
	char tags[64] = "";

	for (int i = 0; i < CODEC_COUNT; i++) {
		strcat(tags, i ? "|" : "");
		strcat(tags, codec_get((enum codec_id)i)->tag);
	}
	CHECK_STR(tags, CODEC_TAGS);
	CHECK_EQ(codec_by_name("gzip"), CODEC_GZIP);
	CHECK_EQ(codec_by_name("zst"), CODEC_ZSTD);
	CHECK_EQ(codec_by_name("zstd"), CODEC_ZSTD);
	CHECK_EQ(codec_by_name("bz2"), CODEC_BZIP2);
	CHECK_EQ(codec_by_name("zip"), -1);
	CHECK_EQ(codec_by_bytes((const unsigned char *)"", 0), -1);
	CHECK_EQ(codec_by_bytes((const unsigned char *)"BZh9 is no bzip2", 16),
		 -1);
}

static void test_switched_off(enum codec_id id)
{
	unsigned char nothing[1] = { 0 };
	struct source *inner = files_memory_source(nothing, 0);
	struct err err;

	CHECK(!wrap_decode(id, inner, 1, MIB, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	CHECK(strstr(err.message, "built without"));
	CHECK(!wrap_encode(id, files_memory_sink(), 0, 1, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	source_close(inner);
}

static void test_round_trips(enum codec_id id)
{
	size_t block = codec_get(id)->block_len(1);
	size_t sizes[] = { 0, 1, block - 1, block, block + 1, 2 * block + 77 };
	struct text all = text_words(2 * block + 77);

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct text in = { all.at, sizes[i] };
		struct text one = codec_encode(id, in, 1, 1);

		codec_expect(id, one, in);
		if (in.len)
			CHECK_EQ(codec_by_bytes(one.at, one.len), id);
		text_free(&one);
	}
	text_free(&all);
}

static void test_threads(enum codec_id id)
{
	struct text in = text_words(4 * codec_get(id)->block_len(1) + 1);
	struct text one = codec_encode(id, in, 1, 1);
	struct text two = codec_encode(id, in, 1, 2);
	struct text five = codec_encode(id, in, 1, 5);

	CHECK(text_same(one, two));
	CHECK(text_same(one, five));
	text_free(&in);
	text_free(&one);
	text_free(&two);
	text_free(&five);
}

/* How bytes come in - in what portions, as zeros or as a zero range - does
 * not show in what goes out. */
static void test_portions(enum codec_id id)
{
	size_t block = codec_get(id)->block_len(1);
	size_t edges[] = {
		100,	       block - 5,      block + 5,	block + 1000,
		3 * block + 9, 3 * block + 10, 4 * block - 100, 4 * block
	};
	struct text in = text_words(4 * block);
	struct err err = { .message = "" };
	struct sink *memory = files_memory_sink();
	struct sink *sink = wrap_encode(id, memory, 1, 3, &err);
	size_t at = 0, len;

	memset(in.at + 1000 + block, 0, 2 * block + 9 - 1000);
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
		size_t part = edges[i] - at;

		if (i == 4)
			CHECK(!sink_zero(sink, at, part, SINK_ZERO_SPARSE,
					 &err));
		else
			CHECK(!sink_write(sink, in.at + at, part, at, &err));
		at = edges[i];
	}
	CHECK(!sink_finish(sink, in.len, &err));
	const unsigned char *bytes = files_memory_bytes(memory, &len);
	struct text parts = text_copy(bytes, len);
	sink_close(sink);
	struct text whole = codec_encode(id, in, 1, 1);
	CHECK(text_same(parts, whole));
	text_free(&parts);
	text_free(&whole);
	text_free(&in);
}

static void test_levels(enum codec_id id)
{
	const struct codec *codec = codec_get(id);
	struct text in = text_words(5000);
	struct err err;

	for (int level = codec->level_min; level <= codec->level_max; level++) {
		struct text out = codec_encode(id, in, level, 1);

		codec_expect(id, out, in);
		text_free(&out);
	}
	CHECK(!wrap_encode(id, files_memory_sink(), codec->level_max + 1, 1,
			   &err));
	CHECK_EQ(err.kind, ERR_USAGE);
	text_free(&in);
}

/* Cut anywhere: never accepted, and never another error than damage. */
static void test_truncated(enum codec_id id)
{
	struct text in = text_words(300);
	struct text whole = codec_encode(id, in, 1, 1);

	for (size_t len = 0; len < whole.len; len++)
		codec_refuse(id, (struct text){ whole.at, len }, ERR_DAMAGED,
			     "ends in the middle of a stream");
	text_free(&whole);
	text_free(&in);
}

/* The same for the second of two members: between them a file may end. */
static void test_truncated_second(enum codec_id id)
{
	struct text in = text_words(40);
	struct text one = codec_encode(id, in, 1, 1);
	struct text two = text_join(one, one);

	codec_expect(id, (struct text){ two.at, one.len }, in);
	for (size_t len = one.len + 1; len < two.len; len++)
		codec_refuse(id, (struct text){ two.at, len }, ERR_DAMAGED,
			     codec_get(id)->name);
	text_free(&two);
	text_free(&one);
	text_free(&in);
}

/* Any bit: an error, or (in a time or a name) no difference. */
static void test_flipped(enum codec_id id)
{
	struct text in = text_words(200);
	struct text whole = codec_encode(id, in, 1, 1);
	size_t refused = 0;

	for (size_t bit = 0; bit < 8 * whole.len; bit++) {
		struct err err = { .message = "" };
		struct text out;

		whole.at[bit / 8] ^= 1 << bit % 8;
		if (!codec_decode(id, whole, 1, &out, &err)) {
			refused++;
			CHECK(err.kind == ERR_DAMAGED ||
			      err.kind == ERR_UNSUPPORTED ||
			      err.kind == ERR_LIMIT);
			CHECK(*err.message);
		} else {
			CHECK(text_same(out, in));
		}
		text_free(&out);
		whole.at[bit / 8] ^= 1 << bit % 8;
	}
	/* All but gzip's time, flags of its own, and the like. */
	CHECK(refused >= 7 * whole.len);
	text_free(&whole);
	text_free(&in);
}

static void test_members(enum codec_id id)
{
	struct text a = text_words(100), b = text_words(2000);
	struct text nothing = { NULL, 0 };
	struct text coded_a = codec_encode(id, a, 1, 1);
	struct text coded_b = codec_encode(id, b, 1, 1);
	struct text coded_nothing = codec_encode(id, nothing, 1, 1);
	struct text first = text_join(coded_a, coded_nothing);
	struct text both = text_join(first, coded_b);
	struct text wanted = text_join(a, b);

	codec_expect(id, coded_nothing, nothing);
	codec_expect(id, both, wanted);
	text_free(&a);
	text_free(&b);
	text_free(&coded_a);
	text_free(&coded_b);
	text_free(&coded_nothing);
	text_free(&first);
	text_free(&both);
	text_free(&wanted);
}

static void refuse_tail(enum codec_id id, struct text whole, const void *tail,
			size_t len)
{
	struct text garbage = { (unsigned char *)(uintptr_t)tail, len };
	struct text joined = text_join(whole, garbage);

	codec_refuse(id, joined, ERR_DAMAGED, codec_get(id)->name);
	text_free(&joined);
}

static void test_garbage(enum codec_id id)
{
	static const unsigned char zeros[600];
	struct text in = text_words(100);
	struct text whole = codec_encode(id, in, 1, 1);

	refuse_tail(id, whole, "x", 1);
	refuse_tail(id, whole, "garbage", 7);
	refuse_tail(id, whole, zeros, 1);
	/* Longer than a stream's look-ahead. */
	refuse_tail(id, whole, zeros, 599);
	if (id != CODEC_XZ)
		refuse_tail(id, whole, zeros, 600);
	text_free(&whole);
	text_free(&in);
}

/* One byte a pull; and the inner source's own checks are asked for. */
static void test_trickle(enum codec_id id)
{
	struct text in = text_words(5000), out;
	struct text whole = codec_encode(id, in, 1, 1);
	struct fake_chunks chunks = { .bytes = whole.at,
				      .len = whole.len,
				      .most = 1 };
	struct source *inner = fake_chunks_open(&chunks);
	struct err err = { .message = "" };

	CHECK(codec_read(id, inner, 2, &out, &err));
	CHECK(text_same(out, in));
	CHECK_EQ(chunks.finishes, 1);
	source_close(inner);
	text_free(&out);
	text_free(&whole);
	text_free(&in);
}

/* A failing read is that failure, not damage. */
static void test_failing_source(enum codec_id id)
{
	struct text in = text_words(100), out;
	struct text whole = codec_encode(id, in, 1, 1);
	struct fake_source *fake =
		fake_source_open(files_memory_source(whole.at, whole.len));
	struct err err = { .message = "" };

	fake->fail_at = 1;
	CHECK(!codec_read(id, &fake->source, 1, &out, &err));
	CHECK_EQ(err.kind, ERR_IO);
	source_close(&fake->source);
	text_free(&out);
	text_free(&whole);
	text_free(&in);
}

/* Whichever write fails, the caller hears of it, and nothing hangs. */
static void test_failing_sink(enum codec_id id)
{
	struct text in = text_words(3 * codec_get(id)->block_len(1));

	for (unsigned at = 1; at < 4; at++) {
		struct fake_sink *fake = fake_sink_open(files_memory_sink());
		struct err err = { .message = "" };

		fake->fail_at = at;
		struct sink *sink = wrap_encode(id, &fake->sink, 1, 2, &err);
		bool failed = !sink ||
			      sink_write(sink, in.at, in.len, 0, &err) ||
			      sink_finish(sink, in.len, &err);
		CHECK(failed);
		CHECK_EQ(err.kind, ERR_IO);
		sink_close(sink);
	}
	/* Closed without being finished: no hang, no leak. */
	struct err err = { .message = "" };
	struct sink *sink = wrap_encode(id, files_memory_sink(), 1, 2, &err);
	CHECK(sink && !sink_write(sink, in.at, in.len, 0, &err));
	sink_close(sink);
	text_free(&in);
}

int main(void)
{
	test_registry();
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		if (!built(id)) {
			test_switched_off(id);
			continue;
		}
		test_round_trips(id);
		test_threads(id);
		test_portions(id);
		test_levels(id);
		test_truncated(id);
		test_truncated_second(id);
		test_flipped(id);
		test_members(id);
		test_garbage(id);
		test_trickle(id);
		test_failing_source(id);
		test_failing_sink(id);
	}
	return check_result();
}
