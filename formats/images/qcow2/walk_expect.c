/* SPDX-License-Identifier: MIT */
/*
 * Owns what a walk learns from tables: the L2 tables and clusters that are
 * still ahead in the stream. What cannot be noted for want of memory is
 * simply not expected, is spooled, and comes out at the end.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "formats/images/qcow2/walk_parts.h"

/* Note `run`, whole clusters of the guest's, all of them ahead. */
static void promise(struct qcow2_walk *walk, const struct qcow2_run *run)
{
	uint32_t cluster = walk->header.cluster_size;
	uint64_t index = run->offset / cluster;
	uint64_t end = div_up(run->offset + run->length, cluster);
	struct pending_item item = {
		.host = run->place,
		.length = run->length,
		.guest = run->offset,
		.kind = PENDING_PLAIN,
	};

	if (run->kind == QCOW2_PACKED) {
		item.length = run->stored;
		item.kind = PENDING_PACKED;
	}
	/* One table's clusters share a leaf: if the first fits, all do. */
	if (walk->pending.count == walk->pending.most ||
	    !claims_set(&walk->claims, index))
		return;
	while (++index < end)
		claims_set(&walk->claims, index);
	pending_add(&walk->pending, &item);
}

/* Cut a plain run to whole clusters that have not gone by; false: nothing is
 * left. */
static bool trim(const struct qcow2_walk *walk, struct qcow2_run *run)
{
	uint32_t cluster = walk->header.cluster_size;
	uint64_t end = run->offset + run->length, skip;

	skip = round_up(run->offset, cluster) - run->offset;
	if (run->place + skip < walk->position)
		skip += round_up(walk->position - run->place - skip, cluster);
	if (end != walk->header.size)
		end = round_down(end, cluster);
	if (run->offset + skip >= end)
		return false;
	run->offset += skip;
	run->place += skip;
	run->length = end - run->offset;
	return true;
}

static void expect_run(struct qcow2_walk *walk, struct qcow2_run *run)
{
	switch (run->kind) {
	case QCOW2_PLAIN:
		if (trim(walk, run))
			promise(walk, run);
		return;
	case QCOW2_PACKED:
		/* One that the disk's end cuts is decoded at the end. */
		if (run->place >= walk->position &&
		    run->length == walk->header.cluster_size)
			promise(walk, run);
		return;
	case QCOW2_UNALLOCATED:
	case QCOW2_READS_ZERO:
		return;
	}
}

int walk_expect_l2(struct qcow2_walk *walk, uint64_t index,
		   const unsigned char *table, struct err *err)
{
	uint64_t guest = index * walk->header.l2_span;
	uint64_t end = min_u64(walk->header.size, guest + walk->header.l2_span);
	uint64_t at = guest, next;
	struct qcow2_run run;

	/* Each turn moves on by a run, which is not empty. */
	while (at < end) {
		if (qcow2_entries_run(&walk->view, table,
				      (size_t)walk->header.l2_entries, guest,
				      at, end, &run, err))
			return -1;
		next = at + run.length;
		expect_run(walk, &run);
		at = next;
	}
	return 0;
}

/* A table that went by before it was known to be one. */
static int read_back(struct qcow2_walk *walk, uint64_t place, struct err *err)
{
	size_t len = walk->header.cluster_size, done = 0;
	ssize_t got;

	memset(walk->table, 0, len);
	while (done < len) {
		got = pread(walk->spool_fd, walk->table + done, len - done,
			    (off_t)(place + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, ERR_IO, "spool");
		/* Zeros at the spool's end were not written. */
		if (!got)
			break;
		done += (size_t)got;
	}
	return 0;
}

int walk_expect_l1(struct qcow2_walk *walk, struct err *err)
{
	uint64_t used = div_up(walk->header.size, walk->header.l2_span);
	struct pending_item item = {
		.length = walk->header.cluster_size,
		.kind = PENDING_L2,
	};

	if (qcow2_tables_check_shared(walk->l1, used, err))
		return -1;
	for (uint64_t index = 0; index < used; index++) {
		if (qcow2_entry_l2(&walk->view, walk->l1[index], index,
				   &item.host, err))
			return -1;
		item.guest = index;
		if (!item.host)
			continue;
		if (item.host >= walk->position) {
			pending_add(&walk->pending, &item);
			continue;
		}
		if (read_back(walk, item.host, err) ||
		    walk_expect_l2(walk, index, walk->table, err))
			return -1;
	}
	return 0;
}
