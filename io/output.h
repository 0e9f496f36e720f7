/* SPDX-License-Identifier: MIT */
/*
 * The output transaction: a name shows either what was there before or the
 * complete new image, never anything between.
 *
 *   output_open -> write through output_fd -> [output_commit] -> output_close
 *
 * A new file has no name (O_TMPFILE) until commit links it; with `force` over
 * an existing one it is linked to the sibling `.NAME.imgconv-XXXXXX` and the
 * two change places: the old file goes when the output is closed. Where
 * O_TMPFILE or /proc is missing the sibling exists from the start. Stray
 * siblings of killed runs are removed by the next run for the same name (only
 * when no living process holds their lock). With `resume` the sibling has a
 * fixed name and a journal beside it, and both stay where there was no commit,
 * for the next run that asks for them (output_kept.c). Devices are opened exclusively
 * and written in place; "-" is standard output. Symbolic links are followed.
 * Used by the conductor alone.
 */
#ifndef IO_OUTPUT_H
#define IO_OUTPUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

enum output_kind {
	OUTPUT_FILE,
	OUTPUT_DEVICE,
	OUTPUT_STREAM,
	OUTPUT_EXPORT /* of a server: who writes there also makes it last */
};

struct output_options {
	bool force; /* an existing file may be replaced; its mode is kept */
	/* ... but not by one with the same bytes: then it stays untouched. */
	bool if_changed;
	bool sync;  /* fsync file and directory on commit */
	/* In place: an existing file or device is opened read-write and
	 * changed where it is (resize). Nothing to discard then. */
	bool in_place;
	/* A file: go on with what an earlier run left, and leave the same. */
	bool resume;
	const struct stat *input; /* the same file is refused; may be NULL */
};

struct output;

/* Everything that can fail early does: exists (without force), is a
 * directory, same as input, not writable directory: ERR_CREATE or
 * ERR_REFUSED. */
struct output *output_open(const char *path,
			   const struct output_options *options,
			   struct err *err);

/* For what is written elsewhere: there is nothing to give a name to. Its
 * output_fd is -1. */
struct output *output_elsewhere(void);

enum output_kind output_kind(const struct output *output);
/* Borrowed, read-write (write-only for a stream). */
int output_fd(const struct output *output);
/* The directory the file will appear in, for temporary files; "." at least. */
const char *output_dir(const struct output *output);

/* With `resume`: the journal beside it, read-write, empty at first; borrowed.
 * Otherwise -1. */
int output_journal(const struct output *output);
/* Will it leave something to go on with? */
bool output_keeps(const struct output *output);
/* Leave nothing after all: what was written is of no use. */
void output_discard(struct output *output);

/* Put an existing file in the output's place instead of the one written: the
 * input that --consume moves. `path` is renamed on commit. */
int output_adopt(struct output *output, const char *path, struct err *err);

/* The part of a commit that takes long and may fail: the bytes reach the disk
 * (never retried). For outputs that appear together: settle all, then commit
 * each. */
int output_settle(struct output *output, struct err *err);

/* Take a committed file's name away again and give it back to what it
 * replaced: what belongs to it could not be committed. What replaced something
 * stays where the file system cannot exchange names, and where it was adopted. */
void output_withdraw(struct output *output);

/* Will both come to be the same file? */
bool output_same(const struct output *a, const struct output *b);

/* output_settle, if it was not called; give it its name, fsync the directory.
 * The output is still to be closed. A failure leaves the old state, as far as
 * output_withdraw can. */
int output_commit(struct output *output, struct err *err);

/* Close; without a successful commit nothing is left behind (removes only
 * the inode it made). Accepts NULL, returns NULL. */
struct output *output_close(struct output *output);

/* Async-signal-safe: remove the sibling, if there is one. */
void output_abandon(struct output *output);

#endif
