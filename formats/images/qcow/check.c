/* SPDX-License-Identifier: MIT */
/* Owns the consistency check of qcow version 1: judges each entry and who
 * uses which bytes. Changes nothing; does not decode clusters. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"
#include "formats/usage.h"

struct state {
	const struct qcow_header *header;
	struct source *source;
	struct usage *usage;
	struct check_report *report;
	unsigned char *table;
};

static int check_cluster(struct state *state, uint64_t entry, uint64_t guest,
			 struct err *err)
{
	uint64_t size = state->source->size, length;
	struct qcow_cluster cluster;
	struct err found;

	/* Behind the disk's end nothing is read; its tables go on, though. */
	if (guest >= state->header->size)
		return 0;
	if (qcow_cluster_judge(state->header, entry, guest, size, &cluster,
			       &found)) {
		check_corruption(state->report, "%s", found.message);
		return 0;
	}
	if (!cluster.stored)
		return 0;
	length = cluster.length;
	if (!cluster.packed)
		length = min_u64(state->header->cluster_size,
				 size - cluster.place);
	return usage_claim(state->usage, state->report,
			   cluster.packed ? "compressed cluster" : "cluster",
			   cluster.place, length, err);
}

static int check_table(struct state *state, uint64_t index, uint64_t place,
		       struct err *err)
{
	const struct qcow_header *header = state->header;
	struct err found;

	if (qcow_l2_judge(header, place, state->source->size, &found)) {
		check_corruption(state->report, "%s", found.message);
		return 0;
	}
	if (usage_claim(state->usage, state->report, "L2 table", place,
			header->l2_len, err) ||
	    source_read_all(state->source, state->table, header->l2_len, place,
			    "L2 table", err))
		return -1;
	for (uint64_t i = 0; i < header->l2_len / 8; i++)
		if (check_cluster(state, bytes_be64(state->table + i * 8),
				  index * header->l2_span +
					  i * header->cluster_size,
				  err))
			return -1;
	return 0;
}

static int check_all(struct state *state, struct err *err)
{
	const struct qcow_header *header = state->header;
	AUTO_FREE uint64_t *l1 = qcow_l1_read(state->source, header, err);
	uint64_t shared;

	if (!l1 ||
	    usage_claim(state->usage, state->report, "header", 0,
			QCOW_HEADER_LEN, err) ||
	    usage_claim(state->usage, state->report, "L1 table", header->l1_at,
			header->l1_entries * 8, err) ||
	    (header->backing_at &&
	     usage_claim(state->usage, state->report, "backing file name",
			 header->backing_at, header->backing_len, err)))
		return -1;
	shared = qcow_l1_shared(l1, header->l1_entries);
	if (shared) {
		/* Each would be followed as often as it is named. */
		check_corruption(state->report,
				 "L2 table at %" PRIu64
				 " is used twice; tables are not looked into",
				 shared);
		return 0;
	}
	for (uint64_t i = 0; i < header->l1_entries; i++)
		if (l1[i] && check_table(state, i, l1[i], err))
			return -1;
	/* Alignment of the tables may lose a sector and a cluster, nearly. */
	usage_report(state->usage, state->report,
		     (uint64_t)header->cluster_size + 512);
	return 0;
}

int qcow_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err)
{
	struct qcow_header header;
	int status;

	(void)options;
	if (qcow_header_read(source, true, &header, err))
		return -1;
	AUTO_FREE unsigned char *table = mem_buffer(header.l2_len);
	struct state state = {
		.header = &header,
		.source = source,
		.usage = usage_open(source->size),
		.report = report,
		.table = table,
	};
	status = check_all(&state, err);
	usage_close(state.usage);
	return status;
}
