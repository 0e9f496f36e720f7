/* SPDX-License-Identifier: MIT */
/*
 * One image on its way from its input to its output: what convert.c does once
 * or several times, in this order: plan, open, run, verify; then it commits.
 */
#ifndef CMD_CONVERSION_H
#define CMD_CONVERSION_H

#include "cmd/conductor.h"
#include "cmd/execute.h"
#include "cmd/parts.h"
#include "cmd/planning.h"
#include "cmd/remote.h"

/* The disks of an appliance share out and parts. */
struct conversion {
	const struct settings *settings;
	const char *input, *output;
	const char *label; /* of the input, for messages */
	bool in_place;
	struct ui *ui;
	struct trace_file *trace; /* or NULL; borrowed */
	struct conductor *conductor;
	struct image image;
	struct expectations expect;
	struct planning planning;
	struct plan plan;
	struct output *out;
	struct parts_list *parts;
	struct output *data; /* a qcow2's data file; one of the parts */
	struct remote server; /* that the output is on */
	struct member_place place; /* in an appliance */
	struct protocol_done done;
	uint64_t committing; /* nanoseconds */
};

/* Open the input, find out what it is, choose the plan. */
int conversion_plan(struct conversion *conversion, struct err *err);
/* Open the output, and what belongs to it. */
int conversion_open(struct conversion *conversion, struct err *err);
int conversion_run(struct conversion *conversion, struct err *err);
/* --verify, where it is asked for. */
int conversion_verify(struct conversion *conversion, struct err *err);

/* What -v tells of the means; what the output lacks; --digest. */
void conversion_tell_means(const struct conversion *conversion);
void conversion_tell_losses(struct conversion *conversion);
void conversion_tell_digest(const struct conversion *conversion);

/* --consume: the input is gone when the output is safe. */
int conversion_consume(const struct conversion *conversion, struct err *err);

#endif
