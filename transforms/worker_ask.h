/* SPDX-License-Identifier: MIT */
/* The worker's questions that are answered with a descriptor. */
#ifndef TRANSFORMS_WORKER_ASK_H
#define TRANSFORMS_WORKER_ASK_H

#include <stdint.h>

#include "base/err.h"

/* The file that number `from` names (REFER), or one more output file (PART).
 * *fd is the caller's. An error is the conductor's refusal. */
int worker_ask_reference(int channel, uint32_t from, const char *name, int *fd,
			 struct err *err);
int worker_ask_part(int channel, const char *name, int *fd, struct err *err);
/* One more connection, as PROTOCOL_CONNECT has it. */
int worker_ask_connection(int channel, uint32_t which, int *fd,
			  struct err *err);

#endif
