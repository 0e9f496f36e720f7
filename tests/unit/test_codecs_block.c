/* SPDX-License-Identifier: MIT */
/* Units for the codecs' block face. */
#include "tests/unit/codec_tools.h"

#define CLUSTER ((size_t)65536)

static struct block_encoder *open_encoder(enum block_codec_id id, int level,
					  int window_log)
{
	struct block_options options = { level, window_log };
	struct err err = { .message = "" };
	struct block_encoder *encoder = block_encoder_open(id, &options, &err);

	if (!encoder)
		CHECK_STR(err.message, "no error");
	return encoder;
}

static struct text encode_with(struct block_encoder *encoder, struct text in,
			       size_t room)
{
	struct text out = text_new(room);
	struct err err = { .message = "" };

	CHECK(!block_encode(encoder, in.at, in.len, out.at, room, &out.len,
			    &err));
	CHECK(out.len <= room);
	return out;
}

static struct text encode(enum block_codec_id id, int level, int window_log,
			  struct text in)
{
	struct block_encoder *encoder = open_encoder(id, level, window_log);
	struct text out = encode_with(encoder, in, in.len + 1000);

	CHECK(out.len);
	CHECK(!block_encoder_close(encoder));
	return out;
}

/* Whether `in` decodes to as many bytes as `wanted` has, and to these. */
static bool decodes(enum block_codec_id id, struct text in, struct text wanted)
{
	struct err err = { .message = "" };
	struct block_decoder *decoder = block_decoder_open(id, &err);
	struct text out = text_new(wanted.len);
	int result =
		block_decode(decoder, in.at, in.len, out.at, out.len, &err);
	bool same = !result && text_same(out, wanted);

	if (result)
		CHECK_EQ(err.kind, ERR_DAMAGED);
	text_free(&out);
	CHECK(!block_decoder_close(decoder));
	return same;
}

static void test_levels(enum block_codec_id id, int most)
{
	struct text inputs[] = { text_words(512),     text_words(CLUSTER),
				 text_noise(CLUSTER), text_new(CLUSTER),
				 text_words(2 * MIB), text_words(1) };

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		/* Large ones take long; they are alike for all levels. */
		int last = inputs[i].len > CLUSTER ? 2 : most;

		for (int level = 0; level <= last; level++) {
			/* Noise is not tried: test_hopeless. */
			if (i == 2 && !level && id != BLOCK_ZSTD)
				continue;
			struct text out = encode(id, level, 15, inputs[i]);

			CHECK(decodes(id, out, inputs[i]));
			text_free(&out);
		}
		text_free(&inputs[i]);
	}
}

/* A repetition from 8 KiB away is out of reach of a window of 4 KiB, and
 * within that of 16 KiB. */
static void test_windows(void)
{
	struct text noise = text_noise(8192);
	struct text in = text_join(noise, noise);

	for (int level = 0; level <= 12; level++) {
		for (int window_log = 12; window_log <= 15; window_log++) {
			struct text out =
				encode(BLOCK_DEFLATE, level, window_log, in);

			CHECK(decodes(BLOCK_DEFLATE, out, in));
			if (window_log < 13)
				CHECK(out.len > 16000);
			if (window_log > 13)
				CHECK(out.len < 9000);
			text_free(&out);
		}
	}
	text_free(&noise);
	text_free(&in);
}

/* What does not fit is reported as 0, whatever room there is. */
static void test_room(enum block_codec_id id, int level)
{
	struct text in = text_words(CLUSTER), noise = text_noise(CLUSTER);
	struct block_encoder *encoder = open_encoder(id, level, 15);
	struct text whole = encode_with(encoder, in, CLUSTER);
	struct text small = encode_with(encoder, in, whole.len - 100);
	struct text none = encode_with(encoder, noise, CLUSTER - 1);
	struct text again = encode_with(encoder, in, CLUSTER);

	CHECK(whole.len && whole.len < CLUSTER);
	CHECK_EQ(small.len, 0);
	CHECK_EQ(none.len, 0);
	CHECK(text_same(whole, again));
	for (size_t room = 0; room < 300; room += 1 + room / 4) {
		struct text tiny = encode_with(encoder, in, room);

		CHECK_EQ(tiny.len, 0);
		text_free(&tiny);
	}
	block_encoder_close(encoder);
	text_free(&in);
	text_free(&noise);
	text_free(&whole);
	text_free(&small);
	text_free(&none);
	text_free(&again);
}

/* A context's history does not show, nor how much room there is. */
static void test_pure(enum block_codec_id id, int level)
{
	struct text a = text_words(CLUSTER), b = text_noise(3000);
	struct block_encoder *encoder = open_encoder(id, level, 15);
	struct text fresh = encode(id, level, 15, a);
	struct text other = encode_with(encoder, b, 5000);
	struct text used = encode_with(encoder, a, CLUSTER - 1);

	CHECK(text_same(fresh, used));
	block_encoder_close(encoder);
	text_free(&a);
	text_free(&b);
	text_free(&fresh);
	text_free(&other);
	text_free(&used);
}

