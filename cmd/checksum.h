/* SPDX-License-Identifier: MIT */
/*
 * What --checksum says: a digest itself, or the text of a file of them, as
 * sha256sum, shasum, md5sum, b2sum and openssl write them and projects
 * publish them. Pure functions of text; who reads the file, and what is done
 * with a digest, is checksums.c's and below.
 *
 *   sha256:HEX   HEX   a digest, its kind by name or by its length
 *   FILE         URL   lines with digests, one of which is of the input
 *   inside:...         the digest is that of the image inside all layers
 *
 * In a file: "HEX  name", "HEX *name", "\HEX  name" with an escaped name,
 * "SHA256 (name) = HEX", "SHA2-256(name)= HEX", a bare HEX; comments with
 * '#'; CRLF; all of it perhaps inside a clearsigned message, outside of which
 * nothing counts then. The signature is not verified.
 */
#ifndef CMD_CHECKSUM_H
#define CMD_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/digest_source.h"

/* A file of checksums is no longer than this, bytes. */
#define CHECKSUM_FILE_MOST ((size_t)1 << 20)

struct checksum_word {
	bool inside;	  /* "inside:" was in front */
	const char *file; /* the rest of the text; NULL: the digest itself: */
	struct digest_expected expected; /* `from` is not set */
};

/* What the option's argument is. ERR_USAGE for a digest that is none. */
int checksum_read_word(const char *text, struct checksum_word *out,
		       struct err *err);

/* A name that the input may have in a file, and how many layers are off
 * where it does: the file's own (0), or "disk.raw" of disk.raw.xz (1). */
struct checksum_name {
	char name[256];
	unsigned depth;
};

#define CHECKSUM_NAMES 10

/* `base` without its suffixes of compressions, one after the other. "" gives
 * no names. Returns how many there are. */
unsigned checksum_names(const char *base,
			struct checksum_name names[CHECKSUM_NAMES]);

struct checksum_found {
	enum digest_kind kind;
	unsigned char digest[DIGEST_LEN_MOST];
	unsigned depth;
	bool clearsigned; /* by somebody: was not verified */
};

/* The digest in a file's `text` that is meant: the strongest kind of the first
 * of `names` that has one. A file with a single digest and no name in it is
 * of any input; so is one where all lines name the same file when the input
 * has no name. `origin` is the file's name, for messages and because a BLAKE2b
 * is as long as a SHA-512. ERR_DAMAGED: no such text. ERR_USAGE: the input is
 * not in it (what is, is listed), or is so twice. */
int checksum_find(const char *text, size_t len, const char *origin,
		  const struct checksum_name *names, unsigned count,
		  struct checksum_found *out, struct err *err);

#endif
