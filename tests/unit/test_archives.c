/* SPDX-License-Identifier: MIT */
/* What is decided about archives without reading one: which member is the
 * disk, what a manifest and a description's units say. */
#include "check.h"

#include "formats/archives/choose.h"
#include "formats/archives/manifest.h"
#include "formats/archives/ovf.h"

static struct archive_member member_of(const char *name)
{
	struct archive_member member = { .regular = true,
					 .size_known = true,
					 .size = 1 };

	snprintf(member.name, sizeof member.name, "%s", name);
	return member;
}

static void test_ranks(void)
{
	static const struct {
		const char *name;
		enum choose_rank rank;
	} rows[] = {
		{ "disk.raw", CHOOSE_IMAGE },
		{ "a/b/Disk.QCOW2", CHOOSE_IMAGE },
		{ "disk.vmdk.gz", CHOOSE_IMAGE },
		{ "disk.img.xz.zst", CHOOSE_IMAGE },
		{ "inner.ova", CHOOSE_IMAGE },
		{ "inner.tar.gz", CHOOSE_IMAGE },
		{ "disk-flat.vmdk", CHOOSE_MAYBE },
		{ "disk", CHOOSE_MAYBE },
		{ "disk.", CHOOSE_MAYBE },
		{ ".tar", CHOOSE_MAYBE },
		{ "disk.raw.sha256", CHOOSE_NEVER },
		{ "SHA256SUMS", CHOOSE_NEVER },
		{ "a.ovf", CHOOSE_NEVER },
		{ "a.MF", CHOOSE_NEVER },
		{ "x/._disk.raw", CHOOSE_NEVER },
		{ "__MACOSX/disk.raw", CHOOSE_NEVER },
		{ "README.md", CHOOSE_NEVER },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct archive_member member = member_of(rows[i].name);
		CHECK_EQ(choose_rank(&member), rows[i].rank);
		member.regular = false;
		CHECK_EQ(choose_rank(&member), CHOOSE_NEVER);
		member.regular = true;
		member.size = 0;
		CHECK_EQ(choose_rank(&member), CHOOSE_NEVER);
	}
}

static const char *chosen(const char *const *names, const char *wanted,
			  bool *used, struct err *err)
{
	static char found[ARCHIVE_NAME_LEN];
	struct choose choose = { .count = 0 };
	const struct archive_member *one;

	for (; *names; names++) {
		struct archive_member member = member_of(*names);
		CHECK(!choose_add(&choose, &member, err));
	}
	one = choose_one(&choose, wanted, used, err);
	snprintf(found, sizeof found, "%s", one ? one->name : "");
	choose_clear(&choose);
	return found;
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_choice(void)
{
	struct err err = { .kind = ERR_NONE };
	bool used;

	CHECK_STR(chosen(NAMES("a", "b.raw", "c"), "", &used, &err), "b.raw");
	CHECK(!used);
	CHECK_STR(chosen(NAMES("a", "x.txt"), "", &used, &err), "a");
	/* The only one leaves the word for what is inside. */
	CHECK_STR(chosen(NAMES("b.raw"), "inside", &used, &err), "b.raw");
	CHECK(!used);
	CHECK_STR(chosen(NAMES("b.raw"), "b.raw", &used, &err), "b.raw");
	CHECK(used);
	CHECK_STR(chosen(NAMES("a.raw", "b.raw"), "1", &used, &err), "b.raw");
	CHECK(used);
	CHECK_STR(chosen(NAMES("a.raw", "b.raw"), "", &used, &err), "");
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK_STR(chosen(NAMES("a.raw", "b.raw"), "2", &used, &err), "");
	CHECK_EQ(err.kind, ERR_USAGE);
	CHECK_STR(chosen(NAMES("a", "b"), "", &used, &err), "");
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	CHECK_STR(chosen(NAMES("a", "b"), "b", &used, &err), "b");
	CHECK_STR(chosen(NAMES("x.txt"), "", &used, &err), "");
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
}

static void test_many(void)
{
	struct choose choose = { .count = 0 };
	struct archive_member member = member_of("a.raw");
	struct err err;

	for (unsigned i = 0; i < CHOOSE_MOST; i++)
		CHECK(!choose_add(&choose, &member, &err));
	CHECK(choose_add(&choose, &member, &err) < 0);
	CHECK_EQ(err.kind, ERR_LIMIT);
	choose_clear(&choose);
}

#define SUM1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define SUM256 "e3b0c44298fc1c149afbf4c8996fb924" \
	       "27ae41e4649b934ca495991b7852b855"

static void test_manifest(void)
{
	static const char good[] = "SHA1(a.ovf)= " SUM1 "\r\n\n"
				   "SHA256 (a (1).vmdk) = " SUM256 "\n"
				   "sha-256(b)=" SUM256;
	static const char *const bad[] = {
		"MD5(a)= d41d8cd98f00b204e9800998ecf8427e",
		"SHA1(a)= " SUM256, "SHA256(a)= " SUM1, "SHA256()= " SUM256,
		"SHA256 a = " SUM256, "SHA256(a) " SUM256, SUM256 "  a",
		"SHA1(a)= " SUM1 " x",
	};
	struct manifest manifest;
	struct err err;

	CHECK(!manifest_read(good, strlen(good), &manifest, &err));
	CHECK_EQ(manifest.count, 3);
	CHECK(manifest_find(&manifest, "a.ovf")->kind == DIGEST_SHA1);
	CHECK(manifest_find(&manifest, "a (1).vmdk")->kind == DIGEST_SHA256);
	CHECK_EQ(manifest_find(&manifest, "b")->digest[31], 0x55);
	CHECK(!manifest_find(&manifest, "c"));
	manifest_clear(&manifest);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(manifest_read(bad[i], strlen(bad[i]), &manifest, &err) <
		      0);
		CHECK_EQ(err.kind, ERR_DAMAGED);
	}
	CHECK(manifest_read("SHA1\0", 5, &manifest, &err) < 0);
}

static void test_units(void)
{
	CHECK_EQ(ovf_units("byte"), 1);
	CHECK_EQ(ovf_units("byte * 2^30"), 1 << 30);
	CHECK_EQ(ovf_units(" byte * 2^20 "), 1 << 20);
	CHECK_EQ(ovf_units("byte*2^10"), 1 << 10);
	CHECK_EQ(ovf_units("GigaBytes"), 1 << 30);
	CHECK_EQ(ovf_units("byte * 2^99"), 0);
	CHECK_EQ(ovf_units("byte * 10^9"), 0);
	CHECK_EQ(ovf_units("furlong"), 0);
}

int main(void)
{
	test_ranks();
	test_choice();
	test_many();
	test_manifest();
	test_units();
	return check_result();
}
