/* SPDX-License-Identifier: MIT */
/*
 * What GNU make says to those it runs (its manual, "Integrating GNU make"):
 * whether this is a dry run, and how many jobs there may be. One token is
 * every recipe's own; more are taken from the jobserver's pipe, and every one
 * is given back, the same byte, however the run ends.
 */
#ifndef CMD_JOBSERVER_H
#define CMD_JOBSERVER_H

#include <stdbool.h>

/* Does MAKEFLAGS ask for a dry run (-n)? */
bool jobserver_dry_run(const char *makeflags);

/* How many threads a run may use: one, and as many tokens as are to be had at
 * once, `most` at most. 0: no jobserver, or one that cannot be reached. Once
 * a process. */
unsigned jobserver_take(const char *makeflags, unsigned most);

/* All tokens back. Async-signal-safe; again does nothing. */
void jobserver_give_back(void);

#endif
