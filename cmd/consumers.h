/* SPDX-License-Identifier: MIT */
/*
 * Who an image is for: clouds and hypervisors, what they accept, and what is
 * made for them (--for). One table has all of it; no consumer has code of its
 * own.
 */
#ifndef CMD_CONSUMERS_H
#define CMD_CONSUMERS_H

#include "base/facts.h"
#include "cmd/settings.h"
#include "transforms/protocol.h"

#define CONSUMER_FORMS 8

/* One kind of file that is accepted. */
struct consumer_form {
	const char *format;  /* a driver's name; NULL: the list's end */
	const char *variant; /* of its subformat or type; NULL: any */
	const char *wraps;   /* outermost first, joined by '.'; NULL: none */
};

struct consumer {
	const char *name, *title;
	const char *to;	     /* -O */
	const char *options; /* -o, keys joined by ','; NULL: none */
	const char *compress; /* --compress; NULL: none */
	const char *member;  /* --member-name; NULL: as usual */
	bool gnu_tar;	     /* --tar-format gnu */
	uint64_t unit;	     /* the disk is a multiple of so many bytes */
	uint64_t most;	     /* and at most so many */
	bool partitioned; /* a GPT must have its backup at the end */
	struct consumer_form accepts[CONSUMER_FORMS];
	const char *why;
	const char *source; /* where it says so */
};

/* Ends with a NULL name. */
extern const struct consumer consumers[];
/* By name, any case; NULL. */
const struct consumer *consumer_by_name(const char *name);

/* What --for means, where the command line did not say otherwise: changes
 * `settings`. `output` is OUTPUT, or NULL. ERR_USAGE where OUTPUT's name says
 * another format. */
int consumer_apply(const struct consumer *consumer, const char *output,
		   struct settings *settings, struct err *err);

/* Would it be accepted? `say` is called with each reason why not; returns how
 * many there are. `facts` may be empty: variants then are not judged. */
unsigned consumer_judge(const struct consumer *consumer,
			const struct image *image, const struct facts *facts,
			void (*say)(void *opaque, const char *text),
			void *opaque);

#endif
