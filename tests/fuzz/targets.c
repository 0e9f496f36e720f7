/* SPDX-License-Identifier: MIT */
/* Owns the targets. Who calls them, and with what, is libfuzzer.c's and
 * replay.c's. */
#include "tests/fuzz/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/block.h"
#include "formats/codecs/codec.h"
#include "formats/codecs/wrap.h"
#include "formats/disk.h"
#include "formats/images/driver.h"
#include "formats/walk.h"
#include "io/files.h"
#include "planner/plan.h"
#include "transforms/catalogue.h"
#include "transforms/costs.h"
#include "transforms/tagging.h"
#include "transforms/tags.h"

/* Of a disk: so many extents are asked for, so many bytes read. */
#define EXTENTS_MOST 300
#define BYTES_MOST (4 * MIB)
/* Of a stream: what a bomb may unpack to. */
#define STREAM_MOST (16 * MIB)
/* Pieces of a walk. */
#define PIECES_MOST 300

/* ---- images ---- */

static void read_disk(struct disk *disk, unsigned char *buf)
{
	uint64_t at = 0, budget = BYTES_MOST;
	struct extent extent;
	struct err err;

	for (unsigned i = 0; i < EXTENTS_MOST && at < disk->size; i++) {
		if (disk_extent(disk, at, disk->size - at, &extent, &err) < 0)
			break;
		if (extent.kind == EXTENT_DATA) {
			size_t len = (size_t)min_u64(
				min_u64(extent.length, budget), UNIT_LEN);
			if (len && disk_read(disk, buf, len, at, &err) < 0)
				return;
			budget -= len;
		}
		at += extent.length;
	}
	/* The far end, wherever it is said to be. */
	if (disk->size && budget)
		disk_read(disk, buf, 1, disk->size - 1, &err);
	disk_finish(disk, &err);
}

static void walk_stream(const struct driver *driver,
			const unsigned char *bytes, size_t len,
			unsigned char *buf)
{
	struct open_options options = { .memory = LIMIT_DECODER_MEMORY };
	AUTO_SOURCE struct source *source = files_memory_source(bytes, len);
	AUTO_FD int spool = memfd_create("spool", MFD_CLOEXEC);
	struct walk_piece piece;
	struct walk *walk;
	struct err err;

	if (spool < 0 ||
	    driver_walk_order(driver, bytes, len) == WALK_NONE)
		return;
	walk = driver->walk(source, &options, spool, &err);
	for (unsigned i = 0; walk && i < PIECES_MOST; i++)
		if (walk_next(walk, buf, UNIT_LEN_MAX, &piece, &err) <= 0)
			break;
	walk_close(walk);
}

static void ignore(struct check_report *report, const char *line)
{
	(void)report, (void)line;
}

static void run_image(int which, const unsigned char *bytes, size_t len)
{
	const struct driver *driver = driver_table[which];
	struct open_options options = { .memory = LIMIT_DECODER_MEMORY };
	struct check_report report = { .emit = ignore };
	AUTO_SOURCE struct source *source = files_memory_source(bytes, len);
	AUTO_FREE unsigned char *buf = mem_zalloc(UNIT_LEN_MAX);
	AUTO_FREE struct facts *facts = mem_zalloc(sizeof *facts);
	struct disk *disk;
	uint64_t size;
	struct err err;

	if (driver->peek)
		driver->peek(bytes, len, &size, facts, &err);
	disk = driver->open(source, &options, &err);
	if (disk) {
		memset(facts, 0, sizeof *facts);
		disk_info(disk, facts);
		read_disk(disk, buf);
		disk_close(disk);
	}
	options.metadata_only = true;
	disk_close(driver->open(source, &options, &err));
	options.metadata_only = false;
	if (driver->check)
		driver->check(source, &options, &report, &err);
	if (driver->walk)
		walk_stream(driver, bytes, len, buf);
}

/* ---- codecs ---- */

static void drain(struct source *source, unsigned char *buf)
{
	uint64_t at = 0;
	size_t got = 1;
	struct err err;

	while (got && at < STREAM_MOST) {
		if (source_read(source, buf, UNIT_LEN, at, &got, &err) < 0)
			return;
		at += got;
	}
	if (!got)
		source_finish(source, &err);
}

static void run_codec(int which, const unsigned char *bytes, size_t len)
{
	AUTO_SOURCE struct source *inner = files_memory_source(bytes, len);
	AUTO_FREE unsigned char *buf = mem_zalloc(UNIT_LEN);
	struct source *source;
	uint64_t size;
	struct err err;
	bool random = false;

	source = wrap_decode((enum codec_id)which, inner, 1,
			     LIMIT_DECODER_MEMORY, &err);
	if (source)
		drain(source, buf);
	source_close(source);
	wrap_size_hint((enum codec_id)which, inner, &size, &random);
	source = random ? wrap_random((enum codec_id)which, inner, &err)
			: NULL;
	if (source)
		drain(source, buf);
	source_close(source);
}

