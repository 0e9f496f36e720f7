/* SPDX-License-Identifier: MIT */
/*
 * The conductor: opens files, forks the worker, answers its questions by
 * policy, runs external tools between workers. It never looks at image bytes.
 */
#ifndef CMD_CONDUCTOR_H
#define CMD_CONDUCTOR_H

#include <sys/stat.h>

#include "cmd/settings.h"
#include "cmd/ui.h"
#include "transforms/protocol.h"

struct conductor;
struct parts_list;

/* Open `path` ("-" is stdin; or a URL) and fork a worker that can be asked about it. */
struct conductor *conductor_open(const char *path,
				 const struct settings *settings,
				 struct ui *ui, struct err *err);

/* compare: the other image. Before conductor_inspect. */
int conductor_second(struct conductor *conductor, const char *path,
		     struct err *err);

/* What is it? Fails as a conversion would when it cannot be said. */
int conductor_probe(struct conductor *conductor, struct image *out,
		    struct err *err);

/* The input as it was opened: for the same-file test, for trying whether it
 * can be shared. Borrowed. */
const struct stat *conductor_input(const struct conductor *conductor);
int conductor_input_fd(const struct conductor *conductor);
/* Where it is reached, if that is elsewhere; borrowed. */
struct remote;
const struct remote *conductor_remote(const struct conductor *conductor);
/* How its worker is closed in; borrowed, known after the first answer. */
const struct sandbox_posture *
conductor_posture(const struct conductor *conductor);
/* Its name without folder, host and so on; "" when it has none. */
const char *conductor_name(const struct conductor *conductor);

/* Each file that was opened for the input: itself, and those it names. */
void conductor_files(const struct conductor *conductor,
		     void (*take)(void *opaque, const char *path),
		     void *opaque);

/* Where the answers of an inspection go; each may be NULL. */
struct conductor_answers {
	void (*facts)(void *opaque, const struct facts *facts);
	void (*extents)(void *opaque, const struct protocol_extent *list,
			unsigned count);
	void (*finding)(void *opaque, const char *text);
	void *opaque;
};

/* PROTOCOL_INFO, _MAP, _CHECK or _COMPARE, after conductor_probe (for
 * COMPARE without it). An error of the worker's is returned as ours. */
int conductor_inspect(struct conductor *conductor, enum protocol_type what,
		      const struct conductor_answers *answers,
		      struct protocol_done *done, struct err *err);

/* A verdict, in the place of a probe: what cannot be read is one, too. Fails
 * where the fault is not the image's. */
int conductor_judge(struct conductor *conductor, struct judgement *out,
		    struct err *err);

/* What inspections by PROTOCOL_CHECK shall find of the input's digests. */
void conductor_expect(struct conductor *conductor,
		      const struct expectations *expect);

/* Run a job: `fds` by enum protocol_fd, -1 for none (all stay the caller's;
 * PROTOCOL_FD_INPUT -1: the input this conductor was opened on). */
int conductor_run(struct conductor *conductor, const struct job *job,
		  const int fds[PROTOCOL_FDS], struct protocol_done *done,
		  struct err *err);

/* Where the further files go that a run asks for; borrowed. Without it a run
 * has one output. */
void conductor_parts(struct conductor *conductor, struct parts_list *parts);

/* The server that a run writes to, which may be connected to again; borrowed.
 * NULL: it writes to a file. */
struct remote;
void conductor_output(struct conductor *conductor,
		      const struct remote *remote);

/* A worker that has only what conductor_run hands it: for the steps after
 * the first run. Names in what it reads are relative to `path`'s folder. */
struct conductor *conductor_open_bare(const struct settings *settings,
				      struct ui *ui, const char *path,
				      struct err *err);

/* Ends the worker if it still runs. Accepts NULL, returns NULL. */
struct conductor *conductor_close(struct conductor *conductor);

#endif
