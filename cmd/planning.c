/* SPDX-License-Identifier: MIT */
/* Owns the translation of wishes and findings into a planning problem. Which
 * steps answer it is the planner's business alone. */
#include "cmd/planning.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "cmd/costs_file.h"
#include "cmd/machine.h"
#include "cmd/refusals.h"
#include "cmd/remote.h"
#include "cmd/remote_ssh.h"
#include "io/nbd.h"
#include "io/offload.h"
#include "transforms/catalogue.h"
#include "transforms/expect.h"
#include "transforms/tagging.h"
#include "transforms/tags.h"

#define MEMORY_LEAST ((uint64_t)64 * MIB)

/* Where address space is limited, half of it: code, stacks and what the C
 * library keeps are in the other half. */
static uint64_t memory_limit(const struct settings *settings)
{
	return settings->memory ? settings->memory
				: machine_address_space() / 2;
}

unsigned planning_threads(const struct settings *settings)
{
	unsigned threads = settings->threads ? settings->threads
			   : settings->jobs  ? settings->jobs
					     : machine_processors();
	uint64_t limit = memory_limit(settings);

	/* Two slots a thread with a unit and its coded twin in each: threads
	 * give way to the limit on memory. */
	return (unsigned)min_u64(threads,
				 max_u64(1, limit / (8 * UNIT_LEN)));
}

uint64_t planning_memory(const struct settings *settings)
{
	uint64_t memory = settings->memory;

	if (!memory) {
		unsigned threads = planning_threads(settings);

		memory = threads <= 4 ? 256 * MIB
				      : threads * (32 * MIB) + 128 * MIB;
		memory = min_u64(memory, memory_limit(settings));
	}
	return max_u64(memory, MEMORY_LEAST);
}

static void want(struct goal *goal, unsigned group, bool negated,
		 const char *value)
{
	struct want *wanted = &goal->want[goal->count++];

	wanted->group = group;
	wanted->negated = negated;
	snprintf(wanted->value, sizeof wanted->value, "%s", value);
}

/* ---- size ---- */

static int refuse_shrink(const struct settings *settings,
			 const struct image *image, uint64_t size,
			 struct err *err)
{
	bool known = image->size_known && image->size > size;

	if (known && !settings->shrink)
		return err_set(err, ERR_REFUSED,
			       "%" PRIu64 " bytes are less than the image's %"
			       PRIu64 "; --shrink allows it", size,
			       image->size);
	if (image->used_end > size && (settings->shrink || known ||
				       !image->size_known))
		return err_set(err, ERR_REFUSED,
			       "%s reaches to byte %" PRIu64 ", which is past "
			       "the new size %" PRIu64 "; shrink what is "
			       "inside first", image->used_by,
			       image->used_end, size);
	return 0;
}

static int refuse_padding(const struct settings *settings,
			  const struct target *target, uint64_t size,
			  struct err *err)
{
	uint64_t rounded =
		driver_round_size(target->driver, &target->create, size);

	if (settings->pad || rounded == size)
		return 0;
	return err_set(err, ERR_NO_PLAN,
		       "no plan: %s cannot have the size %" PRIu64 ", the next "
		       "one is %" PRIu64 ", and --no-pad forbids to pad it",
		       target->format, size, rounded);
}

