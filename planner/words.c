/* SPDX-License-Identifier: MIT */
/*
 * Owns what one need, set or want means for one tag. Does not look at whole
 * transitions, states or goals (transition.c).
 */
#include "planner/words.h"

#include <string.h>

bool words_hold(const char *list, const char *word)
{
	size_t len = strlen(word);

	/* Ends: each round moves past one '|'. */
	for (;;) {
		size_t item = strcspn(list, "|");

		if (item == len && !memcmp(list, word, len))
			return true;
		if (!list[item])
			return false;
		list += item + 1;
	}
}

bool words_meet(const struct want *want, const char *tag)
{
	return words_hold(want->value, tag) != want->negated;
}

const struct want *words_naming(const struct goal *goal, unsigned group)
{
	for (unsigned i = 0; i < goal->count; i++)
		if (goal->want[i].group == group && !goal->want[i].negated)
			return &goal->want[i];
	return NULL;
}

const char *words_next(const struct goal *goal, unsigned group, const char *tag,
		       size_t *len)
{
	const struct want *want = words_naming(goal, group);
	size_t whole, under = strlen(tag), start, end;

	if (!want)
		return NULL;
	whole = strcspn(want->value, "|");
	if (under >= whole || memcmp(want->value + whole - under, tag, under))
		return NULL;
	end = whole - under;
	/* A tail begins after a dot: "z" is none of "xz". */
	if (under && want->value[--end] != '.')
		return NULL;
	start = end;
	while (start && want->value[start - 1] != '.')
		start--;
	*len = end - start;
	return want->value + start;
}

static bool goal_names_one_of(const struct want *want, const char *list)
{
	char first[sizeof want->value];
	size_t len = strcspn(want->value, "|");

	memcpy(first, want->value, len);
	first[len] = '\0';
	return words_hold(list, first);
}

bool words_content(const struct goal *goal, unsigned group, const char *tag)
{
	for (unsigned i = 0; i < goal->count; i++)
		if (goal->want[i].group == group &&
		    !words_meet(&goal->want[i], tag))
			return false;
	return true;
}

bool words_need(const struct need *need, const char *tag,
		const struct goal *goal)
{
	const struct want *want = words_naming(goal, need->group);
	char top[TAG_LEN] = "";
	size_t len;

	switch (need->op) {
	case NEED_IS:
		return words_hold(need->value, tag);
	case NEED_NOT:
		return !words_hold(need->value, tag);
	case NEED_FILLED:
		return *tag;
	case NEED_GOAL_OTHER:
		return want && !words_hold(want->value, tag);
	case NEED_GOAL_SAME:
		return words_content(goal, need->group, tag);
	case NEED_GOAL_IS:
		return want && goal_names_one_of(want, need->value);
	case NEED_GOAL_NAMES:
		return want;
	case NEED_TOP:
		memcpy(top, tag, strcspn(tag, "."));
		return *tag && words_hold(need->value, top);
	case NEED_PUSHABLE:
		return words_next(goal, need->group, tag, &len);
	}
	return false;
}

unsigned words_needs(const struct transition *transition)
{
	unsigned i = 0;

	while (i < NEEDS_MAX && (transition->needs[i].op != NEED_IS ||
				 transition->needs[i].value))
		i++;
	return i;
}

unsigned words_sets(const struct transition *transition)
{
	unsigned i = 0;

	while (i < SETS_MAX &&
	       (transition->sets[i].op != SET_TO || transition->sets[i].value))
		i++;
	return i;
}

static bool set_goal(struct state *state, unsigned group,
		     const struct goal *goal)
{
	const struct want *want = words_naming(goal, group);
	char first[TAG_LEN] = "";
	size_t len;

	if (!want)
		return true;
	len = strcspn(want->value, "|");
	if (len >= TAG_LEN)
		return false;
	memcpy(first, want->value, len);
	state_set(state, group, first);
	return true;
}

static bool set_push(struct state *state, unsigned group,
		     const struct goal *goal)
{
	char element[TAG_LEN] = "";
	size_t len;
	const char *next = words_next(goal, group, state->tag[group], &len);

	if (!next || len >= TAG_LEN)
		return false;
	memcpy(element, next, len);
	return state_push(state, group, element);
}

bool words_set(const struct set *set, struct state *state,
	       const struct goal *goal)
{
	switch (set->op) {
	case SET_TO:
		state_set(state, set->group, set->value);
		return true;
	case SET_GOAL:
		return set_goal(state, set->group, goal);
	case SET_POP:
		state_pop(state, set->group);
		return true;
	case SET_PUSH:
		return set_push(state, set->group, goal);
	}
	return false;
}
