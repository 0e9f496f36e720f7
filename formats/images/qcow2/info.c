/* SPDX-License-Identifier: MIT */
/* Owns how a qcow2's facts are named for `info`. */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/units.h"
#include "formats/images/qcow2/qcow2.h"

static void snapshot_fact(const struct qcow2_snapshot *snapshot,
			  struct facts *facts)
{
	char size[32], date[32] = "?";
	time_t seconds = snapshot->seconds;
	struct tm parts;

	if (gmtime_r(&seconds, &parts))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &parts);
	facts_item(facts, "snapshot", "%s %s %s %s", snapshot->id,
		   snapshot->name,
		   units_exact(snapshot->size, size, sizeof size), date);
}

static void names(const struct qcow2_header *header, struct facts *facts)
{
	if (header->has_backing)
		facts_text(facts, "backing-file", "%s", header->backing);
	if (header->has_backing && header->backing_format[0])
		facts_text(facts, "backing-format", "%s",
			   header->backing_format);
	if (!header->has_data_file)
		return;
	facts_text(facts, "data-file", "%s", header->data_file);
	facts_bool(facts, "data-file-raw",
		   header->autoclear & QCOW2_AUTOCLEAR_DATA_RAW);
}

void qcow2_info(const struct qcow2_header *header,
		const struct qcow2_snapshots *snapshots, struct facts *facts)
{
	facts_number(facts, "version", header->version);
	facts_text(facts, "compat", "%s",
		   header->version == 2 ? "0.10" : "1.1");
	facts_number(facts, "cluster-size", header->cluster_size);
	facts_number(facts, "refcount-bits",
		     (uint64_t)1 << header->refcount_order);
	facts_text(facts, "compression", "%s",
		   header->compression ? "zstd" : "zlib");
	facts_bool(facts, "extended-l2", header->extended_l2);
	facts_bool(facts, "lazy-refcounts",
		   header->compatible & QCOW2_COMPAT_LAZY_REFCOUNTS);
	facts_bool(facts, "dirty", header->incompatible & QCOW2_INCOMPAT_DIRTY);
	facts_bool(facts, "corrupt",
		   header->incompatible & QCOW2_INCOMPAT_CORRUPT);
	if (header->crypt)
		facts_text(facts, "encryption", "%s",
			   header->crypt == 1 ? "aes" : "luks");
	names(header, facts);
	if (header->has_bitmaps)
		facts_number(facts, "bitmaps", header->bitmap_count);
	for (size_t i = 0; i < snapshots->count; i++)
		snapshot_fact(&snapshots->list[i], facts);
	facts_number(facts, "extensions", header->extension_count);
}

int qcow2_peek(const unsigned char *head, size_t len, uint64_t *size,
	       struct facts *facts, struct err *err)
{
	static const struct qcow2_snapshots not_seen;
	struct qcow2_header *header;
	size_t want;

	if (qcow2_header_want(head, len, &want, err))
		return -1;
	if (want > len)
		return 1;
	header = mem_zalloc(sizeof *header);
	int result = qcow2_header_parse(head, len, UINT64_MAX,
					QCOW2_FOR_PLANNING, header, err);
	if (!result) {
		*size = header->size;
		qcow2_info(header, &not_seen, facts);
		/* Their table lies further on in the file. */
		if (header->snapshot_count)
			facts_number(facts, "snapshots",
				     header->snapshot_count);
	}
	free(header);
	return result;
}
