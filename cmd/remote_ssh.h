/* SPDX-License-Identifier: MIT */
/*
 * Files at the other end of SSH: ssh://[USER@]HOST[:PORT]/PATH, sftp:// the
 * same. They are read by programs of others, with the user's own keys, agent
 * and list of known hosts: nbdkit's ssh plugin serves one on a socket, at
 * random; OpenSSH's sftp copies one into a file of ours. Neither asks
 * questions, nor takes an unknown host.
 */
#ifndef CMD_REMOTE_SSH_H
#define CMD_REMOTE_SSH_H

#include "cmd/remote.h"

/* Serve or fetch `url`, with what is installed. */
int remote_ssh_open(const char *url, const struct settings *settings,
		    struct remote *out, struct err *err);
/* All of it into `fd`, an empty file. */
int remote_ssh_fetch(const char *url, const struct settings *settings, int fd,
		     struct err *err);
/* How long is it now, by sftp? False where that cannot be told. */
bool remote_ssh_size(const char *url, const struct settings *settings,
		     uint64_t *out);
/* Is sftp installed? */
bool remote_ssh_can_fetch(void);

/* What a program said, up to a NUL, as an error: its best line, and of what
 * kind that is. False when there is nothing in it. */
bool remote_ssh_judge(const char *program, char *words, struct err *err);

#endif
