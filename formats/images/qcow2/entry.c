/* SPDX-License-Identifier: MIT */
/*
 * Owns the meaning of L1 and L2 entries: which bits say what, and which
 * combinations are damage. Pure functions of bytes; reads nothing.
 */
#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/qcow2/qcow2.h"

#define SECTOR 512

/* What [offset, offset + length) of the file runs into, or NULL. */
static const char *overlap(const struct qcow2_view *view, uint64_t offset,
			   uint64_t length)
{
	if (offset < view->l1_offset + view->l1_len &&
	    view->l1_offset < offset + length)
		return "L1 table";
	return qcow2_header_overlap(view->header, offset, length);
}

int qcow2_entry_l2(const struct qcow2_view *view, uint64_t entry,
		   uint64_t index, uint64_t *place, struct err *err)
{
	uint32_t cluster = view->header->cluster_size;
	const char *what;

	*place = entry & QCOW2_OFFSET_MASK;
	if (!entry)
		return 0;
	if (entry & QCOW2_L1_RESERVED)
		return err_set(err, ERR_DAMAGED,
			       "L1 entry %llu: reserved bits are set (0x%llx)",
			       (unsigned long long)index,
			       (unsigned long long)entry);
	if (*place % cluster)
		return err_set(err, ERR_DAMAGED,
			       "L1 entry %llu: offset %llu is not a multiple "
			       "of the cluster size (%u)",
			       (unsigned long long)index,
			       (unsigned long long)*place, cluster);
	what = overlap(view, *place, cluster);
	if (what)
		return err_set(err, ERR_DAMAGED,
			       "L1 entry %llu: L2 table at %llu overlaps the "
			       "%s",
			       (unsigned long long)index,
			       (unsigned long long)*place, what);
	if (!checked_inside(*place, cluster, view->file_size))
		return err_set(err, ERR_DAMAGED,
			       "L1 entry %llu: L2 table at %llu lies past the "
			       "end of the file (%llu)",
			       (unsigned long long)index,
			       (unsigned long long)*place,
			       (unsigned long long)view->file_size);
	return 0;
}

