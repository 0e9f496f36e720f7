/* SPDX-License-Identifier: MIT */
/*
 * Owns whether a transition applies, the state after it, and whether a goal
 * is reached; what the single conditions mean is told in words.c. Does not
 * price or search.
 */
#include "planner/transition.h"

#include "planner/words.h"

const char *goal_value(const struct goal *goal, unsigned group)
{
	const struct want *want = words_naming(goal, group);

	return want ? want->value : NULL;
}

bool goal_reached(const struct goal *goal, const struct state *state)
{
	for (unsigned i = 0; i < goal->count; i++)
		if (!words_meet(&goal->want[i],
				state->tag[goal->want[i].group]))
			return false;
	return true;
}

bool transition_applies(const struct transition *transition,
			const struct state *state, const struct goal *goal,
			const struct need **unmet)
{
	unsigned count = words_needs(transition);

	for (unsigned i = 0; i < count; i++) {
		const struct need *need = &transition->needs[i];

		if (words_need(need, state->tag[need->group], goal))
			continue;
		if (unmet)
			*unmet = need;
		return false;
	}
	return true;
}

bool transition_apply(const struct transition *transition,
		      const struct state *before, const struct goal *goal,
		      struct state *after)
{
	unsigned count = words_sets(transition);

	*after = *before;
	for (unsigned i = 0; i < count; i++)
		if (!words_set(&transition->sets[i], after, goal))
			return false;
	return true;
}
