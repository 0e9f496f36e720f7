/* SPDX-License-Identifier: MIT */
/* The check of qcow2: what it finds in images spoilt on purpose, and that it
 * says the same as qemu-img about good, leaking and corrupt ones. */
#include <sys/wait.h>

#include "qcow2_image.h"
#include "qcow2_tools.h"

struct findings {
	struct check_report report;
	char text[4096];
};

static void keep_line(struct check_report *report, const char *line)
{
	struct findings *findings = (struct findings *)report;
	size_t used = strlen(findings->text);

	snprintf(findings->text + used, sizeof findings->text - used, "%s\n",
		 line);
}

static int run_check(struct source *source, struct findings *findings)
{
	struct open_options options = { .metadata_only = true };
	struct err err = { 0 };
	int status;

	*findings = (struct findings){ .report.emit = keep_line };
	status = qcow2_check(source, &options, &findings->report, &err);
	if (status)
		keep_line(&findings->report, err.message);
	return status;
}

static void check_found(struct image *image, uint64_t corruptions,
			uint64_t leaks, const char *text)
{
	struct source *source = files_memory_source(image->bytes, image->len);
	struct findings findings;

	CHECK(!run_check(source, &findings));
	CHECK_EQ(findings.report.corruptions, corruptions);
	CHECK_EQ(findings.report.leaks, leaks);
	if (!strstr(findings.text, text))
		CHECK_STR(findings.text, text);
	source_close(source);
}

static void test_good(void)
{
	for (uint32_t version = 2; version <= 3; version++) {
		struct image image = image_make(version);

		check_found(&image, 0, 0, "");
		image_free(&image);
	}
}

static void test_refcounts(void)
{
	struct image image = image_make(3);

	image_refcount(&image, 7, 0);
	check_found(&image, 2, 0, "cluster at 3584 has refcount 0, but 1 uses");
	image_refcount(&image, 7, 1);
	image_resize(&image, IMAGE_LEN + IMAGE_CLUSTER);
	image_refcount(&image, IMAGE_LEN / IMAGE_CLUSTER, 3);
	check_found(&image, 0, 1, "cluster at 6656 has refcount 3, but 0 uses");
	image_free(&image);
}

static void test_entries(void)
{
	struct image image = image_make(3);

	/* Mapped twice, and so its former cluster leaks. */
	image_l2(&image, 1, QCOW2_COPIED | IMAGE_DATA);
	check_found(&image, 2, 1, "is mapped a second time");
	/* Even where the refcount was made to agree. */
	image_refcount(&image, 5, 2);
	image_refcount(&image, 6, 0);
	image_l2(&image, 0, IMAGE_DATA);
	image_l2(&image, 1, IMAGE_DATA);
	check_found(&image, 1, 0, "is mapped a second time");
	image_free(&image);

	image = image_make(3);
	image_l2(&image, 2, IMAGE_DATA + 2 * IMAGE_CLUSTER);
	check_found(&image, 1, 0, "copied flag is clear");
	image_l2(&image, 2, 1 << 20);
	check_found(&image, 1, 1, "lies past the end of the file");
	image_l2(&image, 2, IMAGE_L1);
	check_found(&image, 1, 1, "overlaps the L1 table");
	image_l2(&image, 2, IMAGE_REFBLOCK);
	check_found(&image, 2, 1, "overlaps something else");
	image_l2(&image, 2, IMAGE_DATA | 4);
	check_found(&image, 1, 1, "reserved bits");
	image_free(&image);
}

/* The LUKS header has clusters of its own, which an extension points to. */
static void test_encrypted(void)
{
	struct image image = image_make(3);
	struct findings findings;
	struct source *source;

	image_resize(&image, IMAGE_LEN + 2 * IMAGE_CLUSTER);
	image_put32(&image, QCOW2_CRYPT, 2);
	image_put32(&image, QCOW2_V3_LEN, QCOW2_EXT_CRYPTO);
	image_put32(&image, QCOW2_V3_LEN + 4, 16);
	image_put64(&image, QCOW2_V3_LEN + 8, IMAGE_LEN);
	image_put64(&image, QCOW2_V3_LEN + 16, IMAGE_CLUSTER + 1);
	image_refcount(&image, IMAGE_LEN / IMAGE_CLUSTER, 1);
	image_refcount(&image, IMAGE_LEN / IMAGE_CLUSTER + 1, 1);
	check_found(&image, 0, 0, "");
	/* Two clusters over two others: more uses than are counted, too. */
	image_put64(&image, QCOW2_V3_LEN + 8, IMAGE_DATA);
	check_found(&image, 4, 2, "overlaps something else");
	image_put64(&image, QCOW2_V3_LEN + 16, UINT64_MAX);
	check_found(&image, 1, 2,
		    "encryption header at 2560 lies past the end");
	image_put32(&image, QCOW2_V3_LEN + 4, 8);
	source = files_memory_source(image.bytes, image.len);
	run_check(source, &findings);
	CHECK(strstr(findings.text, "encryption header pointer of 8 bytes"));
	source_close(source);
	image_free(&image);
}

static void test_tables(void)
{
	struct image image = image_make(3);

	/* All below an L1 entry that cannot be followed leaks. */
	image_put64(&image, IMAGE_L1, QCOW2_COPIED | IMAGE_REFTABLE);
	check_found(&image, 1, 9, "overlaps the refcount table");
	image_put64(&image, IMAGE_L1, QCOW2_COPIED | IMAGE_L2);
	image_put64(&image, IMAGE_REFTABLE, 1 << 20);
	check_found(&image, 22, 0,
		    "refcount block at 1048576 lies past the end");
	image_put64(&image, IMAGE_REFTABLE, IMAGE_REFBLOCK | 1);
	check_found(&image, 22, 0, "refcount table entry 0");
	image_put64(&image, IMAGE_REFTABLE, IMAGE_REFTABLE);
	check_found(&image, 22, 0, "overlaps something else");
	image_free(&image);
}

