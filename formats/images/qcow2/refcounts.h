/* SPDX-License-Identifier: MIT */
/* What a check counts: how often each cluster of the file is used, and how
 * often the image says it is. */
#ifndef FORMATS_IMAGES_QCOW2_REFCOUNTS_H
#define FORMATS_IMAGES_QCOW2_REFCOUNTS_H

#include "formats/images/qcow2/qcow2.h"

enum use {
	USE_FIXED, /* header, L1, refcounts, ...: nobody else's */
	USE_L2,	   /* an L2 table; snapshots share them */
	USE_DATA   /* data; likewise */
};

struct refcounts {
	const struct qcow2_header *header;
	struct source *source;
	struct check_report *report;
	uint64_t clusters;   /* of the file, the last perhaps not whole */
	uint32_t *counts;    /* uses found; the top bits say of which kind */
	unsigned char *seen; /* a bit a cluster: used by the state at hand */
	uint64_t *table;     /* refcount table */
	uint64_t table_entries;
	struct table_cache *blocks;
	size_t slice;
};

/* Loads the refcount table. ERR_LIMIT when counting needs over `memory`. */
int refcounts_open(struct refcounts *refs, const struct qcow2_header *header,
		   struct source *source, struct check_report *report,
		   uint64_t memory, struct err *err);
void refcounts_close(struct refcounts *refs);

/* `what` uses [offset, offset + length). False (and a finding) when that lies
 * past the end or is something else's: do not follow it. */
bool refcounts_use(struct refcounts *refs, uint64_t offset, uint64_t length,
		   enum use use, const char *what);
/* A state begins; the first use of a cluster by it: true. */
void refcounts_begin_state(struct refcounts *refs);
bool refcounts_first_use(struct refcounts *refs, uint64_t offset);
/* Entry `i` of a block whose entries are 1 << order bits wide; narrow ones
 * fill a byte from its lowest bit. */
uint64_t refcounts_entry(const unsigned char *block, unsigned order,
			 uint64_t i);
/* What the image says of the cluster at `offset`. */
int refcounts_stored(struct refcounts *refs, uint64_t offset, uint64_t *out,
		     struct err *err);
/* All uses are counted: report where the image disagrees. */
int refcounts_compare(struct refcounts *refs, struct err *err);

/* check_bitmaps.c: the clusters of persistent bitmaps. */
int check_bitmaps(struct refcounts *refs, struct err *err);

#endif
