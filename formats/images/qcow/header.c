/* SPDX-License-Identifier: MIT */
/* Owns what the header and the tables' entries say, and whether they may.
 * Does not look entries up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow/qcow.h"

#define CLUSTER_BITS_MIN 9
#define CLUSTER_BITS_MAX 16
#define L2_BITS_MIN 6
#define L2_BITS_MAX 13
#define ALIGN 512 /* the least that any writer aligns to */

static int check_bits(unsigned value, unsigned least, unsigned most,
		      const char *name, struct err *err)
{
	if (value >= least && value <= most)
		return 0;
	return err_set(err, ERR_DAMAGED, "%s %u is out of range (%u..%u)", name,
		       value, least, most);
}

static int parse_geometry(const unsigned char *p, struct qcow_header *header,
			  struct err *err)
{
	unsigned l2_bits = p[33];

	header->cluster_bits = p[32];
	if (check_bits(header->cluster_bits, CLUSTER_BITS_MIN, CLUSTER_BITS_MAX,
		       "cluster_bits", err) ||
	    check_bits(l2_bits, L2_BITS_MIN, L2_BITS_MAX, "l2_bits", err))
		return -1;
	header->cluster_size = (uint32_t)1 << header->cluster_bits;
	header->l2_len = (size_t)8 << l2_bits;
	header->l2_span = (uint64_t)header->cluster_size << l2_bits;
	header->size = bytes_be64(p + 24);
	if (header->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "disk size %" PRIu64 " is above 2^60",
			       header->size);
	header->l1_entries = div_up(header->size, header->l2_span);
	header->l1_at = bytes_be64(p + 40);
	if (header->l1_at < QCOW_HEADER_LEN || header->l1_at > LIMIT_DISK_SIZE)
		return err_set(err, ERR_DAMAGED,
			       "L1 table at %" PRIu64 " overlaps the header "
			       "or is above 2^60",
			       header->l1_at);
	return 0;
}

static int parse_backing(const unsigned char *p, struct qcow_header *header,
			 struct err *err)
{
	header->backing_at = bytes_be64(p + 8);
	header->backing_len = bytes_be32(p + 16);
	header->backing_time = bytes_be32(p + 20);
	if (!header->backing_at)
		return 0;
	if (header->backing_at < QCOW_HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "backing file name at %" PRIu64
			       " overlaps the header",
			       header->backing_at);
	if (!header->backing_len || header->backing_len > QCOW_NAME_MAX)
		return err_set(err, ERR_DAMAGED,
			       "backing file name of %" PRIu32
			       " bytes; allowed are 1..1023",
			       header->backing_len);
	return 0;
}

int qcow_header_parse(const unsigned char *p, bool looking,
		      struct qcow_header *header, struct err *err)
{
	uint32_t version = bytes_be32(p + 4), encryption = bytes_be32(p + 36);

	memset(header, 0, sizeof *header);
	if (memcmp(p, "QFI\xfb", 4))
		return err_set(err, ERR_DAMAGED, "this is no qcow image");
	if (version != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "qcow version %" PRIu32 "; this is version 1, "
			       "qcow2 has 2 and 3",
			       version);
	if (parse_geometry(p, header, err) || parse_backing(p, header, err))
		return -1;
	if (encryption > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "encryption method %" PRIu32 " is not known",
			       encryption);
	header->encrypted = encryption;
	if (encryption && !looking)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image is encrypted (AES), which is read "
			       "only by a conversion with --secret FILE");
	return 0;
}

int qcow_header_read(struct source *source, bool looking,
		     struct qcow_header *header, struct err *err)
{
	unsigned char head[QCOW_HEADER_LEN];

	if (source_read_all(source, head, sizeof head, 0, "header", err) ||
	    qcow_header_parse(head, looking, header, err))
		return -1;
	if (!header->backing_at)
		return 0;
	if (source_read_all(source, header->backing, header->backing_len,
			    header->backing_at, "backing file name", err))
		return -1;
	if (strlen(header->backing) != header->backing_len)
		return err_set(err, ERR_DAMAGED,
			       "backing file name has a zero byte in it");
	return 0;
}

