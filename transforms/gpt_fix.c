/* SPDX-License-Identifier: MIT */
/* Transitions: after a resize, the backup partition table moves to the new
 * end: as an overlay on the guest's way through, or in place in a raw file.
 * Other formats at rest have a file of their own (gpt_fix_qemu.c). */
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/overlay.h"
#include "transforms/costs.h"
#include "transforms/gpt_fix.h"
#include "transforms/how.h"
#include "transforms/tags.h"

#define TAIL_LEN 4096

static bool gpt_fix_cost(const struct pricing *pricing, struct cost *out)
{
	costs_flow(pricing, out);
	out->fixed += 100;
	return true;
}

/* The patches for a disk whose first bytes are `head`; none when there is no
 * table to move after all. */
static int make_patches(struct build *build, const unsigned char *head,
			size_t head_len, struct gpt *gpt, uint64_t new_size,
			struct gpt_patch patches[GPT_PATCHES],
			unsigned *count, struct err *err)
{
	unsigned char tail[TAIL_LEN];
	size_t tail_len = 0;

	*count = 0;
	if (build->disk && build->old_size) {
		tail_len = (size_t)min_u64(TAIL_LEN, build->old_size);
		if (disk_read(build->disk, tail,
			      (size_t)min_u64(tail_len, new_size),
			      min_u64(build->old_size, new_size) -
				      min_u64(tail_len, new_size),
			      err) < 0)
			return -1;
		/* A disk being cut: its old end is no longer in view. */
		if (new_size < build->old_size)
			tail_len = 0;
	}
	gpt_read(head, head_len, tail_len ? tail : NULL, tail_len,
		 build->old_size, gpt);
	if (gpt->state == GPT_STALE || gpt->state == GPT_DAMAGED)
		log_note(build->log, "the partition table is %s and stays as "
			 "it is; sgdisk -e can mend it",
			 gpt->state == GPT_STALE ? "without its backup at "
						   "the end"
						 : "damaged");
	if (gpt->state != GPT_AT_END)
		return 0;
	return gpt_move_backup(head, head_len, gpt, new_size, patches, count,
			       err);
}

static int gpt_fix_disk(struct build *build, struct err *err)
{
	struct gpt_patch patches[GPT_PATCHES];
	struct gpt gpt;
	unsigned count;
	size_t len = (size_t)min_u64(GPT_HEAD_LEN, build->disk->size);
	AUTO_FREE unsigned char *head = mem_zalloc(len);
	int result = 0;

	if (disk_read(build->disk, head, len, 0, err) < 0 ||
	    make_patches(build, head, len, &gpt, build->disk->size, patches,
			 &count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count && !result; i++)
		result = overlay_disk_put(build->disk, patches[i].offset,
					  patches[i].bytes, patches[i].len,
					  err);
	gpt_patches_free(patches, count);
	return result;
}

/* A stream's end is not in sight: the primary's word is taken for where the
 * backup is, and checked when the stream has ended. */
static int gpt_fix_walk(struct build *build, struct err *err)
{
	struct gpt_patch patches[GPT_PATCHES];
	const unsigned char *head;
	struct gpt gpt;
	unsigned count;
	size_t len;
	int result = 0;

	if (overlay_walk_peek(build->walk, &head, GPT_HEAD_LEN, &len, err) <
		    0 ||
	    make_patches(build, head, len, &gpt, build->walk->size, patches,
			 &count, err) < 0)
		return -1;
	if (count) {
		build->expect_backup = true;
		build->backup_end = gpt.backup_offset + gpt.sector_size;
	}
	for (unsigned i = 0; i < count && !result; i++)
		result = overlay_walk_put(build->walk, patches[i].offset,
					  patches[i].bytes, patches[i].len,
					  err);
	gpt_patches_free(patches, count);
	return result;
}

static int gpt_fix_fit(struct build *build, const struct plan_step *step,
		       struct err *err)
{
	(void)step;
	return build->disk ? gpt_fix_disk(build, err)
			   : gpt_fix_walk(build, err);
}

const struct transition transition_gpt_fix = {
	.name = "gpt-fix",
	.title = "move the backup partition table to the new end, on the way "
		 "through",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_GPT, NEED_IS, "at-end|unknown" },
		{ TAG_GPT, NEED_GOAL_IS, "moved" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_LEVEL, NEED_IS, "guest" },
	},
	.sets = { { TAG_GPT, SET_TO, "moved" } },
	.cost = gpt_fix_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE,
				    .fit = gpt_fix_fit },
};

