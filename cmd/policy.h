/* SPDX-License-Identifier: MIT */
/* Which files that images name may be opened: only with --allow-references,
 * only plain names, only inside one folder. */
#ifndef CMD_POLICY_H
#define CMD_POLICY_H

#include "cmd/settings.h"
#include "transforms/protocol.h"

/* The files that may name others, by their number in REFER. */
struct policy {
	const struct settings *settings;
	unsigned count;
	char *path[LIMIT_REFERENCES]; /* NULL: standard input */
	unsigned named_by[LIMIT_REFERENCES];
};

void policy_init(struct policy *policy, const struct settings *settings);
/* `path` is input number `which` (0 or 1); "-" for standard input. */
void policy_input(struct policy *policy, unsigned which, const char *path);
/* A descriptor for what `refer` names, or -1: ERR_REFUSED, ERR_NO_INPUT. */
int policy_open(struct policy *policy, const struct protocol_refer *refer,
		struct err *err);
/* Another worker asks: nothing was named yet. */
void policy_forget(struct policy *policy);
void policy_clear(struct policy *policy);

#endif
