/* SPDX-License-Identifier: MIT */
/*
 * Owns the superblocks of file systems and volumes: recognising one by more
 * than its magic, and how far it says it reaches. Does not know partition
 * tables (guest.c). Every size is as the file claims it: one that does not
 * fit is taken for "to the end".
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/guest_fs.h"

static bool has(const unsigned char *head, size_t len, size_t at,
		const char *magic, size_t magic_len)
{
	return checked_inside(at, magic_len, len) &&
	       !memcmp(head + at, magic, magic_len);
}

static uint64_t times(uint64_t count, uint64_t unit)
{
	uint64_t bytes;

	return checked_mul(count, unit, &bytes) ? bytes : GUEST_TO_THE_END;
}

__attribute__((format(printf, 4, 5))) static bool
found(struct guest *out, uint64_t at, uint64_t end, const char *format, ...)
{
	va_list args;

	out->at = at;
	out->end = end;
	va_start(args, format);
	vsnprintf(out->evidence, sizeof out->evidence, format, args);
	va_end(args);
	return true;
}

/* The primary volume descriptor is the first, at sector 16. */
GUEST_FS(iso)
{
	const unsigned char *p;

	if (!has(head, len, 32769, "CD001\1", 6) || len < 32768 + 2048)
		return false;
	p = head + 32768;
	return found(out, 32768, times(bytes_le32(p + 80), bytes_le16(p + 128)),
		     "\"CD001\" at 32769%s",
		     bytes_le16(head + 510) == 0xAA55
			     ? ", 55 AA at 510 (isohybrid)"
			     : "");
}

/* The recognition sequence: "BEA01", then "NSR02" or "NSR03", one a sector
 * of 2048 bytes. Ends at the first sector that is none of it. */
GUEST_FS(udf)
{
	for (size_t at = 32768; checked_inside(at, 2048, len); at += 2048) {
		const char *id = (const char *)head + at + 1;

		if (!memcmp(id, "NSR02", 5) || !memcmp(id, "NSR03", 5))
			return found(out, at, GUEST_TO_THE_END,
				     "\"%.5s\" at %zu", id, at + 1);
		if (memcmp(id, "BEA01", 5) && memcmp(id, "BOOT2", 5) &&
		    memcmp(id, "CD001", 5))
			break;
	}
	return false;
}

GUEST_FS(luks)
{
	unsigned version;

	if (!has(head, len, 0, "LUKS\xba\xbe", 6) || len < 8)
		return false;
	version = bytes_be16(head + 6);
	if (version != 1 && version != 2)
		return false;
	out->name = version == 1 ? "luks1" : "luks2";
	return found(out, 0, GUEST_TO_THE_END,
		     "\"LUKS\\xba\\xbe\" at 0, version %u", version);
}

static bool boot_sector(const unsigned char *head, size_t len)
{
	return len >= 512 && bytes_le16(head + 510) == 0xAA55;
}

/* Sectors of an NTFS volume, or 0; the copy of the boot sector stands in the
 * one after them. */
static uint64_t ntfs_end(const unsigned char *head)
{
	uint64_t sectors = bytes_le64(head + 0x28);

	if (!sectors)
		return GUEST_TO_THE_END;
	return checked_add(sectors, 1, &sectors)
		       ? times(sectors, bytes_le16(head + 0x0b))
		       : GUEST_TO_THE_END;
}

GUEST_FS(ntfs)
{
	if (!boot_sector(head, len) || !has(head, len, 3, "NTFS    ", 8))
		return false;
	return found(out, 510, ntfs_end(head), "\"NTFS\" at 3, 55 AA at 510");
}

GUEST_FS(bitlocker)
{
	if (!boot_sector(head, len) || !has(head, len, 3, "-FVE-FS-", 8))
		return false;
	return found(out, 510, GUEST_TO_THE_END,
		     "\"-FVE-FS-\" at 3, 55 AA at 510");
}

GUEST_FS(refs)
{
	if (!has(head, len, 3, "ReFS\0\0\0\0", 8) || len < 512)
		return false;
	return found(out, 3,
		     times(bytes_le64(head + 24), bytes_le32(head + 32)),
		     "\"ReFS\" at 3");
}

