/* SPDX-License-Identifier: MIT */
/*
 * Deleting a row changes plans and needs no other edit: every row of the real
 * catalogue is taken out in turn, and problems of all kinds, a few chosen and
 * many at random, are planned without it. And no row is there for nothing.
 */
#include "plan_cases.h"
#include "sequence.h"

#define GB ((uint64_t)1 << 30)
#define RANDOM_COUNT 400

/* What the random ones are not sure to come to. */
static const struct wish chosen[] = {
	{ .from = "raw", .size = GB, .to = "raw", .consume = true },
	{ .from = "raw", .size = GB, .to = "raw", .consume = true,
	  .checksum = 1 },
	{ .from = "qcow2", .size = GB, .to = "qcow2" },
	{ .from = "raw", .size = GB, .gpt = true, .to = "raw",
	  .resize = "2147483648", .in_place = true },
	{ .from = "qcow2", .size = GB, .gpt = true, .to = "qcow2",
	  .resize = "2147483648", .in_place = true },
	{ .from = "raw", .size = GB, .pipe = true, .to = "qcow2",
	  .compress = "zstd", .to_wrap = "xz" },
	{ .from = "qcow2", .size = GB, .to = "qcow2", .compress = "zlib",
	  .sink = "stream" },
	{ .from = "raw", .size = GB, .to = "qcow" },
	{ .from = "raw", .size = GB, .wrap = "xz", .to = "raw",
	  .to_wrap = "xz" },
	{ .from = "raw", .size = GB, .pipe = true, .gpt = true,
	  .to = "qcow2", .resize = "2147483648" },
};
#define CHOSEN_COUNT (sizeof chosen / sizeof *chosen)
#define COUNT (CHOSEN_COUNT + RANDOM_COUNT)

static uint32_t seed = 20251121;

/* A number below `limit`: a fixed sequence, so that a failure comes again. */
static unsigned any(unsigned limit)
{
	seed = sequence32(seed);
	return (seed >> 16) % limit;
}

static bool rarely(void)
{
	return !any(5);
}

static void random_wish(struct wish *wish)
{
	static const char *const formats[] = { "raw", "qcow2", "qcow2" };
	static const char *const wraps[] = { "xz", "gz", "zst" };
	static const char *const packs[] = { "tar", "gz.tar", "zip" };
	static const char *const inner[] = { "zlib", "zstd" };

	memset(wish, 0, sizeof *wish);
	wish->from = formats[any(3)];
	wish->size = (any(64) + 1) * GB / 4;
	wish->data = wish->size / (any(3) + 1);
	wish->wrap = any(2) ? wraps[any(3)] : NULL;
	wish->archive = rarely() ? any(2) ? "tar" : "zip" : NULL;
	wish->blocks = wish->wrap && !strcmp(wish->wrap, "xz") && any(2);
	wish->redecode = any(2) ? 1 : any(20);
	wish->inner = !strcmp(wish->from, "qcow2") && rarely()
			      ? inner[any(2)] : NULL;
	wish->gpt = any(2);
	wish->pipe = rarely();
	wish->luks = !any(20);
	wish->snapshot = rarely();
	wish->to = any(2) ? "qcow2" : rarely() ? "qcow" : "raw";
	wish->ssh = rarely() && !wish->pipe && !wish->in_place
			    ? any(2) ? "both" : "sftp"
			    : NULL;
	wish->to_wrap = rarely()   ? wraps[any(3)]
			: rarely() ? packs[any(3)]
				   : NULL;
	wish->compress = !strcmp(wish->to, "qcow2") && rarely()
				 ? inner[any(2)] : NULL;
	wish->resize = any(2) ? NULL : any(2) ? "137438953472"
					      : "+1073741824";
	wish->digest = rarely();
	wish->checksum = rarely() ? 1 + any(2) : 0;
	wish->rewrite = rarely();
	wish->consume = rarely();
	wish->chosen = wish->snapshot && any(2);
	wish->sink = any(3) ? "file" : any(2) ? "device" : "stream";
	wish->clone = any(2);
	wish->other_fs = rarely();
	wish->no_qemu = rarely();
}

