/* SPDX-License-Identifier: MIT */
/*
 * A source around another one whose bytes must have digests that are known
 * beforehand: source_finish fails with ERR_DAMAGED where they have others.
 *
 * A stream is digested as its bytes pass. Beside a seekable source, which is
 * read in any order by any number of threads, a thread of its own reads all
 * of it in order; nobody waits for it but source_finish. What is no file, and
 * dear to be read twice, it has from what the readers read (digest_share.h).
 * Extents and the descriptor are those of the source below, so that shared
 * extents stay possible: they are read to be digested all the same.
 */
#ifndef IO_DIGEST_SOURCE_H
#define IO_DIGEST_SOURCE_H

#include <stdbool.h>

#include "io/digest.h"
#include "io/source.h"

/* Plain data: crosses the socket between conductor and worker. */
struct digest_expected {
	uint32_t kind; /* enum digest_kind */
	unsigned char digest[DIGEST_LEN_MOST]; /* digest_len(kind) of them */
	char from[160]; /* who says so, for the message */
};

#define DIGEST_EXPECTED_MOST 8

/* `inner` is borrowed; a stream stands at its start. At most
 * DIGEST_EXPECTED_MOST, all found in one pass. `inside` is put in front of
 * messages: "inside xz"; or "". A kind that the crypto library refuses fails
 * at the end. */
struct source *digest_source(struct source *inner,
			     const struct digest_expected *expected,
			     unsigned count, const char *inside);

/* Is it one? For whoever has to finish each of a stack of sources. */
bool digest_source_is(const struct source *source);

#endif
