/* SPDX-License-Identifier: MIT */
/* The list of a DMG's block tables, of which an image may name any number:
 * what the fixtures cannot make in a moment. */
#include "base/limits.h"
#include "base/mem.h"
#include "check.h"
#include "formats/images/dmg/dmg.h"

/* Tables that are added before one is refused; each has `len` bytes. */
static size_t most_tables(size_t len, struct err *err)
{
	struct dmg_tables tables = { 0 };
	size_t count;

	/* Ends: what is refused is the last. */
	while (!dmg_tables_add(&tables, mem_zalloc(len), len, "", err))
		;
	count = tables.count;
	dmg_tables_clear(&tables);
	return count;
}

int main(void)
{
	struct err err = { 0 };

	CHECK_EQ(most_tables(LIMIT_TABLE_LEN / 4, &err), 4);
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK(strstr(err.message, "block tables of more than"));
	CHECK_EQ(most_tables(LIMIT_TABLE_LEN + 1, &err), 0);
	/* One of no bytes takes memory, too. */
	CHECK_EQ(most_tables(0, &err), 4096);
	CHECK_EQ(err.kind, ERR_LIMIT);
	CHECK(strstr(err.message, "more than 4096 block tables"));
	return check_result();
}
