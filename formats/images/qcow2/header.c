/* SPDX-License-Identifier: MIT */
/*
 * Owns the header: its fields, their ranges and their consistency with each
 * other and with the length of the file. Does not read tables; extension.c
 * takes the header extensions apart. A field is loaded once, from a byte
 * pointer, and checked before the next one that depends on it.
 */

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/extension.h"

#define ENTRY_LEN 8 /* of L1 and refcount table */
#define SNAPSHOTS_MAX 65536
#define REFTABLE_MAX (8 * MIB)
/* A subcluster is at least a sector. */
#define EXTENDED_BITS_MIN 14

static int bad_range(struct err *err, const char *field, uint64_t found,
		     uint64_t least, uint64_t most)
{
	return err_set(err, ERR_DAMAGED, "%s %llu is out of range (%llu..%llu)",
		       field, (unsigned long long)found,
		       (unsigned long long)least, (unsigned long long)most);
}

/* Magic, version and cluster size: what all else is counted in. */
static int parse_start(const unsigned char *bytes, size_t len,
		       struct qcow2_header *out, struct err *err)
{
	if (len < QCOW2_V2_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes",
			       len);
	if (bytes_be32(bytes) != QCOW2_MAGIC)
		return err_set(err, ERR_DAMAGED, "magic 0x%08x is not 0x%08x",
			       bytes_be32(bytes), QCOW2_MAGIC);
	out->version = bytes_be32(bytes + QCOW2_VERSION);
	if (out->version < 2 || out->version > 3)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %u is not supported (2 and 3 are)",
			       out->version);
	out->cluster_bits = bytes_be32(bytes + QCOW2_CLUSTER_BITS);
	if (out->cluster_bits < QCOW2_CLUSTER_BITS_MIN ||
	    out->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
		return bad_range(err, "cluster_bits", out->cluster_bits,
				 QCOW2_CLUSTER_BITS_MIN,
				 QCOW2_CLUSTER_BITS_MAX);
	out->cluster_size = (uint32_t)1 << out->cluster_bits;
	return 0;
}

int qcow2_header_want(const unsigned char *bytes, size_t len, size_t *want,
		      struct err *err)
{
	struct qcow2_header header;

	if (parse_start(bytes, len, &header, err))
		return -1;
	*want = header.cluster_size;
	return 0;
}

/* The fields that version 3 added; version 2 has fixed values for them. */
static int parse_v3(const unsigned char *bytes, size_t len,
		    struct qcow2_header *out, struct err *err)
{
	out->refcount_order = 4;
	out->header_len = QCOW2_V2_LEN;
	if (out->version == 2)
		return 0;
	if (len < QCOW2_V3_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes",
			       len);
	out->incompatible = bytes_be64(bytes + QCOW2_INCOMPATIBLE);
	out->compatible = bytes_be64(bytes + QCOW2_COMPATIBLE);
	out->autoclear = bytes_be64(bytes + QCOW2_AUTOCLEAR);
	out->refcount_order = bytes_be32(bytes + QCOW2_REFCOUNT_ORDER);
	if (out->refcount_order > 6)
		return bad_range(err, "refcount_order", out->refcount_order, 0,
				 6);
	out->header_len = bytes_be32(bytes + QCOW2_HEADER_LEN);
	if (out->header_len < QCOW2_V3_LEN ||
	    out->header_len > out->cluster_size)
		return bad_range(err, "header_length", out->header_len,
				 QCOW2_V3_LEN, out->cluster_size);
	if (out->header_len % 8)
		return err_set(err, ERR_DAMAGED,
			       "header_length %u is not a multiple of 8",
			       out->header_len);
	if (out->header_len > len)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes of %u",
			       len, out->header_len);
	if (out->header_len > QCOW2_COMPRESSION)
		out->compression = bytes[QCOW2_COMPRESSION];
	return 0;
}

static void parse_numbers(const unsigned char *bytes, struct qcow2_header *out)
{
	out->size = bytes_be64(bytes + QCOW2_SIZE);
	out->crypt = bytes_be32(bytes + QCOW2_CRYPT);
	out->l1_entries = bytes_be32(bytes + QCOW2_L1_ENTRIES);
	out->l1_offset = bytes_be64(bytes + QCOW2_L1_OFFSET);
	out->reftable_offset = bytes_be64(bytes + QCOW2_REFTABLE_OFFSET);
	out->reftable_clusters = bytes_be32(bytes + QCOW2_REFTABLE_CLUSTERS);
	out->snapshot_count = bytes_be32(bytes + QCOW2_SNAPSHOT_COUNT);
	out->snapshots_offset = bytes_be64(bytes + QCOW2_SNAPSHOTS_OFFSET);
}

/* What the incompatible bits promise, and what they forbid. Unknown ones were
 * refused before, with their names. */
static int check_features(enum qcow2_tolerance tolerance,
			  struct qcow2_header *out, struct err *err)
{
	bool typed = out->incompatible & QCOW2_INCOMPAT_COMPRESSION;

	if (out->crypt > 2)
		return bad_range(err, "crypt_method", out->crypt, 0, 2);
	if (out->crypt && tolerance == QCOW2_FOR_READING)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image is encrypted (%s), which is read only "
			       "by a conversion with --secret FILE",
			       out->crypt == 1 ? "AES" : "LUKS");
	if ((out->incompatible & QCOW2_INCOMPAT_CORRUPT) &&
	    tolerance != QCOW2_FOR_LOOKING)
		return err_set(err, ERR_DAMAGED,
			       "the image is marked corrupt (its tables cannot "
			       "be trusted): repair it with `qemu-img check -r "
			       "all`");
	if (out->compression > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "compression type %u is not supported (0 and 1 "
			       "are)",
			       out->compression);
	if (typed != (out->compression != 0))
		return err_set(err, ERR_DAMAGED,
			       "compression type %u does not agree with "
			       "incompatible feature bit 3 (%s)",
			       out->compression, typed ? "set" : "clear");
	out->extended_l2 = out->incompatible & QCOW2_INCOMPAT_EXTENDED_L2;
	if (out->extended_l2 && out->cluster_bits < EXTENDED_BITS_MIN)
		return err_set(err, ERR_DAMAGED,
			       "cluster_bits %u is out of range (%d..%d) with "
			       "extended L2 entries",
			       out->cluster_bits, EXTENDED_BITS_MIN,
			       QCOW2_CLUSTER_BITS_MAX);
	return 0;
}

