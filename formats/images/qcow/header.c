/* SPDX-License-Identifier: MIT */
/* Owns the header of a qcow image and what it points to at once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"

#define MAGIC 0x514649fbu

static int bad(struct err *err, const char *field, uint64_t value, uint64_t low,
	       uint64_t high)
{
	return err_set(err, ERR_DAMAGED,
		       "%s %" PRIu64 " is out of range (%" PRIu64 "..%" PRIu64
		       ")", field, value, low, high);
}

int qcow_header_parse(const unsigned char *head, size_t len,
			struct qcow_header *out, struct err *err)
{
	if (len < QCOW_HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes of %d", len, QCOW_HEADER_LEN);
	if (bytes_be32(head) != MAGIC || bytes_be32(head + 4) != 1)
		return err_set(err, ERR_DAMAGED, "this is no qcow image");
	*out = (struct qcow_header){
		.name_at = bytes_be64(head + 8),
		.name_len = bytes_be32(head + 16),
		.time = bytes_be32(head + 20),
		.size = bytes_be64(head + 24),
		.cluster_bits = head[32],
		.l2_bits = head[33],
		.crypt = bytes_be32(head + 36),
		.l1_at = bytes_be64(head + 40),
	};
	if (out->cluster_bits < 9 || out->cluster_bits > 16)
		return bad(err, "cluster_bits", out->cluster_bits, 9, 16);
	if (out->l2_bits < 6 || out->l2_bits > 13)
		return bad(err, "l2_bits", out->l2_bits, 6, 13);
	if (out->crypt > 1)
		return bad(err, "crypt_method", out->crypt, 0, 1);
	if (out->size > LIMIT_DISK_SIZE)
		return bad(err, "size", out->size, 0, LIMIT_DISK_SIZE);
	if (out->name_at && out->name_len > QCOW_NAME_LEN)
		return bad(err, "length of the backing file's name",
			   out->name_len, 0, QCOW_NAME_LEN);
	out->cluster_size = 1u << out->cluster_bits;
	out->l2_len = (uint64_t)8 << out->l2_bits;
	out->l2_span = (uint64_t)out->cluster_size << out->l2_bits;
	out->l1_count = div_up(out->size, out->l2_span);
	return 0;
}

bool qcow_has_backing(const struct qcow_header *header)
{
	return header->name_at && header->name_len;
}

void qcow_header_facts(const struct qcow_header *header, struct facts *facts)
{
	facts_number(facts, "version", 1);
	facts_number(facts, "cluster-size", header->cluster_size);
	facts_text(facts, "compression", "zlib");
	if (header->crypt)
		facts_text(facts, "encryption", "aes");
}

int qcow_check_place(const struct qcow_disk *qcow, const char *what,
		       uint64_t at, uint64_t len, struct err *err)
{
	if (at >= QCOW_HEADER_LEN && at % 8 == 0 &&
	    checked_inside(at, len, qcow->source->size))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "%s at %" PRIu64 " (%" PRIu64 " bytes) lies in the "
		       "header, off a multiple of 8, or past the end of the "
		       "file (%" PRIu64 ")", what, at, len,
		       qcow->source->size);
}

static int read_l1(struct qcow_disk *qcow, struct err *err)
{
	const struct qcow_header *header = &qcow->header;
	uint64_t len = header->l1_count * 8;

	qcow->l1 = mem_capped(header->l1_count + 1, 8, LIMIT_TABLE_LEN,
			      "L1 table", err);
	if (!qcow->l1)
		return -1;
	if (len && (qcow_check_place(qcow, "L1 table", header->l1_at, len, err) ||
		    source_read_all(qcow->source, qcow->l1, (size_t)len,
				    header->l1_at, "L1 table", err)))
		return -1;
	for (uint64_t i = 0; i < header->l1_count; i++)
		qcow->l1[i] = bytes_be64(&qcow->l1[i]);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

int qcow_check_l1(const struct qcow_disk *qcow, struct err *err)
{
	uint64_t count = qcow->header.l1_count;
	AUTO_FREE uint64_t *sorted = mem_resize(NULL, count + 1,
						sizeof *sorted);

	memcpy(sorted, qcow->l1, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_value);
	for (uint64_t i = 0; i < count; i++) {
		if (!sorted[i])
			continue;
		if (qcow_check_place(qcow, "L2 table", sorted[i],
				     qcow->header.l2_len, err))
			return -1;
		if (i && sorted[i] == sorted[i - 1])
			return err_set(err, ERR_DAMAGED,
				       "L2 table at %" PRIu64 " is used twice",
				       sorted[i]);
	}
	return 0;
}

static int read_name(struct qcow_disk *qcow, struct err *err)
{
	const struct qcow_header *header = &qcow->header;

	if (!qcow_has_backing(header))
		return 0;
	return source_read_all(qcow->source, qcow->backing_name,
			       header->name_len, header->name_at,
			       "the backing file's name", err);
}

int qcow_header_read(struct qcow_disk *qcow, struct err *err)
{
	unsigned char head[QCOW_HEADER_LEN];
	size_t got;

	if (source_read(qcow->source, head, sizeof head, 0, &got, err) ||
	    qcow_header_parse(head, got, &qcow->header, err) ||
	    read_name(qcow, err))
		return -1;
	return read_l1(qcow, err);
}
