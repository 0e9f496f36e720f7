/* SPDX-License-Identifier: MIT */
/*
 * Dying by a signal: the worker is killed, the output's sibling removed, one
 * line said, and the process ends by the same signal. Ignored signals stay
 * ignored. The one place with process-wide state, for handlers have no other.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <sys/types.h>

#include "cmd/parts.h"
#include "io/output.h"

/* Install the handlers; SIGPIPE and SIGXFSZ are ignored (writes fail). */
void signals_setup(void);
/* In a worker: the conductor decides when it ends. */
void signals_worker(void);

/* What is to be ended or removed; 0 and NULL for none. */
void signals_watch_worker(pid_t worker);
void signals_unwatch_worker(pid_t worker);
void signals_watch_output(struct output *output, struct parts_list *parts);

#endif