void qcow2_entry_packed(const struct qcow2_header *header, uint64_t entry,
			uint64_t *place, uint64_t *stored)
{
	unsigned shift = QCOW2_COMPRESSED_SHIFT(header->cluster_bits);
	uint64_t sectors =
		(entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> shift;

	*place = entry & ((1ULL << shift) - 1);
	*stored = (sectors + 1) * SECTOR - *place % SECTOR;
}

static int packed_run(const struct qcow2_view *view, uint64_t entry,
		      struct qcow2_run *run, struct err *err)
{
	const char *what;

	if (view->external)
		return err_set(err, ERR_DAMAGED,
			       "compressed cluster in an image with a data "
			       "file");
	run->kind = QCOW2_PACKED;
	qcow2_entry_packed(view->header, entry, &run->place, &run->stored);
	what = overlap(view, run->place, run->stored);
	if (what)
		return err_set(err, ERR_DAMAGED,
			       "compressed cluster at %llu overlaps the %s",
			       (unsigned long long)run->place, what);
	if (checked_inside(run->place, run->stored, view->file_size))
		return 0;
	/* Stored lengths are in whole sectors; a file may end within its
	 * last one, but no earlier. */
	if (run->place < view->file_size &&
	    run->stored - (view->file_size - run->place) < SECTOR) {
		run->stored = view->file_size - run->place;
		return 0;
	}
	return err_set(err, ERR_DAMAGED,
		       "compressed cluster at %llu (%llu bytes) lies past the "
		       "end of the file (%llu)",
		       (unsigned long long)run->place,
		       (unsigned long long)run->stored,
		       (unsigned long long)view->file_size);
}

/* A subcluster's kind by its two bits, and how many alike follow it. */
static int subcluster_run(const struct qcow2_view *view, uint64_t bitmap,
			  bool allocated, uint32_t within,
			  struct qcow2_run *run, struct err *err)
{
	uint32_t alloc = (uint32_t)bitmap, zero = (uint32_t)(bitmap >> 32);
	uint32_t sub = view->header->cluster_size / QCOW2_SUBCLUSTERS;
	unsigned first = within / sub, next;

	if (alloc & zero)
		return err_set(err, ERR_DAMAGED,
			       "subclusters are marked both allocated and zero "
			       "(0x%016llx)",
			       (unsigned long long)bitmap);
	if (alloc && !allocated)
		return err_set(err, ERR_DAMAGED,
			       "subclusters of no cluster are marked allocated "
			       "(0x%016llx)",
			       (unsigned long long)bitmap);
	run->kind = alloc >> first & 1	? QCOW2_PLAIN
		    : zero >> first & 1 ? QCOW2_READS_ZERO
					: QCOW2_UNALLOCATED;
	next = first + 1;
	while (next < QCOW2_SUBCLUSTERS &&
	       (alloc >> next & 1) == (alloc >> first & 1) &&
	       (zero >> next & 1) == (zero >> first & 1))
		next++;
	run->length = (uint64_t)next * sub - within;
	return 0;
}

static int plain_bits(const struct qcow2_view *view, uint64_t entry,
		      uint64_t host, bool allocated, struct err *err)
{
	uint64_t reserved = QCOW2_L2_RESERVED;

	/* The zero flag came with version 3 and moved into the bitmap with
	 * extended entries. */
	if (view->header->version == 2 || view->header->extended_l2)
		reserved |= QCOW2_L2_ZERO;
	if (entry & reserved)
		return err_set(err, ERR_DAMAGED,
			       "L2 entry has reserved bits set (0x%016llx)",
			       (unsigned long long)entry);
	if (host % view->header->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "cluster offset %llu is not a multiple of the "
			       "cluster size (%u)",
			       (unsigned long long)host,
			       view->header->cluster_size);
	if (!allocated && (entry & QCOW2_COPIED))
		return err_set(err, ERR_DAMAGED,
			       "L2 entry points to the header "
			       "(0x%016llx)",
			       (unsigned long long)entry);
	return 0;
}

/* All of the run's guest bytes are in the file, and nothing else is. A
 * cluster's tail beyond the disk's end may be missing. */
static int plain_place(const struct qcow2_view *view,
		       const struct qcow2_run *run, struct err *err)
{
	const char *what = NULL;

	if (!checked_inside(run->place, run->length, view->data_size))
		return err_set(err, ERR_DAMAGED,
			       "cluster at %llu lies past the end of the "
			       "%sfile (%llu)",
			       (unsigned long long)run->place,
			       view->external ? "data " : "",
			       (unsigned long long)view->data_size);
	if (!view->external)
		what = overlap(view, run->place, run->length);
	if (what)
		return err_set(err, ERR_DAMAGED,
			       "cluster at %llu overlaps the %s",
			       (unsigned long long)run->place, what);
	return 0;
}

static int plain_run(const struct qcow2_view *view, uint64_t entry,
		     uint64_t bitmap, uint32_t within, struct qcow2_run *run,
		     struct err *err)
{
	uint64_t host = entry & QCOW2_OFFSET_MASK;
	bool allocated = host || (view->external && (entry & QCOW2_COPIED));

	if (plain_bits(view, entry, host, allocated, err))
		return -1;
	if (view->header->extended_l2) {
		if (subcluster_run(view, bitmap, allocated, within, run, err))
			return -1;
	} else {
		run->kind = entry & QCOW2_L2_ZERO ? QCOW2_READS_ZERO
			    : allocated		  ? QCOW2_PLAIN
						  : QCOW2_UNALLOCATED;
	}
	run->length = min_u64(run->length, view->size - run->offset);
	if (run->kind != QCOW2_PLAIN)
		return 0;
	run->place = host + within;
	return plain_place(view, run, err);
}

int qcow2_entry_run(const struct qcow2_view *view, const unsigned char *entry,
		    uint64_t guest, uint32_t within, struct qcow2_run *out,
		    struct err *err)
{
	uint64_t word = bytes_be64(entry), bitmap = 0;
	int status;

	if (view->header->extended_l2)
		bitmap = bytes_be64(entry + 8);
	*out = (struct qcow2_run){
		.offset = guest + within,
		.length = view->header->cluster_size - within,
	};
	if (word & QCOW2_COMPRESSED) {
		out->skip = within;
		out->length = min_u64(out->length, view->size - out->offset);
		status = packed_run(view, word, out, err);
		if (!status && bitmap)
			status = err_set(err, ERR_DAMAGED,
					 "compressed cluster has subclusters "
					 "(0x%016llx)",
					 (unsigned long long)bitmap);
	} else {
		status = plain_run(view, word, bitmap, within, out, err);
	}
	if (status)
		err_in(err, "guest offset %llu",
		       (unsigned long long)out->offset);
	return status;
}

bool qcow2_run_join(struct qcow2_run *run, const struct qcow2_run *next)
{
	if (run->kind != next->kind || run->kind == QCOW2_PACKED ||
	    run->offset + run->length != next->offset)
		return false;
	if (run->kind == QCOW2_PLAIN && run->place + run->length != next->place)
		return false;
	run->length += next->length;
	return true;
}

int qcow2_entries_run(const struct qcow2_view *view,
		      const unsigned char *entries, size_t count,
		      uint64_t guest, uint64_t offset, uint64_t end,
		      struct qcow2_run *out, struct err *err)
{
	uint32_t cluster = view->header->cluster_size;
	uint64_t stop = min_u64(end, guest + count * (uint64_t)cluster);
	uint64_t at = offset, start;
	struct qcow2_run next;
	size_t index;

	/* Each turn moves on by the length of a run, which is not 0. */
	while (at < stop) {
		index = (size_t)((at - guest) / cluster);
		start = guest + index * (uint64_t)cluster;
		if (qcow2_entry_run(
			    view, entries + index * view->header->l2_entry_len,
			    start, (uint32_t)(at - start), &next, err))
			return -1;
		if (at == offset)
			*out = next;
		else if (!qcow2_run_join(out, &next))
			break;
		at += next.length;
	}
	out->length = min_u64(out->length, end - offset);
	return 0;
}
