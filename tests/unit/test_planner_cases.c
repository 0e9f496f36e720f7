/* SPDX-License-Identifier: MIT */
/*
 * The real catalogue on real problems: the cases that the planner was designed
 * for, each with the steps that answer it.
 */
#include "plan_cases.h"

#include <time.h>

#define GB ((uint64_t)1 << 30)

/* ---- the table ---- */

struct row {
	const char *what;
	struct wish wish;
	const char *id;	    /* of the cheapest plan, or NULL: none */
	const char *reason; /* then: a word of it */
	bool temp;	    /* a temporary file is expected */
};

#define Q2 .from = "qcow2", .size = 8 * GB
#define R .from = "raw", .size = 4 * GB

static const struct row rows[] = {
	{ .what = "1 raw.xz -> qcow2",
	  .wish = { R, .wrap = "xz", .to = "qcow2" },
	  .id = "decompress,convert" },
	{ .what = "1 the same, by blocks",
	  .wish = { R, .wrap = "xz", .blocks = true, .to = "qcow2" },
	  .id = "decompress,convert" },
	{ .what = "2 raw.gz -> qcow2, of unknown length",
	  .wish = { .from = "raw", .data = 4 * GB, .wrap = "gz",
	    .to = "qcow2" },
	  .id = "decompress,convert" },
	/* A relative size needs the length, which only the archive tells. */
	{ .what = "3 raw.tar.gz -> larger qcow2",
	  .wish = { R, .wrap = "gz", .archive = "tar", .to = "qcow2",
	    .resize = "+1073741824" },
	  .id = "decompress,extract,resize,convert" },
	{ .what = "3 without an archive the length is not known: a spool",
	  .wish = { .from = "raw", .data = 4 * GB, .wrap = "gz",
	    .to = "qcow2", .resize = "+1073741824" },
	  .id = "decompress,spool,resize,convert", .temp = true },
	{ .what = "4 multi-block xz of an ordered qcow2 -> raw",
	  .wish = { Q2, .wrap = "xz", .blocks = true, .block = 1 << 20,
	    .to = "raw" },
	  .id = "decompress-blocks,convert" },
	/* As a stream liblzma decodes as many at once, and nobody waits. */
	{ .what = "4 of blocks much longer than the units",
	  .wish = { Q2, .wrap = "xz", .blocks = true, .block = 24 << 20,
	    .to = "raw" },
	  .id = "decompress,convert-scattered", .temp = true },
	{ .what = "4 zstd, whose stream has one thread only",
	  .wish = { Q2, .wrap = "zst", .blocks = true, .block = 1 << 20,
	    .to = "raw" },
	  .id = "decompress-blocks,convert" },
	{ .what = "5 multi-block xz of a fragmented qcow2 -> raw",
	  .wish = { Q2, .wrap = "xz", .blocks = true, .redecode = 12,
	    .to = "raw" },
	  .id = "decompress,convert-scattered", .temp = true },
	{ .what = "5 the same to qcow2, whose writer wants order",
	  .wish = { Q2, .wrap = "xz", .blocks = true, .redecode = 12,
	    .to = "qcow2",
	    .rewrite = true },
	  .id = "decompress,spool,convert", .temp = true },
	{ .what = "6 single-block xz of qcow2 -> raw",
	  .wish = { Q2, .wrap = "xz", .to = "raw" },
	  .id = "decompress,convert-scattered", .temp = true },
	{ .what = "6 the same to a pipe",
	  .wish = { Q2, .wrap = "xz", .to = "raw", .sink = "stream" },
	  .id = "decompress,spool,convert", .temp = true },
	{ .what = "7 raw.xz -> raw.zst",
	  .wish = { R, .wrap = "xz", .to = "raw", .to_wrap = "zst" },
	  .id = "decompress,compress" },
	{ .what = "7 raw.xz -> raw.xz: as it is, but not unseen",
	  .wish = { R, .wrap = "xz", .to = "raw", .to_wrap = "xz" },
	  .id = "test,copy" },
	{ .what = "8 qcow2.xz -> qcow2",
	  .wish = { Q2, .wrap = "xz", .to = "qcow2" },
	  .id = "decompress,check-output" },
	{ .what = "8 with --rewrite",
	  .wish = { Q2, .wrap = "xz", .to = "qcow2", .rewrite = true },
	  .id = "decompress,spool,convert", .temp = true },
	/* Clusters in use are compressed: what a conversion would have to
	 * inflate, sharing leaves where it is. */
	{ .what = "9 qcow2 -> larger qcow2, sharing extents",
	  .wish = { Q2, .inner = "zlib", .gpt = true, .clone = true,
	    .to = "qcow2",
	    .resize = "10737418240" },
	  .id = "check,copy,qemu-img-resize,gpt-fix-qemu" },
	{ .what = "9 without a partition table",
	  .wish = { Q2, .inner = "zlib", .clone = true, .to = "qcow2",
	    .resize = "10737418240" },
	  .id = "check,copy,qemu-img-resize" },
	{ .what = "9 --no-partition-fix",
	  .wish = { Q2, .inner = "zlib", .gpt = true, .clone = true,
	    .to = "qcow2",
	    .resize = "10737418240", .no_fix = true },
	  .id = "check,copy,qemu-img-resize" },
	{ .what = "9 plain clusters, many: run by run takes longer",
	  .wish = { Q2, .gpt = true, .clone = true, .to = "qcow2",
	    .resize = "10737418240" },
	  .id = "check,copy,qemu-img-resize,gpt-fix-qemu" },
	/* The fused conversion shares plain clusters too, and starting four
	 * programs takes longer than naming a few runs. */
	{ .what = "9 few plain clusters",
	  .wish = { Q2, .data = GB, .gpt = true, .clone = true, .to = "qcow2",
	    .resize = "10737418240" },
	  .id = "resize,gpt-fix,convert" },
	{ .what = "9 without the tools",
	  .wish = { Q2, .inner = "zlib", .gpt = true, .clone = true,
	    .no_qemu = true,
	    .to = "qcow2", .resize = "10737418240" },
	  .id = "resize,gpt-fix,convert" },
	/* Nobody has seen yet whether there is a table. */
	{ .what = "9 a guest that comes to light on the way",
	  .wish = { Q2, .wrap = "xz", .to = "qcow2", .resize = "10737418240" },
	  .id = "decompress,spool,resize,gpt-fix,convert", .temp = true },
	{ .what = "10 without sharing, plain data move once either way",
	  .wish = { Q2, .gpt = true, .to = "qcow2", .resize = "10737418240" },
	  .id = "resize,gpt-fix,convert" },
	{ .what = "10 compressed clusters are less than what is in them",
	  .wish = { Q2, .inner = "zlib", .gpt = true, .to = "qcow2",
	    .resize = "10737418240" },
	  .id = "check,copy,qemu-img-resize,gpt-fix-qemu" },
	{ .what = "11 ova -> raw, the member in place",
	  .wish = { .from = "vmdk", .size = 8 * GB, .archive = "ova",
	    .to = "raw" },
	  .id = "window,convert" },
	/* What is renamed must be read first, what flows is seen anyway. */
	{ .what = "12 with --consume and --checksum",
	  .wish = { R, .consume = true, .checksum = 1, .to = "raw" },
	  .id = "checksum,rename" },
	{ .what = "raw.xz -> raw, digest of the file",
	  .wish = { R, .wrap = "xz", .checksum = 1, .to = "raw" },
	  .id = "decompress" },
	{ .what = "raw.xz -> raw, digest of what is inside",
	  .wish = { R, .wrap = "xz", .checksum = 2, .to = "raw" },
	  .id = "decompress" },
	{ .what = "raw.xz -> raw.xz, digest of the file",
	  .wish = { R, .wrap = "xz", .checksum = 1, .to = "raw",
	    .to_wrap = "xz" },
	  .id = "checksum,copy" },
	{ .what = "raw.xz -> raw.xz, digest of what is inside",
	  .wish = { R, .wrap = "xz", .checksum = 2, .to = "raw",
	    .to_wrap = "xz" },
	  .id = "checksum,copy" },
	{ .what = "raw.xz -> raw.xz.gz, digest of what is inside",
	  .wish = { R, .wrap = "xz", .checksum = 2, .to = "raw",
	    .to_wrap = "gz.xz" },
	  .id = "checksum,compress" },
	{ .what = "raw.xz -> raw.xz.gz from a pipe, digest of what is inside",
	  .wish = { R, .wrap = "xz", .pipe = true, .checksum = 2, .to = "raw",
	    .to_wrap = "gz.xz" },
	  .id = "decompress,compress,compress" },
	{ .what = "raw -> qcow, by qemu-img, with a digest",
	  .wish = { R, .checksum = 1, .to = "qcow" },
	  .id = "checksum,qemu-img-convert" },
	{ .what = "over SSH, by what was there for the probe",
	  .wish = { Q2, .ssh = "both", .other_fs = true, .to = "raw" },
	  .id = "nbdkit-ssh,convert" },
	{ .what = "over SSH by sftp alone",
	  .wish = { Q2, .ssh = "sftp", .other_fs = true, .to = "raw" },
	  .id = "sftp,convert",
	  .temp = true },
	{ .what = "12 raw -> raw with --consume",
	  .wish = { R, .consume = true, .to = "raw" },
	  .id = "rename" },
	{ .what = "12 to another file system",
	  .wish = { R, .consume = true, .other_fs = true, .to = "raw" },
	  .id = "copy" },
	{ .what = "12 a qcow2 is looked at first",
	  .wish = { Q2, .consume = true, .to = "qcow2" },
	  .id = "check,rename" },
	{ .what = "13 raw -> raw, sharing extents",
	  .wish = { R, .clone = true, .to = "raw" },
	  .id = "copy" },
	{ .what = "14 raw -> qcow2 to a pipe",
	  .wish = { R, .to = "qcow2", .sink = "stream" },
	  .id = "survey,convert" },
	/* What is put aside is read once, not twice as after a spool. */
	{ .what = "14 from a pipe to a pipe",
	  .wish = { R, .pipe = true, .to = "qcow2", .sink = "stream" },
	  .id = "convert-aside,copy", .temp = true },
	{ .what = "15 --digest reads what could be renamed",
	  .wish = { R, .consume = true, .digest = true, .to = "raw" },
	  .id = "convert" },
	{ .what = "15 --digest reads what could be shared",
	  .wish = { R, .clone = true, .digest = true, .to = "raw" },
	  .id = "convert" },
	{ .what = "15 --digest of a qcow2.xz",
	  .wish = { Q2, .wrap = "xz", .digest = true, .to = "qcow2" },
	  .id = "decompress,spool,convert", .temp = true },
	{ .what = "15 -c writes",
	  .wish = { Q2, .clone = true, .compress = "zlib", .to = "qcow2" },
	  .id = "convert" },
	{ .what = "15 -c writes even what has compressed clusters",
	  .wish = { Q2, .inner = "zlib", .clone = true, .compress = "zlib",
	    .to = "qcow2" },
	  .id = "convert" },
	{ .what = "16 qcow2 with LUKS -> raw",
	  .wish = { Q2, .luks = true, .to = "raw" },
	  .id = "qemu-nbd,convert" },
	{ .what = "16 without qemu",
	  .wish = { Q2, .luks = true, .no_qemu = true, .to = "raw" },
	  .reason = "encryption" },
	/* 17, forbidden padding, fails before there is a problem to plan, so
	 * that the message can name what to give: see plans.bats. */
};

