/* SPDX-License-Identifier: MIT */
/*
 * The files of an output that is several: VMDK extents, a qcow2's data file.
 * All appear together, the image that names them last, or none.
 */
#ifndef CMD_PARTS_H
#define CMD_PARTS_H

#include "formats/images/driver.h"
#include "io/output.h"

struct parts_list;

/* Of the image at `path`; `main` (borrowed) is the image itself. */
struct parts_list *parts_open(const char *path, struct output *main,
			      const struct output_options *options);
/* One more file, called `name` as seen from the image's folder. Borrowed.
 * NULL: ERR_CREATE. */
struct output *parts_add(struct parts_list *parts, const char *name,
			 struct err *err);
/* The same for a name that a worker made up: it begins as the image's own
 * does, has no folder, and is new to the list (else ERR_BUG). */
struct output *parts_add_made(struct parts_list *parts, const char *name,
			      struct err *err);
/* What a writer that runs in this process asks. Its sinks live as long as the
 * list. */
struct parts *parts_direct(struct parts_list *parts, bool sync);

/* The bytes of all reach the disk, then the names are given, parts first.
 * After a failure it is as it was before, as far as output_withdraw can. */
int parts_commit(struct parts_list *parts, struct err *err);

/* After a parts_commit that went well: all as it was before, the image first;
 * as far as output_withdraw can. */
void parts_withdraw(struct parts_list *parts);

/* Async-signal-safe: remove what has a name already. Accepts NULL. */
void parts_abandon(const struct parts_list *parts);
/* Without parts_commit nothing is left behind. Does not close `main`. Accepts
 * NULL, returns NULL. */
struct parts_list *parts_close(struct parts_list *parts);

#endif
