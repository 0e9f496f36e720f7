/* SPDX-License-Identifier: MIT */
/*
 * Who uses which bytes of a container: for checks. Everything an image says
 * it stores is claimed; overlaps are corruption, what nobody claims is a leak.
 * Neighbours are joined, so an image written in one go takes a few entries;
 * a fragmented one is bounded by USAGE_MEMORY.
 */
#ifndef FORMATS_USAGE_H
#define FORMATS_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "formats/images/driver.h"

#define USAGE_MEMORY ((size_t)(256 * MIB))

struct usage;

/* `file_size` is the container's length in bytes. */
struct usage *usage_open(uint64_t file_size);
/* `what` (a literal: "grain", "BAT") uses [offset, offset + length). What lies
 * past the end of the file is reported at once, as corruption. ERR_LIMIT when
 * there are too many pieces. */
int usage_claim(struct usage *usage, struct check_report *report,
		const char *what, uint64_t offset, uint64_t length,
		struct err *err);
/* The same for what may share bytes with others of its kind (compressed
 * clusters in one sector): never an overlap among themselves. */
int usage_share(struct usage *usage, struct check_report *report,
		const char *what, uint64_t offset, uint64_t length,
		struct err *err);
/* Everything is claimed: reports bytes used twice (corruption), and runs of
 * `unit` bytes or more that nobody uses (leaks; 0: not looked for). */
void usage_report(struct usage *usage, struct check_report *report,
		  uint64_t unit);
/* Accepts NULL, returns NULL. */
struct usage *usage_close(struct usage *usage);

#endif
