/* SPDX-License-Identifier: MIT */
/*
 * Owns the question which tags can be had at all. Does not search for plans
 * or write messages.
 */
#include "planner/reach.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "planner/words.h"

static bool holds(const struct reach *reach, unsigned group, const char *tag)
{
	for (unsigned i = 0; i < reach->group[group].count; i++)
		if (!strcmp(reach->group[group].tag[i], tag))
			return true;
	return false;
}

/* True when the tag is new. */
static bool add(struct reach *reach, unsigned group, const char *tag)
{
	unsigned count = reach->group[group].count;

	if (count == REACH_TAGS || holds(reach, group, tag))
		return false;
	memcpy(reach->group[group].tag[count], tag, TAG_LEN);
	reach->group[group].count++;
	return true;
}

struct reach *reach_open(const struct problem *problem,
			 const struct state *state)
{
	struct reach *reach = mem_zalloc(sizeof *reach);

	reach->problem = problem;
	for (unsigned i = 0; i < GROUPS_MAX; i++)
		add(reach, i, state->tag[i]);
	return reach;
}

/* Does the tag meet all that the transition needs of the group? */
static bool meets_needs(const struct reach *reach,
			const struct transition *transition, unsigned group,
			const char *tag)
{
	unsigned count = words_needs(transition);

	for (unsigned i = 0; i < count; i++)
		if (transition->needs[i].group == group &&
		    !words_need(&transition->needs[i], tag,
				&reach->problem->goal))
			return false;
	return true;
}

static bool meets(const struct reach *reach, struct asked asked,
		  const char *tag)
{
	return asked.transition
		       ? meets_needs(reach, asked.transition, asked.group, tag)
		       : words_content(&reach->problem->goal, asked.group, tag);
}

static bool can_meet(const struct reach *reach, struct asked asked)
{
	for (unsigned i = 0; i < reach->group[asked.group].count; i++)
		if (meets(reach, asked, reach->group[asked.group].tag[i]))
			return true;
	return false;
}

const struct need *reach_unmet(const struct reach *reach,
			       const struct transition *transition,
			       unsigned *unmet_count)
{
	unsigned count = words_needs(transition);
	const struct need *first = NULL;
	uint32_t seen = 0;

	_Static_assert(GROUPS_MAX <= 32, "groups are bits of `seen`");
	*unmet_count = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct need *need = &transition->needs[i];
		struct asked asked = { need->group, transition };

		if (can_meet(reach, asked))
			continue;
		*unmet_count += !(seen & (uint32_t)1 << need->group);
		seen |= (uint32_t)1 << need->group;
		/* Of several needs of a group, one that fails now. */
		if (!first &&
		    !words_need(need, reach->group[need->group].tag[0],
				&reach->problem->goal))
			first = need;
	}
	return first;
}

/* What the transition makes of the group where its tag is `tag`. */
static bool outcome(const struct reach *reach,
		    const struct transition *transition, unsigned group,
		    struct state *state)
{
	unsigned count = words_sets(transition);
	bool touched = false;

	for (unsigned i = 0; i < count; i++) {
		if (transition->sets[i].group != group)
			continue;
		touched = true;
		if (!words_set(&transition->sets[i], state,
			       &reach->problem->goal))
			return false;
	}
	return touched;
}

static bool add_outcomes(struct reach *reach,
			 const struct transition *transition, unsigned group)
{
	bool more = false;

	for (unsigned i = 0; i < reach->group[group].count; i++) {
		const char *tag = reach->group[group].tag[i];
		struct state state = { 0 };

		state_set(&state, group, tag);
		if (meets_needs(reach, transition, group, tag) &&
		    outcome(reach, transition, group, &state))
			more |= add(reach, group, state.tag[group]);
	}
	return more;
}

static bool add_transition(struct reach *reach,
			   const struct transition *transition)
{
	unsigned count = words_sets(transition), unmet;
	bool more = false;

	reach_unmet(reach, transition, &unmet);
	if (unmet)
		return false;
	for (unsigned i = 0; i < count; i++)
		more |= add_outcomes(reach, transition,
				     transition->sets[i].group);
	return more;
}

void reach_fill(struct reach *reach)
{
	const struct transition *const *catalogue = reach->problem->catalogue;
	bool more = true;

	/* Ends: each round adds a tag, of which there are at most
	 * REACH_TAGS a group. */
	while (more) {
		more = false;
		for (unsigned i = 0; catalogue[i]; i++)
			more |= add_transition(reach, catalogue[i]);
	}
}

const struct want *reach_missing(const struct reach *reach)
{
	const struct problem *problem = reach->problem;
	const struct want *hidden = NULL;

	for (unsigned i = 0; i < problem->goal.count; i++) {
		const struct want *want = &problem->goal.want[i];
		struct asked asked = { want->group, NULL };

		/* Of several wants of a group, one that fails now. */
		if (can_meet(reach, asked) ||
		    words_meet(want, reach->group[want->group].tag[0]))
			continue;
		if (want->group < problem->vocabulary->count &&
		    problem->vocabulary->groups[want->group].style !=
			    STYLE_HIDDEN)
			return want;
		if (!hidden)
			hidden = want;
	}
	return hidden;
}

/* How well the transition would serve: 0 not at all, 1 a new tag, 2 one that
 * meets what is asked. */
static unsigned serves(const struct reach *reach, struct asked asked,
		       const struct transition *transition)
{
	unsigned best = 0;

	for (unsigned i = 0; i < reach->group[asked.group].count; i++) {
		struct state state = { 0 };
		const char *after = state.tag[asked.group];

		state_set(&state, asked.group,
			  reach->group[asked.group].tag[i]);
		if (!outcome(reach, transition, asked.group, &state))
			continue;
		if (meets(reach, asked, after))
			return 2;
		if (!holds(reach, asked.group, after))
			best = 1;
	}
	return best;
}

const struct transition *reach_nearest(const struct reach *reach,
				       struct asked asked, unsigned skip)
{
	const struct transition *const *catalogue = reach->problem->catalogue;
	const struct transition *best = NULL;
	unsigned best_unmet = UINT_MAX, best_serves = 1, left = skip;

	for (unsigned i = 0; catalogue[i]; i++) {
		unsigned unmet, good = serves(reach, asked, catalogue[i]);

		reach_unmet(reach, catalogue[i], &unmet);
		if (good < best_serves ||
		    (good == best_serves && unmet >= best_unmet))
			continue;
		best = catalogue[i];
		best_serves = good;
		best_unmet = unmet;
	}
	/* Equally near ones after the first. */
	for (unsigned i = 0; best && left && catalogue[i]; i++) {
		unsigned unmet;

		reach_unmet(reach, catalogue[i], &unmet);
		if (catalogue[i] != best && unmet == best_unmet &&
		    serves(reach, asked, catalogue[i]) == best_serves &&
		    !--left)
			return catalogue[i];
	}
	return left ? NULL : best;
}
