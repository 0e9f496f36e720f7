/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables (UEFI specification 2.10, chapter 5): reading them as
 * far as moving the backup to a new end needs. Pure functions of bytes.
 * Partition numbers, GUIDs and attributes are never changed.
 */
#ifndef FORMATS_GPT_H
#define FORMATS_GPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

/* Protective MBR, header and 128 entries of 128 bytes need 24 KiB with sectors
 * of 4096; file system superblocks go beyond (btrfs: 68 KiB). Larger tables
 * are looked at only when the caller has more. */
#define GPT_HEAD_LEN LIMIT_PROBE_LEN

enum gpt_state {
	GPT_NONE,   /* no valid primary header and table */
	GPT_AT_END, /* valid, and its backup is in the last sector */
	GPT_STALE,  /* valid, but the backup is elsewhere or damaged */
	GPT_DAMAGED /* "EFI PART" is there, but a check fails: hands off */
};

struct gpt {
	enum gpt_state state;
	uint32_t sector_size;	/* by where "EFI PART" lies */
	uint64_t backup_offset; /* what the primary header says, bytes */
	uint64_t first_usable, last_usable; /* bytes, first and last sector */
	uint64_t last_used; /* end of the last partition, bytes, exclusive */
	uint64_t entries_offset, entries_len;
};

/* `head`: the first bytes of the disk (GPT_HEAD_LEN, less if it is smaller).
 * `tail`: the last `tail_len` bytes of a disk of `size` (enough for the
 * backup header: 4096, one sector more if the size is not whole sectors), or
 * NULL when they are not to be had (a stream): then the primary's word is
 * taken for where the backup is, and with size 0 (unknown) for the end too. */
void gpt_read(const unsigned char *head, size_t head_len,
	      const unsigned char *tail, size_t tail_len, uint64_t size,
	      struct gpt *out);

struct gpt_patch {
	uint64_t offset;
	size_t len;
	unsigned char *bytes; /* malloc'ed; free with gpt_patches_free */
};
#define GPT_PATCHES 4 /* MBR, header, backup table, backup header */

/* The edits that move the backup of `gpt` to the end of a disk of `new_size`:
 * protective MBR, primary header (both CRCs), backup table and header. The
 * old backup, if it now lies inside the disk, is not touched. ERR_REFUSED
 * when a partition would reach past the last usable sector. */
int gpt_move_backup(const unsigned char *head, size_t head_len,
		    const struct gpt *gpt, uint64_t new_size,
		    struct gpt_patch patches[GPT_PATCHES], unsigned *count,
		    struct err *err);
void gpt_patches_free(struct gpt_patch patches[GPT_PATCHES], unsigned count);

/* Guest content of every kind, for shrinking: the farthest end (bytes) of
 * what partition tables and file system signatures in `head` say is in use,
 * and whose it is; 0 when nothing is known, UINT64_MAX when it reaches to the
 * end of the disk, wherever that is (LUKS). A GPT's backup is not counted.
 * Knows what guest.c knows: GPT, MBR (primary and extended entries),
 * ext2/3/4, XFS, btrfs, NTFS, FAT, swap, LVM, LUKS, squashfs, ISO 9660 and
 * more. */
uint64_t gpt_used_end(const unsigned char *head, size_t head_len,
		      const char **what);

#endif
