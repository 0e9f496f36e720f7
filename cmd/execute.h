/* SPDX-License-Identifier: MIT */
/*
 * Carrying out a plan: its steps are cut into runs (one worker, one pass over
 * the data), steps at rest, external tools and the rename, each starting from
 * where the one before left the image.
 */
#ifndef CMD_EXECUTE_H
#define CMD_EXECUTE_H

#include "cmd/conductor.h"
#include "cmd/parts.h"
#include "cmd/planning.h"
#include "cmd/remote.h"
#include "io/output.h"

struct trace_file;

struct execution {
	const struct settings *settings;
	const struct planning *planning;
	const struct plan *plan;
	struct conductor *input; /* as probed */
	const char *input_path;
	struct output *output; /* NULL: nothing is written, only measured */
	const char *output_path;
	struct parts_list *parts; /* further files of the output */
	struct output *data; /* a qcow2's data file; or NULL */
	struct remote *server; /* that the output is on; or NULL */
	/* The disk of an appliance: its place, and what it is called; or NULL. */
	const struct member_place *place;
	struct trace_file *trace; /* or NULL */
	struct ui *ui;
};

struct member_place {
	uint64_t offset; /* in the output */
	enum digest_kind digest;
	char name[TAR_NAME_MOST + 1];
};

/* Nothing is committed. *done is the last run's, with the digest of the run
 * that read the guest. */
int execute_plan(const struct execution *execution,
		 struct protocol_done *done, struct err *err);

/* --verify, where it is asked for: another worker reads what lies at the
 * output now. `done` is execute_plan's. */
int execute_verify(const struct execution *execution,
		   struct protocol_done *done, struct err *err);

#endif
