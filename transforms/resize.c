/* SPDX-License-Identifier: MIT */
/* Transitions: another size, as a view while the guest streams through, or
 * in place for a raw file that lies where it shall stay. */
#include <inttypes.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/gpt.h"
#include "formats/overlay.h"
#include "transforms/costs.h"
#include "transforms/gpt_fix.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool resize_cost(const struct pricing *pricing, struct cost *out)
{
	/* What only is shared is not read. */
	if (!costs_shares(pricing, pricing->before))
		costs_flow(pricing, out);
	out->fixed += 50;
	return true;
}

/* Planning has looked at what it could see; a guest that came to light only
 * here is held to the same rules. */
static int check_cut(struct build *build, uint64_t size, struct err *err)
{
	const char *what = NULL;
	uint64_t end;

	if (size >= build->disk->size)
		return 0;
	if (!build->job->allow_cut)
		return err_set(err, ERR_REFUSED,
			       "%" PRIu64 " bytes are less than the image's %"
			       PRIu64 "; --shrink allows it", size,
			       build->disk->size);
	size_t len = (size_t)min_u64(GPT_HEAD_LEN, build->disk->size);
	AUTO_FREE unsigned char *head = mem_zalloc(len);
	if (disk_read(build->disk, head, len, 0, err) < 0)
		return -1;
	end = gpt_used_end(head, len, &what);
	if (end <= size)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "%s reaches to byte %" PRIu64 ", which is past the new "
		       "size %" PRIu64 "; shrink what is inside first",
		       what ? what : "what is inside", end, size);
}

static int resize_fit(struct build *build, const struct plan_step *step,
		      struct err *err)
{
	uint64_t size;

	(void)step;
	if (build_enter_guest(build, err) < 0 ||
	    build_goal_size(build, &size, err) < 0)
		return -1;
	build_size(build, &build->old_size);
	if (build->disk && check_cut(build, size, err) < 0)
		return -1;
	if (build->disk)
		build->disk = overlay_disk(STEAL(build->disk), size);
	else
		build->walk = overlay_walk(STEAL(build->walk), size,
					   build->job->allow_cut);
	return 0;
}

#define RESIZE_NEEDS                                                       \
	{ TAG_SIZE, NEED_GOAL_OTHER, "" }, { TAG_WRAPS, NEED_IS, "" }, \
	{ TAG_ENCRYPTION, NEED_IS, "" },     \
	{ TAG_FORMAT, NEED_GOAL_NAMES, "" }, { TAG_WRITER, NEED_IS, "native" }

#define RESIZE_SETS                                                        \
	{ TAG_SIZE, SET_GOAL, "" }, { TAG_LEVEL, SET_TO, "guest" },        \
	{ TAG_PLACE, SET_TO, "flow" }, { TAG_TEMPLATE, SET_TO, "" }

const struct transition transition_resize = {
	.name = "resize",
	.title = "another size, as a view of the guest on its way through",
	.detail = GROUPS_MAX,
	.needs = {
		RESIZE_NEEDS,
		{ TAG_NATIVE, NEED_FILLED, "" },
		{ TAG_ACCESS, NEED_IS, "random|blocks" },
		{ TAG_PLACE, NEED_IS, "input|flow|temp" },
	},
	.sets = { RESIZE_SETS },
	.cost = resize_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = resize_fit },
};

const struct transition transition_resize_stream = {
	.name = "resize",
	.title = "the same over a stream that comes in order",
	.detail = GROUPS_MAX,
	.needs = {
		RESIZE_NEEDS,
		{ TAG_NATIVE, NEED_IS, "ordered" },
		{ TAG_ACCESS, NEED_IS, "stream" },
		{ TAG_PLACE, NEED_IS, "input|flow" },
		{ TAG_LENGTH, NEED_IS, "known" },
	},
	.sets = { RESIZE_SETS },
	.cost = resize_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE, .fit = resize_fit },
};

static bool resize_file_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_settle(pricing, out);
	out->fixed += list->coefficients->worker_us + 100;
	return true;
}

static int resize_file_rest(struct build *build, const struct plan_step *step,
			    struct err *err)
{
	uint64_t size;
	int fd = build_source(build)->fd;

	(void)step;
	if (build_enter_guest(build, err) < 0 ||
	    build_goal_size(build, &size, err) < 0 ||
	    gpt_fix_expect(build, err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) < 0)
		return err_sys(err, ERR_IO, "resize to %llu bytes",
			       (unsigned long long)size);
	return 0;
}

const struct transition transition_resize_file = {
	.name = "resize-file",
	.title = "another size for a raw file, in place",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_SIZE, NEED_GOAL_OTHER, "" },
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_WRAPS, NEED_GOAL_SAME, "" },
		{ TAG_FORMAT, NEED_IS, "raw" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
		/* The guest must have been seen, not to be cut into. */
		{ TAG_GPT, NEED_NOT, "unknown" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "flow|output" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_SIZE, SET_GOAL, "" },
		{ TAG_DIGEST, SET_TO, "" }, /* of another size */
		{ TAG_PLACE, SET_TO, "output" },
		{ TAG_ACCESS, SET_TO, "random" },
	},
	.cost = resize_file_cost,
	.how = &(const struct how){ .where = HOW_REST,
				    .rest = resize_file_rest },
};
