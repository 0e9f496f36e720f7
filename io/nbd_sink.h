/* SPDX-License-Identifier: MIT */
/*
 * A seekable sink over an NBD export: like a device, it shows every byte at
 * once and keeps what is behind the image, so that the head of an image comes
 * last (head_sink.h). finish flushes.
 */
#ifndef IO_NBD_SINK_H
#define IO_NBD_SINK_H

#include "io/nbd.h"
#include "io/sink.h"

/* As nbd_open, with which it begins. ERR_CREATE when it is read-only. */
struct sink *nbd_sink(int take_fd, const struct nbd_terms *terms,
		      const struct nbd_more *more, struct err *err);

#endif