static int size_goal(struct planning *planning,
		     const struct settings *settings,
		     const struct image *image, struct err *err)
{
	struct goal *goal = &planning->problem.goal;
	const struct target *target = &planning->target;
	uint64_t size = settings->size, rounded;
	char text[TAG_LEN];

	if (refusals_consumer(settings, target, image, err) < 0)
		return -1;
	/* To a size that was asked for in another way, the partition table
	 * follows. */
	if (settings->size_request == SIZE_KEEP && settings->pad &&
	    image->size_known && target->create.size_unit &&
	    image->size % target->create.size_unit)
		size = image->size;
	else if (settings->size_request == SIZE_KEEP)
		return refuse_padding(settings, target, image->size, err);
	if (settings->size_request == SIZE_RELATIVE && !image->size_known) {
		snprintf(text, sizeof text, "+%" PRIu64, size);
		want(goal, TAG_SIZE, false, text);
		return 0;
	}
	if (settings->size_request == SIZE_RELATIVE &&
	    !checked_add(size, image->size, &size))
		return err_set(err, ERR_USAGE, "the new size is too large");
	if (size > LIMIT_DISK_SIZE ||
	    (rounded = driver_round_size(target->driver, &target->create,
					 size)) > LIMIT_DISK_SIZE)
		return err_set(err, ERR_USAGE, "the new size is too large");
	if (refuse_padding(settings, target, size, err) < 0 ||
	    refuse_shrink(settings, image, rounded, err) < 0)
		return -1;
	snprintf(text, sizeof text, "%" PRIu64, rounded);
	want(goal, TAG_SIZE, false, text);
	return 0;
}

/* ---- start and goal ---- */

/* What a writer needs that cannot go back. */
static void set_append(const struct target *target, struct state *start)
{
	static const char *const tags[] = { [APPEND_FREELY] = "",
					    [APPEND_SURVEY] = "needed",
					    [APPEND_NEVER] = "never" };

	if (target->driver)
		state_set(start, TAG_SURVEY,
			  tags[driver_append(target->driver,
					     &target->create)]);
}

/* What OUTPUT is. */
static const char *sink_of(const char *path, bool exists, mode_t mode)
{
	if (!strcmp(path, "-"))
		return "stream";
	if (remote_kind(path) == REMOTE_NBD)
		return "device";
	if (!exists || S_ISREG(mode))
		return "file";
	return S_ISBLK(mode) ? "device" : "stream";
}

/* What OUTPUT is, and how it lies to the input. */
static void set_place(struct planning *planning,
		      const struct planning_paths *paths)
{
	struct state *start = &planning->problem.start;
	const struct target *target = &planning->target;
	AUTO_FREE char *folder = mem_strdup(paths->output);
	char *slash = strrchr(folder, '/');
	struct stat about = { .st_mode = S_IFREG }, dir = { .st_dev = 0 };
	bool exists = strcmp(paths->output, "-") &&
		      !stat(paths->output, &about);
	bool same_fs;
	const char *sink = sink_of(paths->output, exists, about.st_mode);

	if (slash)
		slash[slash == folder] = '\0';
	else
		snprintf(folder, strlen(folder) + 1, ".");
	same_fs = !strcmp(sink, "file") && !stat(folder, &dir) &&
		  dir.st_dev == paths->input->st_dev &&
		  S_ISREG(paths->input->st_mode);
	state_set(start, TAG_SINK, sink);
	state_set(start, TAG_SAME_FS, same_fs ? "yes" : "");
	state_set(start, TAG_CLONE,
		  same_fs && machine_shares_extents(folder) &&
				  offload_can_clone(paths->input_fd, folder)
			  ? "yes" : "");
	if (!strcmp(sink, "stream"))
		set_append(target, start);
}

/* What goes into an archive or a compression cannot be changed later, but for
 * a tar's only member in a file. */
static void set_wraps(struct planning *planning)
{
	struct state *start = &planning->problem.start;
	const struct target *target = &planning->target;
	bool tar = !strcmp(target->archive, "tar");
	bool sized = tar && (target->wrap_count > 1 ||
			     strcmp(start->tag[TAG_SINK], "file"));

	if (*target->archive)
		state_set(start, TAG_PACK, sized ? "sized" : "freely");
	if (target->wrap_count && (sized || !tar))
		set_append(target, start);
	/* Its length is known only when it has been written. */
	if (sized && strcmp(target->format, "raw"))
		state_set(start, TAG_SURVEY, "never");
}

static const char *tool_tag(const struct settings *settings,
			    const struct planning_paths *paths,
			    const char *tool)
{
	char path[4096];

	return paths->output && !settings->reproducible &&
			       machine_tool(tool, path, sizeof path)
		       ? "yes" : "";
}

