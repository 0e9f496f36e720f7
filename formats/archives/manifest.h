/* SPDX-License-Identifier: MIT */
/*
 * An appliance's manifest: digests of its files, a line each (DSP0243, 5.1).
 *
 *	SHA256(disk1.vmdk)= 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c
 */
#ifndef FORMATS_ARCHIVES_MANIFEST_H
#define FORMATS_ARCHIVES_MANIFEST_H

#include <stddef.h>

#include "base/err.h"
#include "formats/archives/archive.h"
#include "io/digest.h"

#define MANIFEST_LINES 256
/* Of the text, bytes. */
#define LIMIT_MANIFEST ((size_t)1 << 20)

struct manifest_line {
	char file[ARCHIVE_NAME_LEN];
	enum digest_kind kind;
	unsigned char digest[64]; /* as many as the kind has */
};

struct manifest {
	unsigned count;
	struct manifest_line *line; /* malloc'ed */
};

/* ERR_DAMAGED names the line that is none; kinds that nobody should rely on
 * any more are ERR_UNSUPPORTED. Release with manifest_clear. */
int manifest_read(const char *text, size_t len, struct manifest *out,
		  struct err *err);
void manifest_clear(struct manifest *manifest);

/* The line for a file, or NULL. */
const struct manifest_line *manifest_find(const struct manifest *manifest,
					  const char *file);

#endif
