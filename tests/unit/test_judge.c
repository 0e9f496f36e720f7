/* SPDX-License-Identifier: MIT */
/*
 * Units for verdicts: each reason once and in words that fit, a driver's
 * glance at bytes that mean nothing, and the bound between layers. What gives
 * which reason is tests/bats/inspect.bats's.
 */
#include "base/mem.h"
#include "check.h"
#include "fakes.h"
#include "formats/images/driver.h"
#include "io/files.h"
#include "sequence.h"
#include "transforms/judge_facts.h"
#include "transforms/limit.h"

static void test_once(void)
{
	struct judgement *verdict = mem_zalloc(sizeof *verdict);
	char text[3000];

	memset(text, 'x', sizeof text);
	text[2] = '\n';
	text[sizeof text - 1] = '\0';
	/* Twice each: there is room for every code, and for no more. */
	for (unsigned i = 0; i < 2 * REASON_COUNT; i++)
		judge_add(verdict, (enum reason)(i % REASON_COUNT), "%s%u",
			  text, i);
	CHECK_EQ(verdict->count, REASON_COUNT);
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		CHECK_EQ(verdict->reason[i].code, i);
		CHECK(memchr(verdict->reason[i].text, 0,
			     sizeof verdict->reason[i].text) != NULL);
		CHECK(!strchr(verdict->reason[i].text, '\n'));
		for (unsigned k = 0; k < i; k++)
			CHECK(strcmp(reason_code((enum reason)i),
				     reason_code((enum reason)k)) != 0);
	}
	free(verdict);
}

/* Facts that say nothing bad are no reasons. */
static void test_harmless(void)
{
	struct judgement *verdict = mem_zalloc(sizeof *verdict);

	snprintf(verdict->image.format, sizeof verdict->image.format, "qcow2");
	facts_bool(&verdict->facts, "corrupt", false);
	facts_bool(&verdict->facts, "dirty", false);
	facts_text(&verdict->facts, "log", "clean");
	facts_item(&verdict->facts, "snapshot", "1 a 1M 2026");
	facts_item(&verdict->glance, "feature", "extended-l2");
	judge_facts(verdict);
	CHECK_EQ(verdict->count, 0);
	facts_text(&verdict->glance, "backing-file", "%s", "");
	judge_facts(verdict);
	CHECK_EQ(verdict->count, 1);
	CHECK_EQ(verdict->reason[0].code, REASON_BACKING_FILE);
	free(verdict);
}

static void glance_at(const struct driver *driver, const unsigned char *bytes,
		      size_t len, struct facts *facts)
{
	struct source *source = files_memory_source(bytes, len);

	memset(facts, 0, sizeof *facts);
	driver->glance(source, facts);
	CHECK(facts->count <= FACTS_MAX);
	for (unsigned i = 0; i < facts->count; i++)
		CHECK(*facts->fact[i].name &&
		      memchr(facts->fact[i].text, 0,
			     sizeof facts->fact[i].text));
	source_close(source);
}

/* Headers of nonsense behind the right magic, and files of every length. */
static void test_glances(void)
{
	static const struct {
		const char *driver, *magic;
	} heads[] = {
		{ "qcow2", "QFI\xfb" }, { "qed", "QED" },
		{ "vmdk", "KDMV" },	{ "vmdk", "COWD" },
		{ "vmdk", "# Disk DescriptorFile\nRW 1 FLAT \"" },
		{ "vhd", "conectix" },
	};
	enum { LEN = 2048 };
	unsigned char *bytes = mem_zalloc(LEN);
	struct facts *facts = mem_zalloc(sizeof *facts);
	uint32_t state = 1;

	for (unsigned h = 0; h < sizeof heads / sizeof *heads; h++) {
		const struct driver *driver = driver_by_name(heads[h].driver);

		CHECK(driver && driver->glance);
		for (unsigned round = 0; round < 300; round++) {
			for (unsigned i = 0; i < LEN; i++) {
				state = sequence32(state);
				/* Small numbers lead further than large. */
				bytes[i] = round % 3 && state >> 30
						   ? 0 : state >> 24;
			}
			memcpy(bytes, heads[h].magic, strlen(heads[h].magic));
			memcpy(bytes + LEN - 512, "conectix", 8);
			glance_at(driver, bytes, LEN, facts);
			glance_at(driver, bytes, round * 5, facts);
		}
	}
	free(facts);
	free(bytes);
}

static void test_limit(void)
{
	static const unsigned char bytes[5000];
	const uint64_t most[] = { 4999, 5000, 5001 };

	for (unsigned i = 0; i < 3; i++) {
		struct source *inner = files_memory_source(bytes, 5000);
		struct source *source = limit_stream(inner, most[i]);
		unsigned char buf[6000];
		struct err err = { .kind = ERR_NONE };
		size_t got = 0;
		int result = source_read(source, buf, sizeof buf, 0, &got,
					 &err);

		CHECK_EQ(result < 0, most[i] < 5000);
		CHECK_EQ(err.kind, most[i] < 5000 ? ERR_LIMIT : ERR_NONE);
		if (!result) {
			CHECK_EQ(got, 5000);
			CHECK(!source_finish(source, &err));
		}
		source_close(source);
		source_close(inner);
	}
}

int main(void)
{
	test_once();
	test_harmless();
	test_glances();
	test_limit();
	return check_result();
}
