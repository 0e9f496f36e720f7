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

/* What a worker has left in the spool, as far as it makes sense. */
int tool_pieces(int spool, struct tool_pieces *out, struct err *err);
/* A file in memory with `len` bytes of the spool; or -1. */
int tool_piece(int spool, uint64_t from, uint64_t len, struct err *err);

#endif
