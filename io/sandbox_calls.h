/* SPDX-License-Identifier: MIT */
/* The list of system calls that a closed-in process may make. */
#ifndef IO_SANDBOX_CALLS_H
#define IO_SANDBOX_CALLS_H

#include <stdbool.h>

/* For this process from now on; it has one thread, and no new privileges.
 * `sockets`: and what a connection needs that it already has. False: this
 * kernel, or this processor, has no such filters. */
bool sandbox_limit_calls(bool sockets);

#endif
