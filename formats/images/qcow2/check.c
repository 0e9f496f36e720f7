/* SPDX-License-Identifier: MIT */
/*
 * Owns the consistency check: goes through every structure of every state,
 * judges the entries and counts uses. Changes nothing; does not count itself
 * (refcounts.c does).
 */

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow2/refcounts.h"

struct state {
	struct refcounts *refs;
	struct qcow2_view view;
	bool active;
	/* Of the disk; behind it lies the machine's state of a snapshot. */
	uint64_t size;
	unsigned char *table; /* one L2 table */
};

/* The "copied" flag says that the refcount is exactly one. */
static int check_copied(struct state *state, uint64_t entry, uint64_t offset,
			const char *what, struct err *err)
{
	bool copied = entry & QCOW2_COPIED;
	uint64_t stored;

	/* Snapshots' own copies of the flag are stale by design. */
	if (!state->active)
		return 0;
	if (refcounts_stored(state->refs, offset, &stored, err))
		return -1;
	if (copied != (stored == 1))
		check_corruption(state->refs->report,
				 "%s at %llu: copied flag is %s, but the "
				 "refcount is %llu",
				 what, (unsigned long long)offset,
				 copied ? "set" : "clear",
				 (unsigned long long)stored);
	return 0;
}

/* Is each run of the cluster as it may be? */
static bool judge(struct state *state, const unsigned char *entry,
		  uint64_t guest)
{
	uint32_t cluster = state->view.header->cluster_size;
	uint64_t end = guest + cluster;
	struct qcow2_run run;
	struct err err;

	/* What lies behind the disk is judged as if the disk went on; its last
	 * cluster need not be whole. */
	state->view.size = guest < state->size ? state->size : end;
	if (!state->view.external)
		state->view.data_size =
			guest < state->size
				? state->view.file_size
				: round_up(state->view.file_size, cluster);
	end = min_u64(end, state->view.size);
	for (uint64_t at = guest; at < end; at += run.length) {
		if (!qcow2_entry_run(&state->view, entry, guest,
				     (uint32_t)(at - guest), &run, &err))
			continue;
		check_corruption(state->refs->report, "%s", err.message);
		return false;
	}
	return true;
}

static int check_entry(struct state *state, const unsigned char *entry,
		       uint64_t guest, struct err *err)
{
	const struct qcow2_header *header = state->view.header;
	uint64_t word = bytes_be64(entry), place, stored;
	struct refcounts *refs = state->refs;

	if (!judge(state, entry, guest))
		return 0;
	if (word & QCOW2_COMPRESSED) {
		if (word & QCOW2_COPIED)
			check_corruption(refs->report,
					 "guest offset %llu: copied flag is "
					 "set for a compressed cluster",
					 (unsigned long long)guest);
		qcow2_entry_packed(header, word, &place, &stored);
		refcounts_use(refs, place, stored, USE_DATA,
			      "compressed cluster");
		return 0;
	}
	place = word & QCOW2_OFFSET_MASK;
	if (!place || state->view.external)
		return 0;
	if (!refcounts_use(refs, place, header->cluster_size, USE_DATA,
			   "cluster"))
		return 0;
	if (!refcounts_first_use(refs, place))
		check_corruption(refs->report,
				 "guest offset %llu: cluster at %llu is mapped "
				 "a second time",
				 (unsigned long long)guest,
				 (unsigned long long)place);
	return check_copied(state, word, place, "cluster", err);
}

static int check_l2(struct state *state, uint64_t index, uint64_t place,
		    struct err *err)
{
	const struct qcow2_header *header = state->view.header;
	uint64_t guest = index * header->l2_span;

	if (check_spend(state->refs->report, header->cluster_size, err) ||
	    source_read_all(state->refs->source, state->table,
			    header->cluster_size, place, "L2 table", err))
		return -1;
	for (uint64_t i = 0; i < header->l2_entries; i++)
		if (check_entry(state, state->table + i * header->l2_entry_len,
				guest + (i << header->cluster_bits), err))
			return -1;
	return 0;
}

static int check_l1_entry(struct state *state, uint64_t entry, uint64_t index,
			  struct err *err)
{
	struct refcounts *refs = state->refs;
	uint64_t place;
	struct err found;

