/* SPDX-License-Identifier: MIT */
/* Codecs of the block face that are decoded only: ADC by its three tokens,
 * and that none of them can be had as an encoder. */
#include "formats/codecs/codec.h"
#include "tests/unit/check.h"

static int adc(const char *in, size_t len, char *out, size_t out_len)
{
	struct err err;
	struct block_decoder *decoder = block_decoder_open(BLOCK_ADC, &err);
	int status = block_decode(decoder, in, len, out, out_len, &err);

	block_decoder_close(decoder);
	return status;
}

static void test_tokens(void)
{
	/* "abc"; 3 from 3 back; 4 from 1 back; a plain "d". */
	static const char in[] = "\x82"
				 "abc"
				 "\x00\x02"
				 "\x40\x00\x00"
				 "\x80"
				 "d";
	size_t len = sizeof in - 1;
	char out[16];

	CHECK(!adc(in, len, out, 11));
	CHECK(!memcmp(out, "abcabcccccd", 11));
	/* What follows the end is padding. */
	CHECK(!adc(in, len, out, 10));
	CHECK(adc(in, len, out, 12));
	for (size_t cut = 0; cut < len; cut++)
		CHECK(adc(in, cut, out, 11));
	/* A token that makes more than there is room for. */
	CHECK(adc(in, len, out, 5));
}

static void test_far(void)
{
	char out[8];

	/* Copies from before the start. */
	CHECK(adc("\x00\x00", 2, out, 3));
	CHECK(adc("\x80"
		  "a"
		  "\x00\x01",
		  4, out, 4));
	CHECK(adc("\x80"
		  "a"
		  "\x40\xff\xff",
		  5, out, 5));
	CHECK(!adc("\x80"
		   "a"
		   "\x04\x00",
		   4, out, 5));
	CHECK(!memcmp(out, "aaaaa", 5));
}

static void test_no_encoder(void)
{
	static const enum block_codec_id ids[] = { BLOCK_BZIP2, BLOCK_XZ,
						   BLOCK_ADC };
	const struct block_options options = { 0, 15 };
	struct err err;

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		CHECK(!block_encoder_open(ids[i], &options, &err));
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	}
}

static void test_garbage(void)
{
	static const char garbage[64] = "BZh9 this is not what it seems";
	char out[128];
	struct err err;

	for (unsigned id = 0; id < BLOCK_COUNT; id++) {
		struct block_decoder *decoder = NULL;

		if (!block_codec_library((enum block_codec_id)id))
			continue;
		decoder = block_decoder_open((enum block_codec_id)id, &err);
		CHECK(decoder);
		CHECK(block_decode(decoder, garbage, sizeof garbage, out,
				   sizeof out, &err));
		CHECK_EQ(err.kind, ERR_DAMAGED);
		block_decoder_close(decoder);
	}
}

int main(void)
{
	test_tokens();
	test_far();
	test_no_encoder();
	test_garbage();
	return check_result();
}
