/* SPDX-License-Identifier: MIT */
/* The coefficients in use: the defaults, or another machine's in a file. */
#ifndef CMD_COSTS_FILE_H
#define CMD_COSTS_FILE_H

#include "transforms/coefficients.h"

/* What IMGCONV_COSTS names, or the defaults. ERR_USAGE names the file. */
int costs_file_load(struct coefficients *out, struct err *err);

/* As a file that costs_file_load takes, to standard output. */
void costs_file_print(const struct coefficients *coefficients);

#endif
