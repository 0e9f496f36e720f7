/* SPDX-License-Identifier: MIT */
/*
 * One job of a plan, in a worker: a row of pipeline steps moves the data once
 * from one descriptor to another; a step at rest works on a file where it
 * lies.
 */
#ifndef TRANSFORMS_RUN_H
#define TRANSFORMS_RUN_H

#include "base/log.h"
#include "formats/images/driver.h"
#include "io/source.h"
#include "transforms/protocol.h"

/* How a run tells of itself. */
struct run_events {
	void (*step)(void *opaque, const char *text);
	void (*progress)(void *opaque, uint64_t done, uint64_t total);
	void *opaque;
};

struct run {
	const struct job *job;
	struct source *input; /* borrowed; for steps at rest: the file */
	int output_fd, data_fd, spool_fd; /* -1: none; borrowed */
	int direct_fd; /* the output around the page cache, the same */
	/* Further connections to an output that is an NBD server. */
	struct nbd_more more;
	/* A socket that serves the input, for the step that reads there to
	 * take; NULL or -1: none. */
	int *served_fd;
	struct journal *journal; /* of the output, a file; borrowed; or NULL */
	struct stages *stages; /* borrowed: where the time goes */
	struct references *references;
	struct parts *parts; /* further outputs; NULL: none */
	struct log *log;
	const struct run_events *events;
};

/* Fills the result's digest, size, spooled. */
int run_job(const struct run *run, struct protocol_done *done,
	    struct err *err);

#endif
