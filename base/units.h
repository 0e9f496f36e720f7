/* SPDX-License-Identifier: MIT */
/* Sizes as people write and read them. Binary multiples throughout. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "20G", "512", "1.5T", "64k": digits with an optional fraction, then an
 * optional K M G T P E (either case, an optional "iB" or "B" after it).
 * Returns 0, or -1 when `text` is not a size or does not fit 63 bits or a
 * fraction is not a whole number of bytes. */
int units_parse_size(const char *text, uint64_t *out);

/* The shortest exact form: 6442450944 is "6G", 1000 is "1000". Returns buf. */
char *units_exact(uint64_t size, char *buf, size_t len);

/* For people: "1.7 GiB". Returns buf. */
char *units_about(uint64_t size, char *buf, size_t len);

#endif
