/* SPDX-License-Identifier: MIT */
/*
 * A place in a file for one member of an archive that is put together by
 * somebody else: append-only, from `offset` on, with the digest that its
 * manifest wants. The file then ends as a tar would that ended there.
 */
#ifndef FORMATS_ARCHIVES_MEMBER_SINK_H
#define FORMATS_ARCHIVES_MEMBER_SINK_H

#include "io/digest.h"
#include "io/sink.h"

struct member_made {
	uint64_t length; /* bytes */
	unsigned char digest[DIGEST_LEN_MOST];
};

/* `inner` seeks and is fresh (taken); `kind` DIGEST_KINDS: no digest. *out is
 * filled in by finish and outlives the sink. */
struct sink *member_sink(struct sink *take_inner, uint64_t offset,
			 enum digest_kind kind, struct member_made *out);

#endif
