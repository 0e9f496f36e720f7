/* SPDX-License-Identifier: MIT */
/*
 * Owns the log: which of its entries are valid, which sequence of them is the
 * active one ([MS-VHDX] 2.3), and what they write. Writes nothing itself
 * (replay.c lays it over the file).
 *
 * An entry is a header, descriptors and data sectors, in whole sectors of
 * 4 KiB, in a ring. A sequence is entries one behind the other with sequence
 * numbers one apart; it is valid when the last one, its head, names one of
 * them as its tail. Active is the valid one with the greatest head; replayed
 * is what lies from its tail to its head.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/crc32c.h"
#include "formats/images/vhdx/vhdx.h"

/* Descriptors replayed at most: a log of 1 MiB holds half of that. */
#define PATCHES_MAX 65536

enum verdict { UNSEEN, INVALID, VALID };

struct entry {
	enum verdict verdict;
	uint32_t sectors, tail; /* sectors */
	uint32_t descriptors;
	uint64_t sequence;
};

struct ring {
	unsigned char *bytes;
	uint32_t sectors;
	const unsigned char *guid;
	struct entry *entries; /* what begins at each sector */
};

struct sequence {
	uint32_t first, count; /* sector of the first entry, entries */
	uint32_t head, next;   /* sectors */
	uint64_t number;       /* of the head; 0: no sequence */
};

static unsigned char *sector_at(const struct ring *ring, uint32_t index)
{
	return ring->bytes + (size_t)(index % ring->sectors) * VHDX_LOG_SECTOR;
}

static uint32_t descriptor_sectors(uint32_t descriptors)
{
	return (uint32_t)div_up(VHDX_ENTRY_HEADER_LEN +
					(uint64_t)descriptors *
						VHDX_DESCRIPTOR_LEN,
				VHDX_LOG_SECTOR);
}

/* Descriptor `index` of the entry at `first`: they follow its header, and a
 * sector holds a whole number of them. */
static unsigned char *descriptor_at(const struct ring *ring, uint32_t first,
				    uint32_t index)
{
	uint64_t at =
		VHDX_ENTRY_HEADER_LEN + (uint64_t)index * VHDX_DESCRIPTOR_LEN;

	return sector_at(ring, first + (uint32_t)(at / VHDX_LOG_SECTOR)) +
	       at % VHDX_LOG_SECTOR;
}

static bool is_data(const unsigned char *descriptor)
{
	return !memcmp(descriptor, VHDX_DATA_SIGNATURE, 4);
}

static bool header_holds(const struct ring *ring, const unsigned char *bytes,
			 struct entry *entry)
{
	uint32_t length = bytes_le32(bytes + VHDX_ENTRY_LENGTH);
	uint32_t tail = bytes_le32(bytes + VHDX_ENTRY_TAIL);

	entry->sectors = length / VHDX_LOG_SECTOR;
	entry->tail = tail / VHDX_LOG_SECTOR;
	entry->sequence = bytes_le64(bytes + VHDX_ENTRY_SEQUENCE);
	entry->descriptors = bytes_le32(bytes + VHDX_ENTRY_DESCRIPTORS);
	return !memcmp(bytes, VHDX_ENTRY_SIGNATURE, 4) &&
	       length % VHDX_LOG_SECTOR == 0 && tail % VHDX_LOG_SECTOR == 0 &&
	       entry->sectors && entry->sectors <= ring->sectors &&
	       entry->tail < ring->sectors && entry->sequence &&
	       !memcmp(bytes + VHDX_ENTRY_GUID, ring->guid, VHDX_GUID_LEN) &&
	       descriptor_sectors(entry->descriptors) <= entry->sectors;
}

/* Every descriptor and every data sector bears the entry's number. Of two
 * entries that overlap one fails here, so that checksums are made of each
 * sector once. */
static bool parts_hold(const struct ring *ring, uint32_t first,
		       const struct entry *entry)
{
	uint32_t sector = descriptor_sectors(entry->descriptors);
	uint32_t data = 0;

	for (uint32_t i = 0; i < entry->descriptors; i++) {
		const unsigned char *at = descriptor_at(ring, first, i);

		if (bytes_le64(at + VHDX_DESCRIPTOR_SEQUENCE) !=
			    entry->sequence ||
		    (!is_data(at) && memcmp(at, VHDX_ZERO_SIGNATURE, 4)))
			return false;
		data += is_data(at);
	}
	if (data != entry->sectors - sector)
		return false;
	for (; sector < entry->sectors; sector++) {
		const unsigned char *at = sector_at(ring, first + sector);
		uint64_t number = (uint64_t)bytes_le32(at + VHDX_SECTOR_HIGH)
					  << 32 |
				  bytes_le32(at + VHDX_SECTOR_LOW);

		if (memcmp(at, VHDX_SECTOR_SIGNATURE, 4) ||
		    number != entry->sequence)
			return false;
	}
	return true;
}

