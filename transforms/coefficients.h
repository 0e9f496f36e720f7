/* SPDX-License-Identifier: MIT */
/*
 * The coefficients that predicted costs are made of, and their text form:
 *
 *	imgconv-costs 1
 *	# comments, and empty lines, may stand anywhere after the first line
 *	decode_xz 11
 *
 * a name and a number a line. What a table does not name has its default.
 */
#ifndef TRANSFORMS_COEFFICIENTS_H
#define TRANSFORMS_COEFFICIENTS_H

#include <stddef.h>

#include "base/err.h"
#include "formats/codecs/codec.h"

/* Of the text form; a longer file is none. */
#define COEFFICIENTS_TEXT_MOST ((size_t)64 * 1024)

/* Nanoseconds a byte; those called _us, microseconds. The table in
 * coefficients.def says what each is. */
struct coefficients {
	/* Of data, and of long runs of zeros. */
	double decode[CODEC_COUNT], decode_zeros[CODEC_COUNT];
	double encode[CODEC_COUNT], encode_zeros[CODEC_COUNT];
	double encode_fast[CODEC_COUNT]; /* data, at the lowest level */
	double cluster_decode, cluster_deflate, cluster_zstd;
	double scan, digest, copy;
	double read, write, sync, pipe;
	double network, trip_us;
	double clone_us, clone_runs;
	double metadata_us, start_us, worker_us, process_us;
	double ssh, ssh_us;
	double qemu, qemu_nbd;
};

extern const struct coefficients costs_default;

/* One line of the table. */
struct coefficient {
	const char *name; /* NULL after the last */
	const char *unit; /* for people: "ns/byte", "us" */
	const char *what;
	double value;
};

/* Number `i` of the table with its value in `from`; false: there are less. */
bool coefficients_row(const struct coefficients *from, size_t i,
		      struct coefficient *out);

/* The defaults with what `text` says. Pure. ERR_USAGE names the line, what
 * was found and what is allowed: each name at most once, with a finite
 * positive number behind it. */
int coefficients_parse(const char *text, size_t len, struct coefficients *out,
		       struct err *err);

/* The shortest decimal that is read back as this very number. Returns buf. */
#define COEFFICIENT_NUMBER_LEN 32
char *coefficients_number(double value, char buf[COEFFICIENT_NUMBER_LEN]);

#endif
