/* SPDX-License-Identifier: MIT */
/*
 * A seekable source over an NBD export. Reads and extents of any number of
 * threads are in flight at once. What the server calls a hole or zero
 * (base:allocation) are the extents.
 */
#ifndef IO_NBD_SOURCE_H
#define IO_NBD_SOURCE_H

#include "io/nbd.h"
#include "io/source.h"

/* As nbd_open, with which it begins. */
struct source *nbd_source(int take_fd, const struct nbd_terms *terms,
			  const struct nbd_more *more, struct err *err);

#endif