/* A table of `len` bytes at `offset`. */
static int check_table(const struct qcow2_header *header, const char *name,
		       uint64_t offset, uint64_t len, uint64_t file_size,
		       struct err *err)
{
	if (offset % header->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "%s offset %llu is not a multiple of the "
			       "cluster size (%u)",
			       name, (unsigned long long)offset,
			       header->cluster_size);
	if (!offset)
		return err_set(err, ERR_DAMAGED,
			       "%s offset 0 is the header's place", name);
	if (!checked_inside(offset, len, file_size))
		return err_set(err, ERR_DAMAGED,
			       "%s at %llu (%llu bytes) lies past the end of "
			       "the file (%llu)",
			       name, (unsigned long long)offset,
			       (unsigned long long)len,
			       (unsigned long long)file_size);
	if (!checked_inside(offset, len, INT64_MAX))
		return err_set(err, ERR_DAMAGED,
			       "%s offset %llu is out of range", name,
			       (unsigned long long)offset);
	return 0;
}

int qcow2_header_check_l1(const struct qcow2_header *header, uint64_t offset,
			  uint32_t entries, uint64_t size, uint64_t file_size,
			  struct err *err)
{
	uint64_t len = (uint64_t)entries * ENTRY_LEN;
	uint64_t needed = div_up(size, header->l2_span);

	if (size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "size %llu is out of range (0..%llu)",
			       (unsigned long long)size,
			       (unsigned long long)LIMIT_DISK_SIZE);
	if (len > LIMIT_TABLE_LEN)
		return err_set(err, ERR_LIMIT,
			       "L1 table of %u entries is larger than allowed "
			       "(%zu)",
			       entries, LIMIT_TABLE_LEN / ENTRY_LEN);
	if (entries < needed)
		return err_set(err, ERR_DAMAGED,
			       "L1 table of %u entries is too small for a disk "
			       "of %llu bytes (%llu needed)",
			       entries, (unsigned long long)size,
			       (unsigned long long)needed);
	/* An empty disk needs no table at all. */
	if (!entries)
		return 0;
	return check_table(header, "L1 table", offset, len, file_size, err);
}

static int check_tables(const struct qcow2_header *header, uint64_t file_size,
			struct err *err)
{
	uint64_t len =
		(uint64_t)header->reftable_clusters * header->cluster_size;

	if (qcow2_header_check_l1(header, header->l1_offset, header->l1_entries,
				  header->size, file_size, err))
		return -1;
	if (!header->reftable_clusters || len > REFTABLE_MAX)
		return bad_range(err, "refcount_table_clusters",
				 header->reftable_clusters, 1,
				 REFTABLE_MAX / header->cluster_size);
	if (check_table(header, "refcount table", header->reftable_offset, len,
			file_size, err))
		return -1;
	if (header->snapshot_count > SNAPSHOTS_MAX)
		return bad_range(err, "nb_snapshots", header->snapshot_count, 0,
				 SNAPSHOTS_MAX);
	/* An entry is at least 40 bytes. */
	if (header->snapshot_count &&
	    check_table(header, "snapshot table", header->snapshots_offset,
			(uint64_t)header->snapshot_count * 40, file_size, err))
		return -1;
	return 0;
}

int qcow2_header_parse(const unsigned char *bytes, size_t len,
		       uint64_t file_size, enum qcow2_tolerance tolerance,
		       struct qcow2_header *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (parse_start(bytes, len, out, err) || parse_v3(bytes, len, out, err))
		return -1;
	parse_numbers(bytes, out);
	if (extension_parse(bytes, len, out, err) ||
	    check_features(tolerance, out, err) || extension_check(out, err))
		return -1;
	out->l2_entry_len = out->extended_l2 ? 16 : 8;
	out->l2_entries = out->cluster_size / out->l2_entry_len;
	out->l2_span = out->l2_entries << out->cluster_bits;
	return check_tables(out, file_size, err);
}

int qcow2_header_read(struct source *source, enum qcow2_tolerance tolerance,
		      struct qcow2_header *out, struct err *err)
{
	unsigned char start[QCOW2_V2_LEN];
	AUTO_FREE unsigned char *bytes = NULL;
	size_t got, want;

	if (source_read(source, start, sizeof start, 0, &got, err) ||
	    qcow2_header_want(start, got, &want, err))
		return -1;
	bytes = mem_buffer(want);
	if (source_read(source, bytes, want, 0, &got, err))
		return -1;
	return qcow2_header_parse(bytes, got, source->size, tolerance, out,
				  err);
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

const char *qcow2_header_overlap(const struct qcow2_header *header,
				 uint64_t offset, uint64_t length)
{
	if (offset < header->cluster_size)
		return "header";
	if (overlaps(offset, length, header->l1_offset,
		     (uint64_t)header->l1_entries * ENTRY_LEN))
		return "L1 table";
	if (overlaps(offset, length, header->reftable_offset,
		     (uint64_t)header->reftable_clusters *
			     header->cluster_size))
		return "refcount table";
	return NULL;
}
