/* SPDX-License-Identifier: MIT */
/* Units for the libraries behind deflate, each against each, also those that
 * this build would not choose: what one encodes all decode, a piece at a time
 * as well, and their checksums are one. */
#include "base/checked.h"
#include "formats/codecs/block.h"
#include "tests/unit/codec_tools.h"

static struct text encoded(const struct block_library *library, int level,
			   int window_log, struct text in, size_t room)
{
	struct err err = { .message = "" };
	void *encoder = library->encoder_open(level, window_log, &err);
	struct text out = text_new(room);

	/* Twice: nothing of the first time is in the second. */
	for (int turn = 0; turn < 2; turn++)
		CHECK(!library->encode(encoder, in.at, in.len, out.at, room,
				       &out.len));
	library->encoder_close(encoder);
	return out;
}

static bool decoded(const struct block_library *library, struct text in,
		    struct text wanted)
{
	struct err err = { .message = "" };
	void *decoder = library->decoder_open(&err);
	struct text out = text_new(wanted.len);
	bool good = true;

	for (int turn = 0; turn < 2; turn++)
		good = good &&
		       !library->decode(decoder, in.at, in.len, out.at,
					out.len) &&
		       text_same(out, wanted);
	library->decoder_close(decoder);
	text_free(&out);
	return good;
}

static void test_blocks(const struct block_library *const pair[2])
{
	struct text in = text_words(100000);

	for (int from = 0; from < 2; from++) {
		if (!pair[from]->encoder_open)
			continue;
		struct text out = encoded(pair[from], 6, 15, in, 2 * in.len);

		CHECK(out.len && out.len < in.len);
		for (int to = 0; to < 2; to++) {
			struct text less = { out.at, out.len - 1 };
			struct text more = { in.at, in.len - 1 };

			if (!pair[to]->decoder_open)
				continue;
			CHECK(decoded(pair[to], out, in));
			CHECK(!decoded(pair[to], less, in));
			/* Exactly as many as were asked for. */
			CHECK(!decoded(pair[to], out, more));
		}
		text_free(&out);
		/* No room: no length, and no failure. */
		out = encoded(pair[from], 6, 15, in, 100);
		CHECK_EQ(out.len, 0);
		text_free(&out);
	}
	text_free(&in);
}

/* `part` bytes in, `room` bytes out at a time; returns what came out, and how
 * much of `in` was the stream's. */
static struct text inflated(const struct inflate_library *library, void *state,
			    struct text in, size_t part, size_t room,
			    size_t *used)
{
	struct text out = text_new(1 << 20);
	struct inflate_step step = { .end = false };

	*used = out.len = 0;
	/* Ends: each turn takes or gives, or is the last one. */
	while (!step.end) {
		step.in = in.at + *used;
		step.in_len = min_u64(part, in.len - *used);
		step.out = out.at + out.len;
		step.out_len = room;
		if (library->step(state, &step))
			break;
		*used += step.in_used;
		out.len += step.out_used;
		if (!step.in_used && !step.out_used && !step.end)
			break;
	}
	*used -= step.end ? step.back_len : 0;
	return out;
}

static void test_steps(const struct inflate_library *library)
{
	static const size_t parts[] = { 1, 7, 4096, 1 << 20 };
	struct text in = text_words(70000);
	struct text raw = encoded(&block_zlib, 9, 15, in, 2 * in.len);
	struct text behind = text_join(raw, in);
	struct text none = { (unsigned char[]){ 7 }, 1 }; /* no such block */
	struct err err = { .message = "" };
	void *state;
	size_t used;

	if (!library->open)
		return;
	state = library->open(&err);
	for (int i = 0; i < 4; i++) {
		struct text out = inflated(library, state, behind, parts[i],
					   parts[3 - i], &used);

		CHECK(text_same(out, in));
		CHECK_EQ(used, raw.len);
		text_free(&out);
		library->reset(state);
	}
	struct text cut = { raw.at, raw.len / 2 };
	struct text out = inflated(library, state, cut, 4096, 4096, &used);
	CHECK(out.len < in.len && !memcmp(out.at, in.at, out.len));
	CHECK_EQ(used, cut.len);
	text_free(&out);
	library->reset(state);
	out = inflated(library, state, none, 1, 4096, &used);
	CHECK_EQ(out.len, 0);
	text_free(&out);
	library->close(state);
	text_free(&behind);
	text_free(&raw);
	text_free(&in);
}

/* RFC 1952's example of a table is zlib's; "123456789" is everybody's. */
static void test_sums(void)
{
	struct text in = text_noise(10007);
	uint32_t whole = block_zlib.crc(0, in.at, in.len);

	CHECK_EQ(block_zlib.crc(0, "123456789", 9), 0xcbf43926);
	if (inflate_isal.crc)
		CHECK_EQ(inflate_isal.crc(0, in.at, in.len), whole);
	if (block_libdeflate.crc)
		CHECK_EQ(block_libdeflate.crc(0, in.at, in.len), whole);
	CHECK_EQ(inflate_zlib.crc(inflate_zlib.crc(0, in.at, 5000),
				  in.at + 5000, in.len - 5000),
		 whole);
	text_free(&in);
}

int main(void)
{
	const struct block_library *const raw[] = { &block_zlib,
						    &block_libdeflate };
	const struct block_library *const wrapped[] = {
		&block_zlib_wrapped, &block_libdeflate_wrapped
	};

	test_blocks(raw);
	test_blocks(wrapped);
	test_steps(&inflate_zlib);
	test_steps(&inflate_isal);
	test_sums();
	return check_result();
}
