/* SPDX-License-Identifier: MIT */
/* Owns what the options about servers do to the settings. What they mean to a
 * server is said where it is talked to. */
#include <stddef.h>
#include <unistd.h>

#include "cmd/option_remote.h"
#include "cmd/options.h"

int option_connections(struct settings *settings, const char *text,
			     struct err *err)
{
	return option_number(text, 1, 64, &settings->remote.connections, err);
}

int option_timeout(struct settings *settings, const char *text,
			 struct err *err)
{
	return option_number(text, 1, 86400, &settings->remote.timeout, err);
}

int option_retries(struct settings *settings, const char *text,
			 struct err *err)
{
	settings->remote.has_retries = true;
	return option_number(text, 0, 1000, &settings->remote.retries, err);
}

static int take_readable(const char **out, const char *text, struct err *err)
{
	if (access(text, R_OK))
		return err_set(err, ERR_USAGE, "\"%s\" cannot be read", text);
	*out = text;
	return 0;
}

int option_ca_file(struct settings *settings, const char *text,
			 struct err *err)
{
	return take_readable(&settings->remote.ca_file, text, err);
}

int option_cert_file(struct settings *settings, const char *text,
			   struct err *err)
{
	return take_readable(&settings->remote.cert_file, text, err);
}

int option_key_file(struct settings *settings, const char *text,
			  struct err *err)
{
	return take_readable(&settings->remote.key_file, text, err);
}

int option_netrc_file(struct settings *settings, const char *text,
			    struct err *err)
{
	return take_readable(&settings->remote.netrc_file, text, err);
}

int option_proxy(struct settings *settings, const char *text,
		       struct err *err)
{
	(void)err;
	settings->remote.proxy = text;
	return 0;
}