GUEST_FS(exfat)
{
	unsigned shift;

	if (!boot_sector(head, len) || !has(head, len, 3, "EXFAT   ", 8))
		return false;
	shift = head[108];
	return found(out, 510,
		     shift >= 9 && shift <= 12
			     ? times(bytes_le64(head + 72), 1u << shift)
			     : GUEST_TO_THE_END,
		     "\"EXFAT\" at 3, 55 AA at 510");
}

/* No magic worth the name: every field of the parameter block must be one
 * that a FAT can have. The number of clusters says which. */
GUEST_FS(fat)
{
	unsigned sector, cluster, reserved, fats, root;
	uint64_t total, fat_len, meta, clusters;

	if (!boot_sector(head, len) || (head[0] != 0xEB && head[0] != 0xE9))
		return false;
	sector = bytes_le16(head + 11);
	cluster = head[13];
	reserved = bytes_le16(head + 14);
	fats = head[16];
	root = bytes_le16(head + 17);
	total = bytes_le16(head + 19);
	fat_len = bytes_le16(head + 22);
	if (!total)
		total = bytes_le32(head + 32);
	if (!fat_len)
		fat_len = bytes_le32(head + 36);
	if (sector < 512 || sector > 4096 || !is_power_of_two(sector) ||
	    !is_power_of_two(cluster) || !reserved || fats < 1 || fats > 2 ||
	    (head[21] != 0xF0 && head[21] < 0xF8) || !fat_len || !total)
		return false;
	meta = reserved + fats * fat_len + div_up((uint64_t)root * 32, sector);
	if (meta >= total)
		return false;
	clusters = (total - meta) / cluster;
	out->name = !root ? "fat32" : clusters < 4085 ? "fat12" : "fat16";
	return found(out, 510, total * sector,
		     "FAT parameter block at 11, %llu clusters",
		     (unsigned long long)clusters);
}

bool guest_fs_volume(const unsigned char *head, size_t len)
{
	struct guest unused;

	return guest_fs_ntfs(head, len, &unused) ||
	       guest_fs_exfat(head, len, &unused) ||
	       guest_fs_bitlocker(head, len, &unused) ||
	       guest_fs_fat(head, len, &unused);
}

/* The label may stand in any of the first four sectors. */
GUEST_FS(lvm)
{
	for (size_t at = 0; at < 2048; at += 512) {
		uint64_t pv;

		if (!has(head, len, at, "LABELONE", 8) ||
		    !has(head, len, at + 24, "LVM2 001", 8))
			continue;
		pv = at + bytes_le32(head + at + 20);
		return found(out, at,
			     checked_inside(pv, 40, len)
				     ? bytes_le64(head + pv + 32)
				     : GUEST_TO_THE_END,
			     "\"LABELONE\" at %zu, \"LVM2 001\"", at);
	}
	return false;
}

GUEST_FS(ext)
{
	const unsigned char *p;
	uint32_t log, compat, incompat, ro;
	uint64_t blocks;

	if (!has(head, len, 1024 + 56, "\x53\xEF", 2) || len < 2048)
		return false;
	p = head + 1024;
	log = bytes_le32(p + 24);
	if (log > 6 || !bytes_le32(p) || !bytes_le32(p + 4))
		return false;
	compat = bytes_le32(p + 92);
	incompat = bytes_le32(p + 96);
	ro = bytes_le32(p + 100);
	blocks = bytes_le32(p + 4);
	if (incompat & 0x80) /* 64bit */
		blocks |= (uint64_t)bytes_le32(p + 0x150) << 32;
	/* extents, 64bit, flex_bg, huge_file and the like came with ext4; a
	 * journal alone is ext3. */
	if ((incompat & ~0x16u) || (ro & ~7u)) {
		out->name = "ext4";
		out->title = "ext4 file system";
	} else if (compat & 4) {
		out->name = "ext3";
		out->title = "ext3 file system";
	} else {
		out->name = "ext2";
		out->title = "ext2 file system";
	}
	return found(out, 1024, times(blocks, 1024ull << log),
		     "0xEF53 at 1080, block size %llu", 1024ull << log);
}

GUEST_FS(xfs)
{
	uint32_t block;

	if (!has(head, len, 0, "XFSB", 4) || len < 512)
		return false;
	block = bytes_be32(head + 4);
	if (block < 512 || block > 65536 || !is_power_of_two(block))
		return false;
	return found(out, 0, times(bytes_be64(head + 8), block),
		     "\"XFSB\" at 0, block size %u", block);
}

