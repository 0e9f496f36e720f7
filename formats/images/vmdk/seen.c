/* SPDX-License-Identifier: MIT */
/*
 * Owns the verification of a stream-optimized image that is read in one pass:
 * its tables must list the grains that came by. Grains ascend, so one table
 * at a time is made out of them; of those before only the checksum stays, and
 * the same of tables in the file. Does not read the stream.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/crc32.h"
#include "formats/images/vmdk/vmdk.h"

int vmdk_seen_open(struct vmdk_seen *seen, const struct vmdk_header *header,
		   struct err *err)
{
	memset(seen, 0, sizeof *seen);
	seen->header = header;
	seen->table_len = (size_t)header->entries * VMDK_ENTRY_LEN;
	seen->made = mem_capped(header->gd_entries, sizeof *seen->made,
				LIMIT_TABLE_LEN, "grain directory", err);
	if (!seen->made)
		return -1;
	seen->table = mem_zalloc(seen->table_len);
	seen->empty = crc32_bytes(0, seen->table, seen->table_len);
	for (uint64_t i = 0; i < header->gd_entries; i++)
		seen->made[i] = seen->empty;
	return 0;
}

void vmdk_seen_close(struct vmdk_seen *seen)
{
	free(seen->made);
	free(seen->table);
	free(seen->tables);
	free(seen->directory);
	memset(seen, 0, sizeof *seen);
}

static void complete(struct vmdk_seen *seen)
{
	seen->made[seen->current] =
		crc32_bytes(0, seen->table, seen->table_len);
	memset(seen->table, 0, seen->table_len);
}

void vmdk_seen_grain(struct vmdk_seen *seen, uint64_t guest, uint64_t place)
{
	uint64_t number = guest / seen->header->span;
	uint64_t index = guest % seen->header->span / seen->header->grain;

	if (number != seen->current)
		complete(seen);
	seen->current = number;
	bytes_put_le32(seen->table + index * VMDK_ENTRY_LEN,
		       (uint32_t)(place / VMDK_SECTOR));
}

void vmdk_seen_table(struct vmdk_seen *seen, unsigned char *bytes,
		     uint64_t place)
{
	unsigned char *end = bytes + seen->table_len;

	for (unsigned char *at = bytes; at < end; at += VMDK_ENTRY_LEN)
		if (seen->header->zero_grains &&
		    bytes_le32(at) == VMDK_ENTRY_ZERO)
			bytes_put_le32(at, 0);
	if (seen->count == seen->room) {
		seen->room = seen->room ? seen->room * 2 : 64;
		seen->tables = mem_resize(seen->tables, seen->room,
					  sizeof *seen->tables);
	}
	seen->tables[seen->count++] = (struct vmdk_seen_table){
		place, crc32_bytes(0, bytes, seen->table_len)
	};
}

void vmdk_seen_directory(struct vmdk_seen *seen, unsigned char *take_bytes,
			 uint64_t place)
{
	free(seen->directory);
	seen->directory = take_bytes;
	seen->directory_at = place;
}

static const struct vmdk_seen_table *find(const struct vmdk_seen *seen,
					  uint64_t place)
{
	size_t low = 0, high = seen->count;

	/* Ends: the distance is halved. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (seen->tables[middle].place == place)
			return &seen->tables[middle];
		if (seen->tables[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int verify_table(const struct vmdk_seen *seen, uint64_t index,
			uint64_t place, struct err *err)
{
	uint32_t listed = seen->empty;

	if (place && place != VMDK_TABLE_ZERO) {
		const struct vmdk_seen_table *table = find(seen, place);

		if (!table)
			return err_set(err, ERR_DAMAGED,
				       "grain table %" PRIu64 " is said to be "
				       "at %" PRIu64 ", but there is none",
				       index, place);
		listed = table->crc;
	}
	if (listed != seen->made[index])
		return err_set(err, ERR_DAMAGED,
			       "grain table %" PRIu64 " (guest offset %" PRIu64
			       ") does not list the grains that are there: "
			       "some are missing or were changed", index,
			       index * seen->header->span);
	return 0;
}

int vmdk_seen_verify(struct vmdk_seen *seen, uint64_t gd, uint64_t file_size,
		     struct err *err)
{
	const struct vmdk_header *header = seen->header;

	complete(seen);
	if (!seen->directory || seen->directory_at != gd)
		return err_set(err, ERR_DAMAGED,
			       "the grain directory is said to be at %" PRIu64
			       ", but there is none", gd);
	for (uint64_t i = 0; i < header->gd_entries; i++) {
		uint64_t raw = vmdk_entry_raw(header, seen->directory, i);
		uint64_t place;

		if (vmdk_entry_table(header, raw, i, file_size, &place, err) ||
		    verify_table(seen, i, place, err))
			return -1;
	}
	return 0;
}
