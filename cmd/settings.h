/* SPDX-License-Identifier: MIT */
/* What the user asked for, parsed and checked, and nothing else. Made by
 * options.c, read by everybody in cmd/; never changed afterwards. */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/archives/ova.h"
#include "formats/images/driver.h"
#include "io/page_cache.h"
#include "io/sandbox.h"

enum progress_style { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_JSON };

enum size_request { SIZE_KEEP, SIZE_ABSOLUTE, SIZE_RELATIVE };

/* How a server is talked to. */
struct consumer;

struct remote_settings {
	unsigned connections; /* 0: default */
	unsigned timeout;     /* seconds; 0: default */
	bool has_retries;
	unsigned retries;
	const char *ca_file, *cert_file, *key_file; /* or NULL */
	bool netrc;
	const char *netrc_file; /* or NULL */
	const char *proxy;	/* or NULL */
};
#define ARGUMENTS_MAX (OVA_DISKS + 1)

struct settings {
	const char *program; /* "imgconv", for messages */
	const struct command *command;
	/* INPUT OUTPUT, IMAGE, A B, IMAGE SIZE; INPUT ... APPLIANCE */
	const char *argument[ARGUMENTS_MAX];
	const char *label[ARGUMENTS_MAX]; /* the same as messages show them: URLs without
				 what is secret in them */
	unsigned argument_count;

	const char *from, *to; /* -f, -O: format names, or NULL */
	/* -o, -c, --compress; create.compress is "default" for plain -c until
	 * the target is known. */
	struct create_options create;
	const char *backing; /* create -b, also as -o backing_file */
	enum size_request size_request;
	uint64_t size; /* -s, bytes */
	bool if_changed; /* an identical output stays as it is */
	const char *depfile; /* -MF; or NULL */
	bool force, partition_fix, shrink, verify, digest, sync, consume;
	bool resume;
	bool rewrite, reproducible, unique, dry_run, target_is_zero, pad;
	bool quiet, verbose, json, dot, all, shallow;
	bool coefficients; /* plan: show them, and nothing else */
	bool allow_references;
	const char *references_dir; /* or NULL: the image's own folder */
	const char *snapshot;	    /* or NULL */
	const char *member;	    /* which disk of several; or NULL */
	const char *all_disks; /* a folder for every disk; or NULL */
	const char *member_name;    /* of the image in an archive; or NULL */
	enum tar_dialect tar_dialect;
	bool has_tar_dialect; /* it was asked for */
	const struct consumer *consumer; /* --for; or NULL */
	int64_t source_date; /* SOURCE_DATE_EPOCH, or 0 */
	uint32_t sector_size;	    /* of the output; 0: as the input's */
	const char *tmpdir;	    /* or NULL */
	const char *secret; /* a file with a pass phrase; or NULL */
	const char *checksum[4]; /* --checksum, as it was given */
	unsigned checksum_count;
	const char *ssh_config; /* a file, for ssh:// inputs; or NULL */
	const char *plan;	    /* --plan: a number or an id; or NULL */
	const char *trace; /* a file for what was done when; or NULL */
	enum sandbox_mode sandbox;
	enum progress_style progress;
	enum page_cache cache;
	unsigned threads; /* 0: as many as there are */
	unsigned jobs; /* as many as make's jobserver grants; 0: not asked */
	uint64_t memory;  /* 0: by threads */
	uint64_t max_size; /* --max-size, bytes */
	int wrap_level;	  /* 0: default */
	struct remote_settings remote;
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
