/* SPDX-License-Identifier: MIT */
/*
 * Owns the value of a state: its tags and the stacks inside a tag. Does not
 * know any group or tag by name, nor how a state is shown (text.c).
 */
#include "planner/state.h"

#include <assert.h>
#include <string.h>

void state_set(struct state *state, unsigned group, const char *tag)
{
	char *slot = state->tag[group];
	size_t len = strnlen(tag, TAG_LEN);

	assert(group < GROUPS_MAX && len < TAG_LEN);
	if (len >= TAG_LEN)
		len = TAG_LEN - 1;
	/* `tag` may point into the slot itself. */
	memmove(slot, tag, len);
	memset(slot + len, 0, TAG_LEN - len);
}

bool state_equal(const struct state *a, const struct state *b)
{
	return !memcmp(a, b, sizeof *a);
}

bool state_top(const struct state *state, unsigned group, char out[TAG_LEN])
{
	const char *tag = state->tag[group];
	size_t len = strcspn(tag, ".");

	memset(out, 0, TAG_LEN);
	memcpy(out, tag, len);
	return *tag;
}

void state_pop(struct state *state, unsigned group)
{
	const char *tag = state->tag[group];
	const char *rest = tag + strcspn(tag, ".");

	state_set(state, group, *rest ? rest + 1 : "");
}

bool state_push(struct state *state, unsigned group, const char *element)
{
	char *tag = state->tag[group];
	size_t under = strlen(tag), len = strlen(element);

	if (len + (under > 0) + under >= TAG_LEN)
		return false;
	if (under) {
		memmove(tag + len + 1, tag, under);
		tag[len] = '.';
	}
	memcpy(tag, element, len);
	return true;
}

unsigned state_depth(const struct state *state, unsigned group)
{
	const char *tag = state->tag[group];
	unsigned depth = *tag != '\0';

	for (; *tag; tag++)
		depth += *tag == '.';
	return depth;
}
