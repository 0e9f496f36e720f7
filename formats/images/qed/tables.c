/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a guest offset to what is stored for it: the L1 table in
 * memory, L2 tables through the cache; and the check of all of them. Does not
 * read data.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qed/qed.h"
#include "formats/usage.h"

/* A whole table may have a GiB. */
#define SLICE_MAX ((size_t)(64 * KIB))
/* Slices one call may look at: enough to join long runs, few enough that a
 * short question is answered soon. */
#define SLICES_A_RUN 16
/* Data runs are used a unit at a time: longer ones are looked up in vain. */
#define RUN_ENOUGH GIB

/* Header and L1 table, the places nothing else may have. */
static bool is_taken(const struct qed_header *header, uint64_t offset,
		     uint64_t length)
{
	return offset < header->first ||
	       (offset < header->l1_offset + header->table_len &&
		header->l1_offset < offset + length);
}

/* `length` bytes at `offset`, out of an entry. */
static int check_place(const struct qed_header *header, uint64_t file_size,
		       const char *what, uint64_t offset, uint64_t length,
		       struct err *err)
{
	if (offset % header->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "%s offset %" PRIu64 " is not a multiple of the "
			       "cluster size (%u)",
			       what, offset, header->cluster_size);
	if (!checked_inside(offset, length, min_u64(file_size, INT64_MAX)))
		return err_set(err, ERR_DAMAGED,
			       "%s at %" PRIu64 " (%" PRIu64 " bytes) lies "
			       "past the end of the file (%" PRIu64 ")",
			       what, offset, length, file_size);
	if (is_taken(header, offset, length))
		return err_set(err, ERR_DAMAGED,
			       "%s at %" PRIu64 " overlaps the header or the "
			       "L1 table",
			       what, offset);
	return 0;
}

