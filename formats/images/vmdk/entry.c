/* SPDX-License-Identifier: MIT */
/* Owns what the entries of grain directories and grain tables say, and
 * whether they may, for all three kinds of sparse extent. */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vmdk/vmdk.h"

uint64_t vmdk_entry_raw(const struct vmdk_header *header,
			const unsigned char *table, uint64_t index)
{
	const unsigned char *at = table + index * header->entry_len;

	return header->entry_len == SESPARSE_ENTRY_LEN ? bytes_le64(at)
						       : bytes_le32(at);
}

static int sesparse_table(const struct vmdk_header *header, uint64_t raw,
			  uint64_t index, uint64_t *place, struct err *err)
{
	uint64_t length = (uint64_t)header->entries * header->entry_len;
	uint64_t number = raw & ~SESPARSE_GDE_MASK;

	if ((raw & SESPARSE_GDE_MASK) != SESPARSE_GDE_ALLOCATED ||
	    number >= header->tables_len / length)
		return err_set(err, ERR_DAMAGED,
			       "directory entry %" PRIu64 " is 0x%" PRIx64
			       ", which is no grain table (there are %" PRIu64
			       ")", index, raw, header->tables_len / length);
	*place = header->tables + number * length;
	return 0;
}

int vmdk_entry_table(const struct vmdk_header *header, uint64_t raw,
		     uint64_t index, uint64_t file_size, uint64_t *place,
		     struct err *err)
{
	uint64_t length = (uint64_t)header->entries * header->entry_len;
	const char *other;

	*place = 0;
	if (!raw)
		return 0;
	if (header->zero_grains && raw == VMDK_ENTRY_ZERO) {
		*place = VMDK_TABLE_ZERO;
		return 0;
	}
	if (header->kind != VMDK_SESPARSE)
		*place = raw * VMDK_SECTOR;
	else if (sesparse_table(header, raw, index, place, err))
		return -1;
	other = vmdk_header_overlap(header, *place, length);
	if (other)
		return err_set(err, ERR_DAMAGED,
			       "grain table %" PRIu64 " at %" PRIu64
			       " overlaps the %s", index, *place, other);
	if (!checked_inside(*place, length, file_size))
		return err_set(err, ERR_DAMAGED,
			       "grain table %" PRIu64 " at %" PRIu64
			       " lies past the end of the file (%" PRIu64 ")",
			       index, *place, file_size);
	return 0;
}

static int sesparse_grain(const struct vmdk_header *header, uint64_t raw,
			  uint64_t guest, enum vmdk_run_kind *kind,
			  uint64_t *place, struct err *err)
{
	/* The low 12 bits of the number stand at 48. */
	uint64_t number = (raw >> 48 & 0xfff) |
			  (raw & 0x0000ffffffffffffull) << 12;

	*kind = VMDK_READS_ZERO;
	switch (raw >> SESPARSE_GTE_KIND) {
	case SESPARSE_GTE_UNMAPPED:
	case SESPARSE_GTE_ZERO:
		return 0;
	case SESPARSE_GTE_ALLOCATED:
		*kind = VMDK_PLAIN;
		if (number < header->grains_len / header->grain) {
			*place = header->grains + number * header->grain;
			return 0;
		}
	}
	return err_set(err, ERR_DAMAGED,
		       "guest offset %" PRIu64 ": table entry 0x%" PRIx64
		       " is no grain (there are %" PRIu64 ")", guest, raw,
		       header->grains_len / header->grain);
}

/* The bytes of a grain must not be the image's own, and be there. */
static int check_place(const struct vmdk_header *header, uint64_t guest,
		       uint64_t place, uint64_t file_size, struct err *err)
{
	uint64_t length = header->compressed
				  ? 1
				  : vmdk_map_grain_len(header, guest);
	const char *other = vmdk_header_overlap(header, place, length);

	if (other)
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": grain at %" PRIu64
			       " overlaps the %s", guest, place, other);
	if (!checked_inside(place, length, file_size))
		return err_set(err, ERR_DAMAGED,
			       "guest offset %" PRIu64 ": grain at %" PRIu64
			       " lies past the end of the file (%" PRIu64 ")",
			       guest, place, file_size);
	return 0;
}

int vmdk_entry_grain(const struct vmdk_header *header,
		     const unsigned char *entry, uint64_t guest,
		     uint64_t file_size, enum vmdk_run_kind *kind,
		     uint64_t *place, struct err *err)
{
	uint64_t raw = vmdk_entry_raw(header, entry, 0);

	*place = 0;
	*kind = VMDK_UNALLOCATED;
	if (!raw)
		return 0;
	if (header->kind == VMDK_SESPARSE) {
		if (sesparse_grain(header, raw, guest, kind, place, err))
			return -1;
		if (*kind == VMDK_READS_ZERO)
			return 0;
	} else if (header->zero_grains && raw == VMDK_ENTRY_ZERO) {
		*kind = VMDK_READS_ZERO;
		return 0;
	} else {
		*kind = header->compressed ? VMDK_PACKED : VMDK_PLAIN;
		*place = raw * VMDK_SECTOR;
	}
	return check_place(header, guest, *place, file_size, err);
}
