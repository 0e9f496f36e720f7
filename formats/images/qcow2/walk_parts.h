/* SPDX-License-Identifier: MIT */
/*
 * The parts of a qcow2 walk, shared by its files:
 *
 *   walk.c         the stream: what is expected goes out, the rest is spooled
 *   walk_expect.c  tables that arrived: what their entries make us expect
 *   walk_rest.c    after the stream: the rest, out of the spool
 */
#ifndef FORMATS_IMAGES_QCOW2_WALK_PARTS_H
#define FORMATS_IMAGES_QCOW2_WALK_PARTS_H

#include "base/ranges.h"
#include "formats/images/qcow2/pending.h"
#include "formats/images/qcow2/qcow2.h"

struct qcow2_walk {
	struct walk walk;
	struct source *stream; /* borrowed, as is the descriptor */
	int spool_fd;
	uint64_t memory;
	struct qcow2_header header;
	struct qcow2_view view;
	uint64_t position; /* bytes of the stream read so far */
	bool ended;	   /* the stream has */

	uint64_t *l1; /* NULL until it arrived */
	struct pending pending;
	struct claims claims;
	struct ranges taken; /* plain file bytes that went past the spool */
	unsigned char *chunk, *table;

	/* The end of what was read, when that was a compressed cluster: the
	 * next may begin in its last sector. */
	unsigned char *carry;
	uint64_t carry_at;
	size_t carry_len;
	uint64_t packed_at; /* where the last compressed cluster began */

	/* The rest. */
	struct source *spool;
	struct qcow2_tables tables;
	struct packed *packed;
	uint64_t guest;
	struct qcow2_run run; /* around `guest`; length 0: to be looked up */
};

/* The L1 table in walk->l1, and one L2 table, have arrived. */
int walk_expect_l1(struct qcow2_walk *walk, struct err *err);
int walk_expect_l2(struct qcow2_walk *walk, uint64_t index,
		   const unsigned char *table, struct err *err);

/* Begin with, and go on with, what the stream could not give directly; as
 * walk_ops.next. */
int walk_rest_begin(struct qcow2_walk *walk, struct err *err);
int walk_rest_next(struct qcow2_walk *walk, void *buf, size_t len,
		   struct walk_piece *out, struct err *err);
void walk_rest_close(struct qcow2_walk *walk);

#endif
