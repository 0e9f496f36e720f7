/* SPDX-License-Identifier: MIT */
/* Owns the check of a qcow image: every cluster is claimed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"
#include "formats/usage.h"

static int claim_cluster(struct qcow_disk *qcow, struct usage *usage,
			 struct check_report *report, uint64_t entry,
			 uint64_t guest)
{
	struct err found;
	struct qcow_run run;

	if (qcow_judge(qcow, entry, guest, &run, &found)) {
		check_corruption(report, "%s", found.message);
		return 0;
	}
	if (run.kind == QCOW_NOWHERE)
		return 0;
	return usage_claim(usage, report,
			   run.kind == QCOW_PACKED ? "compressed cluster"
					      : "cluster",
			   run.place, run.stored, &found);
}

static int claim_table(struct qcow_disk *qcow, struct usage *usage,
		       struct check_report *report, uint64_t index,
		       struct err *err)
{
	const struct qcow_header *header = &qcow->header;
	uint64_t guest = index * header->l2_span;
	AUTO_FREE unsigned char *table = mem_buffer((size_t)header->l2_len);

	if (qcow_check_place(qcow, "L2 table", qcow->l1[index], header->l2_len,
			err)) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	if (usage_claim(usage, report, "L2 table", qcow->l1[index],
			header->l2_len, err) ||
	    source_read_all(qcow->source, table, (size_t)header->l2_len,
			    qcow->l1[index], "L2 table", err))
		return -1;
	for (uint64_t i = 0; i < header->l2_len / 8 && guest < header->size;
	     i++, guest += header->cluster_size)
		if (claim_cluster(qcow, usage, report,
				  bytes_be64(table + i * 8), guest))
			return err_set(err, ERR_LIMIT,
				       "the image is in more pieces than can "
				       "be checked");
	return 0;
}

static int claim_all(struct qcow_disk *qcow, struct usage *usage,
		     struct check_report *report, struct err *err)
{
	const struct qcow_header *header = &qcow->header;

	if (usage_claim(usage, report, "header", 0, QCOW_HEADER_LEN, err) ||
	    (qcow_has_backing(header) &&
	     usage_claim(usage, report, "backing file name", header->name_at,
			 header->name_len, err)) ||
	    usage_claim(usage, report, "L1 table", header->l1_at,
			header->l1_count * 8, err))
		return -1;
	for (uint64_t i = 0; i < header->l1_count; i++)
		if (qcow->l1[i] && claim_table(qcow, usage, report, i, err))
			return -1;
	return 0;
}

int qcow_check(struct source *source, const struct open_options *options,
		      struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = qcow_open_tables(source, options, err);
	struct usage *usage;
	int result;

	if (!disk && err->kind == ERR_DAMAGED) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	if (!disk)
		return -1;
	if (qcow_check_l1((struct qcow_disk *)disk, err)) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	usage = usage_open(source->size);
	result = claim_all((struct qcow_disk *)disk, usage, report, err);
	if (!result)
		/* Less than a cluster lies between what is aligned. */
		usage_report(usage, report,
			     ((struct qcow_disk *)disk)->header.cluster_size);
	usage_close(usage);
	return result;
}
