/* SPDX-License-Identifier: MIT */
/* Units for --checksum's texts: every form of line, and which one is meant.
 * The two files are pure; they are taken in as they are, for the program's
 * own room is no library. */
#include "cmd/checksum.c"
#include "cmd/checksum_line.c"
#include "tests/unit/check.h"

/* Of "" and of "abc". */
#define MD5 "d41d8cd98f00b204e9800998ecf8427e"
#define SHA1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define SHA224 "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"
#define SHA256                                                              \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OTHER                                                               \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA384                                                              \
	"38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"                  \
	"4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
#define SHA512                                                              \
	"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"  \
	"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"

/* ---- the argument ---- */

static void check_word(const char *text, enum digest_kind kind, bool inside)
{
	struct checksum_word word;
	struct err err = { 0 };

	CHECK_EQ(checksum_read_word(text, &word, &err), 0);
	CHECK(!word.file);
	CHECK_EQ(word.expected.kind, kind);
	CHECK_EQ(word.inside, inside);
}

static void check_no_word(const char *text, const char *message)
{
	struct checksum_word word;
	struct err err = { 0 };

	CHECK_EQ(checksum_read_word(text, &word, &err), -1);
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK(strstr(err.message, message));
}

static void test_words(void)
{
	struct checksum_word word;
	struct err err;

	check_word("sha256:" SHA256, DIGEST_SHA256, false);
	check_word("SHA-256:" SHA256, DIGEST_SHA256, false);
	check_word("sha1:" SHA1, DIGEST_SHA1, false);
	check_word("md5:" MD5, DIGEST_MD5, false);
	check_word("sha512:" SHA512, DIGEST_SHA512, false);
	check_word("blake2b:" SHA512, DIGEST_BLAKE2B, false);
	check_word(MD5, DIGEST_MD5, false);
	check_word(SHA1, DIGEST_SHA1, false);
	check_word(SHA224, DIGEST_SHA224, false);
	check_word("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B"
		   "7852B855", DIGEST_SHA256, false);
	check_word(SHA384, DIGEST_SHA384, false);
	check_word(SHA512, DIGEST_SHA512, false);
	check_word("inside:sha256:" SHA256, DIGEST_SHA256, true);
	check_word("inside:" SHA256, DIGEST_SHA256, true);
	check_no_word("", "is needed");
	check_no_word("inside:", "is needed");
	check_no_word("sha256:" MD5, "64 hexadecimal digits");
	check_no_word("sha256:", "64 hexadecimal digits");
	check_no_word("sha256:g" MD5 MD5, "64 hexadecimal digits");
	check_no_word("sha256:" SHA256 "0", "64 hexadecimal digits");
	check_no_word("sha3-256:" SHA256, "unknown kind \"sha3-256\"");
	/* All digits, but of no kind: a file. */
	CHECK_EQ(checksum_read_word("abcdef", &word, &err), 0);
	CHECK(word.file);
	CHECK_EQ(checksum_read_word("./sha256:x", &word, &err), 0);
	CHECK_STR(word.file, "./sha256:x");
	CHECK_EQ(checksum_read_word("inside:SUMS", &word, &err), 0);
	CHECK_STR(word.file, "SUMS");
	CHECK(word.inside);
	CHECK_EQ(checksum_read_word("https://h/SHA256SUMS", &word, &err), 0);
	CHECK_STR(word.file, "https://h/SHA256SUMS");
	CHECK_EQ(checksum_read_word("sha256:" SHA256, &word, &err), 0);
	CHECK_EQ(word.expected.digest[0], 0xe3);
	CHECK_EQ(word.expected.digest[31], 0x55);
}

/* ---- lines ---- */

static void check_line(const char *text, enum digest_kind kind,
		       const char *name)
{
	struct checksum_line line;

	CHECK(checksum_line_read(text, strlen(text), false, &line));
	CHECK_EQ(line.kind, kind);
	CHECK_EQ(line.named, *name != '\0');
	if (*name)
		CHECK_STR(line.name, name);
}

static void check_no_line(const char *text)
{
	struct checksum_line line;

	CHECK(!checksum_line_read(text, strlen(text), false, &line));
}

