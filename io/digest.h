/* SPDX-License-Identifier: MIT */
/* Digests through the crypto library, and the CRC of zip. */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* From the weakest to the strongest. */
enum digest_kind {
	DIGEST_CRC32, /* no digest, but what a zip has; 4 bytes, high first */
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA224,
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_BLAKE2B,
	DIGEST_SHA512,
	DIGEST_KINDS
};

#define DIGEST_LEN 32 /* of SHA-256 */
#define DIGEST_TEXT_LEN (2 * DIGEST_LEN + 1)
#define DIGEST_MD5_LEN 16
#define DIGEST_SHA1_LEN 20
/* Of the longest kind. */
#define DIGEST_LEN_MOST 64
#define DIGEST_TEXT_LEN_MOST (2 * DIGEST_LEN_MOST + 1)

struct digest;

/* Its name for people, "SHA-256", and its bytes; `kind` is one of them. */
const char *digest_name(enum digest_kind kind);
size_t digest_len(enum digest_kind kind);

/* SHA-256. */
struct digest *digest_open(void);
/* NULL where the library is set up to refuse the kind. */
struct digest *digest_open_kind(enum digest_kind kind);
struct digest *digest_open_md5(void);
struct digest *digest_open_sha1(void);
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* `length` zero bytes. */
void digest_add_zeros(struct digest *digest, uint64_t length);
/* `out` has room for what the kind opened takes. */
void digest_get(struct digest *digest, unsigned char *out);
/* Accepts NULL, returns NULL. */
struct digest *digest_close(struct digest *digest);

/* Of SHA-256. */
void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN]);
/* Of any kind: 2 * len digits and the end go to `out`. */
void digest_hex(const unsigned char *digest, size_t len, char *out);

#endif
