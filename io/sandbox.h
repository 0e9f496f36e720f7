/* SPDX-License-Identifier: MIT */
/*
 * Closing a process in: what it holds stays usable, and nothing else can be
 * reached. Three layers, each in force without the others:
 *
 *   no new privileges   nothing that is executed gains any
 *   Landlock            no file, no port, no signal outside (as far as the
 *                       kernel's version goes)
 *   seccomp             a list of some forty system calls: reading, writing
 *                       and closing of descriptors, memory that cannot be
 *                       executed, threads. No open, execve, socket, ptrace.
 *
 * To be entered by the one thread there is, with every library loaded that
 * will be needed: afterwards none can be. What is not allowed fails with EPERM
 * (ENOENT where a name is opened, as if there were no files).
 */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sandbox_mode {
	SANDBOX_AUTO,	 /* as much as this kernel has */
	SANDBOX_REQUIRE, /* all of it, or nothing is done */
	SANDBOX_OFF
};

/* What has to be left open. */
enum sandbox_need {
	SANDBOX_FILES,	/* descriptors that it holds or is handed */
	SANDBOX_SOCKETS, /* ... of which some are connections to a server */
	SANDBOX_NETWORK /* it connects by itself: files can be read, and there
			   is no list of system calls */
};

struct sandbox {
	uint32_t mode; /* enum sandbox_mode */
	uint32_t need; /* enum sandbox_need */
};

/* What is in force. */
struct sandbox_posture {
	bool no_new_privileges, seccomp;
	uint32_t landlock; /* the kernel's version of it; 0: none */
};

/* ERR_UNSUPPORTED where all is required and something is not to be had; then,
 * too, what could be done is in force. */
int sandbox_enter(const struct sandbox *sandbox, struct sandbox_posture *out,
		  struct err *err);

/* For people: "no-new-privileges landlock seccomp", or "none". */
const char *sandbox_text(const struct sandbox_posture *posture, char *buf,
			 size_t len);

#endif
