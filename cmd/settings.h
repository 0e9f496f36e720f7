/* SPDX-License-Identifier: MIT */
/* What the user asked for, parsed and checked, and nothing else. Made by
 * options.c, read by everybody in cmd/; never changed afterwards. */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/images/driver.h"

enum progress_style { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_JSON };

enum size_request { SIZE_KEEP, SIZE_ABSOLUTE, SIZE_RELATIVE };

struct settings {
	const char *program; /* "imgconv", for messages */
	const struct command *command;
	const char *argument[3]; /* INPUT OUTPUT, IMAGE, A B, IMAGE SIZE */
	const char *label[3]; /* the same as messages show them: URLs without
				 what is secret in them */
	unsigned argument_count;

	const char *from, *to; /* -f, -O: format names, or NULL */
	/* -o, -c, --compress; create.compress is "default" for plain -c until
	 * the target is known. */
	struct create_options create;
	const char *backing; /* create -b, also as -o backing_file */
	enum size_request size_request;
	uint64_t size; /* -s, bytes */
	bool force, partition_fix, shrink, verify, digest, sync, consume;
	bool rewrite, reproducible, unique, dry_run, target_is_zero, pad;
	bool quiet, verbose, json, dot, all;
	bool allow_references;
	const char *references_dir; /* or NULL: the image's own folder */
	const char *snapshot;	    /* or NULL */
	const char *member;	    /* which disk of several; or NULL */
	uint32_t sector_size;	    /* of the output; 0: as the input's */
	const char *tmpdir;	    /* or NULL */
	const char *secret; /* a file with a pass phrase; or NULL */
	const char *ssh_config; /* a file, for ssh:// inputs; or NULL */
	const char *plan;	    /* --plan: a number or an id; or NULL */
	enum progress_style progress;
	unsigned threads; /* 0: as many as there are */
	uint64_t memory;  /* 0: by threads */
	int wrap_level;	  /* 0: default */
};

/* One sub-command. The table is in main.c. */
struct command {
	const char *name;
	const char *arguments; /* "INPUT OUTPUT", for usage */
	const char *help;      /* one line */
	unsigned least, most;  /* number of arguments */
	/* Bits of OPTION_FOR_*: which options it takes (options.c). */
	unsigned options;
	int (*run)(const struct settings *settings); /* exit status */
};

#endif
