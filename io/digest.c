/* SPDX-License-Identifier: MIT */
/* Owns digests. The only file that knows the crypto library. */
#include "io/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "io/digest_crc.h"
#include "io/zero.h"

struct digest {
	EVP_MD_CTX *context;
	struct digest_crc *crc; /* in its place */
};

/* The library fails only without memory or without SHA-256 at all; nothing
 * sensible can be printed then. */
static void must(int result)
{
	if (result != 1)
		mem_exhausted();
}

static const struct {
	const char *name;
	size_t len;
	const EVP_MD *(*method)(void);
} kinds[DIGEST_KINDS] = {
	[DIGEST_CRC32] = { "CRC-32", 4, NULL },
	[DIGEST_MD5] = { "MD5", DIGEST_MD5_LEN, EVP_md5 },
	[DIGEST_SHA1] = { "SHA-1", DIGEST_SHA1_LEN, EVP_sha1 },
	[DIGEST_SHA224] = { "SHA-224", 28, EVP_sha224 },
	[DIGEST_SHA256] = { "SHA-256", DIGEST_LEN, EVP_sha256 },
	[DIGEST_SHA384] = { "SHA-384", 48, EVP_sha384 },
	[DIGEST_BLAKE2B] = { "BLAKE2b", 64, EVP_blake2b512 },
	[DIGEST_SHA512] = { "SHA-512", 64, EVP_sha512 },
};

const char *digest_name(enum digest_kind kind)
{
	return kinds[kind].name;
}

size_t digest_len(enum digest_kind kind)
{
	return kinds[kind].len;
}

struct digest *digest_open_kind(enum digest_kind kind)
{
	struct digest *digest = mem_zalloc(sizeof *digest);

	if (kind == DIGEST_CRC32) {
		digest->crc = mem_zalloc(sizeof *digest->crc);
		digest_crc_init(digest->crc);
		return digest;
	}
	digest->context = EVP_MD_CTX_new();
	must(digest->context != NULL);
	if (EVP_DigestInit_ex(digest->context, kinds[kind].method(), NULL) !=
	    1)
		return digest_close(digest);
	return digest;
}

struct digest *digest_open(void)
{
	struct digest *digest = digest_open_kind(DIGEST_SHA256);

	must(digest != NULL);
	return digest;
}

struct digest *digest_open_md5(void)
{
	return digest_open_kind(DIGEST_MD5);
}

struct digest *digest_open_sha1(void)
{
	return digest_open_kind(DIGEST_SHA1);
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
	if (digest->crc)
		digest_crc_add(digest->crc, bytes, len);
	else
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
void digest_get(struct digest *digest, unsigned char *out)
{
	EVP_MD_CTX *copy;
	unsigned len = 0;

	if (digest->crc) {
		bytes_put_be32(out, digest->crc->crc);
		return;
	}
	copy = EVP_MD_CTX_new();
	must(copy != NULL);
	must(EVP_MD_CTX_copy_ex(copy, digest->context));
	must(EVP_DigestFinal_ex(copy, out, &len));
	must((int)len == EVP_MD_CTX_size(digest->context));
	EVP_MD_CTX_free(copy);
}

struct digest *digest_close(struct digest *digest)
{
	if (!digest)
		return NULL;
	EVP_MD_CTX_free(digest->context);
	free(digest->crc);
	free(digest);
	return NULL;
}

void digest_hex(const unsigned char *digest, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * len] = '\0';
}

void digest_text(const unsigned char digest[DIGEST_LEN],
		 char out[DIGEST_TEXT_LEN])
{
	digest_hex(digest, DIGEST_LEN, out);
}