static void check_row(const struct row *row)
{
	struct case_problem it;
	struct plan plan;
	struct err err = { .kind = ERR_NONE };
	char id[PLAN_ID_LEN];
	unsigned before = check_failures;

	case_make(&row->wish, catalogue, &it);
	int result = plan_search(&it.problem, &plan, &err);
	if (row->id) {
		CHECK(!result);
		CHECK_STR(result ? err.message
				 : plan_id(&plan, id, sizeof id), row->id);
		CHECK(result || (plan.temp > 0) == row->temp);
	} else {
		CHECK(result < 0);
		CHECK_EQ(err.kind, ERR_NO_PLAN);
		CHECK(result == 0 || strstr(err.message, row->reason));
	}
	if (check_failures != before)
		fprintf(stderr, "  in case %s: %s\n", row->what,
			err.message);
}

/* The cheapest is the first of all, and each of them reaches the goal. */
static void check_alternatives(const struct row *row)
{
	struct case_problem it;
	struct plan *list = NULL;
	struct err err;
	unsigned count = 0;
	char id[PLAN_ID_LEN];

	if (!row->id)
		return;
	case_make(&row->wish, catalogue, &it);
	CHECK(!plan_all(&it.problem, 64, &list, &count, &err));
	for (unsigned i = 0; i < count; i++) {
		struct plan *plan = &list[i];
		CHECK(goal_reached(&it.problem.goal,
				   &plan->step[plan->count - 1].after));
		CHECK(!i || list[i - 1].weight <= plan->weight);
	}
	CHECK(count && !strcmp(plan_id(&list[0], id, sizeof id), row->id));
	free(list);
}

/* Not a test: a figure to look at. */
static void tell_time(void)
{
	enum { ROUNDS = 20, COUNT = sizeof rows / sizeof *rows };
	struct case_problem it;
	struct plan plan;
	struct err err;
	double total = 0, most = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		struct timespec start, end;
		double us;
		case_make(&rows[i].wish, catalogue, &it);
		clock_gettime(CLOCK_MONOTONIC, &start);
		for (unsigned k = 0; k < ROUNDS; k++)
			plan_search(&it.problem, &plan, &err);
		clock_gettime(CLOCK_MONOTONIC, &end);
		us = ((double)(end.tv_sec - start.tv_sec) * 1e6 +
		      (double)(end.tv_nsec - start.tv_nsec) / 1e3) / ROUNDS;
		total += us;
		if (most < us)
			most = us;
	}
	printf("a planning takes %.0f us on average, %.0f us at most\n",
	       total / COUNT, most);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* An old liblzma decodes blocks one after the other. */
		if (rows[i].wish.blocks &&
		    !codec_get(CODEC_XZ)->decoder_threads)
			continue;
		check_row(&rows[i]);
		check_alternatives(&rows[i]);
	}
	tell_time();
	return check_result();
}
