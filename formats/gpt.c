/* SPDX-License-Identifier: MIT */
/*
 * Owns the layout of a GUID partition table and the arithmetic of moving its
 * backup; does not read or write a disk, and does not know other content
 * (gpt_used.c and guest.c do).
 *
 *   LBA 0            protective MBR: one entry of type 0xEE over the disk
 *   LBA 1            primary header; its CRC covers the header, another the
 *                    entries; names the LBA of the other header
 *   LBA 2..          entries
 *   first..last usable
 *   end              backup entries, then the backup header in the last LBA
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/crc32.h"
#include "formats/gpt.h"

#define HEADER_MIN 92
#define ENTRY_MIN 128
/* The specification keeps at least this much for each table. */
#define TABLE_SPACE ((uint64_t)16384)

enum header_field {
	H_REVISION = 8,
	H_SIZE = 12,
	H_CRC = 16,
	H_MY_LBA = 24,
	H_OTHER_LBA = 32,
	H_FIRST_USABLE = 40,
	H_LAST_USABLE = 48,
	H_GUID = 56,
	H_ENTRIES_LBA = 72,
	H_ENTRY_COUNT = 80,
	H_ENTRY_SIZE = 84,
	H_ENTRIES_CRC = 88
};

struct header {
	const unsigned char *bytes;
	uint32_t size, entry_count, entry_size;
	uint64_t other_lba, first_usable, last_usable, entries_lba;
	const unsigned char *entries;
	uint64_t entries_len;
};

/* Every LBA is kept below this, so that bytes and sums of a few fit. */
static uint64_t lba_limit(uint32_t sector_size)
{
	return LIMIT_DISK_SIZE / sector_size;
}

/* Signature, size and CRC of the header in [bytes, bytes + sector_size). */
static bool header_sound(const unsigned char *bytes, uint32_t sector_size)
{
	static const unsigned char no_crc[4];
	uint32_t size, crc;

	if (memcmp(bytes, "EFI PART", 8))
		return false;
	size = bytes_le32(bytes + H_SIZE);
	if (size < HEADER_MIN || size > sector_size)
		return false;
	crc = crc32_bytes(0, bytes, H_CRC);
	crc = crc32_bytes(crc, no_crc, sizeof no_crc);
	crc = crc32_bytes(crc, bytes + H_CRC + 4, size - H_CRC - 4);
	return crc == bytes_le32(bytes + H_CRC);
}

/* Read the primary header and find its table inside head; false when any
 * check fails. */
static bool header_read(const unsigned char *head, size_t head_len,
			uint32_t sector_size, struct header *h)
{
	const unsigned char *p = head + sector_size;
	uint64_t limit = lba_limit(sector_size);

	if (!header_sound(p, sector_size) || bytes_le64(p + H_MY_LBA) != 1)
		return false;
	h->bytes = p;
	h->size = bytes_le32(p + H_SIZE);
	h->other_lba = bytes_le64(p + H_OTHER_LBA);
	h->first_usable = bytes_le64(p + H_FIRST_USABLE);
	h->last_usable = bytes_le64(p + H_LAST_USABLE);
	h->entries_lba = bytes_le64(p + H_ENTRIES_LBA);
	h->entry_count = bytes_le32(p + H_ENTRY_COUNT);
	h->entry_size = bytes_le32(p + H_ENTRY_SIZE);
	if (h->other_lba < 2 || h->other_lba >= limit ||
	    h->last_usable >= limit || h->first_usable > h->last_usable ||
	    h->entries_lba < 2 || h->entries_lba >= limit)
		return false;
	if (h->entry_size < ENTRY_MIN || !is_power_of_two(h->entry_size) ||
	    !h->entry_count)
		return false;
	/* Two 32-bit numbers: the product fits 64 bits. */
	h->entries_len = (uint64_t)h->entry_count * h->entry_size;
	if (!checked_inside(h->entries_lba * sector_size, h->entries_len,
			    head_len))
		return false;
	if (h->first_usable <
	    div_up(h->entries_lba * sector_size + h->entries_len, sector_size))
		return false;
	h->entries = head + h->entries_lba * sector_size;
	return crc32_bytes(0, h->entries, (size_t)h->entries_len) ==
	       bytes_le32(p + H_ENTRIES_CRC);
}

