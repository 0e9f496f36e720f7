/* SPDX-License-Identifier: MIT */
/*
 * A verdict on an image that somebody else sent: what it is, what it refers
 * to, and every reason not to hand it on. In a worker; follows no reference,
 * writes nothing but the spool, and what it cannot read is a reason, not an
 * error.
 *
 *   probe -> layers off, within max_size -> probe again -> header -> tables
 */
#ifndef TRANSFORMS_JUDGE_H
#define TRANSFORMS_JUDGE_H

#include "transforms/inspect.h"

/* `image` as inspect.h has it, its `image` being &out->image and filled by
 * tagging_probe, which failed with `probed` or not (NULL). *out is zeroed
 * otherwise. -1 where no verdict can be reached, for reasons that lie outside
 * of the image. inspect_close is the caller's in any case. */
int judge_image(struct inspected *image, const struct err *probed,
		struct judgement *out, struct err *err);

#endif
