/* SPDX-License-Identifier: MIT */
/*
 * The worker: the only process that parses image bytes. Forked by the
 * conductor before any thread exists; it holds one socket and what is passed
 * over it.
 */
#ifndef TRANSFORMS_WORKER_H
#define TRANSFORMS_WORKER_H

/* Serve requests until the conductor closes the socket. Returns the exit
 * status of the process: 0, whatever was answered. */
int worker_main(int channel);

#endif
