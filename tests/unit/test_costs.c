/* SPDX-License-Identifier: MIT */
/*
 * The cost model on the real catalogue: what a plan's weight is made of,
 * worked out by hand from sizes and coefficients. Which plan wins is
 * test_planner_cases.c's.
 */
#include "plan_cases.h"

#include <math.h>

#define GB ((uint64_t)1 << 30)
#define THREADS 4
#define C costs_default

#define R4 .from = "raw", .size = 4 * GB
#define HALF_RAW .from = "raw", .size = 4 * GB, .data = 2 * GB

static bool is(double found, double wanted)
{
	bool near = fabs(found - wanted) < 1e-6 * fmax(wanted, 1);

	if (!near)
		fprintf(stderr, "%f instead of %f\n", found, wanted);
	return near;
}

/* The weight of the plan called `id`, microseconds; -1: there is none. */
static double weigh(const struct wish *wish, bool sync, const char *id)
{
	struct case_problem it;
	struct plan *list = NULL;
	struct err err;
	char found[PLAN_ID_LEN];
	unsigned count = 0;
	double weight = -1;

	case_make(wish, catalogue, &it);
	it.list.sync = sync;
	if (plan_all(&it.problem, 64, &list, &count, &err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(plan_id(&list[i], found, sizeof found), id))
			weight = list[i].weight;
	free(list);
	return weight;
}

/* Nanoseconds a byte into microseconds. */
static double us(uint64_t bytes, double ns)
{
	return (double)bytes * ns / 1000;
}

static void holes(void)
{
	const struct wish copy = { HALF_RAW, .to = "raw" };
	const struct wish convert = { HALF_RAW, .to = "qcow2" };
	double moved = us(2 * GB, C.read + C.write) / THREADS;

	/* Only data are read and written, on all threads. */
	CHECK(is(weigh(&copy, false, "copy"), moved));
	CHECK(is(weigh(&convert, false, "convert"),
		 moved + C.metadata_us / 4));
}

static void waiting(void)
{
	const struct wish convert = { HALF_RAW, .to = "qcow2" };
	const struct wish shared = { HALF_RAW, .clone = true, .to = "raw" };
	const struct wish spooled = { .from = "qcow2", .size = 4 * GB,
				      .data = 2 * GB, .wrap = "xz",
				      .to = "qcow2", .rewrite = true };

	CHECK(is(weigh(&convert, true, "convert") -
			 weigh(&convert, false, "convert"),
		 us(2 * GB, C.sync)));
	/* Nothing was written. */
	CHECK(is(weigh(&shared, true, "copy"), C.clone_us));
	/* Temporary files are not waited for. */
	CHECK(is(weigh(&spooled, true, "decompress,spool,convert") -
			 weigh(&spooled, false, "decompress,spool,convert"),
		 us(2 * GB, C.sync)));
}

/* What comes as a stream is looked at for zeros, what is added is not. */
static void growing(void)
{
	const struct wish same = { HALF_RAW, .wrap = "lz4", .to = "qcow2" };
	const struct wish larger = { HALF_RAW, .wrap = "lz4", .to = "qcow2",
				     .resize = "1099511627776" };
	double grown = weigh(&larger, false, "decompress,resize,convert");

	CHECK(grown > 0);
	CHECK(grown < weigh(&same, false, "decompress,convert") + 200);
}

static void digest(void)
{
	const struct wish wish = { HALF_RAW, .digest = true, .to = "raw" };

	/* In order, on one thread, holes too. */
	CHECK(is(weigh(&wish, false, "convert"),
		 us(4 * GB, C.digest) + C.metadata_us / 4));
}

static void pipes(void)
{
	const struct wish out = { .from = "qcow2", .size = 4 * GB,
				  .data = 2 * GB, .to = "raw",
				  .sink = "stream" };
	const struct wish in = { .from = "qcow2", .size = 4 * GB,
				 .data = GB, .pipe = true, .to = "qcow2" };

	/* A hole is zeros there, and nothing is waited for. */
	CHECK(is(weigh(&out, true, "convert"),
		 us(4 * GB, C.pipe) + C.metadata_us / 4));
	/* Of unknown length. */
	CHECK(weigh(&in, false, "copy,check-output") >= us(GB / 2, C.pipe));
}

static void codecs(void)
{
	const struct wish in = { HALF_RAW, .wrap = "gz", .to = "raw" };
	const struct wish out = { HALF_RAW, .to = "raw", .to_wrap = "bz2" };
	double data, zeros;

	/* A decoder without blocks is one thread's. What is inside has no
	 * known length: three times the file, which is a third of the data. */
	CHECK(is(weigh(&in, false, "decompress"),
		 us(2 * GB / 3 * 3, C.decode[CODEC_GZIP])));
	data = us(2 * GB, C.read + C.encode[CODEC_BZIP2]);
	zeros = us(2 * GB, C.encode_zeros[CODEC_BZIP2]);
	/* What comes out is a third as long as the data. */
	CHECK(is(weigh(&out, false, "compress"),
		 (data + zeros + (2.0 * (double)GB / 3) * C.write / 1000) /
			 THREADS));
}

/* A little more: what else the same threads do. */
static bool is_about(double weight, double least)
{
	return weight >= least && weight < least * 1.02;
}

/* Four threads decode ahead of one another, as far as blocks are kept. */
static void blocks(void)
{
	struct wish wish = { .from = "qcow2", .size = 4 * GB, .wrap = "xz",
			     .blocks = true, .to = "raw" };
	const char *id = "decompress-blocks,convert";
	double decode = us(4 * GB, C.decode[CODEC_XZ]);
	double rest = C.metadata_us / 4;

	wish.block = 2 << 20;
	CHECK(is_about(weigh(&wish, false, id), decode / 4 + rest));
	/* Longer than a unit: they wait a fifth of the time. */
	wish.block = 24 << 20;
	CHECK(is(weigh(&wish, false, id), decode / 3.2 + rest));
	wish.block = 0;
	CHECK(is(weigh(&wish, false, id), decode / 3.2 + rest));
	/* One of these is all that is kept. */
	wish.block = 60 << 20;
	CHECK(is(weigh(&wish, false, id), decode + rest));
	wish.block = 24 << 20;
	/* In disorder most are decoded again. */
	wish.redecode = 3;
	CHECK(is(weigh(&wish, false, id), decode * 3 / 3.2 + rest));
	wish.redecode = 12;
	CHECK(weigh(&wish, false, id) > 3 * decode);
	/* As a stream all threads decode xz, but for an old liblzma's, and
	 * one thread zstd. */
	CHECK((weigh(&wish, false, "decompress,convert-scattered") <
	       decode / 3) == codec_get(CODEC_XZ)->decoder_threads);
	wish.wrap = "zst";
	CHECK(weigh(&wish, false, "decompress,convert-scattered") >=
	      us(4 * GB, C.decode[CODEC_ZSTD]));
}

/* A tar is a frame: what is compressed around it is as long as inside. */
static void frames(void)
{
	const struct wish bare = { R4, .to = "raw", .to_wrap = "xz" };
	const struct wish tar = { R4, .to = "raw", .to_wrap = "xz.tar" };
	double frame = us(4 * GB, C.copy) / THREADS;

	CHECK(is(weigh(&tar, false, "pack,compress") - frame,
		 weigh(&bare, false, "compress")));
}

/* A level's cost lies on the curve through the lowest and the default. */
static void levels(void)
{
	const struct codec *xz = codec_get(CODEC_XZ);
	const struct wish wish = { R4, .to = "raw", .to_wrap = "xz" };
	double weight[3], rest;
	const int level[3] = { 0, xz->level_min, xz->level_default };

	for (unsigned i = 0; i < 3; i++) {
		struct case_problem it;
		struct plan plan;
		struct err err;

		case_make(&wish, catalogue, &it);
		it.list.sync = false;
		it.list.wrap_level = level[i];
		/* So that no level has fewer threads. */
		it.list.memory = 64 * GB;
		CHECK(!plan_search(&it.problem, &plan, &err));
		weight[i] = plan.weight;
	}
	rest = us(4 * GB, C.read) + us(4 * GB / 3, C.write);
	CHECK(is(weight[0], weight[2]));
	CHECK(is(weight[0],
		 (us(4 * GB, C.encode[CODEC_XZ]) + rest) / THREADS));
	CHECK(is(weight[1],
		 (us(4 * GB, C.encode_fast[CODEC_XZ]) + rest) / THREADS));
}

/* What every plan takes is in every answer, and changes none. */
static void fixed(void)
{
	const struct wish wish = { .from = "qcow2", .size = 8 * GB,
				   .wrap = "xz", .to = "raw" };
	struct case_problem it;
	struct plan *list = NULL;
	struct plan before, after;
	struct err err;
	unsigned count, more;

	case_make(&wish, catalogue, &it);
	CHECK(!plan_search(&it.problem, &before, &err));
	CHECK(!plan_all(&it.problem, 64, &list, &count, &err));
	free(list);
	it.problem.fixed = 12345;
	CHECK(!plan_search(&it.problem, &after, &err));
	CHECK_EQ(before.count, after.count);
	CHECK(is(after.weight, before.weight + 12345));
	plan_price(&it.problem, &after);
	CHECK(is(after.weight, before.weight + 12345));
	CHECK(!plan_all(&it.problem, 64, &list, &more, &err));
	CHECK_EQ(count, more);
	CHECK(is(list[0].weight, before.weight + 12345));
	free(list);
}

/* What is not known of an input: from the front, and data; `used` is what a
 * partition table says. */
static void guess(const struct wish *wish, uint64_t used, double length,
		  double data)
{
	struct case_problem it;
	struct state peeled;

	case_make(wish, catalogue, &it);
	it.list.image.allocated = 0;
	it.list.image.used_end = used;
	peeled = it.problem.start;
	state_set(&peeled, TAG_WRAPS, "");
	CHECK(is(costs_length(&it.list, &peeled), length));
	CHECK(is(costs_allocated(&it.list), data));
}

static void guesses(void)
{
	const double gb = (double)GB;
	const struct wish raw = { .from = "raw", .pipe = true, .to = "raw" };
	const struct wish known = { .from = "qcow2", .size = 6 * GB,
				    .pipe = true, .to = "raw" };
	const struct wish packed = { .from = "raw", .wrap = "gz",
				     .pipe = true, .to = "raw" };
	const struct wish file = { .from = "raw", .data = 3 * GB,
				   .wrap = "gz", .to = "raw" };

	guess(&raw, 0, 2 * gb, 2 * gb / 3);
	guess(&raw, 9 * GB, 9 * gb, 3 * gb);
	guess(&known, 0, 2 * gb, 2 * gb);
	guess(&packed, 9 * GB, 9 * gb, 3 * gb);
	/* A third of the data is what there is; the rest is zeros. */
	guess(&file, 0, 3 * gb, 3 * gb);
	guess(&file, 9 * GB, 9 * gb, 3 * gb);
}

static double start_of(const struct wish *wish, uint64_t block, bool verify)
{
	struct case_problem it;

	case_make(wish, catalogue, &it);
	it.list.image.block = block;
	it.list.verify = verify;
	return costs_start(&it.list, &it.problem.start, &it.problem.goal);
}

static void start(void)
{
	const struct wish blocks = { .from = "qcow2", .size = 8 * GB,
				     .wrap = "xz", .blocks = true,
				     .to = "raw" };
	const struct wish plain = { HALF_RAW, .to = "qcow2" };
	const struct wish packed = { HALF_RAW, .to = "raw", .to_wrap = "bz2" };

	CHECK(is(start_of(&plain, 0, false), C.start_us));
	/* Four blocks are decoded to look inside, no more than there are. */
	CHECK(is(start_of(&blocks, 1000000, false),
		 C.start_us + us(4000000, C.decode[CODEC_XZ])));
	CHECK(is(start_of(&blocks, 4 * GB, false),
		 C.start_us + us(8 * GB, C.decode[CODEC_XZ])));
	/* Read again: all of the guest, whichever takes longer. */
	CHECK(is(start_of(&plain, 0, true),
		 C.start_us + C.worker_us + us(4 * GB, C.digest)));
	CHECK(is(start_of(&packed, 0, true),
		 C.start_us + C.worker_us +
			 us(2 * GB, C.decode[CODEC_BZIP2])));
}

/* Eight compressions of the largest file there is: a number all the same. */
static void vast(void)
{
	const struct price_list list = { .coefficients = &C };
	struct cost cost = { .temp = 0 };

	costs_keep(&list, 1e30, &cost);
	CHECK_EQ(cost.temp, LIMIT_DISK_SIZE);
	costs_keep(&list, 1e30, &cost);
	CHECK_EQ(cost.temp, 2 * LIMIT_DISK_SIZE);
}

int main(void)
{
	holes();
	vast();
	waiting();
	growing();
	digest();
	pipes();
	codecs();
	blocks();
	frames();
	levels();
	fixed();
	start();
	guesses();
	return check_result();
}
