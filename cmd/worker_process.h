/* SPDX-License-Identifier: MIT */
/*
 * The worker as a process: what it has loaded, how it is closed in, how it
 * ends. A part of the conductor (conversation.h).
 */
#ifndef CMD_WORKER_PROCESS_H
#define CMD_WORKER_PROCESS_H

#include "cmd/conversation.h"

/* What a run may read that comes from elsewhere than a file needs all of the
 * libraries at once: it cannot be read twice. */
int worker_process_start(struct conductor *conductor, bool all_libraries,
			 struct err *err);
/* It failed because a library was not loaded that could be: another one is
 * started, with all of them. False: that is no way out, or it could not be
 * started, which `err` says then. */
bool worker_process_again(struct conductor *conductor, struct err *err);
void worker_process_end(struct conductor *conductor);

#endif
