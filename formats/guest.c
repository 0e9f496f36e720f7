/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of guest content and the partition tables in it; the
 * superblocks are checked in guest_fs.c. Does not know containers.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/gpt.h"
#include "formats/guest.h"
#include "formats/guest_fs.h"

static bool guest_gpt(const unsigned char *head, size_t len, struct guest *out)
{
	static const char *const words[] = {
		[GPT_NONE] = "",
		[GPT_AT_END] = "both checksums right",
		[GPT_STALE] = "both checksums right",
		[GPT_DAMAGED] = "but a checksum or field is wrong",
	};
	struct gpt gpt;

	gpt_read(head, len, NULL, 0, 0, &gpt);
	if (gpt.state == GPT_NONE)
		return false;
	out->at = gpt.sector_size;
	if (gpt.state != GPT_DAMAGED)
		out->end = gpt.last_used ? gpt.last_used : gpt.first_usable;
	snprintf(out->evidence, sizeof out->evidence, "\"EFI PART\" at %u, %s",
		 gpt.sector_size, words[gpt.state]);
	return true;
}

/* An extended partition's chain, as far as it lies in head. Each link lies
 * inside head and beyond the one before, so the loop ends. */
static uint64_t mbr_extended_end(const unsigned char *head, size_t len,
				 uint64_t base)
{
	uint64_t at = base, end = 0;

	while (checked_inside(at * 512, 512, len)) {
		const unsigned char *e = head + at * 512;
		uint64_t next;

		if (bytes_le16(e + 510) != 0xAA55)
			break;
		if (e[446 + 4])
			end = max_u64(end, at + bytes_le32(e + 446 + 8) +
						   bytes_le32(e + 446 + 12));
		if (!e[462 + 4])
			break;
		next = base + bytes_le32(e + 462 + 8);
		if (next <= at)
			break;
		at = next;
	}
	return end;
}

/* A table, not boot code: flags are 0 or 0x80, what is used has a length,
 * what is not is empty enough, and something is used. */
static bool mbr_plausible(const unsigned char *head)
{
	unsigned used = 0;

	for (size_t i = 0; i < 4; i++) {
		const unsigned char *e = head + 446 + 16 * i;

		if (e[0] & 0x7f)
			return false;
		if (!e[4])
			continue;
		if (!bytes_le32(e + 8) || !bytes_le32(e + 12))
			return false;
		used++;
	}
	return used > 0;
}

static bool guest_mbr(const unsigned char *head, size_t len, struct guest *out)
{
	struct gpt gpt;
	uint64_t end = 0;
	unsigned used = 0;

	if (len < 512 || bytes_le16(head + 510) != 0xAA55 ||
	    guest_fs_volume(head, len) || !mbr_plausible(head))
		return false;
	gpt_read(head, len, NULL, 0, 0, &gpt);
	for (size_t i = 0; i < 4; i++) {
		const unsigned char *e = head + 446 + 16 * i;
		uint64_t start = bytes_le32(e + 8);

		used += e[4] != 0;
		/* What protects a sound GPT says nothing: the GPT does. */
		if (!e[4] || (e[4] == 0xEE && (gpt.state == GPT_AT_END ||
					       gpt.state == GPT_STALE)))
			continue;
		end = max_u64(end, start + bytes_le32(e + 12));
		if (e[4] == 0x05 || e[4] == 0x0F || e[4] == 0x85)
			end = max_u64(end, mbr_extended_end(head, len, start));
	}
	out->at = 510;
	out->end = end * 512;
	snprintf(out->evidence, sizeof out->evidence,
		 "55 AA at 510 and a table of %u partition%s", used,
		 used == 1 ? "" : "s");
	return true;
}

/* Boot code without a table: GRUB's first sector alone, a rescue floppy. */
static bool guest_bootsector(const unsigned char *head, size_t len,
			     struct guest *out)
{
	if (len < 512 || bytes_le16(head + 510) != 0xAA55 ||
	    guest_fs_volume(head, len))
		return false;
	out->at = 510;
	snprintf(out->evidence, sizeof out->evidence,
		 "55 AA at 510, no partition");
	return true;
}

static bool guest_apm(const unsigned char *head, size_t len, struct guest *out)
{
	unsigned block;

	if (len < 1024 || memcmp(head, "ER", 2))
		return false;
	block = bytes_be16(head + 2);
	if (block < 512 || !is_power_of_two(block) ||
	    !checked_inside(block, 512, len) || memcmp(head + block, "PM", 2))
		return false;
	snprintf(out->evidence, sizeof out->evidence,
		 "\"ER\" at 0, \"PM\" at %u", block);
	/* The driver descriptor counts the blocks of the whole disk. */
	out->end = (uint64_t)bytes_be32(head + 4) * block;
	return true;
}

/*
 * The most telling first: an isohybrid image is an ISO with an MBR (and often
 * a GPT) in its first 32 KiB, meant to be booted either way, so it is called
 * what it is. What counts as a boot sector of its own kind comes before the
 * MBR, which it would be taken for; leftovers of a file system behind a
 * partition table come after that table.
 */
static const struct {
	const char *name, *title;
	bool boot;
	bool (*match)(const unsigned char *head, size_t len, struct guest *out);
} rows[] = {
	{ "iso9660", "ISO 9660 file system", true, guest_fs_iso },
	{ "udf", "UDF file system", false, guest_fs_udf },
	{ "gpt", "GUID partition table", true, guest_gpt },
	{ "luks", "LUKS encrypted volume", false, guest_fs_luks },
	{ "ntfs", "NTFS file system", true, guest_fs_ntfs },
	{ "exfat", "exFAT file system", true, guest_fs_exfat },
	{ "bitlocker", "BitLocker encrypted volume", true, guest_fs_bitlocker },
	{ "refs", "ReFS file system", false, guest_fs_refs },
	{ "fat", "FAT file system", true, guest_fs_fat },
	{ "mbr", "MBR partition table", true, guest_mbr },
	{ "apm", "Apple partition map", false, guest_apm },
	{ "lvm", "LVM2 physical volume", false, guest_fs_lvm },
	{ "ext", "ext2, ext3 or ext4 file system", false, guest_fs_ext },
	{ "xfs", "XFS file system", false, guest_fs_xfs },
	{ "btrfs", "btrfs file system", false, guest_fs_btrfs },
	{ "hfsplus", "HFS+ file system", false, guest_fs_hfsplus },
	{ "apfs", "APFS container", false, guest_fs_apfs },
	{ "f2fs", "F2FS file system", false, guest_fs_f2fs },
	{ "erofs", "EROFS file system", false, guest_fs_erofs },
	{ "squashfs", "squashfs file system", false, guest_fs_squashfs },
	{ "mdraid", "Linux software RAID member", false, guest_fs_mdraid },
	{ "swap", "Linux swap space", false, guest_fs_swap },
	{ "bootsector", "boot sector", false, guest_bootsector },
};

bool guest_find(const unsigned char *head, size_t len, unsigned *row,
		struct guest *out)
{
	while (*row < sizeof rows / sizeof *rows) {
		unsigned i = (*row)++;

		memset(out, 0, sizeof *out);
		out->name = rows[i].name;
		out->title = rows[i].title;
		out->boot = rows[i].boot;
		if (rows[i].match(head, len, out))
			return true;
	}
	return false;
}