static struct wish wishes[COUNT];

/* One problem's answer with the whole catalogue. */
struct answer {
	bool found;
	double weight;
	char id[PLAN_ID_LEN];
	unsigned count;
	unsigned row[PLAN_STEPS];
};

static struct answer answers[COUNT];

static void plan_whole(unsigned at, bool used[ROWS_MAX])
{
	struct case_problem it;
	struct plan plan;
	struct err err = { .kind = ERR_NONE };
	struct answer *answer = &answers[at];
	unsigned copies = 0;

	case_make(&wishes[at], catalogue, &it);
	answer->found = !plan_search(&it.problem, &plan, &err);
	if (!answer->found) {
		CHECK_EQ(err.kind, ERR_NO_PLAN);
		return;
	}
	answer->weight = plan.weight;
	answer->count = plan.count;
	plan_id(&plan, answer->id, sizeof answer->id);
	for (unsigned i = 0; i < plan.count; i++) {
		answer->row[i] = catalogue_index(plan.step[i].transition);
		used[answer->row[i]] = true;
		copies += !strcmp(plan.step[i].transition->name, "copy");
	}
	CHECK(copies <= 1);
	if (plan.count)
		CHECK(goal_reached(&it.problem.goal,
				   &plan.step[plan.count - 1].after));
}

static bool uses(const struct answer *answer, unsigned row)
{
	for (unsigned i = 0; i < answer->count; i++)
		if (answer->row[i] == row)
			return true;
	return false;
}

/* Another plan, never a cheaper one, or a reason why there is none; where the
 * row was not used, the same plan. */
static void plan_without(unsigned at, unsigned row,
			 const struct transition *const *rows)
{
	struct case_problem it;
	struct plan plan;
	struct err err = { .kind = ERR_NONE };
	const struct answer *answer = &answers[at];
	char id[PLAN_ID_LEN];
	bool found;

	case_make(&wishes[at], rows, &it);
	found = !plan_search(&it.problem, &plan, &err);
	CHECK(answer->found || !found);
	if (found) {
		CHECK(plan.weight >= answer->weight);
		for (unsigned i = 0; i < plan.count; i++)
			CHECK(plan.step[i].transition != catalogue[row]);
	} else {
		CHECK_EQ(err.kind, ERR_NO_PLAN);
		CHECK(!strncmp(err.message, "no plan", 7));
		CHECK(strlen(err.message) > 20);
	}
	if (answer->found && !uses(answer, row)) {
		CHECK(found);
		CHECK_STR(found ? plan_id(&plan, id, sizeof id) : "",
			  answer->id);
	}
}

static void check_without(unsigned row)
{
	const struct transition *rows[ROWS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; catalogue[i]; i++)
		if (i != row)
			rows[count++] = catalogue[i];
	rows[count] = NULL;
	for (unsigned at = 0; at < COUNT; at++)
		/* Of the unaffected ones a part will do. */
		if (!answers[at].found || uses(&answers[at], row) ||
		    at % 8 == row % 8)
			plan_without(at, row, rows);
}

int main(void)
{
	bool used[ROWS_MAX] = { false };
	unsigned found = 0;

	memcpy(wishes, chosen, sizeof chosen);
	for (unsigned i = CHOSEN_COUNT; i < COUNT; i++)
		random_wish(&wishes[i]);
	for (unsigned i = 0; i < COUNT; i++) {
		plan_whole(i, used);
		found += answers[i].found;
	}
	/* The random ones are not all nonsense. */
	CHECK(found > COUNT / 2);
	for (unsigned row = 0; catalogue[row]; row++) {
		CHECK(used[row]);
		if (!used[row])
			fprintf(stderr, "  no plan uses row %u, %s\n", row,
				catalogue[row]->name);
		check_without(row);
	}
	return check_result();
}