void qcow_header_facts(const struct qcow_header *header, struct facts *facts)
{
	facts_number(facts, "version", 1);
	facts_number(facts, "cluster-size", header->cluster_size);
	facts_number(facts, "l2-entries", header->l2_len / 8);
	facts_text(facts, "compression", "zlib");
	if (header->encrypted)
		facts_text(facts, "encryption", "aes");
	if (!header->backing_at)
		return;
	/* In a stream the name may lie behind what was seen of it. */
	facts_text(facts, "backing-file", "%s",
		   *header->backing ? header->backing : "?");
	if (header->backing_time)
		facts_number(facts, "backing-mtime", header->backing_time);
}

uint64_t *qcow_l1_read(struct source *source, const struct qcow_header *header,
		       struct err *err)
{
	AUTO_FREE uint64_t *l1 = mem_capped(header->l1_entries, sizeof *l1,
					    LIMIT_TABLE_LEN, "L1 table", err);

	if (!l1 ||
	    source_read_all(source, l1, (size_t)header->l1_entries * sizeof *l1,
			    header->l1_at, "L1 table", err))
		return NULL;
	for (uint64_t i = 0; i < header->l1_entries; i++)
		l1[i] = bytes_be64(&l1[i]);
	return STEAL(l1);
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t qcow_l1_shared(const uint64_t *l1, uint64_t count)
{
	AUTO_FREE uint64_t *sorted =
		mem_resize(NULL, (size_t)count + 1, sizeof *sorted);

	memcpy(sorted, l1, (size_t)count * sizeof *sorted);
	qsort(sorted, (size_t)count, sizeof *sorted, by_place);
	for (uint64_t i = 1; i < count; i++)
		if (sorted[i] && sorted[i] == sorted[i - 1])
			return sorted[i];
	return 0;
}

static bool hits_tables(const struct qcow_header *header, uint64_t place,
			uint64_t length)
{
	return place < QCOW_HEADER_LEN ||
	       (place < header->l1_at + header->l1_entries * 8 &&
		header->l1_at < place + length);
}

int qcow_l2_judge(const struct qcow_header *header, uint64_t place,
		  uint64_t file_size, struct err *err)
{
	if (place % ALIGN)
		return err_set(err, ERR_DAMAGED,
			       "L2 table at %" PRIu64 " is not aligned to 512",
			       place);
	if (!checked_inside(place, header->l2_len, file_size))
		return err_set(err, ERR_DAMAGED,
			       "L2 table at %" PRIu64 " of %zu bytes lies past "
			       "the end of the file (%" PRIu64 ")",
			       place, header->l2_len, file_size);
	if (hits_tables(header, place, header->l2_len))
		return err_set(err, ERR_DAMAGED,
			       "L2 table at %" PRIu64
			       " overlaps the header or the L1 table",
			       place);
	return 0;
}

int qcow_cluster_judge(const struct qcow_header *header, uint64_t entry,
		       uint64_t guest, uint64_t file_size,
		       struct qcow_cluster *out, struct err *err)
{
	unsigned shift = 63 - header->cluster_bits;

	*out = (struct qcow_cluster){ .stored = entry };
	if (!entry)
		return 0;
	out->packed = entry & QCOW_COMPRESSED;
	out->place = entry;
	out->length = min_u64(header->cluster_size, header->size - guest);
	if (out->packed) {
		out->place = entry & (((uint64_t)1 << shift) - 1);
		out->length = entry >> shift & (header->cluster_size - 1);
	} else if (entry % ALIGN) {
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": cluster at %" PRIu64
			       " is not aligned to 512",
			       guest, entry);
	}
	if (!out->length)
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64
			       ": compressed cluster of no bytes",
			       guest);
	if (!checked_inside(out->place, out->length, file_size))
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": cluster at %" PRIu64
			       " of %" PRIu64 " bytes lies past the end of the "
			       "file (%" PRIu64 ")",
			       guest, out->place, out->length, file_size);
	if (hits_tables(header, out->place, out->length))
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": cluster at %" PRIu64
			       " overlaps the header or the L1 table",
			       guest, out->place);
	return 0;
}
