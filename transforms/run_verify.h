/* SPDX-License-Identifier: MIT */
/* --verify: read back what was written and compare its guest content by
 * digest. */
#ifndef TRANSFORMS_RUN_VERIFY_H
#define TRANSFORMS_RUN_VERIFY_H

#include "transforms/run.h"

/* run->input is the written file, whose format and compressions the job
 * states, and the digest that it should have. ERR_IO when it reads back
 * otherwise. */
int run_verify(const struct run *run, struct err *err);

#endif
