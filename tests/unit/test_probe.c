/* SPDX-License-Identifier: MIT */
/* Units for formats/probe: every signature once good and once damaged, from
 * probe_fixtures.h; conflicts and harmless pairs; windows of every cut. */
#include <stdbool.h>

#include "formats/probe.h"
#include "tests/unit/check.h"
#include "tests/unit/probe_fixtures.h"

/* `kill` is a byte of what the name rests on. */
static const struct row {
	const char *name;
	enum probe_class class;
	size_t (*make)(void);
	size_t kill;
} rows[] = {
	{ "qcow2", PROBE_IMAGE, make_qcow2, 3 },
	{ "qcow", PROBE_IMAGE, make_qcow, 0 },
	{ "vmdk", PROBE_IMAGE, make_vmdk, 1 },
	{ "vmdk", PROBE_IMAGE, make_cowd, 1 },
	{ "vmdk", PROBE_IMAGE, make_sesparse, 8 },
	{ "vmdk", PROBE_IMAGE, make_vmdk_text, 3 },
	{ "vhd", PROBE_IMAGE, make_vhd_fixed, ROOM - 512 },
	{ "vhd", PROBE_IMAGE, make_vhd_511, ROOM - 511 },
	{ "vhdx", PROBE_IMAGE, make_vhdx, 7 },
	{ "vdi", PROBE_IMAGE, make_vdi, 64 },
	{ "qed", PROBE_IMAGE, make_qed, 3 },
	{ "parallels", PROBE_IMAGE, make_parallels, 15 },
	{ "parallels", PROBE_IMAGE, make_parallels_old, 15 },
	{ "parallels", PROBE_IMAGE, make_parallels_xml, 30 },
	{ "bochs", PROBE_IMAGE, make_bochs, 10 },
	{ "cloop", PROBE_IMAGE, make_cloop, 12 },
	{ "dmg", PROBE_IMAGE, make_dmg, ROOM - 512 },
	{ "simg", PROBE_IMAGE, make_simg, 0 },
	{ "sparseimage", PROBE_IMAGE, make_sparseimage, 0 },
	{ "asif", PROBE_IMAGE, make_asif, 3 },
	{ "ewf", PROBE_IMAGE, make_e01, 6 },
	{ "ewf", PROBE_IMAGE, make_ex01, 6 },
	{ "partclone", PROBE_IMAGE, make_partclone, 9 },
	{ "vma", PROBE_IMAGE, make_vma, 3 },
	{ "casync", PROBE_IMAGE, make_casync, 15 },
	{ "xva", PROBE_IMAGE, make_xva, 500 },
	{ "ova", PROBE_ARCHIVE, make_ova, 500 },
	{ "tar", PROBE_ARCHIVE, make_tar, 258 },
	{ "tar", PROBE_ARCHIVE, make_tar_gnu, 258 },
	{ "tar", PROBE_ARCHIVE, make_tar_v7, 500 },
	{ "zip", PROBE_ARCHIVE, make_zip, 2 },
	{ "7z", PROBE_ARCHIVE, make_7z, 5 },
	{ "rar", PROBE_ARCHIVE, make_rar4, 5 },
	{ "rar", PROBE_ARCHIVE, make_rar5, 5 },
	{ "cpio", PROBE_ARCHIVE, make_cpio, 3 },
	{ "gz", PROBE_CODEC, make_gz, 1 },
	{ "lzip", PROBE_CODEC, make_lzip, 3 },
	{ "lzma", PROBE_CODEC, make_lzma, 13 },
	{ "compress", PROBE_CODEC, make_compress, 2 },
	{ "lzop", PROBE_CODEC, make_lzop, 8 },
	{ "mbr", PROBE_GUEST, make_mbr, 446 },
	{ "bootsector", PROBE_GUEST, make_bootsector, 511 },
	{ "iso9660", PROBE_GUEST, make_iso, 32770 },
	{ "luks2", PROBE_GUEST, make_luks, 7 },
	{ "swap", PROBE_GUEST, make_swap, 4090 },
	{ "btrfs", PROBE_GUEST, make_btrfs, 65600 },
	{ "squashfs", PROBE_GUEST, make_squashfs, 28 },
};
#define ROWS (sizeof rows / sizeof *rows)

/* What a caller may know and give; `more`: windows larger than asked. */
struct manner {
	bool size_known, tail_reachable, more;
};

static void probe(const struct manner *manner, size_t size,
		  struct probe_report *report)
{
	struct probe_input in = { .size_known = manner->size_known,
				  .size = manner->size_known ? size : 0,
				  .tail_reachable = manner->tail_reachable };
	uint64_t offset;
	size_t len;

