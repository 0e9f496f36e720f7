/* SPDX-License-Identifier: MIT */
/*
 * What readers have read of a source in any order, kept for one that needs
 * all of it in order: so that bytes which are dear (from a server, out of a
 * decoder) need not be read twice. Bounded: what does not fit is let go, and
 * read again. Safe to use from many threads.
 */
#ifndef IO_DIGEST_SHARE_H
#define IO_DIGEST_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes are taken within aligned blocks of so many. */
#define DIGEST_SHARE_BLOCK ((size_t)1 << 20)

struct digest_share;

struct digest_share *digest_share_open(void);
/* Accepts NULL, returns NULL. */
struct digest_share *digest_share_close(struct digest_share *share);

/* These were read. */
void digest_share_put(struct digest_share *share, const void *bytes,
		      size_t len, uint64_t offset);

/* Wait for `len` bytes at `offset`, which lie in one block, none in front of
 * those of the last call. False: they are not to be had in this way, or no
 * longer; the caller reads them itself. */
bool digest_share_take(struct digest_share *share, void *bytes, size_t len,
		       uint64_t offset);

/* Nobody reads any more: who waits, waits no longer. */
void digest_share_end(struct digest_share *share);

#endif
