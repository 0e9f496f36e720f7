/* SPDX-License-Identifier: MIT */
/* Owns the header of a QED image: its fields, their ranges, and how they are
 * named for `info`. Does not read tables. */
#include "formats/images/qed/qed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

static int get_sizes(const unsigned char *bytes, struct qed_header *out,
		     struct err *err)
{
	out->cluster_size = bytes_le32(bytes + QED_CLUSTER_SIZE_AT);
	out->table_size = bytes_le32(bytes + QED_TABLE_SIZE_AT);
	out->header_size = bytes_le32(bytes + QED_HEADER_SIZE_AT);
	if (!is_power_of_two(out->cluster_size) ||
	    out->cluster_size < QED_CLUSTER_MIN ||
	    out->cluster_size > QED_CLUSTER_MAX)
		return err_set(err, ERR_DAMAGED,
			       "cluster size %u is not a power of two from %d "
			       "to %d",
			       out->cluster_size, QED_CLUSTER_MIN,
			       QED_CLUSTER_MAX);
	if (!is_power_of_two(out->table_size) ||
	    out->table_size > QED_TABLE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "table size %u is not a power of two from 1 to "
			       "%d",
			       out->table_size, QED_TABLE_MAX);
	if (!out->header_size)
		return err_set(err, ERR_DAMAGED, "header size is 0 clusters");
	return 0;
}

void qed_header_derive(struct qed_header *header)
{
	header->table_len = (uint64_t)header->table_size * header->cluster_size;
	header->entries = header->table_len / QED_ENTRY_LEN;
	header->l2_span = header->entries * header->cluster_size;
	header->l1_used = div_up(header->size, header->l2_span);
	header->first = (uint64_t)header->header_size * header->cluster_size;
}

static int check_size(const struct qed_header *header, struct err *err)
{
	if (header->size % 512)
		return err_set(err, ERR_DAMAGED,
			       "size %" PRIu64 " is not a multiple of 512",
			       header->size);
	if (header->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "size %" PRIu64 " is out of range (0..%" PRIu64
			       ")",
			       header->size, LIMIT_DISK_SIZE);
	if (header->l1_used > header->entries)
		return err_set(err, ERR_DAMAGED,
			       "size %" PRIu64 " is more than its tables map "
			       "(%" PRIu64 ")",
			       header->size, header->entries * header->l2_span);
	return 0;
}

static int check_l1(const struct qed_header *header, uint64_t file_size,
		    struct err *err)
{
	uint64_t offset = header->l1_offset;

	if (offset % header->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "L1 table offset %" PRIu64 " is not a multiple "
			       "of the cluster size (%u)",
			       offset, header->cluster_size);
	if (offset < header->first)
		return err_set(err, ERR_DAMAGED,
			       "L1 table at %" PRIu64 " overlaps the header "
			       "(%" PRIu64 " bytes)",
			       offset, header->first);
	if (!checked_inside(offset, header->table_len,
			    min_u64(file_size, INT64_MAX)))
		return err_set(err, ERR_DAMAGED,
			       "L1 table at %" PRIu64 " (%" PRIu64 " bytes) "
			       "lies past the end of the file (%" PRIu64 ")",
			       offset, header->table_len, file_size);
	return 0;
}

static int check_backing(const struct qed_header *header, struct err *err)
{
	if (!(header->features & QED_F_BACKING_FILE))
		return 0;
	if (!header->backing_len || header->backing_len >= QED_NAME_LEN)
		return err_set(err, ERR_DAMAGED,
			       "backing file name of %u bytes is out of range "
			       "(1..%d)",
			       header->backing_len, QED_NAME_LEN - 1);
	if (!checked_inside(header->backing_offset, header->backing_len,
			    header->first))
		return err_set(err, ERR_DAMAGED,
			       "backing file name at %u (%u bytes) is not "
			       "inside the header (%" PRIu64 " bytes)",
			       header->backing_offset, header->backing_len,
			       header->first);
	return 0;
}

static int check_name(const struct qed_header *header, struct err *err)
{
	if (memchr(header->backing, 0, header->backing_len))
		return err_set(err, ERR_DAMAGED,
			       "backing file name has a NUL in it");
	return 0;
}

