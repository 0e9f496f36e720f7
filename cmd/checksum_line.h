/* SPDX-License-Identifier: MIT */
/* One line of a file of checksums, and the names of the kinds of digests.
 * Pure. Forms: those of GNU coreutils (sha256sum(1), --tag), of BSD's md5(1)
 * and of openssl-dgst(1), as written by these programs. */
#ifndef CMD_CHECKSUM_LINE_H
#define CMD_CHECKSUM_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/digest.h"

struct checksum_line {
	enum digest_kind kind;
	unsigned char digest[DIGEST_LEN_MOST];
	bool named;	/* else of what came from a pipe, or of anything */
	char name[256]; /* without folders; a longer one is cut: no file's */
};

/* False: not a line with a digest. `blake`: 128 digits without the name of a
 * kind are a BLAKE2b, not a SHA-512. */
bool checksum_line_read(const char *line, size_t len, bool blake,
			struct checksum_line *out);

/* "SHA256", "sha-256", "SHA2-256": is `len` bytes of `text` a kind's name? */
bool checksum_kind(const char *text, size_t len, enum digest_kind *out);

/* The kind with so many hexadecimal digits; SHA-512 for 128. */
bool checksum_kind_of_digits(size_t digits, enum digest_kind *out);

/* How many hexadecimal digits `text` begins with, at most `len`. */
size_t checksum_digits(const char *text, size_t len);
/* An even number of them as bytes. */
void checksum_bytes(const char *text, size_t digits, unsigned char *out);

#endif
