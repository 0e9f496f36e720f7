/* SPDX-License-Identifier: MIT */
/* Owns the file type identifier and the two headers: which of them counts.
 * Reads nothing behind them. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/crc32c.h"
#include "formats/images/vhdx/vhdx.h"

uint32_t vhdx_checksum(const unsigned char *bytes, size_t len)
{
	static const unsigned char zero[4];
	uint32_t crc = crc32c_bytes(0, bytes, VHDX_CHECKSUM);

	crc = crc32c_bytes(crc, zero, sizeof zero);
	return crc32c_bytes(crc, bytes + VHDX_CHECKSUM + 4,
			    len - VHDX_CHECKSUM - 4);
}

/* Is this copy a header at all? Otherwise `damage` says why not. */
static void judge(const unsigned char *bytes, char *damage, size_t room)
{
	uint32_t stored = bytes_le32(bytes + VHDX_CHECKSUM);
	uint32_t found = vhdx_checksum(bytes, VHDX_HEADER_LEN);

	*damage = '\0';
	if (memcmp(bytes, VHDX_HEADER_SIGNATURE, 4))
		snprintf(damage, room, "has no signature \"head\"");
	else if (stored != found)
		snprintf(damage, room,
			 "checksum is 0x%08lx, its bytes have 0x%08lx",
			 (unsigned long)stored, (unsigned long)found);
}

/* 2.2.2: the valid one of the larger sequence number; of two equal ones, if
 * they are the same to the last byte, either. */
static const unsigned char *current(const unsigned char *one,
				    const unsigned char *two,
				    const struct vhdx_header *header,
				    struct err *err)
{
	uint64_t first = bytes_le64(one + VHDX_SEQUENCE);
	uint64_t second = bytes_le64(two + VHDX_SEQUENCE);

	if (*header->damage[0] && *header->damage[1]) {
		err_set(err, ERR_DAMAGED,
			"both headers are damaged: header 1 %s, header 2 %s",
			header->damage[0], header->damage[1]);
		return NULL;
	}
	if (*header->damage[0])
		return two;
	if (*header->damage[1] || first > second)
		return one;
	if (first == second && memcmp(one, two, VHDX_HEADER_LEN)) {
		err_set(err, ERR_DAMAGED,
			"both headers have sequence number %llu, so neither "
			"is the current one",
			ULL(first));
		return NULL;
	}
	return two;
}

static int check_log_place(const struct vhdx_header *header,
			   const struct source *source, struct err *err)
{
	if (!header->log_length && vhdx_guid_is_zero(header->log_guid))
		return 0;
	if (header->log_offset % VHDX_ALIGN || header->log_length % VHDX_ALIGN)
		return err_set(err, ERR_DAMAGED,
			       "log of %llu bytes at %llu is not in whole MiB",
			       ULL(header->log_length),
			       ULL(header->log_offset));
	if (header->log_offset < VHDX_SECTION_LEN || !header->log_length)
		return err_set(err, ERR_DAMAGED,
			       "log of %llu bytes at %llu: at least 1 MiB at "
			       "1 MiB or later is allowed",
			       ULL(header->log_length),
			       ULL(header->log_offset));
	if (!checked_inside(header->log_offset, header->log_length,
			    source->size))
		return err_set(err, ERR_DAMAGED,
			       "log of %llu bytes at %llu lies past the end "
			       "of the file (%llu)",
			       ULL(header->log_length), ULL(header->log_offset),
			       ULL(source->size));
	return 0;
}

static int parse(const unsigned char *bytes, const struct source *source,
		 struct vhdx_header *out, struct err *err)
{
	unsigned version = bytes_le16(bytes + VHDX_VERSION);
	unsigned log_version = bytes_le16(bytes + VHDX_LOG_VERSION);

	if (version != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %u is not known (1)", version);
	out->sequence = bytes_le64(bytes + VHDX_SEQUENCE);
	memcpy(out->data_write, bytes + VHDX_DATA_WRITE_GUID, VHDX_GUID_LEN);
	memcpy(out->log_guid, bytes + VHDX_LOG_GUID, VHDX_GUID_LEN);
	out->log_length = bytes_le32(bytes + VHDX_LOG_LENGTH);
	out->log_offset = bytes_le64(bytes + VHDX_LOG_OFFSET);
	/* 2.2.2: a log of another version must not be replayed. */
	if (log_version && !vhdx_guid_is_zero(out->log_guid))
		return err_set(err, ERR_UNSUPPORTED,
			       "log version %u is not known (0), and the log "
			       "has entries",
			       log_version);
	return check_log_place(out, source, err);
}

int vhdx_header_read(struct source *source, struct vhdx_header *out,
		     struct err *err)
{
	unsigned char id[VHDX_CREATOR + VHDX_CREATOR_LEN];
	AUTO_FREE unsigned char *one = mem_buffer(VHDX_HEADER_LEN);
	AUTO_FREE unsigned char *two = mem_buffer(VHDX_HEADER_LEN);
	const unsigned char *bytes;

	memset(out, 0, sizeof *out);
	if (source_read_all(source, id, sizeof id, 0, "file identifier", err))
		return -1;
	if (memcmp(id, VHDX_SIGNATURE, 8))
		return err_set(err, ERR_DAMAGED,
			       "has no signature \"vhdxfile\"");
	/* Free text: what is no text is not shown. */
	if (!vhdx_utf8(id + VHDX_CREATOR, VHDX_CREATOR_LEN, out->creator,
		       sizeof out->creator))
		*out->creator = '\0';
	if (source_read_all(source, one, VHDX_HEADER_LEN, VHDX_HEADER_1,
			    "header 1", err) ||
	    source_read_all(source, two, VHDX_HEADER_LEN, VHDX_HEADER_2,
			    "header 2", err))
		return -1;
	judge(one, out->damage[0], sizeof out->damage[0]);
	judge(two, out->damage[1], sizeof out->damage[1]);
	bytes = current(one, two, out, err);
	return bytes ? parse(bytes, source, out, err) : -1;
}
