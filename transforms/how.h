/* SPDX-License-Identifier: MIT */
/*
 * How a transition is carried out: what `how` of a catalogue row points to.
 * Exactly one of the three functions is given, but for steps that only
 * change how the bytes are moved, tools with pieces, and those that serve.
 *
 *   PIPELINE  becomes part of one fused run in a worker; a row of such steps
 *             moves the data once. `ends`: it goes to a file of ours, and the
 *             next step starts from there. With `command`, an external
 *             program serves the input on a socket while the run lasts, and
 *             `fit` reads it there (build->served_fd).
 *   REST      a worker changes the file where it lies, or `only_reads` it.
 *   TOOL      an external program, between workers. With `rest`, a worker
 *             first puts pieces into the spool, and the program is run once
 *             for each, in their order, with the piece as its input.
 *   FETCH     all of a remote input goes to a temporary file, between workers;
 *             where it was fetched to be probed, that file is it.
 *   MOVE      the input itself becomes the output, on commit.
 */
#ifndef TRANSFORMS_HOW_H
#define TRANSFORMS_HOW_H

#include "planner/plan.h"
#include "transforms/build.h"

enum how_where { HOW_PIPELINE, HOW_REST, HOW_TOOL, HOW_FETCH, HOW_MOVE };

#define TOOL_ARGUMENTS 24

/* What a worker leaves at the start of the spool; the bytes of the pieces
 * follow, without gaps. `offset` is for the command's use. */
#define TOOL_PIECES 4
#define TOOL_PIECE_LEN ((uint64_t)MIB)

struct tool_piece {
	uint64_t offset, len;
};

struct tool_pieces {
	uint64_t count;
	struct tool_piece piece[TOOL_PIECES];
};

/* A command line being made. Files are named by /proc/self/fd paths that the
 * conductor provides; the format is always stated. */
struct tool {
	const char *input, *output; /* paths; equal for in place */
	const char *secret;	    /* of a pass phrase; or NULL */
	const char *snapshot;	    /* name or id; or NULL */
	const struct goal *goal;
	struct tool_piece piece; /* of this run, where there are pieces */
	unsigned count;
	char argument[TOOL_ARGUMENTS][256]; /* argument[0]: the program */
};

void tool_add(struct tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct how {
	enum how_where where;
	bool ends, only_reads;
	int (*fit)(struct build *build, const struct plan_step *step,
		   struct err *err);
	int (*rest)(struct build *build, const struct plan_step *step,
		    struct err *err);
	void (*command)(struct tool *tool, const struct plan_step *step);
	/* Which promises do not hold on this route, for the plan and the run
	 * to say; NULL: all hold. */
	const char *caveat;
};

static inline const struct how *how_of(const struct plan_step *step)
{
	return step->transition->how;
}

#endif
