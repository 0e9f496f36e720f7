/* SPDX-License-Identifier: MIT */
/* Moving the backup of a partition table in a file at rest: what the rows for
 * different formats share. */
#ifndef TRANSFORMS_GPT_FIX_H
#define TRANSFORMS_GPT_FIX_H

#include "formats/gpt.h"
#include "transforms/build.h"

/* The patches for the guest that `build` reads, which has its new size
 * already; none when there is no table to move after all. In the order of
 * gpt_move_backup: write them from the last to the first. Free them with
 * gpt_patches_free. */
int gpt_fix_patches(struct build *build,
		    struct gpt_patch patches[GPT_PATCHES], unsigned *count,
		    struct err *err);

/* Before a file at rest gets another size: is the backup of its table where
 * the table says, if it is to be moved afterwards? ERR_DAMAGED if not: a
 * stream that had to be believed was wrong. */
int gpt_fix_expect(struct build *build, struct err *err);

#endif