static bool checksum_holds(const struct ring *ring, uint32_t first,
			   const struct entry *entry)
{
	static const unsigned char zero[4];
	const unsigned char *bytes = sector_at(ring, first);
	uint32_t crc = crc32c_bytes(0, bytes, VHDX_CHECKSUM);

	crc = crc32c_bytes(crc, zero, sizeof zero);
	crc = crc32c_bytes(crc, bytes + VHDX_CHECKSUM + 4,
			   VHDX_LOG_SECTOR - VHDX_CHECKSUM - 4);
	for (uint32_t i = 1; i < entry->sectors; i++)
		crc = crc32c_bytes(crc, sector_at(ring, first + i),
				   VHDX_LOG_SECTOR);
	return crc == bytes_le32(bytes + VHDX_CHECKSUM);
}

/* The entry that begins at a sector, or NULL. Looked into once. */
static const struct entry *entry_at(struct ring *ring, uint32_t first)
{
	struct entry *entry = &ring->entries[first];

	if (entry->verdict == UNSEEN)
		entry->verdict =
			header_holds(ring, sector_at(ring, first), entry) &&
					parts_hold(ring, first, entry) &&
					checksum_holds(ring, first, entry)
				? VALID
				: INVALID;
	return entry->verdict == VALID ? entry : NULL;
}

/* Does the sequence hold an entry that begins at sector `tail`? How many
 * entries lie before it. */
static bool holds(struct ring *ring, const struct sequence *sequence,
		  uint32_t tail, uint32_t *before)
{
	uint32_t at = sequence->first;

	for (*before = 0; *before < sequence->count; ++*before) {
		if (at == tail)
			return true;
		at = (at + ring->entries[at].sectors) % ring->sectors;
	}
	return false;
}

/* The longest sequence from `first` on. Ends: each entry takes a sector at
 * least, and all of them together the ring at most. */
static struct sequence extend(struct ring *ring, uint32_t first)
{
	struct sequence out = { .first = first, .next = first };
	const struct entry *entry = entry_at(ring, first);
	uint32_t used = 0;

	while (entry && used + entry->sectors <= ring->sectors &&
	       /* No entry has number 0. */
	       (!out.count || entry->sequence - 1 == out.number)) {
		used += entry->sectors;
		out.count++;
		out.head = out.next;
		out.number = entry->sequence;
		out.next = (out.next + entry->sectors) % ring->sectors;
		entry = entry_at(ring, out.next);
	}
	return out;
}

/* 2.3.2. Ends: `tail` grows until it comes around. */
static struct sequence find_active(struct ring *ring)
{
	struct sequence active = { 0 };
	uint32_t tail = 0, old, before;

	do {
		struct sequence now = extend(ring, tail);
		bool valid = now.count &&
			     holds(ring, &now, ring->entries[now.head].tail,
				   &before);

		if (valid && now.number > active.number)
			active = now;
		old = tail;
		tail = valid ? now.next : (tail + 1) % ring->sectors;
	} while (tail > old);
	return active;
}

static int add_patch(struct vhdx_log *log, struct vhdx_patch patch,
		     struct err *err)
{
	if (log->count == PATCHES_MAX) {
		free(patch.bytes);
		return err_set(err, ERR_LIMIT,
			       "the log writes more than %d pieces",
			       PATCHES_MAX);
	}
	if (log->count == log->room) {
		log->room = log->room ? log->room * 2 : 64;
		log->patches = mem_resize(log->patches, log->room,
					  sizeof *log->patches);
	}
	log->patches[log->count++] = patch;
	return 0;
}

