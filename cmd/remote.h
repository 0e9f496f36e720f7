/* SPDX-License-Identifier: MIT */
/*
 * Names that lead elsewhere: URLs of inputs and outputs. What a URL means is
 * told here once; who serves its bytes, and how, is said in the file of each
 * kind. Only what the user typed is ever looked at: a name out of an image is
 * a plain file or nothing (policy.c).
 */
#ifndef CMD_REMOTE_H
#define CMD_REMOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "cmd/settings.h"
#include "transforms/protocol.h"

enum remote_kind { REMOTE_NONE, REMOTE_HTTP, REMOTE_NBD, REMOTE_SSH };

/* By the scheme, in any case. "x:y" without "//" is a file's name. */
enum remote_kind remote_kind(const char *name);

/* The name as it may be shown: without a password and without what stands
 * behind '?' or '#'. malloc'ed. */
char *remote_shown(const char *name);

/* The last part of its path, decoded: what the file would be called, for
 * suffixes. malloc'ed; "" when there is none. */
char *remote_base(const char *name);

/* What serves a remote input. */
struct remote {
	int socket; /* for the worker; -1: none */
	struct nbd_terms nbd; /* of a PROTOCOL_PLACE_NBD */
	enum protocol_place place; /* what is spoken on it */
	pid_t process; /* of ours, that serves it; 0: none */
	int words; /* a file with what a program says that serves it; 0: none */
	int file;  /* instead of a server: all of it, in a file of ours; 0 */
	const char *url; /* borrowed; where it can be asked for its size */
};

/* Reach `name`. The remote is to be closed, also after a failure.
 * ERR_UNSUPPORTED for a kind that was not built in. */
int remote_open(const char *name, const struct settings *settings,
		struct remote *out, struct err *err);
void remote_close(struct remote *remote);

/* One more connection to the same NBD server: a socket, or -1. */
int remote_again(const struct remote *remote, const struct settings *settings,
		 struct err *err);

/* A run is over that saw `size` bytes: has it still as many, as far as can be
 * told? ERR_TEMPORARY when not. */
int remote_unchanged(const struct remote *remote,
		     const struct settings *settings, uint64_t size,
		     struct err *err);

/* Something failed, and `err` says what: what the server said instead, where
 * that was the cause. */
void remote_explain(struct remote *remote, struct err *err);

#endif