/* What an input over SSH was probed through is there; so may be the other. */
static void set_remote(struct state *start, const struct settings *settings,
		       const struct planning_paths *paths)
{
	if (paths->in_place ||
	    remote_kind(settings->argument[0]) != REMOTE_SSH)
		return;
	state_set(start, TAG_PLACE, "ssh");
	state_set(start, TAG_SSH, paths->input_fd >= 0	     ? "sftp"
				  : remote_ssh_can_fetch() ? "both"
							   : "nbdkit");
}

static void set_circumstance(struct planning *planning,
			     const struct settings *settings,
			     const struct image *image,
			     const struct planning_paths *paths)
{
	struct state *start = &planning->problem.start;

	if (paths->output)
		set_place(planning, paths);
	else
		state_set(start, TAG_SINK, "nowhere");
	set_wraps(planning);
	state_set(start, TAG_TEMPLATE,
		  settings->consume || paths->in_place ? "" : "yes");
	expect_tag(&planning->price_list.expect, start);
	state_set(start, TAG_CONSUME, settings->consume ? "yes" : "");
	state_set(start, TAG_QEMU_IMG, tool_tag(settings, paths, "qemu-img"));
	state_set(start, TAG_QEMU_IO, tool_tag(settings, paths, "qemu-io"));
	state_set(start, TAG_QEMU_NBD,
		  settings->secret && nbd_built() &&
				  paths->input_fd >= 0 &&
				  !refusals_names_otherwise(settings->snapshot)
			  ? tool_tag(settings, paths, "qemu-nbd") : "");
	set_remote(start, settings, paths);
	state_set(start, TAG_WRITER,
		  planning->target.driver ? "native" : "qemu");
	if (settings->snapshot)
		state_set(start, TAG_SNAPSHOTS, "chosen");
	if (paths->in_place)
		state_set(start, TAG_PLACE, "output");
	if (settings->size_request == SIZE_ABSOLUTE)
		state_set(start, TAG_LENGTH, "known");
	if (!settings->partition_fix && !strcmp(image->gpt, "at-end"))
		state_set(start, TAG_GPT, "");
}

static void set_goal(struct planning *planning,
		     const struct settings *settings,
		     const struct planning_paths *paths)
{
	struct goal *goal = &planning->problem.goal;
	const struct target *target = &planning->target;
	const struct state *start = &planning->problem.start;
	const char *size = goal_value(goal, TAG_SIZE);
	struct state stack = { .tag = { "" } };
	bool resized = size && strcmp(size, start->tag[TAG_SIZE]);

	for (unsigned i = 0; i < target->wrap_count; i++)
		state_push(&stack, TAG_WRAPS, target->wrap[i]);
	want(goal, TAG_WRAPS, false, stack.tag[TAG_WRAPS]);
	want(goal, TAG_TEMPLATE, true, "yes");
	want(goal, TAG_FORMAT, false, target->format);
	want(goal, TAG_INNER, false,
	     *target->create.compress ? target->create.compress
				      : "|zlib|zstd");
	want(goal, TAG_PLACE, false, "flow|output|moved");
	want(goal, TAG_LEVEL, false, "file");
	/* What is not written cannot be walked afterwards, nor do harm. */
	if (paths->output)
		want(goal, TAG_CHECKED, false, "yes");
	if (target->wrap_count)
		want(goal, TAG_WHOLE, false, "yes");
	/* Not what the input happened to be packed in. */
	if (*target->archive)
		want(goal, TAG_PACK, false, "done");
	/* Overlays are flattened or refused, never copied. */
	if (!paths->in_place)
		want(goal, TAG_BACKING, false, "");
	want(goal, TAG_SNAPSHOTS, true, "chosen");
	if (resized && settings->partition_fix &&
	    (!strcmp(start->tag[TAG_GPT], "at-end") ||
	     !strcmp(start->tag[TAG_GPT], "unknown")))
		want(goal, TAG_GPT, false, "moved");
	if (settings->digest || settings->verify)
		want(goal, TAG_DIGEST, false, "yes");
	if (planning->price_list.expect.count)
		want(goal, TAG_CHECKSUM, false, "");
	/* What is asked of the writer is had only by writing. */
	if (settings->rewrite || *target->create.compress ||
	    target->create.option_count || target->create.has_uuid ||
	    (settings->unique && target->driver && target->driver->has_uuid) ||
	    settings->sector_size)
		want(goal, TAG_LAYOUT, false, "fresh");
}