	if (qcow2_entry_l2(&state->view, entry, index, &place, &found)) {
		check_corruption(refs->report, "%s", found.message);
		return 0;
	}
	if (!place)
		return 0;
	if (!refcounts_use(refs, place, state->view.header->cluster_size,
			   USE_L2, "L2 table"))
		return 0;
	/* Followed once a state: this is what bounds the time. */
	if (!refcounts_first_use(refs, place)) {
		check_corruption(refs->report,
				 "L1 entry %llu: L2 table at %llu is used a "
				 "second time",
				 (unsigned long long)index,
				 (unsigned long long)place);
		return 0;
	}
	if (check_copied(state, entry, place, "L2 table", err))
		return -1;
	return check_l2(state, index, place, err);
}

/* One state: its L1 table and all below it. */
static int check_state(struct state *state, uint64_t offset, uint32_t entries,
		       struct err *err)
{
	AUTO_FREE uint64_t *l1 = NULL;

	state->view.l1_offset = offset;
	state->view.l1_len = (uint64_t)entries * 8;
	refcounts_begin_state(state->refs);
	if (!refcounts_use(state->refs, offset, state->view.l1_len, USE_FIXED,
			   "L1 table"))
		return 0;
	if (check_spend(state->refs->report, state->view.l1_len, err))
		return -1;
	l1 = qcow2_tables_l1(state->refs->source, offset, entries, err);
	if (!l1)
		return -1;
	for (uint32_t i = 0; i < entries; i++)
		if (check_l1_entry(state, l1[i], i, err))
			return -1;
	return 0;
}

static int check_snapshot(struct state *state,
			  const struct qcow2_snapshot *snapshot,
			  struct err *err)
{
	const struct qcow2_header *header = state->view.header;
	struct err found;

	if (qcow2_header_check_l1(header, snapshot->l1_offset,
				  snapshot->l1_entries, snapshot->size,
				  state->refs->source->size, &found)) {
		check_corruption(state->refs->report, "snapshot %s: %s",
				 snapshot->name, found.message);
		return 0;
	}
	state->active = false;
	state->size = snapshot->size;
	return check_state(state, snapshot->l1_offset, snapshot->l1_entries,
			   err);
}

static int check_all(struct refcounts *refs,
		     const struct qcow2_snapshots *snapshots, struct err *err)
{
	const struct qcow2_header *header = refs->header;
	AUTO_FREE unsigned char *table = mem_buffer(header->cluster_size);
	struct state state = {
		.refs = refs,
		.active = true,
		.size = header->size,
		.table = table,
		.view = {
			.header = header,
			.file_size = refs->source->size,
			.data_size = UINT64_MAX,
			.external = header->has_data_file,
		},
	};

	refcounts_use(refs, 0, header->cluster_size, USE_FIXED, "header");
	refcounts_use(refs, header->snapshots_offset, snapshots->table_len,
		      USE_FIXED, "snapshot table");
	if (header->crypto_len)
		refcounts_use(refs, header->crypto_offset, header->crypto_len,
			      USE_FIXED, "encryption header");
	if (check_bitmaps(refs, err) ||
	    check_state(&state, header->l1_offset, header->l1_entries, err))
		return -1;
	for (size_t i = 0; i < snapshots->count; i++)
		if (check_snapshot(&state, &snapshots->list[i], err))
			return err_in(err, "snapshot %s",
				      snapshots->list[i].name);
	return refcounts_compare(refs, err);
}

static void note_flags(const struct qcow2_header *header, struct log *log)
{
	if (header->incompatible & QCOW2_INCOMPAT_DIRTY)
		log_note(log, "qcow2: the image was not closed properly: "
			      "its reference counts may be stale");
	if (header->incompatible & QCOW2_INCOMPAT_CORRUPT)
		log_note(log, "qcow2: the image is marked corrupt");
}

int qcow2_check(struct source *source, const struct open_options *options,
		struct check_report *report, struct err *err)
{
	struct qcow2_snapshots snapshots;
	struct qcow2_header header;
	struct refcounts refs;
	int status;

	if (qcow2_header_read(source, QCOW2_FOR_LOOKING, &header, err) ||
	    qcow2_snapshots_read(source, &header, &snapshots, err))
		return -1;
	note_flags(&header, options->log);
	status = refcounts_open(&refs, &header, source, report, options->memory,
				err);
	if (!status)
		status = check_all(&refs, &snapshots, err);
	refcounts_close(&refs);
	qcow2_snapshots_clear(&snapshots);
	return status;
}
