/* SPDX-License-Identifier: MIT */
/*
 * Reading compressed chunks of an image (clusters, grains, DMG chunks) at
 * random. Each decoder keeps the chunk it decoded last, so that small reads
 * in a row decode it once. Safe from many threads.
 */
#ifndef FORMATS_PACKED_H
#define FORMATS_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/codecs/codec.h"
#include "io/source.h"

struct packed_chunk {
	enum block_codec_id codec;
	uint64_t place; /* of the first stored byte; tells chunks apart */
	size_t stored;	/* bytes; may be rounded up to whole sectors */
	size_t length;	/* decoded */
};

struct packed;

/* Chunks of `source` (borrowed), none larger than `stored_max` and
 * `length_max`. `what` names one in messages: "compressed cluster". */
struct packed *packed_open(struct source *source, const char *what,
			   size_t stored_max, size_t length_max);
/* `len` decoded bytes, from `skip` bytes into the chunk. */
int packed_read(struct packed *packed, const struct packed_chunk *chunk,
		size_t skip, void *buf, size_t len, struct err *err);
/* Accepts NULL, returns NULL. */
struct packed *packed_close(struct packed *packed);

#endif