/* What one descriptor writes, with its data sector where it has one. */
static int add_descriptor(struct vhdx_log *log, const unsigned char *descriptor,
			  const unsigned char *data, struct err *err)
{
	struct vhdx_patch patch = {
		.offset = bytes_le64(descriptor + VHDX_DESCRIPTOR_OFFSET),
		.length = data ? VHDX_LOG_SECTOR
			       : bytes_le64(descriptor + VHDX_ZERO_LENGTH),
	};

	if (patch.offset % VHDX_LOG_SECTOR || patch.length % VHDX_LOG_SECTOR ||
	    !checked_inside(patch.offset, patch.length, log->last))
		return err_set(err, ERR_DAMAGED,
			       "the log writes %" PRIu64 " bytes at %" PRIu64
			       ", which are not whole sectors of 4 KiB within "
			       "%" PRIu64,
			       patch.length, patch.offset, log->last);
	if (data) {
		patch.bytes = mem_buffer(VHDX_LOG_SECTOR);
		memcpy(patch.bytes, descriptor + VHDX_DATA_LEADING, 8);
		memcpy(patch.bytes + 8, data + VHDX_SECTOR_DATA,
		       VHDX_SECTOR_DATA_LEN);
		memcpy(patch.bytes + 8 + VHDX_SECTOR_DATA_LEN,
		       descriptor + VHDX_DATA_TRAILING, 4);
	}
	return add_patch(log, patch, err);
}

static int add_entry(struct ring *ring, uint32_t first, struct vhdx_log *log,
		     struct err *err)
{
	const struct entry *entry = &ring->entries[first];
	uint32_t sector = first + descriptor_sectors(entry->descriptors);

	for (uint32_t i = 0; i < entry->descriptors; i++) {
		const unsigned char *at = descriptor_at(ring, first, i);
		const unsigned char *data = NULL;

		if (is_data(at))
			data = sector_at(ring, sector++);
		if (add_descriptor(log, at, data, err))
			return -1;
	}
	log->entries++;
	return 0;
}

/* The file may have been cut, or not yet have grown as far as it should. */
static int check_sizes(struct ring *ring, const struct sequence *active,
		       uint64_t file_size, struct vhdx_log *log,
		       struct err *err)
{
	const unsigned char *head = sector_at(ring, active->head);
	uint64_t flushed = bytes_le64(head + VHDX_ENTRY_FLUSHED);
	uint64_t last = bytes_le64(head + VHDX_ENTRY_LAST);

	if (file_size < flushed)
		return err_set(err, ERR_DAMAGED,
			       "the file has %" PRIu64 " bytes, its log says "
			       "it had at least %" PRIu64,
			       file_size, flushed);
	if (last > LIMIT_DISK_SIZE)
		return err_set(err, ERR_DAMAGED,
			       "the log's last file offset %" PRIu64
			       " is out of range",
			       last);
	log->last = max_u64(file_size, last);
	return 0;
}

static int replay(struct ring *ring, uint64_t file_size, struct vhdx_log *log,
		  struct err *err)
{
	struct sequence active = find_active(ring);
	uint32_t at = active.first, before;

	if (!active.count)
		return err_set(err, ERR_DAMAGED,
			       "the log has entries to be replayed, but no "
			       "valid sequence of them: it is damaged");
	if (check_sizes(ring, &active, file_size, log, err))
		return -1;
	holds(ring, &active, ring->entries[active.head].tail, &before);
	for (uint32_t i = 0; i < active.count; i++) {
		if (i >= before && add_entry(ring, at, log, err))
			return -1;
		at = (at + ring->entries[at].sectors) % ring->sectors;
	}
	return 0;
}

int vhdx_log_read(struct source *source, const struct vhdx_header *header,
		  struct vhdx_log *out, struct err *err)
{
	AUTO_FREE unsigned char *bytes = mem_capped(
		header->log_length, 1, LIMIT_TABLE_LEN, "the log", err);
	AUTO_FREE struct entry *entries = NULL;
	struct ring ring = { .bytes = bytes, .guid = header->log_guid };

	memset(out, 0, sizeof *out);
	if (!bytes || source_read_all(source, bytes, header->log_length,
				      header->log_offset, "log", err))
		return -1;
	ring.sectors = (uint32_t)(header->log_length / VHDX_LOG_SECTOR);
	entries = mem_resize(NULL, ring.sectors, sizeof *entries);
	memset(entries, 0, ring.sectors * sizeof *entries);
	ring.entries = entries;
	if (replay(&ring, source->size, out, err)) {
		vhdx_log_clear(out);
		return -1;
	}
	return 0;
}

void vhdx_log_clear(struct vhdx_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->patches[i].bytes);
	free(log->patches);
	memset(log, 0, sizeof *log);
}
