/* SPDX-License-Identifier: MIT */
/* Units for base/: sizes, ranges, checked arithmetic, byte order, errors. */
#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/ranges.h"
#include "base/units.h"
#include "tests/unit/check.h"

static void test_sizes(void)
{
	static const struct {
		const char *text;
		int result;
		uint64_t size;
	} row[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "20G", 0, 20ULL << 30 },
		{ "1.5T", 0, 3ULL << 39 },
		{ "64k", 0, 65536 },
		{ "64KiB", 0, 65536 },
		{ "1MB", 0, 1 << 20 },
		{ "8E", -1, 0 }, /* 2^63 does not fit 63 bits */
		{ "7E", 0, 7ULL << 60 },
		{ "", -1, 0 },
		{ "-1", -1, 0 },
		{ "+1", -1, 0 },
		{ "1.1", -1, 0 }, /* not whole bytes */
		{ "1.", -1, 0 },
		{ "10X", -1, 0 },
		{ "10GG", -1, 0 },
		{ "99999999999999999999", -1, 0 },
	};
	char text[32];

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		uint64_t size = 0;
		CHECK_EQ(units_parse_size(row[i].text, &size), row[i].result);
		CHECK_EQ(size, row[i].result ? size : row[i].size);
	}
	CHECK_STR(units_exact(6ULL << 30, text, sizeof text), "6G");
	CHECK_STR(units_exact(1000, text, sizeof text), "1000");
	CHECK_STR(units_exact(0, text, sizeof text), "0");
	CHECK_STR(units_exact(1536, text, sizeof text), "1536");
	CHECK_STR(units_exact(512 * 1024, text, sizeof text), "512K");
	CHECK_STR(units_about(1825361101, text, sizeof text), "1.7 GiB");
}

static void test_ranges(void)
{
	struct ranges set = { .most = 3 };

	CHECK(ranges_add(&set, 10, 10));
	CHECK(ranges_add(&set, 30, 10));
	CHECK(ranges_add(&set, 50, 10));
	CHECK(!ranges_add(&set, 70, 10)); /* full */
	CHECK(ranges_add(&set, 60, 5));	  /* touches: merged */
	CHECK_EQ(set.count, 3);
	CHECK(!ranges_find(&set, 20, 10)); /* between two */
	CHECK(ranges_find(&set, 20, 11) != NULL);
	CHECK(!ranges_find(&set, 0, 10));
	CHECK(ranges_cover(&set, 50, 15));
	CHECK(!ranges_cover(&set, 50, 16));
	CHECK(ranges_add(&set, 0, 100)); /* swallows all */
	CHECK_EQ(set.count, 1);
	CHECK_EQ(ranges_total(&set), 100);
	ranges_clear(&set);
	CHECK_EQ(set.count, 0);
}

static void test_checked(void)
{
	uint64_t out;

	CHECK(!checked_add(UINT64_MAX, 1, &out));
	CHECK(!checked_mul(UINT64_MAX, 2, &out));
	CHECK(checked_round_up(5, 4, &out) && out == 8);
	CHECK(!checked_round_up(UINT64_MAX, 512, &out));
	CHECK(checked_inside(0, 0, 0));
	CHECK(!checked_inside(1, UINT64_MAX, 10));
	CHECK_EQ(div_up(9, 4), 3);
	CHECK(is_power_of_two(4096) && !is_power_of_two(0));
}

static void test_bytes(void)
{
	static const unsigned char eight[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned char out[8];

	CHECK_EQ(bytes_be16(eight), 0x0102);
	CHECK_EQ(bytes_le32(eight), 0x04030201);
	CHECK_EQ(bytes_be64(eight), 0x0102030405060708);
	bytes_put_be64(out, 0x0102030405060708);
	CHECK(!memcmp(out, eight, 8));
}

static void test_errors(void)
{
	struct err err;

	CHECK_EQ(err_set(&err, ERR_DAMAGED, "bad \033[1m %d", 7), -1);
	CHECK_STR(err.message, "bad ?[1m 7");
	err_in(&err, "qcow2");
	CHECK_STR(err.message, "qcow2: bad ?[1m 7");
	CHECK_EQ(err_status(err.kind), 65);
	/* However deep, the cause is still there. */
	for (int i = 0; i < 400; i++)
		err_in(&err, "a layer");
	CHECK(strlen(err.message) < sizeof err.message);
	CHECK(strstr(err.message, "qcow2: bad ?[1m 7") != NULL);
	CHECK_EQ(err_kind_of_errno(EACCES, ERR_IO), ERR_REFUSED);
	errno = ENOENT;
	err_sys(&err, ERR_NO_INPUT, "open x");
	CHECK_STR(err.message, "open x: No such file or directory");
	CHECK(!mem_capped(UINT64_MAX, 2, 1024, "table", &err));
	CHECK_EQ(err.kind, ERR_LIMIT);
}

static const char *shown(const char *text)
{
	static char copy[64];

	snprintf(copy, sizeof copy, "%s", text);
	printable(copy);
	return copy;
}

static void test_printable(void)
{
	CHECK_STR(shown("plain, \303\244 \342\202\254 \360\237\222\276"),
		  "plain, \303\244 \342\202\254 \360\237\222\276");
	/* Controls of both sets, line separators, turned directions. */
	CHECK_STR(shown("a\033[1m\n\177"), "a?[1m??");
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): what is replaced */
	CHECK_STR(shown("\302\233x\342\200\256y\342\201\246\342\200\250"),
		  "??x???y??????");
	/* Cut, too long, alone, surrogates, beyond Unicode. */
	CHECK_STR(shown("\342\202"), "??");
	CHECK_STR(shown("\300\257\340\200\257"), "?????");
	CHECK_STR(shown("\200z\377\303x"), "?z??x");
	CHECK_STR(shown("\355\240\200"), "???");
	CHECK_STR(shown("\364\220\200\200\370"), "?????");
}

int main(void)
{
	test_sizes();
	test_ranges();
	test_checked();
	test_bytes();
	test_errors();
	test_printable();
	return check_result();
}