static bool gpt_fix_file_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_settle(pricing, out);
	out->fixed += list->coefficients->worker_us + 300;
	return true;
}

/* The new end first, primary header and MBR last: cut short, the disk still
 * has one good table. */
static int write_patches(int fd, const struct gpt_patch *patches,
			 unsigned count, struct err *err)
{
	for (unsigned i = count; i; i--) {
		const struct gpt_patch *patch = &patches[i - 1];

		if (pwrite(fd, patch->bytes, patch->len,
			   (off_t)patch->offset) != (ssize_t)patch->len)
			return err_sys(err, ERR_IO,
				       "write the partition table at %llu",
				       (unsigned long long)patch->offset);
	}
	return 0;
}

int gpt_fix_expect(struct build *build, struct err *err)
{
	const char *wanted = goal_value(&build->job->goal, TAG_GPT);
	unsigned char tail[TAIL_LEN];
	struct gpt gpt;

	if (!wanted || strcmp(wanted, "moved"))
		return 0;
	if (build_enter_guest(build, err) < 0)
		return -1;
	uint64_t size = build->disk->size;
	size_t len = (size_t)min_u64(GPT_HEAD_LEN, size);
	size_t tail_len = (size_t)min_u64(TAIL_LEN, size);
	AUTO_FREE unsigned char *head = mem_zalloc(len);
	if (disk_read(build->disk, head, len, 0, err) < 0 ||
	    disk_read(build->disk, tail, tail_len, size - tail_len, err) < 0)
		return -1;
	gpt_read(head, len, tail, tail_len, size, &gpt);
	if (gpt.state != GPT_STALE)
		return 0;
	return build_backup_elsewhere(gpt.backup_offset + gpt.sector_size,
				      size, err);
}

int gpt_fix_patches(struct build *build,
		    struct gpt_patch patches[GPT_PATCHES], unsigned *count,
		    struct err *err)
{
	struct gpt gpt;

	*count = 0;
	if (build_enter_guest(build, err) < 0)
		return -1;
	size_t len = (size_t)min_u64(GPT_HEAD_LEN, build->disk->size);
	AUTO_FREE unsigned char *head = mem_zalloc(len);
	if (disk_read(build->disk, head, len, 0, err) < 0)
		return -1;
	/* The file has its new size already; the primary's word is taken for
	 * where the backup was (planning saw it there). */
	gpt_read(head, len, NULL, 0, 0, &gpt);
	if (gpt.state != GPT_AT_END)
		return 0;
	return gpt_move_backup(head, len, &gpt, build->disk->size, patches,
			       count, err);
}

static int gpt_fix_file_rest(struct build *build, const struct plan_step *step,
			     struct err *err)
{
	struct gpt_patch patches[GPT_PATCHES];
	unsigned count;
	int result;

	(void)step;
	if (gpt_fix_patches(build, patches, &count, err) < 0)
		return -1;
	result = write_patches(build_source(build)->fd, patches, count, err);
	gpt_patches_free(patches, count);
	return result;
}

const struct transition transition_gpt_fix_file = {
	.name = "gpt-fix-file",
	.title = "move the backup partition table to the new end of a raw "
		 "file, in place",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_GPT, NEED_IS, "at-end" },
		{ TAG_GPT, NEED_GOAL_IS, "moved" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_FORMAT, NEED_IS, "raw" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_PLACE, NEED_IS, "output" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_GPT, SET_TO, "moved" },
		{ TAG_DIGEST, SET_TO, "" },
	},
	.cost = gpt_fix_file_cost,
	.how = &(const struct how){ .where = HOW_REST,
				    .rest = gpt_fix_file_rest },
};
