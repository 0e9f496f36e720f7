/* SPDX-License-Identifier: MIT */
/* A sink that keeps nothing but how long the file would be: for `measure`. */
#ifndef IO_COUNT_SINK_H
#define IO_COUNT_SINK_H

#include "io/sink.h"

/* A new file, seekable. Adds its final length to *total (borrowed) when it is
 * finished. */
struct sink *count_sink(uint64_t *total);

#endif
