/* SPDX-License-Identifier: MIT */
/*
 * A sink whose first MiB comes last: for a device, which shows every byte the
 * moment it is written.
 *
 *   first byte: the old first MiB is wiped | all else is written | finish:
 *   the new first MiB, behind everything else
 *
 * A run that ends in the middle leaves a device that nobody takes for an
 * image. What is behind the image is left as it was.
 */
#ifndef IO_HEAD_SINK_H
#define IO_HEAD_SINK_H

#include <stdbool.h>

#include "io/sink.h"

/* Around a seekable sink (taken). `sync`: the order holds over a power cut
 * too, at the price of two flushes. A fresh one is not wiped. */
struct sink *head_sink(struct sink *take_inner, bool sync);

#endif
