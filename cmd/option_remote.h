/* SPDX-License-Identifier: MIT */
/* The options about servers: what their rows call (options.h). */
#ifndef CMD_OPTION_REMOTE_H
#define CMD_OPTION_REMOTE_H

#include "cmd/settings.h"

int option_connections(struct settings *settings, const char *text,
		      struct err *err);
int option_timeout(struct settings *settings, const char *text,
		      struct err *err);
int option_retries(struct settings *settings, const char *text,
		      struct err *err);
int option_ca_file(struct settings *settings, const char *text,
		      struct err *err);
int option_cert_file(struct settings *settings, const char *text,
		      struct err *err);
int option_key_file(struct settings *settings, const char *text,
		      struct err *err);
int option_netrc_file(struct settings *settings, const char *text,
		      struct err *err);
int option_proxy(struct settings *settings, const char *text,
		      struct err *err);

#endif
