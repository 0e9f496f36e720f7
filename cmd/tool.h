/* SPDX-License-Identifier: MIT */
/* External tools: started between workers, confined to the files they are
 * given. */
#ifndef CMD_TOOL_H
#define CMD_TOOL_H

#include "transforms/how.h"

/* Run the command to its end. `fds` (-1: none) are the files named on its
 * command line as /proc/self/fd/N; it can open no others for writing, and
 * none but system files for reading. A failure's message has the last line
 * the tool said. */
int tool_run(const struct tool *tool, int input_fd, int output_fd,
	     struct err *err);

/* A program that serves a run's input on a socket, as of socket activation:
 * the descriptor 3 is one that listens, LISTEN_PID and LISTEN_FDS say so. */
struct tool_server {
	int input_fd, secret_fd; /* what it may read; the caller's */
	int socket; /* connected to it: the run's end; ours */
	pid_t pid;
	int words; /* a file with what it says */
	char name[256];
};

/* Start the command of `step`, for which `tool` has the goal and the names;
 * paths are filled in here. `dir` (NULL: /var/tmp) has the socket's name for
 * a moment. */
int tool_serve(struct tool_server *server, struct tool *tool,
	       const struct plan_step *step, const char *dir, struct err *err);
/* The run is over: end it. -1 and a message with its last line when it had
 * failed; `failed`: the run did, and `err` says why unless this is better. */
int tool_serve_end(struct tool_server *server, bool failed, struct err *err);

/* What a worker has left in the spool, as far as it makes sense. */
int tool_pieces(int spool, struct tool_pieces *out, struct err *err);
/* A file in memory with `len` bytes of the spool; or -1. */
int tool_piece(int spool, uint64_t from, uint64_t len, struct err *err);

#endif