/* The bytes of this device, not of all that belong to the file system. */
GUEST_FS(btrfs)
{
	if (!has(head, len, 65536 + 0x40, "_BHRfS_M", 8) || len < 65536 + 4096)
		return false;
	return found(out, 65536, bytes_le64(head + 65536 + 0xc9 + 8),
		     "\"_BHRfS_M\" at 65600");
}

GUEST_FS(hfsplus)
{
	const unsigned char *p;

	if (len < 1536)
		return false;
	p = head + 1024;
	if (!memcmp(p, "BD", 2) && bytes_be32(p + 20) &&
	    !(bytes_be32(p + 20) % 512)) {
		out->name = "hfs";
		return found(out, 1024,
			     times(bytes_be16(p + 18), bytes_be32(p + 20)) +
				     (uint64_t)bytes_be16(p + 28) * 512 + 1024,
			     "\"BD\" at 1024");
	}
	if (!(!memcmp(p, "H+", 2) && bytes_be16(p + 2) == 4) &&
	    !(!memcmp(p, "HX", 2) && bytes_be16(p + 2) == 5))
		return false;
	return found(out, 1024, times(bytes_be32(p + 44), bytes_be32(p + 40)),
		     "\"%.2s\" at 1024, version %u", (const char *)p,
		     bytes_be16(p + 2));
}

GUEST_FS(apfs)
{
	if (!has(head, len, 32, "NXSB", 4) || len < 4096 ||
	    !is_power_of_two(bytes_le32(head + 36)))
		return false;
	return found(out, 32,
		     times(bytes_le64(head + 40), bytes_le32(head + 36)),
		     "\"NXSB\" at 32");
}

GUEST_FS(f2fs)
{
	const unsigned char *p;

	if (!has(head, len, 1024, "\x10\x20\xF5\xF2", 4) || len < 4096)
		return false;
	p = head + 1024;
	if (bytes_le32(p + 16) < 12 || bytes_le32(p + 16) > 16)
		return false;
	return found(out, 1024,
		     times(bytes_le64(p + 36), 1ull << bytes_le32(p + 16)),
		     "0xF2F52010 at 1024");
}

GUEST_FS(erofs)
{
	const unsigned char *p;

	if (!has(head, len, 1024, "\xE2\xE1\xF5\xE0", 4) || len < 2048)
		return false;
	p = head + 1024;
	if (p[12] < 9 || p[12] > 16)
		return false;
	return found(out, 1024, times(bytes_le32(p + 36), 1ull << p[12]),
		     "0xE0F5E1E2 at 1024");
}

GUEST_FS(squashfs)
{
	if (!has(head, len, 0, "hsqs", 4) || len < 96 ||
	    bytes_le16(head + 28) != 4 ||
	    !is_power_of_two(bytes_le32(head + 12)))
		return false;
	return found(out, 0, bytes_le64(head + 40), "\"hsqs\" at 0, version 4");
}

/* Superblock 1.1 stands at 0, 1.2 at 4096; 1.0 and 0.90 at the end, where the
 * disk looks like its content. */
GUEST_FS(mdraid)
{
	for (size_t at = 0; at <= 4096; at += 4096) {
		uint64_t sectors;

		if (!has(head, len, at, "\xFC\x4E\x2B\xA9\1\0\0\0", 8) ||
		    !checked_inside(at, 256, len))
			continue;
		if (!checked_add(bytes_le64(head + at + 128),
				 bytes_le64(head + at + 136), &sectors))
			sectors = UINT64_MAX;
		return found(out, at, times(sectors, 512),
			     "0xA92B4EFC at %zu, version 1", at);
	}
	return false;
}

/* The signature ends the first page, whose size it tells so. */
GUEST_FS(swap)
{
	static const size_t pages[] = { 4096, 8192, 16384, 65536 };

	for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (!has(head, len, pages[i] - 10, "SWAPSPACE2", 10) &&
		    !has(head, len, pages[i] - 10, "SWAP-SPACE", 10))
			continue;
		return found(out, pages[i] - 10,
			     ((uint64_t)bytes_le32(head + 1028) + 1) * pages[i],
			     "swap signature at %zu", pages[i] - 10);
	}
	return false;
}
