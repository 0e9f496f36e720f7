/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a guest offset to what is stored for it: the L1 table of
 * one state, held in memory, and L2 tables through the cache. Does not read
 * data.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/qcow2.h"

/* With 2 MiB clusters a whole table would be too much for one look-up. */
#define SLICE_MAX ((size_t)(64 * KIB))
/* Slices one call may look at: enough to join long runs, few enough that a
 * short question is answered soon. */
#define SLICES_A_RUN 16

uint64_t *qcow2_tables_l1(struct source *source, uint64_t offset,
			  uint32_t entries, struct err *err)
{
	uint64_t *l1 = mem_capped(entries ? entries : 1, sizeof *l1,
				  LIMIT_TABLE_LEN, "L1 table", err);

	if (!l1)
		return NULL;
	if (source_read_all(source, l1, (size_t)entries * sizeof *l1, offset,
			    "L1 table", err)) {
		free(l1);
		return NULL;
	}
	for (uint32_t i = 0; i < entries; i++)
		l1[i] = bytes_be64(&l1[i]);
	return l1;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int qcow2_tables_check_shared(const uint64_t *l1, uint64_t count,
			      struct err *err)
{
	AUTO_FREE uint64_t *sorted =
		mem_resize(NULL, count + 1, sizeof *sorted);

	for (uint64_t i = 0; i < count; i++)
		sorted[i] = l1[i] & QCOW2_OFFSET_MASK;
	qsort(sorted, count, sizeof *sorted, by_place);
	for (uint64_t i = 1; i < count; i++)
		if (sorted[i] && sorted[i] == sorted[i - 1])
			return err_set(err, ERR_DAMAGED,
				       "L2 table at %llu is used twice",
				       (unsigned long long)sorted[i]);
	return 0;
}

int qcow2_tables_open(struct qcow2_tables *tables,
		      const struct qcow2_header *header,
		      const struct qcow2_snapshot *snapshot,
		      struct source *source, uint64_t memory, struct err *err)
{
	struct qcow2_view *view = &tables->view;

	memset(tables, 0, sizeof *tables);
	view->header = header;
	view->file_size = view->data_size = source->size;
	view->size = snapshot ? snapshot->size : header->size;
	view->l1_offset = snapshot ? snapshot->l1_offset : header->l1_offset;
	tables->l1_entries =
		snapshot ? snapshot->l1_entries : header->l1_entries;
	view->l1_len = (uint64_t)tables->l1_entries * 8;
	tables->source = source;
	if (qcow2_header_check_l1(header, view->l1_offset, tables->l1_entries,
				  view->size, view->file_size, err))
		return -1;
	tables->l1 = qcow2_tables_l1(source, view->l1_offset,
				     tables->l1_entries, err);
	if (!tables->l1 ||
	    qcow2_tables_check_shared(tables->l1,
				      div_up(view->size, header->l2_span), err))
		return -1;
	tables->slice = (size_t)min_u64(header->cluster_size, SLICE_MAX);
	tables->cache = table_cache_open(source, "L2 table", tables->slice,
					 memory);
	return 0;
}

void qcow2_tables_close(struct qcow2_tables *tables)
{
	free(tables->l1);
	tables->l1 = NULL;
	tables->cache = table_cache_close(tables->cache);
}

/* No L2 table: the run reaches to the next one there is. */
static void absent_run(const struct qcow2_tables *tables, uint64_t offset,
		       uint64_t end, struct qcow2_run *out)
{
	uint64_t span = tables->view.header->l2_span;
	uint64_t index = offset / span + 1;

	while (index * span < end && !tables->l1[index])
		index++;
	*out = (struct qcow2_run){
		.kind = QCOW2_UNALLOCATED,
		.offset = offset,
		.length = min_u64(end, index * span) - offset,
	};
}

/* What one slice of an L2 table says about the range from `offset`. */
static int slice_run(struct qcow2_tables *tables, uint64_t place,
		     uint64_t offset, uint64_t end, struct qcow2_run *out,
		     struct err *err)
{
	const struct qcow2_header *header = tables->view.header;
	size_t count = tables->slice / header->l2_entry_len;
	uint64_t span = (uint64_t)count << header->cluster_bits;
	uint64_t guest = round_down(offset, span);
	uint64_t number = guest % header->l2_span / span;
	const unsigned char *entries;
	struct table_slot *slot;
	int status;

	entries = table_cache_hold(tables->cache,
				   place + number * tables->slice, &slot, err);
	if (!entries)
		return -1;
	status = qcow2_entries_run(&tables->view, entries, count, guest, offset,
				   end, out, err);
	table_cache_drop(tables->cache, slot);
	return status;
}

int qcow2_tables_run(struct qcow2_tables *tables, uint64_t offset,
		     uint64_t limit, struct qcow2_run *out, struct err *err)
{
	uint64_t end = offset + min_u64(limit, tables->view.size - offset);
	uint64_t at = offset, index, place;
	struct qcow2_run next;
	unsigned slices = 0;

	/* Each turn moves on by a run, which is not empty. */
	while (at < end && slices < SLICES_A_RUN) {
		index = at / tables->view.header->l2_span;
		if (qcow2_entry_l2(&tables->view, tables->l1[index], index,
				   &place, err))
			return -1;
		if (!place) {
			absent_run(tables, at, end, &next);
		} else {
			slices++;
			if (slice_run(tables, place, at, end, &next, err))
				return -1;
		}
		if (at == offset)
			*out = next;
		else if (!qcow2_run_join(out, &next))
			break;
		at += next.length;
	}
	return 0;
}
