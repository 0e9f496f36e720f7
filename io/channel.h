/* SPDX-License-Identifier: MIT */
/*
 * The socket between conductor and worker: framed messages, with descriptors
 * where one is passed. Knows nothing of what messages mean (transforms/
 * protocol.h does). A receiver never trusts a length: a body is at most
 * CHANNEL_MAX bytes and received whole or not at all.
 */
#ifndef IO_CHANNEL_H
#define IO_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_MAX ((size_t)1 << 20)

struct channel_message {
	uint32_t type;
	uint32_t len; /* of body */
	int fd;	      /* passed along, or -1; the receiver owns it */
	unsigned char *body; /* malloc'ed by channel_receive; NULL if len 0 */
};

/* A connected pair, close-on-exec. */
int channel_pair(int out[2], struct err *err);

/* Blocks until sent. `fd` -1 for none; it stays the caller's. A peer that is
 * gone is ERR_IO. Thread-safe only if the caller serialises. */
int channel_send(int channel, uint32_t type, const void *body, size_t len,
		 int fd, struct err *err);

/* 1: a message (free its body with channel_message_clear); 0: the peer
 * closed; -1: error. */
int channel_receive(int channel, struct channel_message *out,
		    struct err *err);
void channel_message_clear(struct channel_message *message);

#endif
