/* SPDX-License-Identifier: MIT */
/* Owns the two headers of seSparse extents. VMware never described them, so
 * anything but what is known to occur is refused. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/vmdk/vmdk.h"

static int expect(const unsigned char *bytes, unsigned at, uint64_t allowed,
		  const char *what, struct err *err)
{
	uint64_t found = bytes_le64(bytes + at);

	if (found == allowed)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "seSparse: %s is 0x%" PRIx64 " (0x%" PRIx64 ")", what,
		       found, allowed);
}

static int place(const unsigned char *bytes, unsigned at, const char *what,
		 uint64_t *out, struct err *err)
{
	uint64_t sectors = bytes_le64(bytes + at);

	if (sectors > LIMIT_DISK_SIZE / VMDK_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "seSparse: %s of %" PRIu64 " sectors is out of "
			       "range (up to %" PRIu64 ")", what, sectors,
			       LIMIT_DISK_SIZE / VMDK_SECTOR);
	*out = sectors * VMDK_SECTOR;
	return 0;
}

static int check_constants(const unsigned char *bytes, struct err *err)
{
	if (expect(bytes, SESPARSE_VERSION, SESPARSE_VERSION_2_1, "version",
		   err) ||
	    expect(bytes, SESPARSE_GRAIN, SESPARSE_GRAIN_SECTORS, "grain",
		   err) ||
	    expect(bytes, SESPARSE_TABLE, SESPARSE_TABLE_SECTORS,
		   "grain table", err) ||
	    expect(bytes, SESPARSE_FLAGS, 0, "flags", err))
		return -1;
	for (unsigned at = SESPARSE_RESERVED; at < SESPARSE_VOLATILE; at += 8)
		if (expect(bytes, at, 0, "a reserved field", err))
			return -1;
	for (unsigned at = SESPARSE_PADDING; at < SESPARSE_HEADER_LEN; at += 8)
		if (expect(bytes, at, 0, "the padding", err))
			return -1;
	return 0;
}

int vmdk_sesparse_parse(const unsigned char *bytes, struct vmdk_header *out,
			struct err *err)
{
	uint64_t gd_len = 0;

	if (check_constants(bytes, err) ||
	    place(bytes, SESPARSE_CAPACITY, "capacity", &out->size, err) ||
	    place(bytes, SESPARSE_GD, "grain directory", &out->gd, err) ||
	    place(bytes, SESPARSE_GD_LEN, "grain directory", &gd_len, err) ||
	    place(bytes, SESPARSE_TABLES, "tables", &out->tables, err) ||
	    place(bytes, SESPARSE_TABLES_LEN, "tables", &out->tables_len,
		  err) ||
	    place(bytes, SESPARSE_GRAINS, "grains", &out->grains, err) ||
	    place(bytes, SESPARSE_GRAINS_LEN, "grains", &out->grains_len, err))
		return -1;
	if (!out->size)
		return err_set(err, ERR_DAMAGED, "the capacity is 0");
	out->version = 2;
	out->grain = SESPARSE_GRAIN_SECTORS * VMDK_SECTOR;
	out->entry_len = SESPARSE_ENTRY_LEN;
	out->entries = SESPARSE_TABLE_SECTORS * VMDK_SECTOR /
		       SESPARSE_ENTRY_LEN;
	out->span = (uint64_t)out->grain * out->entries;
	out->gd_entries = div_up(out->size, out->span);
	out->overhead = SESPARSE_HEADER_LEN;
	if (gd_len / SESPARSE_ENTRY_LEN < out->gd_entries)
		return err_set(err, ERR_DAMAGED,
			       "the grain directory has %" PRIu64 " entries, "
			       "but the capacity takes %" PRIu64,
			       gd_len / SESPARSE_ENTRY_LEN, out->gd_entries);
	return 0;
}

uint64_t vmdk_sesparse_volatile(const unsigned char *bytes)
{
	return bytes_le64(bytes + SESPARSE_VOLATILE);
}

int vmdk_sesparse_check(struct source *source, uint64_t at, struct err *err)
{
	unsigned char bytes[SESPARSE_VOLATILE_LEN];

	if (!at || at > LIMIT_DISK_SIZE / VMDK_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "seSparse: volatile header at sector %" PRIu64
			       " is out of range", at);
	if (source_read_all(source, bytes, sizeof bytes, at * VMDK_SECTOR,
			    "volatile header", err))
		return -1;
	if (bytes_le64(bytes) != SESPARSE_VOLATILE_MAGIC)
		return err_set(err, ERR_DAMAGED,
			       "seSparse: the volatile header begins with "
			       "0x%" PRIx64 " (0x%llx)", bytes_le64(bytes),
			       SESPARSE_VOLATILE_MAGIC);
	if (bytes_le64(bytes + SESPARSE_VOLATILE_REPLAY))
		return err_set(err, ERR_UNSUPPORTED,
			       "seSparse: the image was not closed properly, "
			       "and its journal is not replayed here; start "
			       "and stop the machine once");
	return 0;
}
