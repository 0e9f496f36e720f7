/* SPDX-License-Identifier: MIT */
/*
 * A file as the only member of a zip (libarchive): a sink in front of another,
 * append-only on both sides. Sizes and checksum stand behind the member, as
 * the format allows (APPNOTE 4.3.9), in 64 bits: nothing need be known before,
 * and what is known changes no byte.
 */
#ifndef FORMATS_ARCHIVES_ZIP_SINK_H
#define FORMATS_ARCHIVES_ZIP_SINK_H

#include <stdint.h>

#include "base/err.h"
#include "io/sink.h"

struct zip_member {
	const char *name;
	int64_t mtime; /* seconds since 1970 */
	int level; /* of deflate, 1..9; 0: 1, for images are large */
};

/* ERR_UNSUPPORTED when built without libarchive. */
struct sink *zip_sink(struct sink *take_inner, const struct zip_member *member,
		      struct err *err);

#endif
