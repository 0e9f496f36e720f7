/* SPDX-License-Identifier: MIT */
/* Owns SHA-256 and older digests. The only file that knows the crypto
 * library. */
#include "io/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/zero.h"

struct digest {
	EVP_MD_CTX *context;
};

/* The library fails only without memory or without SHA-256 at all; nothing
 * sensible can be printed then. */
static void must(int result)
{
	if (result != 1)
		abort();
}

struct digest *digest_open(void)
{
	struct digest *digest = mem_zalloc(sizeof *digest);

	digest->context = EVP_MD_CTX_new();
	must(digest->context != NULL);
	must(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL));
	return digest;
}

struct digest *digest_open_as(enum digest_kind kind)
{
	static const char *const names[] = { "SHA256", "MD5", "SHA1" };
	const EVP_MD *method = EVP_get_digestbyname(names[kind]);
	struct digest *digest = mem_zalloc(sizeof *digest);

	digest->context = EVP_MD_CTX_new();
	must(digest->context != NULL);
	if (method && EVP_DigestInit_ex(digest->context, method, NULL) == 1)
		return digest;
	return digest_close(digest);
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
	must(EVP_DigestUpdate(digest->context, bytes, len));
}

void digest_add_zeros(struct digest *digest, uint64_t length)
{
	while (length) {
		size_t len = (size_t)min_u64(length, ZERO_BYTES_LEN);

		digest_add(digest, zero_bytes, len);
		length -= len;
	}
}

/* Of a copy, so that more may be added afterwards. */
void digest_get(struct digest *digest, unsigned char out[DIGEST_LEN])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned len = 0;

	must(copy != NULL);
	must(EVP_MD_CTX_copy_ex(copy, digest->context));
	must(EVP_DigestFinal_ex(copy, out, &len));
	must(len <= DIGEST_LEN);
	EVP_MD_CTX_free(copy);
}

struct digest *digest_close(struct digest *digest)
{
	if (digest)
		EVP_MD_CTX_free(digest->context);
	free(digest);
	return NULL;
}

void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[DIGEST_TEXT_LEN - 1] = '\0';
}