/* The end (LBA, exclusive) of the partition that reaches farthest, and its
 * number; false when an entry is impossible. Ends after entry_count steps,
 * all of which lie inside head. */
static bool entries_end(const struct header *h, uint64_t *end, uint32_t *number)
{
	static const unsigned char unused[16];

	*end = 0;
	*number = 0;
	for (uint32_t i = 0; i < h->entry_count; i++) {
		const unsigned char *e =
			h->entries + (uint64_t)i * h->entry_size;
		uint64_t first = bytes_le64(e + 32);
		uint64_t last = bytes_le64(e + 40);

		if (!memcmp(e, unused, sizeof unused))
			continue;
		if (first > last || first < h->first_usable ||
		    last > h->last_usable)
			return false;
		if (last + 1 > *end) {
			*end = last + 1;
			*number = i + 1;
		}
	}
	return true;
}

/* Is the backup header that the primary names sound, the last sector of the
 * disk, and its twin? What cannot be seen is believed. */
static bool backup_at_end(const struct header *h, uint32_t sector_size,
			  const unsigned char *tail, size_t tail_len,
			  uint64_t size)
{
	const unsigned char *b;
	uint64_t offset, from_end;

	if (!size)
		return true; /* a stream of unknown length */
	if (size < sector_size || h->other_lba != size / sector_size - 1)
		return false;
	offset = h->other_lba * sector_size;
	from_end = size - offset;
	if (!tail || from_end > tail_len)
		return true;
	b = tail + (tail_len - from_end);
	return header_sound(b, sector_size) &&
	       bytes_le64(b + H_MY_LBA) == h->other_lba &&
	       bytes_le64(b + H_OTHER_LBA) == 1 &&
	       !memcmp(b + H_GUID, h->bytes + H_GUID, 16) &&
	       !memcmp(b + H_ENTRY_COUNT, h->bytes + H_ENTRY_COUNT, 12);
}

void gpt_read(const unsigned char *head, size_t head_len,
	      const unsigned char *tail, size_t tail_len, uint64_t size,
	      struct gpt *out)
{
	static const uint32_t sector_sizes[] = { 512, 4096 };
	struct header h;
	uint64_t end;
	uint32_t number;

	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t ss = sector_sizes[i];

		if (head_len < (size_t)ss * 2 ||
		    memcmp(head + ss, "EFI PART", 8))
			continue;
		if (!header_read(head, head_len, ss, &h) ||
		    !entries_end(&h, &end, &number)) {
			if (out->state == GPT_NONE)
				out->sector_size = ss;
			out->state = GPT_DAMAGED;
			continue;
		}
		out->state = backup_at_end(&h, ss, tail, tail_len, size)
				     ? GPT_AT_END
				     : GPT_STALE;
		out->sector_size = ss;
		out->backup_offset = h.other_lba * ss;
		out->first_usable = h.first_usable * ss;
		out->last_usable = h.last_usable * ss;
		out->last_used = end * ss;
		out->entries_offset = h.entries_lba * ss;
		out->entries_len = h.entries_len;
		return;
	}
}

static void patch_add(struct gpt_patch *patches, unsigned *count,
		      uint64_t offset, const void *bytes, size_t len)
{
	struct gpt_patch *p = &patches[(*count)++];

	p->offset = offset;
	p->len = len;
	p->bytes = mem_zalloc(len);
	memcpy(p->bytes, bytes, len);
}

/* Does another entry of the MBR begin at or after `end`? */
static bool mbr_follows(const unsigned char *mbr, size_t self, uint64_t end)
{
	for (size_t i = 0; i < 4; i++) {
		const unsigned char *e = mbr + 446 + 16 * i;

		if (i != self && e[4] && bytes_le32(e + 8) >= end)
			return true;
	}
	return false;
}

/*
 * The entry of type 0xEE follows the disk. In a hybrid MBR it may cover only
 * the space before the real entries: then it is left alone. CHS ends are left
 * too: they are 0xFFFFFE for all but toys.
 */
static void mbr_patch(const unsigned char *head, uint64_t sectors,
		      struct gpt_patch *patches, unsigned *count)
{
	unsigned char mbr[512];

