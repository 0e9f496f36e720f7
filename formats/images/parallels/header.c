/* SPDX-License-Identifier: MIT */
/* Owns the header of a Parallels image: its fields, their ranges, and how
 * they are named for `info`. Does not read the BAT. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/parallels/parallels.h"

static int get_magic(const unsigned char *bytes, size_t len,
		     struct parallels_header *out, struct err *err)
{
	if (len >= 5 && !memcmp(bytes, "<?xml", 5))
		return err_set(err, ERR_UNSUPPORTED,
			       "this is a DiskDescriptor.xml, which describes "
			       "the disk: give the .hds file that it names");
	if (len < PARALLELS_HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes",
			       len);
	out->extended =
		!memcmp(bytes, PARALLELS_MAGIC_EXTENDED, PARALLELS_MAGIC_LEN);
	if (!out->extended &&
	    memcmp(bytes, PARALLELS_MAGIC_OLD, PARALLELS_MAGIC_LEN))
		return err_set(err, ERR_DAMAGED,
			       "the magic is neither " PARALLELS_MAGIC_OLD
			       " nor " PARALLELS_MAGIC_EXTENDED);
	if (bytes_le32(bytes + PARALLELS_VERSION_AT) != PARALLELS_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %u is not supported (%d is)",
			       bytes_le32(bytes + PARALLELS_VERSION_AT),
			       PARALLELS_VERSION);
	return 0;
}

static void get_fields(const unsigned char *bytes, struct parallels_header *out)
{
	out->heads = bytes_le32(bytes + PARALLELS_HEADS_AT);
	out->cylinders = bytes_le32(bytes + PARALLELS_CYLINDERS_AT);
	out->tracks = bytes_le32(bytes + PARALLELS_TRACKS_AT);
	out->entries = bytes_le32(bytes + PARALLELS_ENTRIES_AT);
	out->sectors = bytes_le64(bytes + PARALLELS_SECTORS_AT);
	if (!out->extended)
		out->sectors = bytes_le32(bytes + PARALLELS_SECTORS_AT);
	out->in_use = bytes_le32(bytes + PARALLELS_IN_USE_AT);
	out->data_sector = bytes_le32(bytes + PARALLELS_DATA_AT);
	out->flags = bytes_le32(bytes + PARALLELS_FLAGS_AT);
	out->extension_sector = bytes_le64(bytes + PARALLELS_EXTENSION_AT);
}

static int check_size(struct parallels_header *out, struct err *err)
{
	uint64_t needed;

	if (!out->tracks || out->tracks > PARALLELS_TRACKS_MAX)
		return err_set(err, ERR_DAMAGED,
			       "cluster size of %u sectors is out of range "
			       "(1..%u)",
			       out->tracks, PARALLELS_TRACKS_MAX);
	if (out->sectors > LIMIT_DISK_SIZE / PARALLELS_SECTOR)
		return err_set(err, ERR_LIMIT,
			       "size of %" PRIu64 " sectors is out of range "
			       "(0..%" PRIu64 ")",
			       out->sectors,
			       LIMIT_DISK_SIZE / PARALLELS_SECTOR);
	out->size = out->sectors * PARALLELS_SECTOR;
	out->cluster_size = out->tracks * PARALLELS_SECTOR;
	needed = div_up(out->sectors, out->tracks);
	if (out->entries < needed)
		return err_set(err, ERR_DAMAGED,
			       "BAT of %u entries is too small for a disk of "
			       "%" PRIu64 " bytes (%" PRIu64 " needed)",
			       out->entries, out->size, needed);
	return 0;
}

/* Where the data area begins. */
static int check_data(struct parallels_header *out, struct err *err)
{
	uint64_t end = PARALLELS_HEADER_LEN + (uint64_t)out->entries * 4;

	out->data = (uint64_t)out->data_sector * PARALLELS_SECTOR;
	if (!out->data && !out->extended)
		out->data = round_up(end, PARALLELS_SECTOR);
	if (out->data < end)
		return err_set(err, ERR_DAMAGED,
			       "data at %" PRIu64 " overlaps the BAT, which "
			       "ends at %" PRIu64,
			       out->data, end);
	if (out->extended && out->data % out->cluster_size)
		return err_set(err, ERR_DAMAGED,
			       "data at %" PRIu64 " is not at a multiple of "
			       "the cluster size (%u)",
			       out->data, out->cluster_size);
	return 0;
}

int parallels_header_parse(const unsigned char *bytes, size_t len,
			   struct parallels_header *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (get_magic(bytes, len, out, err))
		return -1;
	get_fields(bytes, out);
	return check_size(out, err) || check_data(out, err) ? -1 : 0;
}

int parallels_header_read(struct source *source, struct parallels_header *out,
			  struct err *err)
{
	unsigned char bytes[PARALLELS_HEADER_LEN];
	size_t got;

	if (source_read(source, bytes, sizeof bytes, 0, &got, err))
		return -1;
	return parallels_header_parse(bytes, got, out, err);
}

void parallels_header_put(const struct parallels_header *header,
			  unsigned char *out)
{
	memset(out, 0, PARALLELS_HEADER_LEN);
	memcpy(out, PARALLELS_MAGIC_EXTENDED, PARALLELS_MAGIC_LEN);
	bytes_put_le32(out + PARALLELS_VERSION_AT, PARALLELS_VERSION);
	bytes_put_le32(out + PARALLELS_HEADS_AT, header->heads);
	bytes_put_le32(out + PARALLELS_CYLINDERS_AT, header->cylinders);
	bytes_put_le32(out + PARALLELS_TRACKS_AT, header->tracks);
	bytes_put_le32(out + PARALLELS_ENTRIES_AT, header->entries);
	bytes_put_le64(out + PARALLELS_SECTORS_AT, header->sectors);
	bytes_put_le32(out + PARALLELS_IN_USE_AT, header->in_use);
	bytes_put_le32(out + PARALLELS_DATA_AT, header->data_sector);
}

void parallels_info(const struct parallels_header *header, struct facts *facts)
{
	uint64_t extension;

	facts_text(facts, "variant", "%s",
		   header->extended ? PARALLELS_MAGIC_EXTENDED
				    : PARALLELS_MAGIC_OLD);
	facts_number(facts, "cluster-size", header->cluster_size);
	facts_number(facts, "bat-entries", header->entries);
	facts_number(facts, "data-offset", header->data);
	facts_number(facts, "heads", header->heads);
	facts_number(facts, "cylinders", header->cylinders);
	facts_bool(facts, "in-use", header->in_use == PARALLELS_IN_USE);
	if (header->flags & PARALLELS_FLAG_EMPTY)
		facts_bool(facts, "empty", true);
	/* One that is no offset in bytes is the check's to complain of. */
	if (header->extension_sector &&
	    checked_mul(header->extension_sector, PARALLELS_SECTOR, &extension))
		facts_number(facts, "extension-offset", extension);
}

int parallels_peek(const unsigned char *head, size_t len, uint64_t *size,
		   struct facts *facts, struct err *err)
{
	struct parallels_header header;

	if (len < PARALLELS_HEADER_LEN)
		return 1;
	if (parallels_header_parse(head, len, &header, err))
		return -1;
	*size = header.size;
	parallels_info(&header, facts);
	return 0;
}
