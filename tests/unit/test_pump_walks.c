/* SPDX-License-Identifier: MIT */
/* The pump over walks: streams by any pull, pieces in order and in any order,
 * encoded ones; what it does where they fail, and how it tells of progress. */
#include <unistd.h>

#include "pump_runs.h"

static void test_streams(void)
{
	static const size_t sizes[] = { 0, 1, 511, 512, 513, 70000,
					UNIT_LEN - 512, UNIT_LEN,
					UNIT_LEN + 1, 2 * UNIT_LEN + 100 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_FREE unsigned char *bytes = toy_guest(sizes[i]);
		for (size_t k = 0; k < 2; k++) {
			static const size_t pulls[] = { 1, 1000, 1 << 20 };
			struct outcome first, out;
			struct setup setup = kinds[k];

			setup.threads = 2;
			setup.sectors = k;
			setup.append = !k;
			pump(&setup, bytes, sizes[i], NULL, &first);
			CHECK(!first.result);
			for (size_t p = 0; p < 3; p++) {
				setup.pull = pulls[p];
				setup.walk = true;
				pump(&setup, bytes, sizes[i], NULL, &out);
				CHECK(!out.result);
				CHECK(k ? holds(&out, bytes, sizes[i])
					: same(&first, &out));
				CHECK_EQ(out.size, sizes[i]);
				outcome_clear(&out);
			}
			outcome_clear(&first);
		}
	}
}

static void test_ordered_pieces(void)
{
	size_t len = 3 * UNIT_LEN + 12345;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	unsigned char wanted[DIGEST_LEN];

	digest_whole(bytes, len, wanted);
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (unsigned seed = 1; seed <= 6; seed++) {
			struct setup setup = kinds[k];
			struct toy_walk walk;
			struct outcome out, other;

			if (!built(&setup))
				continue;
			setup.threads = 1 + seed % 3;
			setup.walk = true;
			setup.sectors = k;
			toy_walk_init(&walk, bytes, len, true);
			walk.state = seed;
			walk.most = seed > 4 ? 1000000 : 3000;
			walk.zeros = seed % 2;
			pump(&setup, bytes, len, &walk.walk, &out);
			if (out.result)
				fprintf(stderr, "%s\n", out.err.message);
			CHECK(!out.result);
			CHECK(!memcmp(out.digest, wanted, DIGEST_LEN));
			/* The same as one piece after the other would give. */
			setup.pull = UNIT_LEN;
			pump(&setup, bytes, len, NULL, &other);
			CHECK(same(&out, &other));
			outcome_clear(&out);
			outcome_clear(&other);
			walk_close(&walk.walk);
		}
}

static void test_scattered(void)
{
	size_t len = 40 * TOY_CLUSTER + 1000;
	AUTO_FREE unsigned char *bytes = toy_guest(len);

	memset(bytes + 30 * TOY_CLUSTER, 0, 4 * TOY_CLUSTER);
	for (int codec = -1; codec <= BLOCK_ZLIB; codec++)
		for (unsigned threads = 1; threads <= 4; threads++)
			for (int stale = 0; stale < 2; stale++) {
				struct block_options options = { 0, 15 };
				struct setup setup = plain;
				struct toy_walk walk;
				struct outcome out;
				struct err err;

				if (codec >= 0 && !block_codec_library(codec))
					continue;
				setup.threads = threads;
				setup.stale = setup.head_last = stale;
				toy_walk_init(&walk, bytes, len, false);
				toy_walk_shuffle(&walk);
				if (codec >= 0) {
					walk.codec = codec;
					walk.encoder = block_encoder_open(
						codec, &options, &err);
				}
				pump(&setup, bytes, len, &walk.walk, &out);
				CHECK(!out.result && out.len == len &&
				      !memcmp(out.bytes, bytes, len));
				/* On a device the head is last here too. */
				if (stale)
					CHECK_EQ(out.ops[out.op_count - 2]
						 .offset, 0);
				walk_close(&walk.walk);
				outcome_clear(&out);
			}
}

static void test_scattered_failures(void)
{
	size_t len = 20 * TOY_CLUSTER;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct setup setup = plain;
	struct outcome out;
	struct toy_walk walk;

	/* The last one is the end. */
	for (unsigned n = 1, count = 1; n <= count; n++) {
		toy_walk_init(&walk, bytes, len, false);
		toy_walk_shuffle(&walk);
		count = (unsigned)walk.count + 1;
		walk.fail_at = n;
		pump(&setup, bytes, len, &walk.walk, &out);
		CHECK(out.result < 0);
		CHECK(strstr(out.err.message, "injected"));
		outcome_clear(&out);
		walk_close(&walk.walk);
	}
	/* Content in the order of the file has no digest, and fits no writer
	 * that wants order. */
	toy_walk_init(&walk, bytes, len, false);
	toy_walk_shuffle(&walk);
	setup.append = true;
	pump(&setup, bytes, len, &walk.walk, &out);
	CHECK(out.result < 0);
	CHECK_EQ(out.err.kind, ERR_BUG);
	outcome_clear(&out);
	walk_close(&walk.walk);
}

/* Progress only grows, and ends at the whole. */
struct watch {
	uint64_t done, total;
	unsigned calls, backwards;
};

static void watch(void *opaque, uint64_t done, uint64_t total)
{
	struct watch *seen = opaque;

	seen->calls++;
	seen->backwards += done < seen->done;
	seen->done = done;
	seen->total = total;
}

static void test_progress(void)
{
	size_t len = 6 * UNIT_LEN + 5;
	AUTO_FREE unsigned char *bytes = toy_guest(len);
	struct toy_walk walk;
	struct err err;

	for (int ordered = 0; ordered < 2; ordered++) {
		AUTO_SINK struct sink *sink = files_memory_sink();
		struct watch seen = { 0 };

		toy_walk_init(&walk, bytes, len, ordered);
		if (!ordered)
			toy_walk_shuffle(&walk);
		struct pump pump = { .walk = &walk.walk, .threads = 4,
				     .progress = watch, .opaque = &seen };
		pump.writer = make_writer(&plain, len, sink, &err);
		CHECK(!pump_run(&pump, &err));
		writer_close(pump.writer);
		CHECK(seen.calls && !seen.backwards);
		if (ordered)
			CHECK_EQ(seen.done, len);
		else
			CHECK_EQ(seen.total, len);
		walk_close(&walk.walk);
	}
}

int main(void)
{
	alarm(PATIENCE);
	test_streams();
	test_ordered_pieces();
	test_scattered();
	test_scattered_failures();
	test_progress();
	return check_result();
}
