/* SPDX-License-Identifier: MIT */
/* SHA-256, and older digests that images carry, through the crypto library.
 * The only file that knows it. */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32
#define DIGEST_TEXT_LEN (2 * DIGEST_LEN + 1)

struct digest;

enum digest_kind { DIGEST_SHA256, DIGEST_MD5, DIGEST_SHA1 };

struct digest *digest_open(void);
/* NULL where the library does not have it (any more). */
struct digest *digest_open_as(enum digest_kind kind);
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* `length` zero bytes. */
void digest_add_zeros(struct digest *digest, uint64_t length);
/* As many bytes as the kind has: 16 of MD5, 20 of SHA-1. */
void digest_get(struct digest *digest, unsigned char out[DIGEST_LEN]);
/* Accepts NULL, returns NULL. */
struct digest *digest_close(struct digest *digest);

void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN]);

#endif
