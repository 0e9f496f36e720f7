/* SPDX-License-Identifier: MIT */
/*
 * Owns the header of dynamic and differencing disks, and where a block may
 * lie. Does not read the allocation table.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vhd/vhd.h"

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static int check_block_size(uint32_t block_size, struct err *err)
{
	if (!is_power_of_two(block_size) || block_size < VHD_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "block size %u is not a power of two of at "
			       "least %u",
			       block_size, VHD_SECTOR);
	return 0;
}

static int check_table(const struct vhd_footer *footer,
		       const struct vhd_header *header, struct err *err)
{
	uint64_t len = (uint64_t)header->table_entries * VHD_ENTRY_LEN;
	uint64_t needed = div_up(footer->size, header->block_size);

	if (header->table_entries < needed)
		return err_set(err, ERR_DAMAGED,
			       "a block table of %u entries is too small for "
			       "a disk of %" PRIu64 " bytes (%" PRIu64
			       " needed)",
			       header->table_entries, footer->size, needed);
	if (!checked_inside(header->table_offset, len, header->end))
		return err_set(err, ERR_DAMAGED,
			       "block table at %" PRIu64 " (%" PRIu64
			       " bytes) lies past the end of the data (%" PRIu64
			       ")",
			       header->table_offset, len, header->end);
	if (header->table_offset < VHD_FOOTER_LEN ||
	    overlaps(header->table_offset, len, header->place, VHD_HEADER_LEN))
		return err_set(err, ERR_DAMAGED,
			       "block table at %" PRIu64 " overlaps the header",
			       header->table_offset);
	return 0;
}

int vhd_header_parse(const unsigned char *bytes,
		     const struct vhd_footer *footer, uint64_t end,
		     struct vhd_header *out, struct err *err)
{
	uint32_t sum = vhd_sum(bytes, VHD_HEADER_LEN, VHD_HEADER_SUM);
	uint32_t version = bytes_be32(bytes + VHD_HEADER_VERSION);

	memset(out, 0, sizeof *out);
	out->place = footer->data_offset;
	out->end = end;
	if (memcmp(bytes, VHD_HEADER_COOKIE, VHD_COOKIE_LEN))
		return err_set(err, ERR_DAMAGED,
			       "there is no dynamic disk header at %" PRIu64,
			       out->place);
	if (bytes_be32(bytes + VHD_HEADER_SUM) != sum)
		return err_set(err, ERR_DAMAGED,
			       "checksum 0x%08x of the dynamic disk header is "
			       "not 0x%08x",
			       bytes_be32(bytes + VHD_HEADER_SUM), sum);
	if (version >> 16 != VHD_VERSION_1 >> 16)
		return err_set(err, ERR_UNSUPPORTED,
			       "header version %u.%u is not supported (1.0 is)",
			       version >> 16, version & 0xffff);
	out->table_offset = bytes_be64(bytes + VHD_TABLE_OFFSET);
	out->table_entries = bytes_be32(bytes + VHD_TABLE_ENTRIES);
	out->block_size = bytes_be32(bytes + VHD_BLOCK_SIZE);
	memcpy(out->parent_uuid, bytes + VHD_PARENT_UUID,
	       sizeof out->parent_uuid);
	out->parent_time = bytes_be32(bytes + VHD_PARENT_TIME);
	if (check_block_size(out->block_size, err))
		return -1;
	/* One bit a sector, whole sectors. */
	out->bitmap_len = (uint32_t)round_up(
		div_up(out->block_size / VHD_SECTOR, 8), VHD_SECTOR);
	return check_table(footer, out, err);
}

int vhd_header_read(struct source *source, const struct vhd_footer *footer,
		    struct vhd_header *out, struct vhd_names *names,
		    struct err *err)
{
	unsigned char bytes[VHD_HEADER_LEN];

	if (footer->data_offset < VHD_FOOTER_LEN ||
	    !checked_inside(footer->data_offset, sizeof bytes, footer->place))
		return err_set(err, ERR_DAMAGED,
			       "the dynamic disk header cannot be at %" PRIu64
			       " (%d..%" PRIu64 ")",
			       footer->data_offset, VHD_FOOTER_LEN,
			       footer->place);
	if (source_read_all(source, bytes, sizeof bytes, footer->data_offset,
			    "dynamic disk header", err) ||
	    vhd_header_parse(bytes, footer, footer->place, out, err))
		return -1;
	if (!names || footer->type != VHD_DIFFERENCING)
		return 0;
	return vhd_names_read(source, bytes, names, err);
}

int vhd_block_place(const struct vhd_footer *footer,
		    const struct vhd_header *header, uint64_t index,
		    uint32_t entry, uint64_t *place, struct err *err)
{
	uint64_t start = (uint64_t)entry * VHD_SECTOR;
	uint64_t guest = index * header->block_size;
	/* Of the last block nobody needs what lies behind the disk. */
	uint64_t len = header->bitmap_len +
		       min_u64(header->block_size,
			       footer->size - min_u64(footer->size, guest));

	if (!checked_inside(start, len, header->end))
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " at %" PRIu64 " (%" PRIu64
			       " bytes) lies past the end of the data (%" PRIu64
			       ")",
			       index, start, len, header->end);
	if (start < VHD_FOOTER_LEN ||
	    overlaps(start, len, header->place, VHD_HEADER_LEN) ||
	    overlaps(start, len, header->table_offset,
		     (uint64_t)header->table_entries * VHD_ENTRY_LEN))
		return err_set(err, ERR_DAMAGED,
			       "block %" PRIu64 " at %" PRIu64 " (%" PRIu64
			       " bytes) overlaps the header or the block table",
			       index, start, len);
	*place = start;
	return 0;
}

uint64_t vhd_bitmap_run(const unsigned char *bits, uint64_t first,
			uint64_t count, bool *set)
{
	bool value = bits[first / 8] << first % 8 & 0x80;
	unsigned char whole = value ? 0xff : 0;
	uint64_t at = first, end = first + count;

	*set = value;
	/* Ends: `at` grows. */
	while (at < end) {
		if (at % 8 == 0 && bits[at / 8] == whole)
			at += 8;
		else if (!(bits[at / 8] << at % 8 & 0x80) == !value)
			at++;
		else
			break;
	}
	return min_u64(at, end) - first;
}
