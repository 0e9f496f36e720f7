/* SPDX-License-Identifier: MIT */
/*
 * Transition: after a resize in place, the backup partition table of a qcow2
 * file of ours moves to the new end. A worker reads the guest and works out
 * what is to be written, qemu-io writes it: writing into a finished qcow2 is
 * not done natively. Once a piece, the new end first, primary header and MBR
 * last: cut short, the disk still has one good table.
 */
#include <inttypes.h>
#include <unistd.h>

#include "transforms/costs.h"
#include "transforms/gpt_fix.h"
#include "transforms/how.h"
#include "transforms/tags.h"

_Static_assert(TOOL_PIECES >= GPT_PATCHES, "a piece for each patch");

static bool gpt_fix_qemu_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_settle(pricing, out);
	out->fixed += list->coefficients->worker_us +
		      GPT_PATCHES * list->coefficients->process_us;
	return true;
}

static int put(int fd, const void *bytes, size_t len, off_t at,
	       struct err *err)
{
	if (pwrite(fd, bytes, len, at) != (ssize_t)len)
		return err_sys(err, ERR_IO, "write the partition table's "
					    "pieces");
	return 0;
}

static int gpt_fix_qemu_rest(struct build *build, const struct plan_step *step,
			     struct err *err)
{
	struct gpt_patch patches[GPT_PATCHES];
	struct tool_pieces pieces = { .count = 0 };
	uint64_t at = sizeof pieces;
	unsigned count;
	int result = 0;

	(void)step;
	if (gpt_fix_patches(build, patches, &count, err) < 0)
		return -1;
	for (unsigned i = count; i && !result; i--) {
		const struct gpt_patch *patch = &patches[i - 1];
		struct tool_piece *piece = &pieces.piece[pieces.count++];

		piece->offset = patch->offset;
		piece->len = patch->len;
		result = put(build->spool_fd, patch->bytes, patch->len,
			     (off_t)at, err);
		at += patch->len;
	}
	gpt_patches_free(patches, count);
	return result ? result
		      : put(build->spool_fd, &pieces, sizeof pieces, 0, err);
}

static void gpt_fix_qemu_command(struct tool *tool,
				 const struct plan_step *step)
{
	tool_add(tool, "qemu-io");
	tool_add(tool, "-f");
	tool_add(tool, "%s", step->before.tag[TAG_FORMAT]);
	tool_add(tool, "-c");
	tool_add(tool, "write -q -s %s %" PRIu64 " %" PRIu64, tool->input,
		 tool->piece.offset, tool->piece.len);
	tool_add(tool, "%s", tool->output);
}

const struct transition transition_gpt_fix_qemu = {
	.name = "gpt-fix-qemu",
	.title = "move the backup partition table to the new end of a qcow2 "
		 "file of ours, in place, by qemu-io",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_GPT, NEED_IS, "at-end" },
		{ TAG_GPT, NEED_GOAL_IS, "moved" },
		{ TAG_SIZE, NEED_GOAL_SAME, "" },
		{ TAG_WRAPS, NEED_IS, "" },
		{ TAG_FORMAT, NEED_IS, "qcow2" },
		{ TAG_FORMAT, NEED_GOAL_SAME, "" },
		{ TAG_QEMU_IO, NEED_IS, "yes" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_BACKING, NEED_IS, "" },
		{ TAG_ENCRYPTION, NEED_IS, "" },
		/* It walks tables without mistrust: only those we know. */
		{ TAG_CHECKED, NEED_IS, "yes" },
		{ TAG_PLACE, NEED_IS, "output" },
		{ TAG_SINK, NEED_IS, "file" },
	},
	.sets = {
		{ TAG_GPT, SET_TO, "moved" },
		{ TAG_DIGEST, SET_TO, "" },
	},
	.cost = gpt_fix_qemu_cost,
	.how = &(const struct how){ .where = HOW_TOOL,
				    .rest = gpt_fix_qemu_rest,
				    .command = gpt_fix_qemu_command },
};
