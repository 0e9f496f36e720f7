/* SPDX-License-Identifier: MIT */
/* What a forked process of ours is before it does anything. */
#ifndef CMD_CHILD_H
#define CMD_CHILD_H

/* Right after fork: of all descriptors it keeps `socket` and stderr, nothing
 * else; the conductor decides when it ends. Returns the socket's new number. */
int child_become(int socket);

#endif