	while (probe_layer(&in, report, &offset, &len) == PROBE_NEED) {
		struct probe_window *w = &in.window[in.count];

		CHECK(in.count < PROBE_WINDOWS);
		if (in.count++ >= PROBE_WINDOWS)
			return;
		if (!manner->tail_reachable)
			CHECK(offset + len <= LIMIT_PROBE_LEN);
		if (manner->more)
			len += 5000;
		w->offset = offset;
		w->len = offset > size		       ? 0
			 : len > size - (size_t)offset ? size - (size_t)offset
						       : len;
		/* Of just that length, so that reading past it is seen. */
		unsigned char *copy = malloc(w->len ? w->len : 1);

		memcpy(copy, layer + offset, w->len);
		w->bytes = copy;
	}
	for (unsigned i = 0; i < in.count; i++)
		free((void *)(uintptr_t)in.window[i].bytes);
}

static const struct manner a_file = { true, true, false };

static struct probe_report as_file(size_t size)
{
	struct probe_report report;

	probe(&a_file, size, &report);
	return report;
}

static void check_rows(const struct row *row, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct probe_report r;
		size_t size;

		memset(layer, 0, ROOM);
		size = row[i].make();
		r = as_file(size);
		CHECK_STR(r.name, row[i].name);
		CHECK_EQ(r.class, row[i].class);
		CHECK_STR(r.conflict, "");
		CHECK(r.title[0] && r.evidence[0]);
		layer[row[i].kill] ^= 0x55;
		r = as_file(size);
		if (!strcmp(r.name, row[i].name) || r.conflict[0])
			fprintf(stderr, "row %zu, %s: %s\n", i, row[i].name,
				r.conflict);
		CHECK(strcmp(r.name, row[i].name));
		CHECK_STR(r.conflict, "");
	}
}

static void test_rows(void)
{
	check_rows(rows, ROWS);
}

static size_t make_koly_first(void)
{
	PUT(0, "koly\0\0\0\4\0\0\2\0");
	bytes_put_be64(layer + 216, 4096);
	bytes_put_be64(layer + 224, 1000);
	return ROOM;
}

static size_t make_vmdk_marked(void)
{
	PUT(0, "\xEF\xBB\xBF \n# disk DescriptorFile\n");
	return 40;
}

static size_t make_ovf(void)
{
	PUT(0, "<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\"/>");
	return 59;
}

static size_t make_zip_empty(void)
{
	PUT(0, "PK\5\6");
	return 22;
}

static size_t make_zip_first(void)
{
	PUT(0, "PK\7\10PK\3\4");
	return ROOM;
}

static size_t make_cpio_big(void)
{
	bytes_put_be16(layer, 070707);
	bytes_put_be16(layer + 20, 6);
	PUT(26, "a.raw");
	return ROOM;
}

static size_t make_cpio_little(void)
{
	bytes_put_le16(layer, 070707);
	bytes_put_le16(layer + 20, 6);
	PUT(26, "a.raw");
	return ROOM;
}

/* 3 * 2^22 bytes of dictionary. */
static size_t make_lzma_other(void)
{
	PUT(0, "\x5d\0\0\xc0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x35");
	return ROOM;
}

static size_t make_zstd_old(void)
{
	PUT(0, "\x27\xb5\x2f\xfd");
	return ROOM;
}

/* What is rare. */
static void test_rare(void)
{
	static const struct row rare[] = {
		{ "dmg", PROBE_IMAGE, make_koly_first, 0 },
		{ "vmdk", PROBE_IMAGE, make_vmdk_marked, 2 },
		{ "ovf", PROBE_ARCHIVE, make_ovf, 20 },
		{ "zip", PROBE_ARCHIVE, make_zip_empty, 10 },
		{ "zip-part", PROBE_ARCHIVE, make_zip_first, 2 },
		{ "cpio", PROBE_ARCHIVE, make_cpio_big, 21 },
		{ "cpio", PROBE_ARCHIVE, make_cpio_little, 31 },
		{ "lzma", PROBE_CODEC, make_lzma_other, 2 },
		{ "zstd-old", PROBE_CODEC, make_zstd_old, 1 },
	};

	check_rows(rare, sizeof rare / sizeof *rare);
}

/* Too short for what tells one version from another: still no raw disk. */
static void test_short(void)
{
	static const struct {
		size_t (*make)(void);
		size_t len;
		const char *name;
	} row[] = {
		{ make_qed, 63, "qed" },
		{ make_parallels, 63, "parallels" },
		{ make_bochs, 71, "bochs" },
		{ make_cloop, 135, "cloop" },
		{ make_simg, 27, "simg" },
		{ make_sparseimage, 7, "sparseimage" },
		{ make_asif, 7, "asif" },
		{ make_e01, 12, "ewf" },
		{ make_partclone, 33, "partclone" },
		{ make_vma, 7, "vma" },
		{ make_rar4, 7, "rar" },
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct probe_report r;

		memset(layer, 0, ROOM);
		row[i].make();
		r = as_file(row[i].len);
		CHECK_STR(r.name, row[i].name);
		CHECK(strstr(r.evidence, "cut short"));
		r = as_file(row[i].len + 1);
		CHECK_STR(r.name, row[i].name);
		CHECK(!strstr(r.evidence, "cut short"));
	}
}