static void set_prices(struct planning *planning,
		       const struct settings *settings,
		       const struct image *image)
{
	struct price_list *list = &planning->price_list;

	list->coefficients = &planning->coefficients;
	list->image = *image;
	list->remote = settings->argument[0] &&
		       remote_kind(settings->argument[0]) != REMOTE_NONE;
	list->sync = settings->sync;
	list->verify = settings->verify;
	list->threads = planning_threads(settings);
	list->memory = planning_memory(settings);
	list->wrap_level = settings->wrap_level;
	planning->problem.context = list;
	/* More threads than processors do no more. */
	planning->problem.threads =
		(unsigned)min_u64(list->threads, machine_processors());
	planning->problem.fixed = costs_start(list, &planning->problem.start,
					      &planning->problem.goal);
	planning->problem.temp_limit = UINT64_MAX;
	planning->problem.memory_limit = UINT64_MAX;
	planning->problem.vocabulary = &tags_vocabulary;
	planning->problem.catalogue = catalogue;
}

int planning_make(struct planning *planning, const struct settings *settings,
		  const struct image *image,
		  const struct planning_paths *paths, struct err *err)
{
	memset(planning, 0, sizeof *planning);
	if (paths->expect)
		planning->price_list.expect = *paths->expect;
	if (costs_file_load(&planning->coefficients, err) < 0)
		return -1;
	if (paths->in_place) {
		if (refusals_in_place(image, paths, err) < 0)
			return -1;
		/* The name may say anything: the image says what it is. */
		planning->target.driver = driver_by_name(image->format);
		planning->target.format = planning->target.driver
			? planning->target.driver->name : image->format;
		planning->target.wrap_count = 0;
		planning->target.archive = "";
	} else if (planning_target(settings,
				   paths->output ? paths->output : "",
				   &planning->target, err) < 0) {
		return -1;
	}
	if (settings->verify && refusals_verify(planning, err) < 0)
		return -1;
	planning->target.create.sector_size =
		settings->sector_size ? settings->sector_size
				      : image->sector_size;
	if (refusals_sectors(planning, err) < 0 ||
	    refusals_parts(planning, paths, err) < 0)
		return -1;
	tagging_state(image, &planning->problem.start);
	/* For what a writer needs; the worker finds out again what it is. */
	planning->target.create.size_known =
		image->size_known || settings->size_request == SIZE_ABSOLUTE;
	set_circumstance(planning, settings, image, paths);
	if (size_goal(planning, settings, image, err) < 0)
		return -1;
	set_goal(planning, settings, paths);
	set_prices(planning, settings, image);
	return 0;
}

/* ---- choice ---- */

static int choose_named(const struct planning *planning, const char *name,
			struct plan *out, struct err *err)
{
	AUTO_FREE struct plan *list = NULL;
	char id[PLAN_ID_LEN], *end;
	unsigned count;
	unsigned long number = strtoul(name, &end, 10);

	if (plan_all(&planning->problem, 64, &list, &count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		plan_id(&list[i], id, sizeof id);
		if (*end ? !strcmp(id, name) : number == i + 1) {
			*out = list[i];
			return 0;
		}
	}
	return err_set(err, ERR_USAGE,
		       "there is no plan %s; see imgconv plan --all", name);
}

int planning_choose(const struct planning *planning,
		    const struct settings *settings, struct plan *out,
		    struct err *err)
{
	if (settings->plan)
		return choose_named(planning, settings->plan, out, err);
	if (!plan_search(&planning->problem, out, err))
		return 0;
	const char *why = refusals_why_not(planning, settings);
	if (why && err->kind == ERR_NO_PLAN)
		err_set(err, ERR_UNSUPPORTED, "%s", why);
	return -1;
}
