/* SPDX-License-Identifier: MIT */
/*
 * A seekable source over a network block device that somebody serves on a
 * connected socket (NBD protocol, default export, read only). Reads and
 * extents of any number of threads are in flight at once, on one connection.
 * What the server calls a hole or zero (base:allocation) are the extents.
 */
#ifndef IO_NBD_SOURCE_H
#define IO_NBD_SOURCE_H

#include <stdbool.h>

#include "io/source.h"

/* Is it built in? */
bool nbd_source_built(void);

/* Shakes hands on `fd` (taken, also on failure). ERR_IO when the server ends
 * the connection or breaks the protocol; ERR_UNSUPPORTED when built without
 * libnbd. */
struct source *nbd_source(int take_fd, struct err *err);

#endif