/* A wrong field does not make raw of a container. */
static void test_damaged(void)
{
	static const struct {
		size_t (*make)(void);
		size_t at;
		const char *name, *evidence;
	} row[] = {
		{ make_qcow2, 7, "qcow2", "unknown version" },
		{ make_vmdk, 5, "vmdk", "unknown version" },
		{ make_vhd_dynamic, 40, "vhd", "checksum wrong" },
		{ make_vhd_fixed, ROOM - 400, "vhd", "checksum wrong" },
		{ make_dmg, ROOM - 505, "dmg", "unknown version" },
		{ make_tar, 400, "tar", "checksum wrong" },
		{ make_7z, 20, "7z", "checksum wrong" },
		{ make_gz, 2, "gz", "damaged" },
		{ make_sparseimage, 7, "sparseimage", "unknown version" },
		{ make_vdi, 71, "vdi", "unknown version" },
		{ make_parallels, 17, "parallels", "unknown version" },
		{ make_cowd, 4, "vmdk", "unknown version" },
		{ make_partclone, 33, "partclone", "unknown version" },
		{ make_simg, 4, "simg", "unknown version" },
		{ make_dmg, ROOM - 512 + 217, "dmg", "out of the file" },
		{ make_qed, 4, "qed", "cluster size" },
		{ make_cloop, 131, "cloop", "block size" },
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct probe_report r;
		size_t size;

		memset(layer, 0, ROOM);
		size = row[i].make();
		layer[row[i].at] ^= 0x41;
		r = as_file(size);
		CHECK_STR(r.name, row[i].name);
		CHECK(strstr(r.evidence, row[i].evidence));
		CHECK_STR(r.conflict, "");
	}
}

static bool same(const struct probe_report *a, const struct probe_report *b)
{
	return a->class == b->class && !strcmp(a->name, b->name) &&
	       !strcmp(a->evidence, b->evidence) &&
	       !strcmp(a->conflict, b->conflict);
}

/* Every cut of every row, at several sizes: with a tail one report, without
 * one another, unless the head is all there is. */
static void test_windows(void)
{
	static const size_t sizes[] = { 0,
					1,
					3,
					511,
					512,
					513,
					4096,
					70000,
					LIMIT_PROBE_LEN - 1,
					LIMIT_PROBE_LEN,
					LIMIT_PROBE_LEN + 1,
					ROOM };

	for (size_t i = 0; i < ROWS; i++) {
		memset(layer, 0, ROOM);
		rows[i].make();
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			size_t size = sizes[s];
			struct probe_report file = as_file(size), head, r;
			struct manner m = { false, false, false };

			probe(&m, size, &head);
			if (size < LIMIT_PROBE_LEN)
				CHECK(same(&file, &head));
			m.size_known = true;
			probe(&m, size, &r);
			CHECK(same(&r,
				   size <= LIMIT_PROBE_LEN ? &file : &head));
			m.more = true;
			probe(&m, size, &r);
			if (size <= LIMIT_PROBE_LEN)
				CHECK(same(&r, &file));
			m.tail_reachable = true;
			probe(&m, size, &r);
			CHECK(same(&r, &file));
		}
	}
	memset(layer, 0, ROOM);
	CHECK_STR(as_file(0).evidence, "empty");
	CHECK_STR(as_file(100).name, "blank");
	layer[77] = 1;
	CHECK_STR(as_file(100).name, "unknown");
	CHECK_EQ(as_file(100).class, PROBE_BLANK);
}

