/* SPDX-License-Identifier: MIT */
/* What this machine grants: processors, devices, installed tools. */
#ifndef CMD_MACHINE_H
#define CMD_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processors this process may use: affinity, and the control group's quota
 * rounded up. At least 1. */
unsigned machine_processors(void);

/* Bytes of address space this process may have, UINT64_MAX if not limited. */
uint64_t machine_address_space(void);

/* The full path of a program in PATH; false also where programs cannot be
 * given files, for want of /proc. */
bool machine_tool(const char *name, char *out, size_t len);

/* What no other run has: bytes by chance, and seconds since 1970. */
void machine_unique(unsigned char *seed, size_t len, int64_t *now);

/* Does the file system of `path` (a folder) know how to share extents?
 * By its kind alone: nothing is tried. */
bool machine_shares_extents(const char *path);

#endif