/* The first two bytes say how long the block is, in units of 16. */
static void run_block(int which, const unsigned char *bytes, size_t len)
{
	struct block_decoder *decoder;
	struct err err;
	size_t out_len;

	if (len < 2)
		return;
	out_len = ((size_t)bytes[0] | (size_t)bytes[1] << 8) * 16;
	decoder = block_decoder_open((enum block_codec_id)which, &err);
	if (!decoder)
		return;
	AUTO_FREE unsigned char *out = mem_zalloc(out_len + 1);
	block_decode(decoder, bytes + 2, len - 2, out, out_len, &err);
	block_decoder_close(decoder);
}

/* ---- what is it, and what is inside it ---- */

static void run_detect(int which, const unsigned char *bytes, size_t len)
{
	struct probe_input input = { .size_known = true,
				     .size = len,
				     .tail_reachable = true };
	struct probe_report report, again;
	uint64_t offset;
	size_t want;

	(void)which;
	/* Ends: a window a turn, PROBE_WINDOWS at most. */
	while (probe_layer(&input, &report, &offset, &want) == PROBE_NEED) {
		size_t here = offset < len
				      ? (size_t)min_u64(want, len - offset)
				      : 0;

		if (input.count == PROBE_WINDOWS)
			abort();
		input.window[input.count++] = (struct probe_window){
			offset, here, here ? bytes + offset : bytes
		};
	}
	/* The same bytes at once: the same answer. */
	struct probe_input whole = { .size_known = true,
				     .size = len,
				     .tail_reachable = true,
				     .window = { { 0, len, bytes } },
				     .count = 1 };
	if (probe_layer(&whole, &again, &offset, &want) != PROBE_DONE ||
	    strcmp(report.name, again.name) ||
	    strcmp(report.conflict, again.conflict) ||
	    report.class != again.class)
		abort();
	if (len >= SOURCE_TAIL_LEN)
		probe_trailer(bytes + len - SOURCE_TAIL_LEN, SOURCE_TAIL_LEN);
}

static void run_nest(int which, const unsigned char *bytes, size_t len)
{
	struct protocol_input about = { .seekable = true,
					.size = len,
					.memory = LIMIT_DECODER_MEMORY };
	AUTO_SOURCE struct source *source = files_memory_source(bytes, len);
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	struct source *stack[TAGGING_STACK];
	AUTO_FD int spool = memfd_create("spool", MFD_CLOEXEC);
	unsigned depth = 0;
	struct state state = { 0 };
	struct err err;

	(void)which;
	if (tagging_probe(source, &about, NULL, NULL, image, &err) < 0)
		return;
	if (image->layers > LIMIT_COMPRESSIONS)
		abort();
	tagging_state(image, &state);
	if (spool >= 0)
		tagging_unwrap(source, image, NULL, STREAM_MOST, spool, stack,
			       &depth, &err);
	while (depth)
		source_close(stack[--depth]);
}

/* ---- plans ---- */

/* Bytes as choices, one after the other; 0 when they are used up. */
struct choices {
	const unsigned char *bytes;
	size_t len;
};

static unsigned choose(struct choices *choices, unsigned count)
{
	if (!choices->len)
		return 0;
	choices->len--;
	return *choices->bytes++ % count;
}

static const char *pick(struct choices *choices, const char *const *words,
			unsigned count)
{
	return words[choose(choices, count)];
}
#define PICK(choices, words) \
	pick(choices, words, sizeof(words) / sizeof *(words))

static void want(struct goal *goal, unsigned group, bool negated,
		 const char *value)
{
	struct want *one = &goal->want[goal->count++];

	one->group = group;
	one->negated = negated;
	snprintf(one->value, sizeof one->value, "%s", value);
}

/* A state out of the words that states are made of, and a goal: whatever they
 * say together, a plan that is found must lead there. */
static void make_problem(struct choices *choices, struct problem *problem,
			 struct image *image)
{
	static const char *const formats[] = { "raw", "qcow2", "vmdk", "vhd",
					       "qcow", "simg", "dmg" };
	static const char *const wraps[] = { "", "xz", "gz", "tar", "zip",
					     "xz.tar", "gz.gz" };
	/* Beside each, how what is inside can be read. */
	static const char *const inside[] = { "", "stream", "stream",
					      "window", "stream",
					      "stream.window",
					      "stream.stream" };
	static const char *const inner[] = { "", "zlib", "zstd" };
	static const char *const access[] = { "random", "stream", "blocks" };
	static const char *const gpt[] = { "", "at-end", "stale", "unknown" };
	static const char *const native[] = { "disk", "ordered", "scattered",
					      "" };
	static const char *const sink[] = { "file", "stream", "device" };
	static const char *const survey[] = { "", "needed", "never" };
	static const char *const sizes[] = { "1048576", "unknown",
					     "1073741824" };
	struct state *state = &problem->start;

