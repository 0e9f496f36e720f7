/* SPDX-License-Identifier: MIT */
/*
 * What a raw disk may begin with: partition tables, file systems, volumes.
 * One table, in guest.c, serves the probe (what is it?) and shrinking (how
 * far does it reach?). Pure functions of bytes.
 */
#ifndef FORMATS_GUEST_H
#define FORMATS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In use to the end of the disk, wherever that is. */
#define GUEST_TO_THE_END UINT64_MAX

struct guest {
	const char *name;  /* "ext4" */
	const char *title; /* for people */
	/* A machine would boot from it, or a system mount it, by its place
	 * alone: together with a container's signature that is a conflict. */
	bool boot;
	uint64_t at;  /* where the signature lies */
	uint64_t end; /* of what it says is in use; 0: it does not say */
	char evidence[128];
};

/* The next finding in `head` (the first bytes of a disk, best
 * LIMIT_PROBE_LEN of them), the most telling first. Start with *row 0; false
 * when there are no more. */
bool guest_find(const unsigned char *head, size_t len, unsigned *row,
		struct guest *out);

#endif
