/* SPDX-License-Identifier: MIT */
/*
 * A source whose bytes another process has: the network process serves them
 * on a connected socket, and sees no image in them.
 *
 *   worker                            network process
 *                  <---------------- HELLO | FAILED
 *   ASK (seekable) ---------------->
 *                  <---------------- DATA, DATA ... | FAILED, by id
 *                  <---------------- DATA ... END | FAILED    (a stream)
 *
 * Of a seekable one many ASKs are in flight; their answers come in pieces, in
 * order for each, in any order among them. A stream's bytes come unasked, as
 * fast as they are taken: the socket's room is the brake. Everything is plain
 * data in the machine's order: both ends are one program, forked. Neither end
 * believes a number that it has not checked.
 */
#ifndef IO_REMOTE_SOURCE_H
#define IO_REMOTE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "io/digest.h"
#include "io/source.h"

enum remote_type {
	REMOTE_HELLO = 1, /* struct remote_hello */
	REMOTE_DATA,	  /* bytes: of what ASK `id` wants next, or of the stream */
	REMOTE_END,	  /* of a stream: nothing */
	REMOTE_FAILED	  /* struct err: for `id`, or for good where that is 0 */
};

/* In front of everything the network process says. */
struct remote_header {
	uint32_t type; /* enum remote_type */
	uint32_t id;   /* of the ASK; 0 where there is none */
	uint32_t len;  /* of what follows */
};

/* Which version of an object it is, where its server says so in a way that
 * another version cannot have (RFC 9110, a strong ETag): a digest of that. */
struct remote_version {
	bool known;
	unsigned char digest[DIGEST_LEN];
};

struct remote_hello {
	uint64_t size; /* if size_known */
	uint32_t size_known, seekable;
	struct remote_version version;
};

/* All the worker ever says. Ids are its own, never 0; `len` is 1 to
 * REMOTE_ASK_MAX, and the range lies within the size. */
struct remote_ask {
	uint32_t id, len;
	uint64_t offset;
};

#define REMOTE_ASK_MAX ((size_t)(4 * MIB))
#define REMOTE_DATA_MAX ((size_t)(1 * MIB))

/* Waits for HELLO on `fd` (taken, also on failure), which fills in *version
 * (NULL: nobody wants to know). Seekable: safe to read from many threads, of
 * which each waits for its own bytes only. NULL with what FAILED said, or
 * ERR_BUG when the other end is gone or talks nonsense. */
struct source *remote_source(int take_fd, struct remote_version *version,
			     struct err *err);

#endif
