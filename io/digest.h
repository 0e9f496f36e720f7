/* SPDX-License-Identifier: MIT */
/* SHA-256, through the crypto library. The only file that knows it. */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32
#define DIGEST_TEXT_LEN (2 * DIGEST_LEN + 1)

struct digest;

struct digest *digest_open(void);
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* `length` zero bytes. */
void digest_add_zeros(struct digest *digest, uint64_t length);
void digest_get(struct digest *digest, unsigned char out[DIGEST_LEN]);
/* Accepts NULL, returns NULL. */
struct digest *digest_close(struct digest *digest);

void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN]);

#endif
