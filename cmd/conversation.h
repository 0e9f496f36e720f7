/* SPDX-License-Identifier: MIT */
/* The inside of the conductor, seen by its two files alone: what it holds,
 * and how it talks with its worker. */
#ifndef CMD_CONVERSATION_H
#define CMD_CONVERSATION_H

#include <sys/stat.h>
#include <sys/types.h>

#include "cmd/conductor.h"
#include "cmd/policy.h"
#include "cmd/remote.h"

struct conductor_file {
	int fd; /* -1: none, or a remote one */
	struct remote remote;
	char *name; /* without folder, host and so on; NULL: none */
	struct stat about; /* zero for a remote one */
	uint64_t position; /* of a stream: bytes given out by NEED */
	bool seekable;
};

struct conductor {
	const struct settings *settings;
	struct ui *ui;
	pid_t worker;
	int channel;
	unsigned notes, skip_notes; /* heard of this worker; not to be told */
	unsigned libraries; /* LIBRARY_*: that the worker has loaded */
	struct sandbox_posture posture; /* the worker's */
	struct conductor_file file[2];
	struct policy policy;
	struct parts_list *parts; /* borrowed; or NULL */
	const struct remote *output; /* the same */
	struct image image;
	struct expectations expect; /* for CHECK */
	bool probed;
	bool busy; /* an answer is awaited */
};

/* Say something; `fd` -1: without a descriptor. A worker that does not take
 * what it is told is gone (it always reads): ERR_BUG says how it ended. */
int conversation_tell(struct conductor *conductor, enum protocol_type type,
		      const void *body, size_t len, struct err *err);
int conversation_tell_fd(struct conductor *conductor, uint32_t type,
			 const void *body, size_t len, int fd, struct err *err);

/* Listen and answer until the worker says `last` or DONE; the body of `last`
 * lands in `out`. An error in DONE is returned as ours. */
int conversation_hear(struct conductor *conductor, enum protocol_type last,
		      void *out, const struct conductor_answers *answers,
		      struct err *err);

#endif
