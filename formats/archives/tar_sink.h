/* SPDX-License-Identifier: MIT */
/*
 * A file as the only member of a tar: a sink in front of another.
 *
 *   header | the member's bytes | zeros to a whole block | two zero blocks,
 *   and more to a whole record of 10240 bytes (POSIX.1-1988 ustar, GNU tar's
 *   manual, "Basic Tar Format")
 *
 * Below a seekable sink the member is seekable, and its size need not be known
 * before its end; into one that only appends the header goes first, so there
 * it must be.
 */
#ifndef FORMATS_ARCHIVES_TAR_SINK_H
#define FORMATS_ARCHIVES_TAR_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/sink.h"

#define TAR_BLOCK 512
#define TAR_RECORD 10240
#define TAR_NAME_MOST 100

enum tar_dialect {
	TAR_USTAR,
	TAR_GNU /* old GNU, what GNU tar calls oldgnu */
};

struct tar_member {
	enum tar_dialect dialect;
	const char *name; /* at most TAR_NAME_MOST bytes */
	int64_t mtime;	  /* seconds since 1970, not negative */
	bool size_known;
	uint64_t size; /* bytes; sizes of 8 GiB and more in base 256 */
};

/* The header of a regular file of mode 0644, owned by 0:0, without names of
 * owners: the same bytes for the same member. */
void tar_header(const struct tar_member *member,
		unsigned char out[TAR_BLOCK]);

/* Bytes behind a member of this size, to its whole block. */
uint64_t tar_padding(uint64_t size);
/* The archive's length, if its last member ends, padded, at `end`. */
uint64_t tar_end(uint64_t end);

/* ERR_BUG when the size must be known and is not. Finishing with another size
 * than was known is ERR_BUG too. */
struct sink *tar_sink(struct sink *take_inner, const struct tar_member *member,
		      struct err *err);

#endif