static void test_damage(enum block_codec_id id)
{
	struct text in = text_words(2000);
	struct text out = encode(id, 0, 15, in);
	struct text sectors = text_new(out.len + 511);

	/* What follows the end is not looked at. */
	memcpy(sectors.at, out.at, out.len);
	memset(sectors.at + out.len, 0xa5, 511);
	CHECK(decodes(id, sectors, in));
	/* One byte more or less. */
	struct text longer = text_new(in.len + 1);
	CHECK(!decodes(id, out, (struct text){ in.at, in.len - 1 }));
	CHECK(!decodes(id, sectors, longer));
	CHECK(!decodes(id, out, longer));
	for (size_t len = 0; len < out.len; len++)
		CHECK(!decodes(id, (struct text){ out.at, len }, in));
	/* Nothing bad happens; without checksums it may decode. */
	for (size_t bit = 0; bit < 8 * out.len; bit++) {
		out.at[bit / 8] ^= 1 << bit % 8;
		decodes(id, out, in);
		out.at[bit / 8] ^= 1 << bit % 8;
	}
	/* A context that failed works on. */
	CHECK(decodes(id, out, in));
	text_free(&in);
	text_free(&out);
	text_free(&sectors);
	text_free(&longer);
}

static void test_options(void)
{
	static const struct block_options bad[] = {
		{ -1, 15 }, { 13, 15 }, { 0, 11 }, { 0, 16 }
	};
	struct block_options level = { 20, 0 };
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(!block_encoder_open(BLOCK_DEFLATE, &bad[i], &err));
		CHECK_EQ(err.kind, ERR_USAGE);
		CHECK(strstr(err.message, "out of range"));
	}
	CHECK(!block_encoder_open(BLOCK_ZSTD, &level, &err));
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK(!block_encoder_close(NULL));
	CHECK(!block_decoder_close(NULL));
}

static void test_switched_off(void)
{
	struct block_options options = { 0, 15 };
	struct err err;

	CHECK(!block_encoder_open(BLOCK_ZSTD, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	CHECK_STR(err.message, "built without libzstd");
	CHECK(!block_decoder_open(BLOCK_ZSTD, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
}

/* RFC 1950: the header is a multiple of 31, the last four bytes are a
 * checksum: no flipped bit in either goes unseen. */
static void test_adler(void)
{
	unsigned char bytes[1000];
	struct text in = { bytes, sizeof bytes };

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * i >> 3);
	struct text out = encode(BLOCK_ZLIB, 6, 15, in);
	CHECK_EQ((out.at[0] * 256 + out.at[1]) % 31, 0);
	CHECK_EQ(out.at[0] & 15, 8);
	for (size_t i = 1; i <= 4; i++) {
		out.at[out.len - i] ^= 1;
		CHECK(!decodes(BLOCK_ZLIB, out, in));
		out.at[out.len - i] ^= 1;
	}
	CHECK(decodes(BLOCK_ZLIB, out, in));
	text_free(&out);
}

/* Bytes without any order, always the same. */
static void disorder(unsigned char *at, size_t len)
{
	uint64_t state = 88172645463325252ULL;

	for (size_t i = 0; i < len; i++) {
		state = sequence64(state);
		at[i] = (unsigned char)(state >> 32);
	}
}

/* With room to spare: what is not tried has no length, what is has one. */
static bool is_tried(struct text in, int level)
{
	struct block_encoder *encoder =
		open_encoder(BLOCK_DEFLATE, level, 15);
	struct text out = encode_with(encoder, in, in.len + 1000);
	bool tried = out.len != 0;

	if (tried)
		CHECK(decodes(BLOCK_DEFLATE, out, in));
	text_free(&out);
	CHECK(!block_encoder_close(encoder));
	return tried;
}

static void test_hopeless(void)
{
	struct text in = text_new(CLUSTER);

	disorder(in.at, in.len);
	CHECK(!is_tried(in, 0));
	/* Who asks for a level wants all that can be had. */
	CHECK(is_tried(in, 1));
	/* A sixteenth of it is in order. */
	memset(in.at + 20000, 'x', 4096);
	CHECK(is_tried(in, 0));
	/* Random, again and again. */
	disorder(in.at, 4096);
	for (size_t at = 4096; at < in.len; at += 4096)
		memcpy(in.at + at, in.at, 4096);
	CHECK(is_tried(in, 0));
	text_free(&in);
	/* Too short to be judged. */
	in = text_new(4096);
	disorder(in.at, in.len);
	CHECK(is_tried(in, 0));
	text_free(&in);
}

int main(void)
{
	test_options();
	test_hopeless();
	CHECK(block_codec_library(BLOCK_DEFLATE));
	test_levels(BLOCK_DEFLATE, 12);
	test_windows();
	for (int level = 0; level <= 12; level++) {
		test_room(BLOCK_DEFLATE, level);
		test_pure(BLOCK_DEFLATE, level);
	}
	test_damage(BLOCK_DEFLATE);
	CHECK(block_codec_library(BLOCK_ZLIB));
	test_levels(BLOCK_ZLIB, 12);
	test_room(BLOCK_ZLIB, 1);
	test_pure(BLOCK_ZLIB, 1);
	test_damage(BLOCK_ZLIB);
	test_adler();
	if (!block_codec_library(BLOCK_ZSTD)) {
		test_switched_off();
		return check_result();
	}
	test_levels(BLOCK_ZSTD, 9);
	test_room(BLOCK_ZSTD, 3);
	test_pure(BLOCK_ZSTD, 3);
	test_damage(BLOCK_ZSTD);
	return check_result();
}
