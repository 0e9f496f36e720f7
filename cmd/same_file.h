/* SPDX-License-Identifier: MIT */
/* Whether two names are those of one file: what would be written over what. */
#ifndef CMD_SAME_FILE_H
#define CMD_SAME_FILE_H

#include <stdbool.h>

/* The same name, or, where both are there, the same file by links of either
 * kind. Names of other things (URLs) are files that are not there. */
bool same_file(const char *a, const char *b);

#endif
