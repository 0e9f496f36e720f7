/* SPDX-License-Identifier: MIT */
/* SHA-256, and the older digests that formats hold, through the crypto
 * library. The only file that knows it. */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32
#define DIGEST_TEXT_LEN (2 * DIGEST_LEN + 1)

#define DIGEST_MD5_LEN 16
#define DIGEST_SHA1_LEN 20

struct digest;

struct digest *digest_open(void);
/* NULL where the library is set up to refuse what is no longer secure. */
struct digest *digest_open_md5(void);
struct digest *digest_open_sha1(void);
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* `length` zero bytes. */
void digest_add_zeros(struct digest *digest, uint64_t length);
/* `out` has room for DIGEST_LEN, or what the kind opened takes. */
void digest_get(struct digest *digest, unsigned char *out);
/* Accepts NULL, returns NULL. */
struct digest *digest_close(struct digest *digest);

void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN]);

#endif
