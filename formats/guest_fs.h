/* SPDX-License-Identifier: MIT */
/* The superblocks of guest.c's table. Each function says whether the first
 * bytes of a disk hold one, and fills place, end and evidence (name and title
 * only where a variant is told apart). */
#ifndef FORMATS_GUEST_FS_H
#define FORMATS_GUEST_FS_H

#include "formats/guest.h"

#define GUEST_FS(name)                                                      \
	bool guest_fs_##name(const unsigned char *head, size_t len,         \
			     struct guest *out)
GUEST_FS(iso);
GUEST_FS(udf);
GUEST_FS(luks);
GUEST_FS(ntfs);
GUEST_FS(exfat);
GUEST_FS(bitlocker);
GUEST_FS(refs);
GUEST_FS(fat);
GUEST_FS(lvm);
GUEST_FS(ext);
GUEST_FS(xfs);
GUEST_FS(btrfs);
GUEST_FS(hfsplus);
GUEST_FS(apfs);
GUEST_FS(f2fs);
GUEST_FS(erofs);
GUEST_FS(squashfs);
GUEST_FS(mdraid);
GUEST_FS(swap);

/* Sector 0 is the boot sector of a volume: its 55 AA is no MBR's. */
bool guest_fs_volume(const unsigned char *head, size_t len);

#endif
