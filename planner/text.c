/* SPDX-License-Identifier: MIT */
/*
 * Owns how states, goals and steps are written, in the words of
 * imgconv-plan(7). Does not decide anything.
 */
#include "planner/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "planner/plan.h"
#include "planner/words.h"

void text_add(struct text *words, const char *format, ...)
{
	va_list args;
	int more;

	if (words->used >= words->len)
		return;
	va_start(args, format);
	more = vsnprintf(words->buf + words->used, words->len - words->used,
			 format, args);
	va_end(args);
	if (more > 0)
		words->used += (size_t)more;
	/* One short of the end: later pieces find a full buffer. */
	if (words->used >= words->len)
		words->used = words->len;
}

void text_gap(struct text *words)
{
	if (words->used)
		text_add(words, " ");
}

/* One alternative; an empty one is called none. */
static void add_word(struct text *words, const char *word, size_t len)
{
	if (len)
		text_add(words, "%.*s", (int)len, word);
	else
		text_add(words, "none");
}

void text_list(struct text *words, const char *list)
{
	/* Ends: each round moves past one '|'. */
	for (;;) {
		size_t len = strcspn(list, "|");

		add_word(words, list, len);
		if (!list[len])
			return;
		text_add(words, " or ");
		list += len + 1;
	}
}

void text_size(struct text *words, const char *tag)
{
	const char *digits = tag + (*tag == '+');
	char exact[32];
	uint64_t size;

	if (!*digits || digits[strspn(digits, "0123456789")] ||
	    units_parse_size(digits, &size)) {
		text_add(words, "%s", tag);
		return;
	}
	text_add(words, "%s%s", digits == tag ? "" : "+",
		 units_exact(size, exact, sizeof exact));
}

/* "+xz +gz" for "xz.gz", of which `len` bytes count. */
static void add_stack(struct text *words, char sign, const char *stack,
		      size_t len)
{
	while (len) {
		size_t item = strcspn(stack, ".");

		if (item > len)
			item = len;
		text_gap(words);
		text_add(words, "%c%.*s", sign, (int)item, stack);
		if (item == len)
			return;
		stack += item + 1;
		len -= item + 1;
	}
}

/* A group's tag, not "". */
static void add_tag(struct text *words, const struct group *group,
		    const char *tag)
{
	if (group->style == STYLE_STACK) {
		add_stack(words, '+', tag, strlen(tag));
		return;
	}
	text_gap(words);
	text_add(words, "+%s", group->name);
	if (group->style == STYLE_SWITCH && !strcmp(tag, "yes"))
		return;
	text_add(words, "=");
	if (group->style == STYLE_SIZE)
		text_size(words, tag);
	else
		text_add(words, "%s", tag);
}

char *state_text(const struct state *state, const struct vocabulary *vocabulary,
		 bool all, char *buf, size_t len)
{
	struct text words = { buf, len, 0 };

	if (len)
		*buf = '\0';
	for (unsigned i = 0; i < vocabulary->count; i++) {
		const struct group *group = &vocabulary->groups[i];

		if (*state->tag[i] && (all || group->style != STYLE_HIDDEN))
			add_tag(&words, group, state->tag[i]);
	}
	return buf;
}

/* What comes off the outside of `start` on the way to `goal`, then what the
 * goal has: "-xz +zst". */
static void want_stack(struct text *words, const struct want *want,
		       const char *start)
{
	size_t goal = strcspn(want->value, "|");
	size_t len = start ? strlen(start) : 0, off = 0;

	if (want->negated) {
		add_stack(words, '-', want->value, goal);
		return;
	}
	/* Ends: `off` grows to the next element or to the end. */
	while (off < len &&
	       (len - off > goal ||
		memcmp(start + off, want->value + goal - (len - off),
		       len - off) ||
		(len - off < goal &&
		 want->value[goal - (len - off) - 1] != '.'))) {
		off += strcspn(start + off, ".");
		off += off < len;
	}
	if (off)
		add_stack(words, '-', start, off < len ? off - 1 : len);
	add_stack(words, '+', want->value, goal);
}

void text_want(struct text *words, const struct group *group,
	       const struct want *want, const char *start)
{
	bool none = !*want->value;

	if (group->style == STYLE_STACK) {
		size_t before = words->used;

		want_stack(words, want, start);
		if (words->used == before) {
			text_gap(words);
			text_add(words, "%c%s",
				 none != want->negated ? '-' : '+',
				 group->name);
		}
		return;
	}
	text_gap(words);
	if (none) {
		text_add(words, "%c%s", want->negated ? '+' : '-', group->name);
		if (start && *start && group->style != STYLE_SWITCH)
			text_add(words, "=%s", start);
		return;
	}
	text_add(words, "%c%s", want->negated ? '-' : '+', group->name);
	if (group->style == STYLE_SWITCH && !strcmp(want->value, "yes"))
		return;
	text_add(words, "=");
	if (group->style == STYLE_SIZE)
		text_size(words, want->value);
	else
		text_add(words, "%s", want->value);
}

/* What the goal asks of one group. That something may be absent which the
 * start does not have either goes without saying. */
static void goal_group(struct text *words, const struct problem *problem,
		       unsigned group)
{
	const char *start = problem->start.tag[group];

	for (unsigned i = 0; i < problem->goal.count; i++) {
		const struct want *want = &problem->goal.want[i];

		if (want->group != group || ((want->negated || !*want->value ||
					      *want->value == '|') &&
					     words_meet(want, start)))
			continue;
		text_want(words, &problem->vocabulary->groups[group], want,
			  start);
	}
}

char *plan_goal_text(const struct problem *problem, char *buf, size_t len)
{
	const struct vocabulary *vocabulary = problem->vocabulary;
	struct text words = { buf, len, 0 };

	if (len)
		*buf = '\0';
	for (unsigned group = 0; group < vocabulary->count; group++)
		if (vocabulary->groups[group].style != STYLE_HIDDEN)
			goal_group(&words, problem, group);
	return buf;
}

char *plan_id(const struct plan *plan, char *buf, size_t len)
{
	struct text words = { buf, len, 0 };

	if (len)
		*buf = '\0';
	for (unsigned i = 0; i < plan->count; i++)
		text_add(&words, "%s%s", i ? "," : "",
			 plan->step[i].transition->name);
	return buf;
}

/* What a step's own group went through: the element that came off or on, or
 * the new value. */
void plan_step_detail(const struct vocabulary *vocabulary,
		      struct plan_step *step)
{
	unsigned group = step->transition->detail;
	const char *before, *after;
	struct text words = { step->detail, sizeof step->detail, 0 };
	char top[TAG_LEN];

	if (group >= vocabulary->count)
		return;
	before = step->before.tag[group];
	after = step->after.tag[group];
	if (!strcmp(before, after))
		return;
	if (vocabulary->groups[group].style == STYLE_STACK) {
		state_top(state_depth(&step->after, group) <
					  state_depth(&step->before, group)
				  ? &step->before
				  : &step->after,
			  group, top);
		text_add(&words, "%s", top);
	} else if (vocabulary->groups[group].style == STYLE_SIZE) {
		text_size(&words, after);
	} else {
		text_add(&words, "%s", after);
	}
}

char *plan_step_text(const struct plan_step *step, char *buf, size_t len)
{
	struct text words = { buf, len, 0 };

	if (len)
		*buf = '\0';
	text_add(&words, "%s", step->transition->name);
	if (*step->detail)
		text_add(&words, " %s", step->detail);
	return buf;
}
