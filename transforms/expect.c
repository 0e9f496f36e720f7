/* SPDX-License-Identifier: MIT */
/* Owns the choice of what is digested at which layer. */
#include "transforms/expect.h"

#include <stdio.h>

#include "base/checked.h"
#include "transforms/tags.h"

static unsigned count_of(const struct expectations *expect)
{
	return (unsigned)min_u64(expect->count, DIGEST_EXPECTED_MOST);
}

struct source *expect_over(const struct expectations *expect, unsigned depth,
			   const char *tag, struct source *source,
			   uint32_t *count)
{
	struct digest_expected here[DIGEST_EXPECTED_MOST];
	unsigned found = 0;
	char inside[32] = "";

	for (unsigned i = 0; i < count_of(expect); i++)
		if (expect->list[i].depth == depth)
			here[found++] = expect->list[i].expected;
	if (!found)
		return NULL;
	if (*tag)
		snprintf(inside, sizeof inside, "inside %s", tag);
	*count += found;
	return digest_source(source, here, found, inside);
}

unsigned expect_deepest(const struct expectations *expect)
{
	unsigned deepest = 0;

	for (unsigned i = 0; i < count_of(expect); i++)
		deepest = (unsigned)max_u64(deepest, expect->list[i].depth);
	return deepest;
}

void expect_tag(const struct expectations *expect, struct state *start)
{
	unsigned deepest = expect_deepest(expect);

	state_set(start, TAG_CHECKSUM, "");
	for (unsigned i = 0; expect->count && i < max_u64(deepest, 1); i++)
		state_push(start, TAG_CHECKSUM, "1");
}