	snprintf(image->format, sizeof image->format, "%s",
		 PICK(choices, formats));
	image->size = MIB << choose(choices, 20);
	image->size_known = choose(choices, 2);
	image->allocated = image->size >> choose(choices, 8);
	image->redecode = 1 + choose(choices, 30);
	tagging_state(image, state);
	unsigned wrap = choose(choices, sizeof wraps / sizeof *wraps);
	state_set(state, TAG_WRAPS, wraps[wrap]);
	state_set(state, TAG_INSIDE, inside[wrap]);
	state_set(state, TAG_INNER, PICK(choices, inner));
	state_set(state, TAG_ACCESS, PICK(choices, access));
	state_set(state, TAG_GPT, PICK(choices, gpt));
	state_set(state, TAG_NATIVE, PICK(choices, native));
	state_set(state, TAG_SINK, PICK(choices, sink));
	state_set(state, TAG_SURVEY, PICK(choices, survey));
	state_set(state, TAG_SIZE, PICK(choices, sizes));
	state_set(state, TAG_CLONE, choose(choices, 2) ? "yes" : "");
	state_set(state, TAG_TEMPLATE, choose(choices, 2) ? "yes" : "");
	state_set(state, TAG_WRITER, choose(choices, 4) ? "native" : "qemu");
	want(&problem->goal, TAG_FORMAT, false, PICK(choices, formats));
	want(&problem->goal, TAG_WRAPS, false, PICK(choices, wraps));
	want(&problem->goal, TAG_PLACE, false, "flow");
	if (choose(choices, 2))
		want(&problem->goal, TAG_SIZE, false, PICK(choices, sizes));
	if (choose(choices, 2))
		want(&problem->goal, TAG_INNER, false, PICK(choices, inner));
	if (choose(choices, 2))
		want(&problem->goal, TAG_TEMPLATE, true, "yes");
}

static void run_plan(int which, const unsigned char *bytes, size_t len)
{
	struct choices choices = { bytes, len };
	AUTO_FREE struct problem *problem = mem_zalloc(sizeof *problem);
	AUTO_FREE struct price_list *list = mem_zalloc(sizeof *list);
	AUTO_FREE struct plan *plan = mem_zalloc(sizeof *plan);
	struct err err;

	(void)which;
	list->coefficients = &costs_default;
	list->threads = 2;
	list->memory = 256 * MIB;
	problem->vocabulary = &tags_vocabulary;
	problem->catalogue = catalogue;
	problem->context = list;
	problem->threads = 2;
	problem->temp_limit = problem->memory_limit = UINT64_MAX;
	make_problem(&choices, problem, &list->image);
	if (plan_search(problem, plan, &err) < 0)
		return;
	struct state state = problem->start;

	/* Each step applies where the one before left off, to the goal. */
	for (unsigned i = 0; i < plan->count; i++) {
		struct state after;

		if (!state_equal(&state, &plan->step[i].before) ||
		    !transition_apply(plan->step[i].transition, &state,
				      &problem->goal, &after) ||
		    !state_equal(&after, &plan->step[i].after))
			abort();
		state = after;
	}
	if (!goal_reached(&problem->goal, &state))
		abort();
}

/* ---- the list ---- */

static bool named(struct fuzz_target *out, const char *kind, const char *name,
		  fuzz_run *run, int which)
{
	snprintf(out->name, sizeof out->name, "%s%s%s", kind, *name ? "-" : "",
		 name);
	out->run = run;
	out->which = which;
	return true;
}

bool fuzz_list(unsigned index, struct fuzz_target *out)
{
	unsigned drivers = 0;

	while (driver_table[drivers])
		drivers++;
	if (index < drivers)
		return named(out, "image", driver_table[index]->name,
			     run_image, (int)index);
	index -= drivers;
	if (index < CODEC_COUNT)
		return named(out, "codec",
			     codec_get((enum codec_id)index)->tag, run_codec,
			     (int)index);
	index -= CODEC_COUNT;
	if (index < BLOCK_COUNT)
		return named(out, "block",
			     block_codec_name((enum block_codec_id)index),
			     run_block, (int)index);
	switch (index - BLOCK_COUNT) {
	case 0:
		return named(out, "detect", "", run_detect, 0);
	case 1:
		return named(out, "nest", "", run_nest, 0);
	case 2:
		return named(out, "plan", "", run_plan, 0);
	default:
		return false;
	}
}

bool fuzz_find(const char *name, struct fuzz_target *out)
{
	for (unsigned i = 0; fuzz_list(i, out); i++)
		if (!strcmp(out->name, name))
			return true;
	return false;
}
