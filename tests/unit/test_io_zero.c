/* SPDX-License-Identifier: MIT */
/* Units for the zero scan, against a loop over bytes. Each range lies at the
 * very end of readable memory, so that a read past it is a crash. */
#include <sys/mman.h>
#include <unistd.h>

#include "io/zero.h"
#include "tests/unit/check.h"

static bool naive(const unsigned char *bytes, size_t len)
{
	while (len)
		if (bytes[--len])
			return false;
	return true;
}

static void check_byte(unsigned char *bytes, size_t len, size_t at)
{
	bytes[at] = (unsigned char)(1 << at % 8);
	CHECK(zero_is(bytes, len) == naive(bytes, len));
	bytes[at] = 0;
}

/* All zero, then one byte set at a time: inside, just before, just after. */
static void check_range(unsigned char *bytes, size_t len, size_t step)
{
	CHECK(zero_is(bytes, len));
	for (size_t i = 0; i < len; i += step)
		check_byte(bytes, len, i);
	if (len)
		check_byte(bytes, len, len - 1);
	bytes[-1] = 0xff;
	CHECK(zero_is(bytes, len));
	bytes[-1] = 0;
	bytes[len] = 0xff;
	CHECK(zero_is(bytes, len));
	bytes[len] = 0;
}

/* The end of a page behind which nothing may be read. */
static unsigned char *guarded(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;
	unsigned char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK(!mprotect(memory + room, page, PROT_NONE));
	return memory + room;
}

static void test_all_lengths(void)
{
	unsigned char *end = guarded(1024);

	for (size_t align = 1; align <= 64; align++)
		for (size_t len = 0; len <= 300; len++)
			check_range(end - align - len, len, 1);
	for (size_t len = 1; len <= 300; len++) {
		CHECK(zero_is(end - len, len));
		end[-1] = 1;
		CHECK(!zero_is(end - len, len));
		end[-1] = 0;
	}
}

static void test_pages(void)
{
	unsigned char *end = guarded(3 * 4096);

	for (size_t align = 1; align <= 33; align += 4)
		for (size_t len = 4096 - 40; len <= 4096 + 40; len++) {
			check_range(end - align - len, len, 97);
			check_range(end - align - len - 4096, len + 4096, 1013);
		}
}

/* Each way this processor has, a byte set in every place, wherever it all
 * begins; and nothing in front or behind is looked at. */
static void check_way(const struct zero_way *way)
{
	const size_t most = 3;
	unsigned char *end = guarded(4096);

	printf("%s\n", way->name);
	CHECK(way->steps(end, 0));
	for (size_t align = 0; align <= 64; align++)
		for (size_t count = 1; count <= most; count++) {
			size_t len = count * ZERO_STEP;
			unsigned char *bytes = end - align - len;

			CHECK(way->steps(bytes, count));
			for (size_t i = 0; i < len; i++) {
				bytes[i] = (unsigned char)(1 << i % 8);
				CHECK(!way->steps(bytes, count));
				bytes[i] = 0;
			}
			bytes[-1] = 0xff;
			if (align)
				bytes[len] = 0xff;
			CHECK(way->steps(bytes, count));
			bytes[-1] = 0;
			if (align)
				bytes[len] = 0;
		}
}

static void test_ways(void)
{
	const struct zero_way *way = zero_ways;
	bool plain = false;

	for (; way->name; way++) {
		plain = way->usable();
		if (plain)
			check_way(way);
	}
	CHECK(plain); /* the last one everywhere */
}

static void check_run(const char *text, size_t granule, size_t run, bool zero)
{
	unsigned char bytes[32];
	size_t len = strlen(text);
	bool is_zero = !zero;

	for (size_t i = 0; i < len; i++)
		bytes[i] = text[i] == '.' ? 0 : 1;
	CHECK_EQ(zero_run(bytes, len, granule, &is_zero), run);
	CHECK_EQ(is_zero, zero);
}

static void test_runs(void)
{
	check_run("", 4, 0, false);
	check_run("........x...", 4, 8, true);
	check_run("....x.......", 4, 4, true);
	check_run(".x.. ...", 4, 8, false);
	check_run("x...........", 4, 4, false);
	check_run("...x...x....", 4, 8, false);
	check_run("........", 3, 8, true); /* a short last granule */
	check_run("......xx", 3, 6, true);
	check_run("xxxxxx..", 3, 6, false);
	check_run(".", 4, 1, true);
	check_run("x", 4, 1, false);
}

int main(void)
{
	test_all_lengths();
	test_pages();
	test_runs();
	test_ways();
	CHECK(zero_is(zero_bytes, ZERO_BYTES_LEN));
	return check_result();
}
