/* SPDX-License-Identifier: MIT */
/* The format extension of Parallels images, written field by field: what its
 * dirty bitmaps use, and what cannot be. */
#include "base/bytes.h"
#include "base/mem.h"
#include "formats/images/parallels/parallels.h"
#include "formats/usage.h"
#include "io/files.h"
#include "tests/unit/check.h"

#define CLUSTER 4096u
#define EXTENSION (2 * CLUSTER) /* in a file of eight clusters */
#define FIRST 24	  /* the first feature, behind the extension's head */
#define DATA (FIRST + 24) /* its data */
#define BITMAP 0x20385fae252cb34aull

static unsigned char file[8 * CLUSTER];
static char findings[2000];

static void note(struct check_report *report, const char *line)
{
	(void)report;
	snprintf(findings + strlen(findings),
		 sizeof findings - strlen(findings), "%s\n", line);
}

/* One bitmap of three L1 entries: a cluster, all clear, all set. */
static void make(void)
{
	unsigned char *p = file + EXTENSION;

	memset(file, 0, sizeof file);
	bytes_put_le64(p, 0xab234cef23dcea87ull);
	bytes_put_le64(p + FIRST, BITMAP);
	bytes_put_le32(p + FIRST + 16, 32 + 3 * 8);
	bytes_put_le32(p + DATA + 28, 3);
	bytes_put_le64(p + DATA + 32, 5 * CLUSTER / 512);
	bytes_put_le64(p + DATA + 48, 1);
}

/* The findings, all of which are corruptions but those of lost space. */
static const char *check_at(uint64_t sector)
{
	struct parallels_header header = { .cluster_size = CLUSTER,
					   .extension_sector = sector };
	struct source *source AUTO_SOURCE =
		files_memory_source(file, sizeof file);
	struct check_report report = { .emit = note };
	struct usage *usage = usage_open(sizeof file);
	struct err err = { .message = "" };

	*findings = '\0';
	if (parallels_extension_check(source, &header, usage, &report, &err))
		CHECK_STR(err.message, "no error");
	usage_report(usage, &report, CLUSTER);
	usage_close(usage);
	return findings;
}

static const char *check(void)
{
	return check_at(EXTENSION / 512);
}

static void expect(const char *words)
{
	const char *found = check();

	if (!strstr(found, words))
		CHECK_STR(found, words);
}

static void test_used(void)
{
	make();
	/* The extension's cluster and the bitmap's are used, no others. */
	CHECK_STR(check(), "8192 bytes at 0 are used by nothing\n"
			   "8192 bytes at 12288 are used by nothing\n"
			   "8192 bytes at 24576 are used by nothing\n");
	/* Without one there is nothing to look at. */
	CHECK_STR(check_at(0), "32768 bytes at 0 are used by nothing\n");
	/* A feature that is not known, of odd length, in front of it. */
	memmove(file + EXTENSION + DATA + 16, file + EXTENSION + FIRST, 80);
	memset(file + EXTENSION + FIRST, 0, 40);
	bytes_put_le64(file + EXTENSION + FIRST, 7);
	bytes_put_le32(file + EXTENSION + FIRST + 16, 13);
	expect("8192 bytes at 12288 are used by nothing");
	/* Two bitmaps in one place. */
	make();
	bytes_put_le64(file + EXTENSION + DATA + 40, 5 * CLUSTER / 512);
	expect("at 20480");
}

static void test_wrong(void)
{
	make();
	bytes_put_le64(file + EXTENSION + DATA + 32, UINT64_MAX);
	expect("dirty bitmap at");
	make();
	bytes_put_le32(file + EXTENSION + FIRST + 16, 31);
	expect("dirty bitmap of 31 bytes is less than 32");
	make();
	bytes_put_le32(file + EXTENSION + DATA + 28, 4);
	expect("dirty bitmap has 4 L1 entries, but room for 3");
	make();
	bytes_put_le32(file + EXTENSION + FIRST + 16, CLUSTER - DATA + 1);
	expect("the format extension has no end");
	/* Its last feature fills the cluster. */
	make();
	bytes_put_le64(file + EXTENSION + FIRST, 7);
	bytes_put_le32(file + EXTENSION + FIRST + 16, CLUSTER - DATA);
	expect("the format extension has no end");
	make();
	file[EXTENSION] = 0;
	expect("format extension at 8192 has no magic");
	make();
	CHECK(strstr(check_at(UINT64_MAX), "format extension at"));
	CHECK(strstr(check_at(8 * CLUSTER / 512), "format extension at 32768"));
}

int main(void)
{
	test_used();
	test_wrong();
	return check_result();
}
