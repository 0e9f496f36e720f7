/* SPDX-License-Identifier: MIT */
/* Owns the way from a guest offset to where clusters lie. Reads no data. */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/qcow/qcow.h"

#define PACKED_BIT ((uint64_t)1 << 63)

/* What an entry says of the cluster at guest offset `guest`. */
int qcow_judge(const struct qcow_disk *qcow, uint64_t entry, uint64_t guest,
		 struct qcow_run *out, struct err *err)
{
	const struct qcow_header *header = &qcow->header;
	unsigned shift = 63 - header->cluster_bits;
	uint64_t mask = ((uint64_t)1 << shift) - 1;

	*out = (struct qcow_run){ .kind = QCOW_NOWHERE };
	if (!entry)
		return 0;
	if (entry & PACKED_BIT) {
		out->kind = QCOW_PACKED;
		out->place = entry & mask;
		out->stored = entry >> shift & (header->cluster_size - 1);
		if (!out->stored)
			return err_set(err, ERR_DAMAGED,
				       "compressed cluster of guest offset %"
				       PRIu64 " has no bytes", guest);
	} else {
		out->kind = QCOW_PLAIN;
		out->place = entry;
		out->stored = min_u64(header->cluster_size,
				      header->size - guest);
		if (entry % 512)
			return err_set(err, ERR_DAMAGED,
				       "cluster at %" PRIu64
				       " is not on a sector", entry);
	}
	if (out->place < QCOW_HEADER_LEN ||
	    !checked_inside(out->place, out->stored, qcow->source->size))
		return err_set(err, ERR_DAMAGED,
			       "cluster at %" PRIu64 " (%" PRIu64 " bytes) of "
			       "guest offset %" PRIu64 " lies in the header or "
			       "past the end of the file (%" PRIu64 ")",
			       out->place, out->stored, guest,
			       qcow->source->size);
	return 0;
}

/* `next` goes on where `run` ends, in the guest and in the file? */
static bool joins(const struct qcow_run *run, const struct qcow_run *next)
{
	return run->kind == next->kind && run->kind != QCOW_PACKED &&
	       (run->kind == QCOW_NOWHERE ||
		run->place + run->length == next->place);
}

/* The run out of one L2 table that starts at `offset`; ends at `end`. */
static int table_run(const struct qcow_disk *qcow, const unsigned char *table,
		     uint64_t offset, uint64_t end, struct qcow_run *out,
		     struct err *err)
{
	const struct qcow_header *header = &qcow->header;
	uint64_t span_at = round_down(offset, header->l2_span);
	uint64_t at = offset;

	end = min_u64(end, span_at + header->l2_span);
	/* Ends: each turn goes on to the next cluster. */
	while (at < end) {
		uint64_t guest = round_down(at, header->cluster_size);
		uint64_t index = (guest - span_at) >> header->cluster_bits;
		uint64_t stop = min_u64(end, guest + header->cluster_size);
		struct qcow_run next;

		if (qcow_judge(qcow, bytes_be64(table + index * 8), guest, &next,
			  err))
			return -1;
		if (at == offset) {
			*out = next;
			out->offset = offset;
			out->skip = (uint32_t)(offset - guest);
			if (out->kind == QCOW_PLAIN)
				out->place += offset - guest;
		} else if (!joins(out, &next)) {
			break;
		}
		at = stop;
		out->length = at - offset;
		if (out->kind == QCOW_PACKED)
			break;
	}
	return 0;
}

int qcow_find_run(struct qcow_disk *qcow, uint64_t offset, uint64_t limit,
		    struct qcow_run *out, struct err *err)
{
	const struct qcow_header *header = &qcow->header;
	uint64_t index = offset / header->l2_span;
	const unsigned char *table;
	struct table_slot *slot;
	int result;

	if (!qcow->l1[index]) {
		uint64_t end = index + 1;

		/* Ends: at the end of the table. */
		while (end < header->l1_count && !qcow->l1[end] &&
		       end * header->l2_span < offset + limit)
			end++;
		*out = (struct qcow_run){ .kind = QCOW_NOWHERE, .offset = offset };
		out->length = min_u64(end * header->l2_span - offset, limit);
		return 0;
	}
	table = table_cache_hold(qcow->tables, qcow->l1[index], &slot, err);
	if (!table)
		return -1;
	result = table_run(qcow, table, offset, offset + limit, out, err);
	table_cache_drop(qcow->tables, slot);
	return result;
}
