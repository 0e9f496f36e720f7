/* SPDX-License-Identifier: MIT */
/* How far a run has come, as text: pure, so that it can be tested. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
	uint64_t done, total; /* bytes; total 0: unknown */
	double seconds;	      /* since done was 0 */
	const char *step;
};

/* Bytes a second; 0 when too little is known. */
double progress_rate(const struct progress *progress);
/* 0..1, or -1 when the total is unknown. */
double progress_share(const struct progress *progress);
/* Seconds left, or -1. */
double progress_left(const struct progress *progress);

/* "[====>    ]  42%  1.2 GiB  250.3 MiB/s  ETA 0:12  decompress xz", at most
 * `width` columns. Returns buf. */
char *progress_bar(const struct progress *progress, unsigned width, char *buf,
		   size_t len);
/* "40 % (1.2 GiB, 250.3 MiB/s)". Returns buf. */
char *progress_line(const struct progress *progress, char *buf, size_t len);

#endif
