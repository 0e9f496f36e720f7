/* SPDX-License-Identifier: MIT */
/*
 * What is true of the image at one point of a plan: one tag in each exclusive
 * group. Setting a tag removes the old one of its group; there is nothing
 * else to delete. The planner knows no group by name: a vocabulary, given by
 * the caller, says which there are and how people see them.
 */
#ifndef PLANNER_STATE_H
#define PLANNER_STATE_H

#include <stdbool.h>
#include <stddef.h>

#define GROUPS_MAX 32
#define TAG_LEN 40 /* with its NUL */

enum group_style {
	STYLE_STACK,  /* "xz.gz", outermost first; shown "+xz +gz" */
	STYLE_SWITCH, /* "yes" or "": shown "+name" */
	STYLE_VALUE,  /* shown "+name=value" */
	STYLE_SIZE,   /* bytes as digits, or "unknown"; shown "+size=6G" */
	STYLE_HIDDEN  /* circumstance: shown only with all = true */
};

struct group {
	const char *name;
	enum group_style style;
};

struct vocabulary {
	const struct group *groups;
	unsigned count; /* at most GROUPS_MAX */
};

/* Zero-filled beyond each tag's NUL, so that states compare by memcmp. "" is
 * the tag "none". */
struct state {
	char tag[GROUPS_MAX][TAG_LEN];
};

void state_set(struct state *state, unsigned group, const char *tag);
bool state_equal(const struct state *a, const struct state *b);

/* Stacks: the outermost element into `out`, false if empty; remove it; put
 * one around it (false when the tag would not fit). */
bool state_top(const struct state *state, unsigned group, char out[TAG_LEN]);
void state_pop(struct state *state, unsigned group);
bool state_push(struct state *state, unsigned group, const char *element);
unsigned state_depth(const struct state *state, unsigned group);

/* "+xz +template +format=raw +size=6G". Groups that are "" are left out, and
 * hidden ones unless `all`. Returns buf. */
char *state_text(const struct state *state,
		 const struct vocabulary *vocabulary, bool all, char *buf,
		 size_t len);

#endif