static void test_lines(void)
{
	struct checksum_line line;

	check_line(SHA256 "  disk.raw", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 " *disk.raw", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 " disk.raw", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 "\tdisk.raw", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 "  ./disk.raw", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 " *images/x/disk.raw\r", DIGEST_SHA256, "disk.raw");
	check_line(SHA256 "  two words.raw", DIGEST_SHA256, "two words.raw");
	check_line(SHA256 "  (odd) = name", DIGEST_SHA256, "(odd) = name");
	check_line("\\" SHA256 "  a\\\\b\\nc", DIGEST_SHA256, "a\\b\nc");
	check_line(SHA256 "  a\\nb", DIGEST_SHA256, "a\\nb");
	check_line(SHA256, DIGEST_SHA256, "");
	check_line("  " SHA256 " \r", DIGEST_SHA256, "");
	check_line(SHA256 "  -", DIGEST_SHA256, "");
	check_line(SHA1 "  d", DIGEST_SHA1, "d");
	check_line(MD5 "  d", DIGEST_MD5, "d");
	check_line(SHA512 "  d", DIGEST_SHA512, "d");
	check_line("SHA256 (disk.raw) = " SHA256, DIGEST_SHA256, "disk.raw");
	check_line("SHA256 (a (b) c) = " SHA256, DIGEST_SHA256, "a (b) c");
	check_line("SHA2-256(./disk.raw)= " SHA256, DIGEST_SHA256, "disk.raw");
	check_line("SHA256(disk.raw)= " SHA256, DIGEST_SHA256, "disk.raw");
	check_line("SHA2-512(stdin)= " SHA512, DIGEST_SHA512, "");
	check_line("(stdin)= " SHA256, DIGEST_SHA256, "");
	check_line("MD5 (d) = " MD5, DIGEST_MD5, "d");
	check_line("BLAKE2b (d) = " SHA512, DIGEST_BLAKE2B, "d");
	check_line("BLAKE2B-512(d)= " SHA512, DIGEST_BLAKE2B, "d");
	check_line("\\SHA256 (a\\nb) = " SHA256, DIGEST_SHA256, "a\nb");
	check_no_line("");
	check_no_line("# " SHA256 "  disk.raw");
	check_no_line("#" SHA256);
	check_no_line("disk.raw " SHA256);
	check_no_line(SHA256 "0  disk.raw");
	check_no_line(MD5 "0  disk.raw");
	check_no_line(SHA256 "disk.raw");
	check_no_line("SHA256 (disk.raw) = " MD5);
	check_no_line("SHA256 (disk.raw) = " SHA256 "0");
	check_no_line("SHA256 (disk.raw) " SHA256);
	check_no_line("SHA3-256 (disk.raw) = " SHA256);
	check_no_line("BLAKE2b-256 (disk.raw) = " SHA256);
	check_no_line("SHA256 )disk.raw( = " SHA256);
	check_no_line("SHA256 (disk.raw) =");
	check_no_line("\\");
	CHECK(checksum_line_read(SHA512 "  d", 131, true, &line));
	CHECK_EQ(line.kind, DIGEST_BLAKE2B);
}

static void test_names(void)
{
	struct checksum_name names[CHECKSUM_NAMES];

	CHECK_EQ(checksum_names("disk.raw.xz.gz", names), 3);
	CHECK_STR(names[0].name, "disk.raw.xz.gz");
	CHECK_STR(names[2].name, "disk.raw");
	CHECK_EQ(names[2].depth, 2);
	CHECK_EQ(checksum_names("disk.raw", names), 1);
	CHECK_EQ(checksum_names("", names), 0);
	CHECK_EQ(checksum_names(".xz", names), 1);
	/* Ends, whatever it is called. */
	CHECK_EQ(checksum_names("d.xz.xz.xz.xz.xz.xz.xz.xz.xz.xz.xz.xz.xz.xz",
				names), CHECKSUM_NAMES);
}

/* ---- the choice ---- */

static int find_text(const char *text, const char *origin, const char *base,
		     struct checksum_found *found, struct err *err)
{
	struct checksum_name names[CHECKSUM_NAMES];
	unsigned count = checksum_names(base, names);

	memset(err, 0, sizeof *err);
	return checksum_find(text, strlen(text), origin, names, count, found,
			     err);
}

static void check_found(const char *text, const char *base,
			enum digest_kind kind, unsigned depth, int first)
{
	struct checksum_found found;
	struct err err;

	CHECK_EQ(find_text(text, "SUMS", base, &found, &err), 0);
	CHECK_EQ(found.kind, kind);
	CHECK_EQ(found.depth, depth);
	CHECK_EQ(found.digest[0], first);
}

static void check_missing(const char *text, const char *base,
			  enum err_kind kind, const char *message)
{
	struct checksum_found found;
	struct err err;

	CHECK_EQ(find_text(text, "SUMS", base, &found, &err), -1);
	CHECK_EQ(err.kind, kind);
	CHECK(strstr(err.message, message));
	if (!strstr(err.message, message))
		fprintf(stderr, "found: %s\n", err.message);
}

