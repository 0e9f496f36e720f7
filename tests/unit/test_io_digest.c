/* SPDX-License-Identifier: MIT */
/* Units for SHA-256: the examples of FIPS 180-4, and zeros. */
#include "io/digest.h"
#include "tests/unit/check.h"

static void check_digest(struct digest *digest, const char *expect)
{
	unsigned char bytes[DIGEST_LEN];
	char text[DIGEST_TEXT_LEN];

	digest_get(digest, bytes);
	digest_text(bytes, text);
	CHECK_STR(text, expect);
}

static void test_known(void)
{
	struct digest *digest = digest_open();

	check_digest(digest, "e3b0c44298fc1c149afbf4c8996fb924"
			     "27ae41e4649b934ca495991b7852b855");
	digest_add(digest, "abc", 3);
	check_digest(digest, "ba7816bf8f01cfea414140de5dae2223"
			     "b00361a396177a9cb410ff61f20015ad");
	/* More may follow after a look. */
	digest_add(digest, "dbcdecdefdefgefghfghighijhijkijkl", 33);
	CHECK(!digest_close(digest));
	digest = digest_open();
	digest_add(digest,
		   "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		   56);
	check_digest(digest, "248d6a61d20638b8e5c026930c3e6039"
			     "a33ce45964ff2167f6ecedd419db06c1");
	digest_close(digest);
	CHECK(!digest_close(NULL));
}

static void test_zeros(void)
{
	static const unsigned char zeros[200000];
	unsigned char one[DIGEST_LEN], two[DIGEST_LEN];
	struct digest *digest = digest_open();

	digest_add(digest, "x", 1);
	digest_add_zeros(digest, sizeof zeros);
	digest_get(digest, one);
	digest_close(digest);
	digest = digest_open();
	digest_add(digest, "x", 1);
	digest_add(digest, zeros, sizeof zeros);
	digest_get(digest, two);
	digest_close(digest);
	CHECK(!memcmp(one, two, DIGEST_LEN));
	/* 1 MiB of zeros, as any other tool says. */
	digest = digest_open();
	digest_add_zeros(digest, 0);
	digest_add_zeros(digest, 1 << 20);
	check_digest(digest, "30e14955ebf1352266dc2ff8067e6810"
			     "4607e750abb9d3b36582b8af909fcb58");
	digest_close(digest);
}

int main(void)
{
	test_known();
	test_zeros();
	return check_result();
}