int qed_header_parse(const unsigned char *bytes, size_t len, uint64_t file_size,
		     struct qed_header *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (len < QED_HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes",
			       len);
	if (bytes_le32(bytes) != QED_MAGIC)
		return err_set(err, ERR_DAMAGED, "magic 0x%08x is not 0x%08x",
			       bytes_le32(bytes), QED_MAGIC);
	out->features = bytes_le64(bytes + QED_FEATURES_AT);
	if (out->features & ~QED_F_KNOWN)
		return err_set(err, ERR_UNSUPPORTED,
			       "unknown features 0x%" PRIx64 " (known: 0x%llx)",
			       (uint64_t)(out->features & ~QED_F_KNOWN),
			       QED_F_KNOWN);
	if (get_sizes(bytes, out, err))
		return -1;
	out->l1_offset = bytes_le64(bytes + QED_L1_AT);
	out->size = bytes_le64(bytes + QED_SIZE_AT);
	out->backing_offset = bytes_le32(bytes + QED_BACKING_AT);
	out->backing_len = bytes_le32(bytes + QED_BACKING_LEN_AT);
	qed_header_derive(out);
	if (check_size(out, err) || check_l1(out, file_size, err) ||
	    check_backing(out, err))
		return -1;
	if (!(out->features & QED_F_BACKING_FILE) ||
	    (uint64_t)out->backing_offset + out->backing_len > len)
		return 0;
	memcpy(out->backing, bytes + out->backing_offset, out->backing_len);
	return check_name(out, err);
}

int qed_header_read(struct source *source, struct qed_header *out,
		    struct err *err)
{
	unsigned char bytes[QED_HEADER_LEN];
	size_t got;

	if (source_read(source, bytes, sizeof bytes, 0, &got, err) ||
	    qed_header_parse(bytes, got, source->size, out, err))
		return -1;
	if (!(out->features & QED_F_BACKING_FILE))
		return 0;
	if (source_read_all(source, out->backing, out->backing_len,
			    out->backing_offset, "backing file name", err))
		return -1;
	return check_name(out, err);
}

void qed_header_put(const struct qed_header *header, unsigned char *out)
{
	bytes_put_le32(out, QED_MAGIC);
	bytes_put_le32(out + QED_CLUSTER_SIZE_AT, header->cluster_size);
	bytes_put_le32(out + QED_TABLE_SIZE_AT, header->table_size);
	bytes_put_le32(out + QED_HEADER_SIZE_AT, header->header_size);
	bytes_put_le64(out + QED_FEATURES_AT, header->features);
	bytes_put_le64(out + QED_L1_AT, header->l1_offset);
	bytes_put_le64(out + QED_SIZE_AT, header->size);
	bytes_put_le32(out + QED_BACKING_AT, header->backing_offset);
	bytes_put_le32(out + QED_BACKING_LEN_AT, header->backing_len);
	memcpy(out + QED_HEADER_LEN, header->backing, header->backing_len);
}

void qed_info(const struct qed_header *header, struct facts *facts)
{
	facts_number(facts, "cluster-size", header->cluster_size);
	facts_number(facts, "table-size", header->table_size);
	facts_number(facts, "header-size", header->header_size);
	facts_bool(facts, "need-check", header->features & QED_F_NEED_CHECK);
	if (!(header->features & QED_F_BACKING_FILE))
		return;
	facts_text(facts, "backing-file", "%s", header->backing);
	if (header->features & QED_F_NO_PROBE)
		facts_text(facts, "backing-format", "raw");
}

int qed_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err)
{
	struct qed_header *header;
	int result;

	if (len < QED_HEADER_LEN)
		return 1;
	header = mem_zalloc(sizeof *header);
	result = qed_header_parse(head, len, UINT64_MAX, header, err);
	if (!result && (header->features & QED_F_BACKING_FILE) &&
	    !*header->backing)
		result = 1;
	if (!result) {
		*size = header->size;
		qed_info(header, facts);
	}
	free(header);
	return result;
}
