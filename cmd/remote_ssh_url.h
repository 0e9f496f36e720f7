/* SPDX-License-Identifier: MIT */
/* An ssh:// URL in parts, fit for the command lines of others. */
#ifndef CMD_REMOTE_SSH_URL_H
#define CMD_REMOTE_SSH_URL_H

#include "base/err.h"

struct ssh_url {
	char *host; /* without brackets */
	char *user, *port; /* NULL: as the user's configuration says */
	char *path; /* decoded; relative to the user's home after "/~/" */
};

/* ERR_USAGE for what is not one. Cleared by ssh_url_clear in any case. */
int ssh_url_parse(const char *text, struct ssh_url *out, struct err *err);
void ssh_url_clear(struct ssh_url *url);
/* The path between quotes, for sftp's command line. malloc'ed. */
char *ssh_url_quoted_path(const struct ssh_url *url);

#endif
