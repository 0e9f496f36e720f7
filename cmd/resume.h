/* SPDX-License-Identifier: MIT */
/*
 * --resume: what can be gone on with, whether an interrupted run was this one,
 * and what stays of a run that fails. The two files are io/output's, what is
 * in the journal is the worker's.
 */
#ifndef CMD_RESUME_H
#define CMD_RESUME_H

#include "cmd/conversion.h"

/* Where --resume is asked for: are input and output what can be gone on with?
 * ERR_USAGE. Before either is opened. */
int resume_refuse_names(const struct conversion *conversion, struct err *err);

/* And is that so of what is there, and of the plan? ERR_USAGE, ERR_UNSUPPORTED.
 * After planning, before the output is opened. */
int resume_refuse(const struct conversion *conversion, struct err *err);

/* Before a run that writes the output: what an earlier one left is for `job`,
 * or it is emptied. Nothing without --resume. */
int resume_begin(const struct execution *execution, const struct job *job,
		 struct err *err);

/* Conversions failed: what would help to go on stays, and the message says so;
 * anything else is not left behind. */
void resume_end(const struct conversion *list, unsigned count,
		struct err *err);

#endif
