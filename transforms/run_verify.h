/* SPDX-License-Identifier: MIT */
/* --verify: read back what was written and compare its guest content by
 * digest. */
#ifndef TRANSFORMS_RUN_VERIFY_H
#define TRANSFORMS_RUN_VERIFY_H

#include "transforms/build.h"
#include "transforms/run.h"

/* After the pump: done->digest is what went in. ERR_IO when the file on the
 * output descriptor reads back otherwise. */
int run_verify(const struct run *run, const struct build *build,
	       const struct protocol_done *done, struct err *err);

/* A duplicate of `fd` that is closed on exec, or -1. */
int run_dup(int fd, struct err *err);

#endif
