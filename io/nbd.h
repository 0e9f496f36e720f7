/* SPDX-License-Identifier: MIT */
/*
 * An export of an NBD server (NBD protocol, doc/proto.md): requests of any
 * number of threads, in flight at once, on as many connections as both sides
 * like. The source and the sink are made of it (nbd_source.h, nbd_sink.h).
 */
#ifndef IO_NBD_H
#define IO_NBD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/extent.h"

/* Is it built in? */
bool nbd_built(void);

#define NBD_NAME_LEN 256

/* Plain data: crosses the socket between conductor and worker. */
struct nbd_terms {
	char export[NBD_NAME_LEN]; /* "" is the default one */
	bool tls;
	bool verify_peer;
	/* With TLS the library connects, or it would not know whom to verify:
	 * to a host, or to `socket`. */
	char host[NBD_NAME_LEN], port[16], socket[NBD_NAME_LEN];
	char certificates[NBD_NAME_LEN]; /* a folder; "": the system's */
	char psk_file[NBD_NAME_LEN];	 /* or "" */
	char user[64];			 /* for the PSK; "": our own */
	uint32_t connections;		 /* at most */
	uint32_t timeout; /* seconds of silence while something is asked for,
			     after which it is gone; 0: none */
};

/* Where further connections come from. */
struct nbd_more {
	int (*connect)(void *opaque, struct err *err); /* a socket, or -1 */
	void *opaque;
};

struct nbd;

/* Shakes hands on `fd` (taken, also on failure; -1 with TLS). `more` is asked
 * where the server allows several connections; NULL: it is not. ERR_NO_INPUT
 * lists the exports where the one named is none; ERR_TEMPORARY when the server
 * is gone; ERR_UNSUPPORTED when built without libnbd. */
struct nbd *nbd_open(int take_fd, const struct nbd_terms *terms,
		     const struct nbd_more *more, struct err *err);
/* Accepts NULL, returns NULL. */
struct nbd *nbd_close_all(struct nbd *nbd);

uint64_t nbd_size(const struct nbd *nbd);
bool nbd_read_only(const struct nbd *nbd);
/* Offsets and lengths must be multiples of it: 1 for nearly all. */
uint32_t nbd_block(const struct nbd *nbd);

/* All of it, in several requests at once. ERR_IO for what the server refuses,
 * ERR_TEMPORARY when it is gone. Thread-safe. */
int nbd_read_at(struct nbd *nbd, void *buf, size_t len, uint64_t offset,
		struct err *err);
int nbd_write_at(struct nbd *nbd, const void *buf, size_t len, uint64_t offset,
		 struct err *err);
/* `allocate`: no hole may be made. 1: on its way, done at the latest when it is
 * flushed; 0: the server cannot. */
int nbd_zero_at(struct nbd *nbd, uint64_t offset, uint64_t length,
		bool allocate, struct err *err);
/* Everything written so far is on the server's medium. */
int nbd_flush_all(struct nbd *nbd, struct err *err);

/* The extent at `offset`: kind and length. Thread-safe. */
int nbd_extent_at(struct nbd *nbd, uint64_t offset, struct extent *out,
		  struct err *err);

#endif
