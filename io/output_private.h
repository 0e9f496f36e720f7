/* SPDX-License-Identifier: MIT */
/* The output transaction's own: shared by output.c and output_commit.c. */
#ifndef IO_OUTPUT_PRIVATE_H
#define IO_OUTPUT_PRIVATE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "io/output.h"
#include "io/sibling.h"
#include "io/target.h"

struct output {
	enum output_kind kind;
	bool force, sync, in_place, if_changed;
	bool unchanged; /* what is there already has the same bytes */
	bool settled; /* synced: what is left is the name */
	bool tried; /* to commit; there is no second time */
	bool named; /* it has its name, and nothing had it before */
	bool replaced; /* it has its name; what had it is at `sibling` */
	int fd;
	struct target target; /* empty for standard output */
	int dir_fd;	      /* a new file's folder, or -1 */
	/* The inode we made, and the name beside NAME it may have. */
	dev_t dev;
	ino_t ino;
	char sibling[SIBLING_NAME_LEN];
	volatile sig_atomic_t has_sibling;
	char *adopted; /* the file that takes our place, or NULL */
	/* --resume: the sibling is the partial output, and beside it is its
	 * journal. Neither is removed while they are kept. */
	volatile sig_atomic_t kept;
	int journal_fd; /* or -1 */
	char journal[SIBLING_NAME_LEN];
};

/* Open or make both, locked. */
int output_kept_open(struct output *output, struct err *err);
/* Async-signal-safe: the journal, if there is one. */
void output_kept_remove(const struct output *output);

#endif