/* Entry of guest cluster `cluster`: what it says of all of that cluster. */
static int judge(const struct qed_tables *tables, uint64_t cluster,
		 uint64_t entry, struct extent *out, struct err *err)
{
	const struct qed_header *header = tables->header;

	memset(out, 0, sizeof *out);
	out->offset = cluster * header->cluster_size;
	out->length = header->cluster_size;
	if (out->offset < header->size)
		out->length = min_u64(out->length, header->size - out->offset);
	out->kind = entry ? EXTENT_ZERO : EXTENT_HOLE;
	if (entry <= QED_ENTRY_ZERO)
		return 0;
	out->kind = EXTENT_DATA;
	out->place = entry;
	return check_place(header, tables->source->size, "data cluster", entry,
			   out->length, err);
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* No two L1 entries share an L2 table: so the work to go through all of them
 * is bounded by the file, not by what its L1 table claims. */
static int check_shared(const uint64_t *l1, uint64_t count, struct err *err)
{
	AUTO_FREE uint64_t *sorted =
		mem_resize(NULL, count + 1, sizeof *sorted);

	memcpy(sorted, l1, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_place);
	for (uint64_t i = 1; i < count; i++)
		if (sorted[i] && sorted[i] == sorted[i - 1])
			return err_set(err, ERR_DAMAGED,
				       "L2 table at %" PRIu64 " is used twice",
				       sorted[i]);
	return 0;
}

static uint64_t *read_l1(struct source *source, const struct qed_header *header,
			 struct err *err)
{
	uint64_t count = header->l1_used;
	uint64_t *l1 = mem_capped(max_u64(count, 1), sizeof *l1,
				  LIMIT_TABLE_LEN, "L1 table", err);

	if (!l1)
		return NULL;
	if (source_read_all(source, l1, (size_t)count * sizeof *l1,
			    header->l1_offset, "L1 table", err)) {
		free(l1);
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++)
		l1[i] = bytes_le64(&l1[i]);
	return l1;
}

int qed_tables_open(struct qed_tables *tables, const struct qed_header *header,
		    struct source *source, uint64_t memory, struct err *err)
{
	memset(tables, 0, sizeof *tables);
	tables->header = header;
	tables->source = source;
	tables->l1 = read_l1(source, header, err);
	if (!tables->l1 || check_shared(tables->l1, header->l1_used, err))
		return -1;
	tables->slice = (size_t)min_u64(header->table_len, SLICE_MAX);
	tables->cache =
		table_cache_open(source, "L2 table", tables->slice, memory);
	return 0;
}

void qed_tables_close(struct qed_tables *tables)
{
	free(tables->l1);
	tables->l1 = NULL;
	tables->cache = table_cache_close(tables->cache);
}

/* No L2 table: the run reaches to the next one there is. */
static void absent_run(const struct qed_tables *tables, uint64_t offset,
		       uint64_t end, struct extent *out)
{
	uint64_t span = tables->header->l2_span;
	uint64_t index = offset / span + 1;

	while (index * span < end && !tables->l1[index])
		index++;
	*out = (struct extent){
		.kind = EXTENT_HOLE,
		.offset = offset,
		.length = min_u64(end, index * span) - offset,
	};
}

/* Runs out of the entries of one slice, whose first maps cluster `first`. */
static int entries_run(const struct qed_tables *tables,
		       const unsigned char *entries, uint64_t first,
		       uint64_t offset, uint64_t end, struct extent *out,
		       struct err *err)
{
	uint64_t cluster_size = tables->header->cluster_size;
	size_t count = tables->slice / QED_ENTRY_LEN;
	size_t i = (size_t)(offset / cluster_size - first);
	uint64_t at = offset;
	struct extent next;

	assert(i < count && at < end);
	for (; i < count && at < end; i++) {
		if (judge(tables, first + i,
			  bytes_le64(entries + i * QED_ENTRY_LEN), &next, err))
			/* What comes before it is good. */
			return at > offset ? 0 : -1;
		if (next.offset < at) {
			next.length -= at - next.offset;
			next.place += at - next.offset;
			next.offset = at;
		}
		if (at == offset)
			*out = next;
		else if (!extent_join(out, &next))
			break;
		at = next.offset + next.length;
	}
	return 0;
}

static int slice_run(struct qed_tables *tables, uint64_t table, uint64_t offset,
		     uint64_t end, struct extent *out, struct err *err)
{
	const struct qed_header *header = tables->header;
	uint64_t count = tables->slice / QED_ENTRY_LEN;
	uint64_t first = round_down(offset / header->cluster_size, count);
	const unsigned char *entries;
	struct table_slot *slot;
	int status;

	entries = table_cache_hold(
		tables->cache, table + first % header->entries * QED_ENTRY_LEN,
		&slot, err);
	if (!entries)
		return -1;
	status = entries_run(tables, entries, first, offset, end, out, err);
	table_cache_drop(tables->cache, slot);
	return status;
}

int qed_tables_run(struct qed_tables *tables, uint64_t offset, uint64_t limit,
		   struct extent *out, struct err *err)
{
	const struct qed_header *header = tables->header;
	uint64_t end = offset + min_u64(limit, header->size - offset);
	uint64_t at = offset, table;
	struct extent next;
	unsigned slices = 0;

	/* Each turn moves on by a run, which is not empty. */
	while (at < end && slices < SLICES_A_RUN &&
	       !(at > offset && out->kind == EXTENT_DATA &&
		 out->length >= RUN_ENOUGH)) {
		table = tables->l1[at / header->l2_span];
		if (!table) {
			absent_run(tables, at, end, &next);
		} else {
			slices++;
			if (check_place(header, tables->source->size,
					"L2 table", table, header->table_len,
					err) ||
			    slice_run(tables, table, at, end, &next, err))
				return at > offset ? 0 : -1;
		}
		if (at == offset)
			*out = next;
		else if (!extent_join(out, &next))
			break;
		at += next.length;
	}
	out->length = min_u64(out->length, end - offset);
	return 0;
}

/* ---- the check ---- */

static int check_entry(struct qed_tables *tables, struct usage *usage,
		       struct check_report *report, uint64_t cluster,
		       uint64_t entry, struct err *err)
{
	uint64_t cluster_size = tables->header->cluster_size;
	struct extent run;
	struct err found;

	if (judge(tables, cluster, entry, &run, &found)) {
		check_corruption(report, "guest offset %" PRIu64 ": %s",
				 cluster * cluster_size, found.message);
		return 0;
	}
	if (run.kind != EXTENT_DATA)
		return 0;
	/* What the guest sees is there; the rest of a last cluster need not. */
	return usage_claim(
		usage, report, "data cluster", run.place,
		min_u64(cluster_size, tables->source->size - run.place), err);
}

/* One L2 table, in parts that fit `part`. */
static int check_l2(struct qed_tables *tables, struct usage *usage,
		    struct check_report *report, uint64_t index,
		    struct err *err)
{
	const struct qed_header *header = tables->header;
	AUTO_FREE unsigned char *part = mem_buffer(tables->slice);
	uint64_t table = tables->l1[index];
	struct err found;

	if (!table)
		return 0;
	if (check_place(header, tables->source->size, "L2 table", table,
			header->table_len, &found)) {
		check_corruption(report, "L1 entry %" PRIu64 ": %s", index,
				 found.message);
		return 0;
	}
	if (usage_claim(usage, report, "L2 table", table, header->table_len,
			err))
		return -1;
	for (uint64_t at = 0; at < header->table_len; at += tables->slice) {
		uint64_t first = index * header->entries + at / QED_ENTRY_LEN;

		if (source_read_all(tables->source, part, tables->slice,
				    table + at, "L2 table", err))
			return -1;
		for (size_t i = 0; i < tables->slice / QED_ENTRY_LEN; i++)
			if (check_entry(tables, usage, report, first + i,
					bytes_le64(part + i * QED_ENTRY_LEN),
					err))
				return -1;
	}
	return 0;
}

static int check_tables(struct qed_tables *tables, struct usage *usage,
			struct check_report *report, struct err *err)
{
	const struct qed_header *header = tables->header;

	if (usage_claim(usage, report, "header", 0, header->first, err) ||
	    usage_claim(usage, report, "L1 table", header->l1_offset,
			header->table_len, err))
		return -1;
	/* No table comes twice: this ends with the file. */
	for (uint64_t i = 0; i < header->l1_used; i++)
		if (check_l2(tables, usage, report, i, err))
			return -1;
	usage_report(usage, report, header->cluster_size);
	return 0;
}

int qed_tables_check(struct source *source, const void *header,
		     struct check_report *report, struct err *err)
{
	struct qed_tables tables;
	struct usage *usage = usage_open(source->size);
	struct err found;
	int status = 0;

	if (!qed_tables_open(&tables, header, source, 0, &found))
		status = check_tables(&tables, usage, report, err);
	else if (found.kind == ERR_DAMAGED)
		check_corruption(report, "%s", found.message);
	else {
		*err = found;
		status = -1;
	}
	qed_tables_close(&tables);
	usage_close(usage);
	return status;
}
