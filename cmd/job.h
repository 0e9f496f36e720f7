/* SPDX-License-Identifier: MIT */
/* The description of a run that goes to its worker. */
#ifndef CMD_JOB_H
#define CMD_JOB_H

#include "cmd/execute.h"

/* The steps of one run, and where the image is before and after it. */
struct job_piece {
	unsigned first, end; /* of the plan; equal: no step, only settings */
	bool aside;	     /* what is made does not go into the output */
	bool at_temp, at_output; /* where it is read; neither: the input */
};

/* `job` is plain data afterwards: nothing in it is borrowed. */
void job_fill(const struct execution *execution,
	      const struct job_piece *piece, struct job *job);

#endif
