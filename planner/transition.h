/* SPDX-License-Identifier: MIT */
/*
 * A transition as data: what it needs, what it sets, what it costs. How it is
 * carried out is the caller's and never looked into.
 */
#ifndef PLANNER_TRANSITION_H
#define PLANNER_TRANSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "planner/state.h"

#define NEEDS_MAX 18
#define SETS_MAX 16
#define COST_DEVICES 4

/* What the goal asks of one group. Several wants may name one group. */
struct want {
	unsigned group;
	bool negated;	     /* none of the values instead of one of them */
	/* Alternatives joined by '|'; "" is none; a STYLE_STACK is compared
	 * whole. */
	char value[TAG_LEN * 2];
};

#define WANTS_MAX 24

struct goal {
	struct want want[WANTS_MAX];
	unsigned count;
};

/* The value the goal wants of a group: the text of the first want that is not
 * negated, or NULL when it does not care. Where the want has alternatives,
 * what is wanted is the first one, and the text goes on with its '|'. */
const char *goal_value(const struct goal *goal, unsigned group);
bool goal_reached(const struct goal *goal, const struct state *state);

enum need_op {
	NEED_IS,	  /* one of `value` ("a|b"; "" is none) */
	NEED_NOT,	  /* none of `value` */
	NEED_FILLED,	  /* anything but "" */
	NEED_GOAL_OTHER,  /* the goal names a value, and it is not this one */
	NEED_GOAL_SAME,	  /* the goal is content with this one, or silent */
	NEED_GOAL_IS,	  /* the goal names one of `value` for the group */
	NEED_GOAL_NAMES,  /* the goal names a value for the group */
	NEED_TOP,	  /* a stack whose outermost is one of `value` */
	NEED_PUSHABLE	  /* a stack that is a proper tail of the goal's */
};

struct need {
	unsigned group;
	enum need_op op;
	const char *value;
};

enum set_op {
	SET_TO,	  /* value */
	SET_GOAL, /* what the goal wants; unchanged if it does not care */
	SET_POP,  /* take the outermost off a stack */
	SET_PUSH  /* put the goal's next outer one around */
};

struct set {
	unsigned group;
	enum set_op op;
	const char *value;
};

/*
 * Predicted cost of one step, in microseconds of work, which a fused pipeline
 * overlaps: the run takes as long as its longest serial stage, or all CPU
 * work divided by the threads, or the reading and writing of one device,
 * whichever is most. `fixed` overlaps with nothing. A `barrier` step ends the
 * pipeline: what follows starts when everything before has finished.
 */
struct cost {
	double serial; /* one stage that cannot be divided */
	double cpu;    /* all CPU work, the serial stage's included */
	double read[COST_DEVICES], write[COST_DEVICES];
	double fixed;
	uint64_t temp;	 /* bytes of temporary files that live on */
	uint64_t memory; /* bytes */
	bool barrier;
};

struct transition;

/* Everything a cost function may look at. */
struct pricing {
	const void *context; /* the caller's numbers: sizes, coefficients */
	const struct goal *goal;
	const struct state *before, *after;
};

struct transition {
	const char *name;  /* "decompress"; a plan's id joins these */
	const char *title; /* "decompress", in words, for the manual */
	unsigned detail;   /* the group whose change names the step further:
			      the element popped or pushed, or the new value:
			      "decompress xz"; GROUPS_MAX: none */
	struct need needs[NEEDS_MAX]; /* up to the first with op NEED_IS and
					 value NULL */
	struct set sets[SETS_MAX];    /* up to the first SET_TO of NULL */
	/* Fills *out (zeroed before); false: not possible in this state after
	 * all (too large, say). Pure. */
	bool (*cost)(const struct pricing *pricing, struct cost *out);
	const void *how; /* the caller's */
};

/* Do the needs hold? If not and `unmet` is given, the first that does not. */
bool transition_applies(const struct transition *transition,
			const struct state *state, const struct goal *goal,
			const struct need **unmet);
/* The state after; false when a push does not fit. */
bool transition_apply(const struct transition *transition,
		      const struct state *before, const struct goal *goal,
		      struct state *after);

#endif