	memcpy(mbr, head, sizeof mbr);
	if (bytes_le16(mbr + 510) != 0xAA55)
		return;
	for (size_t i = 0; i < 4; i++) {
		unsigned char *e = mbr + 446 + 16 * i;
		uint64_t start = bytes_le32(e + 8);
		uint64_t end = start + bytes_le32(e + 12);

		if (e[4] != 0xEE || start >= sectors ||
		    mbr_follows(mbr, i, end))
			continue;
		bytes_put_le32(e + 12,
			       (uint32_t)min_u64(sectors - start, UINT32_MAX));
		patch_add(patches, count, 0, mbr, sizeof mbr);
		return;
	}
}

static void header_seal(unsigned char *bytes, uint32_t size)
{
	bytes_put_le32(bytes + H_CRC, 0);
	bytes_put_le32(bytes + H_CRC, crc32_bytes(0, bytes, size));
}

static int move_check(const struct header *h, uint32_t ss, uint64_t sectors,
		      uint64_t space, struct err *err)
{
	uint64_t end;
	uint32_t number;

	entries_end(h, &end, &number);
	if (sectors > lba_limit(ss))
		return err_set(err, ERR_LIMIT,
			       "gpt: %" PRIu64 " sectors are too many (at most "
			       "%" PRIu64 ")",
			       sectors, lba_limit(ss));
	/* end is below the limit and space small: the sums fit. */
	if (end && end + space + 1 > sectors)
		return err_set(err, ERR_REFUSED,
			       "gpt: partition %" PRIu32
			       " ends at byte %" PRIu64
			       ": the disk needs at least %" PRIu64
			       " bytes; shrink the partition first",
			       number, end * ss, (end + space + 1) * ss);
	if (h->first_usable + space + 1 >= sectors)
		return err_set(err, ERR_REFUSED,
			       "gpt: the disk needs at least %" PRIu64
			       " bytes for its partition table",
			       (h->first_usable + space + 2) * ss);
	return 0;
}

int gpt_move_backup(const unsigned char *head, size_t head_len,
		    const struct gpt *gpt, uint64_t new_size,
		    struct gpt_patch patches[GPT_PATCHES], unsigned *count,
		    struct err *err)
{
	uint32_t ss = gpt->sector_size;
	struct header h;
	uint64_t sectors, table, space, last;
	AUTO_FREE unsigned char *sector = NULL;
	unsigned char *entries;

	*count = 0;
	if (gpt->state != GPT_AT_END && gpt->state != GPT_STALE)
		return err_set(err, ERR_UNSUPPORTED,
			       "gpt: the partition table is damaged or absent "
			       "and cannot be moved; repair it first or use "
			       "--no-partition-fix");
	if (head_len < (size_t)ss * 2 || !header_read(head, head_len, ss, &h))
		return err_set(err, ERR_DAMAGED,
			       "gpt: the partition table changed meanwhile");
	sectors = new_size / ss;
	table = div_up(h.entries_len, ss);
	space = max_u64(table, TABLE_SPACE / ss);
	if (move_check(&h, ss, sectors, space, err) < 0)
		return -1;
	last = sectors - 1;
	/* The table was inside head: its length is an honest one. */
	entries = mem_capped(table, ss, LIMIT_TABLE_LEN, "gpt: the table", err);
	if (!entries)
		return -1;
	memcpy(entries, h.entries, (size_t)h.entries_len);

	mbr_patch(head, sectors, patches, count);
	sector = mem_zalloc(ss);
	memcpy(sector, h.bytes, h.size);
	bytes_put_le64(sector + H_OTHER_LBA, last);
	bytes_put_le64(sector + H_LAST_USABLE, last - space - 1);
	header_seal(sector, h.size);
	patch_add(patches, count, ss, sector, h.size);

	patches[*count].offset = (last - table) * ss;
	patches[*count].len = (size_t)(table * ss);
	patches[(*count)++].bytes = entries;

	bytes_put_le64(sector + H_MY_LBA, last);
	bytes_put_le64(sector + H_OTHER_LBA, 1);
	bytes_put_le64(sector + H_ENTRIES_LBA, last - table);
	header_seal(sector, h.size);
	patch_add(patches, count, last * ss, sector, ss);
	return 0;
}

void gpt_patches_free(struct gpt_patch patches[GPT_PATCHES], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free(patches[i].bytes);
		patches[i].bytes = NULL;
	}
}