/* The two go into one layer in this order. */
static void test_pairs(void)
{
	static const struct {
		size_t (*make[2])(void);
		const char *name;
		bool conflict;
	} row[] = {
		{ { make_qcow2, make_mbr }, "qcow2", true },
		{ { make_qcow2, make_iso }, "qcow2", true }, /* 64K clusters */
		{ { make_vmdk, make_mbr }, "vmdk", true },
		{ { make_vdi, make_mbr }, "vdi", true },
		{ { make_vhdx, make_iso }, "vhdx", true },
		{ { make_gz, make_iso }, "gz", true },
		{ { make_zip, make_mbr }, "zip", true },
		{ { make_vhd_dynamic, make_mbr }, "vhd", true },
		{ { make_qcow2, make_vhd_fixed }, "vhd", true },
		{ { make_qcow2, make_dmg }, "dmg", true },
		{ { make_gz, make_vhd_fixed }, "vhd", true },
		{ { make_tar, make_vhd_fixed }, "vhd", true },
		{ { make_vhd_fixed, make_mbr }, "vhd", false },
		{ { make_vhd_fixed, make_iso }, "vhd", false },
		{ { make_dmg, make_mbr }, "dmg", false },
		{ { make_vhd_dynamic, make_vhd_dynamic }, "vhd", false },
		{ { make_iso, make_mbr }, "iso9660", false },
		{ { make_luks, make_mbr }, "luks2", false },
		{ { make_tar, make_iso }, "tar", false }, /* a member's data */
		{ { make_compress, make_mbr }, "mbr", false },
	};
	struct probe_report r;

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		size_t size;

		memset(layer, 0, ROOM);
		row[i].make[0]();
		row[i].make[1]();
		size = ROOM;
		r = as_file(size);
		if (strcmp(r.name, row[i].name) ||
		    (r.conflict[0] != 0) != row[i].conflict)
			fprintf(stderr, "pair %zu: %s\n", i, r.conflict);
		CHECK_STR(r.name, row[i].name);
		CHECK_EQ(r.conflict[0] != 0, row[i].conflict);
	}
	/* An ISO inside a qcow2 of small clusters is where it belongs. */
	memset(layer, 0, ROOM);
	make_qcow2();
	make_iso();
	bytes_put_be32(layer + 20, 12);
	CHECK_STR(as_file(ROOM).conflict, "");
	/* bzip2 and xz forms of a DMG begin with the codec's magic. */
	memset(layer, 0, ROOM);
	make_dmg();
	PUT(0, "BZh91AY&SY\1\2\3\4");
	r = as_file(ROOM);
	CHECK_STR(r.name, "dmg");
	CHECK_STR(r.conflict, "");
	/* A footer that fits no disk may be the guest's own. */
	memset(layer, 0, ROOM);
	make_qcow2();
	put_vhd(ROOM - 512, 2, 1 << 20, 512);
	r = as_file(ROOM);
	CHECK_STR(r.name, "qcow2");
	CHECK_STR(r.conflict, "");
}

static void test_trailer(void)
{
	memset(layer, 0, ROOM);
	CHECK(!probe_trailer(layer, 512));
	CHECK(!probe_trailer(layer, 0));
	make_vhd_fixed();
	CHECK_STR(probe_trailer(layer + ROOM - 512, 512), "vhd");
	CHECK(!probe_trailer(layer + ROOM - 510, 510));
	memset(layer, 0, ROOM);
	make_vhd_511();
	CHECK_STR(probe_trailer(layer + ROOM - 512, 512), "vhd");
	memset(layer, 0, ROOM);
	make_dmg();
	CHECK_STR(probe_trailer(layer + ROOM - 512, 512), "dmg");
}

/* What is said to people, once for each kind of words. */
static void test_words(void)
{
	struct probe_report r;

	memset(layer, 0, ROOM);
	make_qcow2();
	r = as_file(ROOM);
	CHECK_STR(r.title, "QEMU disk (qcow2)");
	CHECK_STR(r.evidence, "\"QFI\\xfb\" at 0, version 3");
	make_mbr();
	r = as_file(ROOM);
	CHECK_STR(r.conflict, "it is qcow2, but as a raw disk it is mbr "
			      "(55 AA at 510 and a table of 1 partition); "
			      "say which with -f");
	memset(layer, 0, ROOM);
	r = as_file(make_tar_gnu());
	CHECK_STR(r.evidence, "\"ustar  \" at 257 (old GNU), checksum right");
	memset(layer, 0, ROOM);
	r = as_file(make_vhd_fixed());
	CHECK_STR(r.title, "VHD (fixed)");
	memset(layer, 0, ROOM);
	r = as_file(make_mbr());
	CHECK_STR(r.title, "MBR partition table");
}

static void test_known(void)
{
	enum probe_class class;
	const char *title, *name, *last = "";
	unsigned i = 0, seen = 0;

	while ((name = probe_known(i++, &class, &title))) {
		CHECK(strcmp(name, last));
		CHECK(class == PROBE_IMAGE || class == PROBE_ARCHIVE);
		CHECK(title[0]);
		seen += !strcmp(name, "qcow2") || !strcmp(name, "cpio");
		last = name;
		CHECK(i < 100);
	}
	CHECK_EQ(seen, 2);
}

int main(void)
{
	test_rows();
	test_rare();
	test_short();
	test_damaged();
	test_windows();
	test_pairs();
	test_trailer();
	test_words();
	test_known();
	return check_result();
}