/* The classes of qemu-img's exit status: 0 clean, 2 corrupt, 3 leaks. */
static int class_of(const struct findings *findings, int status)
{
	if (status || findings->report.corruptions)
		return 2;
	return findings->report.leaks ? 3 : 0;
}

static void check_agrees(const char *name)
{
	struct source *source = tools_source(name);
	struct findings findings;
	int status = run_check(source, &findings);
	int ours = class_of(&findings, status);
	int theirs = tools_run("qemu-img check -q -f qcow2 %s >/dev/null 2>&1",
			       name);

	/* An image it cannot open at all is as bad as a corrupt one. */
	theirs = WEXITSTATUS(theirs);
	CHECK_EQ(ours, theirs == 1 ? 2 : theirs);
	if (ours != (theirs == 1 ? 2 : theirs))
		fprintf(stderr, "%s: %s", name, findings.text);
	source_close(source);
}

static void test_agreement_good(void)
{
	static const char *const options[] = {
		"cluster_size=512,refcount_bits=1",
		"cluster_size=4k,refcount_bits=2",
		"refcount_bits=4",
		"refcount_bits=8",
		"refcount_bits=32",
		"cluster_size=2M,refcount_bits=64",
		"extended_l2=on",
		"compat=0.10",
		"data_file=data",
		"preallocation=metadata",
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		CHECK(!tools_run("rm -f data; qemu-img create -q -f qcow2 -o "
				 "%s a %d",
				 options[i], TOOLS_SIZE));
		CHECK(!tools_run("qemu-io -f qcow2 -c 'write -P 1 100k 3M' -c "
				 "'write -P 2 7M 5k' a >/dev/null"));
		check_agrees("a");
		if (strstr(options[i], "data_file"))
			continue;
		CHECK(!tools_run("qemu-img convert -c -O qcow2 -o %s a b "
				 "2>/dev/null || cp a b",
				 options[i]));
		check_agrees("b");
	}
}

static void test_agreement_states(void)
{
	CHECK(!tools_run("qemu-img create -q -f qcow2 a %d && qemu-io -f qcow2 "
			 "-c 'write -P 1 0 5M' a >/dev/null && qemu-img "
			 "snapshot -c one a && qemu-io -f qcow2 -c 'write -P 2 "
			 "1M 1M' a >/dev/null && qemu-img snapshot -c two a && "
			 "qemu-img bitmap --add a b0 && qemu-img bitmap --add "
			 "a b1 && qemu-io -f qcow2 -c 'write -P 3 3M 200k' a "
			 ">/dev/null",
			 TOOLS_SIZE));
	check_agrees("a");
	CHECK(!tools_run("qemu-img snapshot -d one a"));
	check_agrees("a");
}

/* Writes to an image that is killed leak, or leave stale refcounts. */
static void test_agreement_killed(void)
{
	CHECK(!tools_run("qemu-img create -q -f qcow2 -o lazy_refcounts=on a "
			 "%d",
			 TOOLS_SIZE));
	tools_run("qemu-io -f qcow2 -c 'write -P 1 0 5M' -c abort a "
		  ">/dev/null 2>&1");
	check_agrees("a");
}

/* Each byte of the tables of a small image, spoilt in turn: the check comes
 * to an end, without a crash. */
static void test_spoilt(void)
{
	for (size_t at = IMAGE_REFTABLE; at < IMAGE_DATA; at++) {
		struct image image = image_make(3);
		struct source *source;
		struct findings findings;

		image.bytes[at] ^= 0x41;
		source = files_memory_source(image.bytes, image.len);
		run_check(source, &findings);
		source_close(source);
		image_free(&image);
	}
}

static void save(const struct image *image, const char *name)
{
	FILE *file = fopen(name, "wb");

	CHECK(file && fwrite(image->bytes, 1, image->len, file) == image->len);
	if (file)
		fclose(file);
}

static void test_agreement_spoilt(void)
{
	static const struct {
		size_t at;
		uint64_t value;
	} rows[] = {
		{ IMAGE_L2, IMAGE_DATA },
		{ IMAGE_L2, QCOW2_COPIED | (IMAGE_DATA + IMAGE_CLUSTER) },
		{ IMAGE_L2, 0 },
		{ IMAGE_L2, 1 },
		{ IMAGE_L2, QCOW2_COPIED | 1 << 20 },
		{ IMAGE_L1, IMAGE_L2 },
		{ IMAGE_L1, 0 },
		{ IMAGE_L1, QCOW2_COPIED | IMAGE_L1 },
		{ IMAGE_REFTABLE, 0 },
		{ IMAGE_REFBLOCK, 0 },
		{ IMAGE_REFBLOCK, 0x0001000100010002 },
		{ IMAGE_REFBLOCK + 8, 0x0001000100010002 },
		{ IMAGE_REFBLOCK + 24, 0x0001000000000000 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct image image = image_make(3);

		image_put64(&image, rows[i].at, rows[i].value);
		image_resize(&image, image.len + IMAGE_CLUSTER);
		save(&image, "a");
		check_agrees("a");
		image_free(&image);
	}
}

int main(void)
{
	test_good();
	test_refcounts();
	test_entries();
	test_encrypted();
	test_tables();
	test_spoilt();
	if (tools_begin()) {
		test_agreement_good();
		test_agreement_states();
		test_agreement_killed();
		test_agreement_spoilt();
		tools_end();
	}
	return check_result();
}