static void test_choice(void)
{
	const char *two = OTHER "  a.raw\n" SHA256 "  b.raw\n";

	check_found(two, "a.raw", DIGEST_SHA256, 0, 0xba);
	check_found(two, "b.raw", DIGEST_SHA256, 0, 0xe3);
	check_found(two, "b.raw.xz", DIGEST_SHA256, 1, 0xe3);
	check_found(two, "b.raw.xz.gz", DIGEST_SHA256, 2, 0xe3);
	/* The file as it is comes first. */
	check_found(OTHER "  b.raw\n" SHA256 "  b.raw.xz\n", "b.raw.xz",
		    DIGEST_SHA256, 0, 0xe3);
	/* The strongest. */
	check_found(MD5 "  d\n" SHA512 "  d\n" SHA256 "  d\n", "d",
		    DIGEST_SHA512, 0, 0xcf);
	check_found("# a comment\r\n\r\nMD5 (d) = " MD5 "\r\nSHA256 (d) = "
		    SHA256 "\r\n", "d", DIGEST_SHA256, 0, 0xe3);
	/* Said twice is no contradiction. */
	check_found(SHA256 "  d\n" SHA256 " *./d\n", "d", DIGEST_SHA256, 0,
		    0xe3);
	check_missing(SHA256 "  x/d\n" OTHER "  y/d\n", "d", ERR_USAGE,
		      "two different lines for d");
	check_missing(two, "c.raw", ERR_USAGE,
		      "no line for c.raw (but for a.raw, b.raw)");
	check_missing(SHA256 "  a.raw", "c.raw", ERR_USAGE, "no line for c.raw");
	check_missing("hello\n", "c.raw", ERR_DAMAGED, "no line with");
	check_missing("", "c.raw", ERR_DAMAGED, "no line with");
	check_missing("\x01\n" SHA256, "c.raw", ERR_DAMAGED, "is no text");
	check_missing("\x1b[2J\n" SHA256 "\n", "c.raw", ERR_DAMAGED,
		      "is no text");
	/* Without a name. */
	check_found(SHA256, "d", DIGEST_SHA256, 0, 0xe3);
	check_found("\xef\xbb\xbf" SHA256 "\r\n", "d", DIGEST_SHA256, 0, 0xe3);
	check_found(SHA256 "  -\n", "d", DIGEST_SHA256, 0, 0xe3);
	check_missing(SHA256 "\n" OTHER "\n", "d", ERR_USAGE, "two different");
	check_missing(SHA256 "\n" OTHER "  x\n", "d", ERR_USAGE,
		      "no line for d (but for (no name), x)");
	/* The input has none. */
	check_found(SHA256 "  any\n", "", DIGEST_SHA256, 0, 0xe3);
	check_found(SHA256 "  any\n" MD5 "  any\n", "", DIGEST_SHA256, 0, 0xe3);
	check_missing(two, "", ERR_USAGE, "no name to choose by (a.raw, b.raw)");
}

static void test_many(void)
{
	char *text = mem_zalloc(100000), *at = text;
	struct checksum_found found;
	struct err err;

	for (unsigned i = 0; i < 1000; i++)
		at += sprintf(at, SHA256 "  f%u\n", i);
	CHECK_EQ(find_text(text, "S", "f999", &found, &err), 0);
	CHECK_EQ(find_text(text, "S", "none", &found, &err), -1);
	CHECK(strstr(err.message, "f7, ...)"));
	free(text);
}

static void test_blake(void)
{
	struct checksum_found found;
	struct err err;

	CHECK_EQ(find_text(SHA512 "  d\n", "x/B2SUMS", "d", &found, &err), 0);
	CHECK_EQ(found.kind, DIGEST_BLAKE2B);
	CHECK_EQ(find_text(SHA512 "  d\n", "b2/SHA512SUMS", "d", &found, &err),
		 0);
	CHECK_EQ(found.kind, DIGEST_SHA512);
}

static void test_clearsigned(void)
{
	static const char message[] =
		OTHER "  d\n"
		"-----BEGIN PGP SIGNED MESSAGE-----\r\n"
		"Hash: SHA512\n"
		OTHER "  d\n"
		"\n"
		"- # a line that begins with a dash\n"
		"- " SHA256 "  d\n"
		"-----BEGIN PGP SIGNATURE-----\n"
		"\n"
		OTHER "  d\n"
		"-----END PGP SIGNATURE-----\n"
		OTHER "  d\n";
	struct checksum_found found;
	struct err err;

	CHECK_EQ(find_text(message, "S", "d", &found, &err), 0);
	CHECK_EQ(found.digest[0], 0xe3);
	CHECK(found.clearsigned);
	/* Nothing inside. */
	check_missing(SHA256 "  d\n-----BEGIN PGP SIGNED MESSAGE-----\n\n", "d",
		      ERR_DAMAGED, "no line with");
	CHECK_EQ(find_text(SHA256 "  d\n", "S", "d", &found, &err), 0);
	CHECK(!found.clearsigned);
}

int main(void)
{
	test_words();
	test_lines();
	test_names();
	test_choice();
	test_many();
	test_blake();
	test_clearsigned();
	return check_result();
}
