/* SPDX-License-Identifier: MIT */
/*
 * URLs of NBD exports (doc/uri.md of the NBD protocol):
 *
 *	nbd://HOST[:PORT]/EXPORT  nbds://...	(with TLS)
 *	nbd+unix:///EXPORT?socket=PATH		nbds+unix://...
 *
 * with tls-certificates=FOLDER, tls-psk-file=FILE and tls-verify-peer=false,
 * and the way to the server.
 */
#ifndef CMD_NBD_URI_H
#define CMD_NBD_URI_H

#include "cmd/settings.h"
#include "io/nbd.h"

/* ERR_USAGE says what is wrong with it. Options of the command line are
 * weaker than what the URL says. */
int nbd_uri_read(const char *url, const struct settings *settings,
		 struct nbd_terms *out, struct err *err);

/* Do both lead to one export? As far as names tell. */
bool nbd_uri_same(const struct nbd_terms *a, const struct nbd_terms *b);

/* A connected socket; -1 without an error for TLS, which connects by itself
 * (*fd). ERR_TEMPORARY when nobody is there, ERR_NO_INPUT where there is no
 * such socket. */
int nbd_uri_connect(const struct nbd_terms *terms, unsigned timeout, int *fd,
		    struct err *err);

#endif
