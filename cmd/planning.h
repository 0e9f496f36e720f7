/* SPDX-License-Identifier: MIT */
/*
 * From what the user asked and what the probe found to a planning problem:
 * start tags, goal tags, numbers for pricing. Decides nothing about routes.
 */
#ifndef CMD_PLANNING_H
#define CMD_PLANNING_H

#include "cmd/settings.h"
#include "formats/archives/ova.h"
#include "io/output.h"
#include "planner/plan.h"
#include "transforms/costs.h"
#include "transforms/protocol.h"

/* What OUTPUT's name and the options say is wanted. */
struct target {
	const char *format;	    /* "qcow2"; a driver's name, or qemu's */
	const struct driver *driver; /* NULL: written by qemu-img */
	unsigned wrap_count;
	/* Tags of codecs and archives, innermost first. */
	char wrap[LIMIT_COMPRESSIONS][8];
	/* The archive among them, or ""; the image's name in it. */
	const char *archive;
	char member_name[TAR_NAME_MOST + 1];
	struct create_options create; /* compress resolved, checked */
	struct create_options appliance; /* -o keys of ova_options */
};

/* -O, or the name's suffixes: "x.qcow2.xz". ERR_USAGE says what to give. */
int planning_target(const struct settings *settings, const char *output,
		    struct target *out, struct err *err);

/* How many threads and how much memory a run may use: the options, else what
 * the machine grants (affinity, control group). */
unsigned planning_threads(const struct settings *settings);
uint64_t planning_memory(const struct settings *settings);

/* Stays where it was made: it points into itself. */
struct planning {
	struct target target;
	struct coefficients coefficients;
	struct price_list price_list; /* the problem's pricing context */
	struct problem problem;
};

/* Where the image comes from and goes to. `output` is only looked at; NULL is
 * nowhere: to be measured, by means of ours alone. */
struct planning_paths {
	const struct stat *input;
	int input_fd;
	const char *output;
	const struct expectations *expect; /* of the input's digests */
	bool in_place; /* imgconv resize: output is the input's path */
};

/* ERR_USAGE also where the environment names a bad table of costs. */
int planning_make(struct planning *planning, const struct settings *settings,
		  const struct image *image,
		  const struct planning_paths *paths, struct err *err);

/* The plan to run: the cheapest, or what --plan names. */
int planning_choose(const struct planning *planning,
		    const struct settings *settings, struct plan *out,
		    struct err *err);

#endif
