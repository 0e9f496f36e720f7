/* SPDX-License-Identifier: MIT */
/* Owns the parts of a pipeline and the order in which they are opened and
 * closed. What a step adds is said in the step's own file; moving the data is
 * the pump's. */
#include "transforms/build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"
#include "transforms/expect.h"
#include "transforms/limit.h"
#include "transforms/tags.h"

struct source *build_expect(struct build *build, unsigned layer,
			    struct source *source)
{
	const struct job *job = build->job;
	const char *tag = layer && layer <= job->layers
				  ? job->layer[layer - 1].tag : "";

	return expect_over(&job->expect, layer, tag, source, &build->expected);
}

static void push(struct build *build, struct source *take_source)
{
	build->source[build->depth++] = take_source;
	take_source = build_expect(build, build->layer, take_source);
	if (take_source)
		build->source[build->depth++] = take_source;
}

/* What comes out of the first step's input. */
static unsigned first_layer(const struct job *job)
{
	unsigned left = state_depth(&job->start, TAG_WRAPS);

	return job->layers > left ? job->layers - left : 0;
}

void build_init(struct build *build, const struct job *job,
		struct source *source)
{
	memset(build, 0, sizeof *build);
	build->job = job;
	build->spool_fd = -1;
	build->format = job->format;
	build->layer = first_layer(job);
	push(build, source);
}

void build_push(struct build *build, struct source *take_source)
{
	build->layer++;
	push(build, take_source);
}

int build_verify(const struct build *build, struct err *err)
{
	for (unsigned i = build->depth; i; i--)
		if (digest_source_is(build->source[i - 1]) &&
		    source_finish(build->source[i - 1], err) < 0)
			return -1;
	return 0;
}

struct source *build_source(const struct build *build)
{
	return build->source[build->depth - 1];
}

static const char *optional(const char *text)
{
	return *text ? text : NULL;
}

bool build_size(const struct build *build, uint64_t *size)
{
	if (build->disk)
		*size = build->disk->size;
	else if (build->walk && build->walk->size_known)
		*size = build->walk->size;
	else
		return false;
	return true;
}

/* What the conductor refuses when it knows of it; of a pipe it could not. */
static int check_size(const struct build *build, struct err *err)
{
	uint64_t most = build->job->max_size, size;

	if (!most || !build_size(build, &size) ||
	    strcmp(build->format, build->job->format))
		return 0;
	return limit_check(size, most, err);
}

int build_enter_guest(struct build *build, struct err *err)
{
	struct source *source = build_source(build);
	const struct driver *driver = driver_by_name(build->format);
	const char *snapshot = build->job->start.tag[TAG_SNAPSHOTS];
	const struct job *job = build->job;
	struct open_options options = { .references = build->references,
					.log = build->log,
					.name = optional(job->name),
					.member = optional(job->member) };

	if (build->disk || build->walk)
		return 0;
	if (!driver)
		return err_set(err, ERR_BUG, "no driver for \"%s\"",
			       build->format);
	/* Not where the file is only copied, as bytes. */
	if (!strcmp(snapshot, "chosen") &&
	    !strcmp(build->format, build->job->format))
		options.snapshot = build->job->snapshot;
	if (source->seekable)
		build->disk = driver->open(source, &options, err);
	else if (driver->walk)
		build->walk = driver->walk(source, &options, build->spool_fd,
					   err);
	else
		return err_set(err, ERR_BUG, "%s cannot be read in one pass",
			       driver->name);
	if (!build->disk && !build->walk)
		return err_in(err, "%s", driver->name);
	return check_size(build, err);
}

int build_goal_size(const struct build *build, uint64_t *size, struct err *err)
{
	const struct goal *goal = &build->job->goal;
	const char *text = goal_value(goal, TAG_SIZE);
	const char *format = goal_value(goal, TAG_FORMAT);
	const struct driver *driver = format ? driver_by_name(format) : NULL;
	uint64_t now = 0, amount, rounded = 0;

	if (!text || units_parse_size(text + (*text == '+'), &amount) < 0)
		return err_set(err, ERR_BUG, "no size in the goal");
	if (*text == '+' && !build_size(build, &now))
		return err_set(err, ERR_BUG,
			       "a relative size of an unknown one");
	if (__builtin_add_overflow(now, amount, size) ||
	    *size > LIMIT_DISK_SIZE ||
	    (rounded = driver_round_size(driver, &build->job->create, *size)) >
		    LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "the size asked for is larger than %" PRIu64
			       " bytes", LIMIT_DISK_SIZE);
	/* Padding after the end was settled would move it again. */
	if (!build->job->no_pad)
		*size = rounded;
	return 0;
}

int build_backup_elsewhere(uint64_t said, uint64_t is, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "the backup partition table is said to end at %" PRIu64
		       ", but the image ends at %" PRIu64
		       "; --no-partition-fix leaves the table alone",
		       said, is);
}

int build_wrap(struct build *build, const char *tag, struct err *err)
{
	if (build->wraps == LIMIT_COMPRESSIONS)
		return err_set(err, ERR_BUG, "too many wraps");
	snprintf(build->wrap[build->wraps++], sizeof build->wrap[0], "%.7s",
		 tag);
	return 0;
}

void build_clear(struct build *build)
{
	build->walk = walk_close(build->walk);
	build->disk = disk_close(build->disk);
	/* The input itself is the caller's. */
	while (build->depth > 1)
		source_close(build->source[--build->depth]);
}
