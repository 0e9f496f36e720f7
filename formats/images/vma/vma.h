/* SPDX-License-Identifier: MIT */
/*
 * Proxmox backups (Virtual Machine Archive, vma_spec.txt of pve-qemu): a
 * header, then extents of up to 59 clusters of 64 KiB, of all devices in any
 * order. Of a cluster only the blocks of 4 KiB that are not zero are stored.
 * All numbers are big-endian, but for the length of a blob.
 *
 *   header   0 "VMA\0"  4 version 1  8 UUID  24 time  32 MD5 of the header,
 *            these 16 bytes as zero  48 offset, 52 length of the blobs
 *           56 length of the header, blobs and all
 *         4096 256 devices of 32 bytes: 0 name (offset in the blobs; 0: no
 *              such device)  8 size; number 0 is never used
 *   blob     0 length (little-endian)  2 bytes; names end with a zero
 *   extent   0 "VMAE"  6 blocks stored  8 UUID  24 MD5, as above
 *           40 59 clusters of 8 bytes: 0 mask of blocks, the lowest first
 *              3 device, 0: none  4 cluster
 *          512 the blocks, in the order of the clusters
 *
 * The device "vmstate" is memory, not a disk. Of a disk every cluster has its
 * entry, so that one that has none tells of an archive cut short.
 */
#ifndef FORMATS_IMAGES_VMA_VMA_H
#define FORMATS_IMAGES_VMA_VMA_H

#include "formats/images/driver.h"
#include "formats/runs.h"

#define VMA_HEAD_LEN 12288u
#define VMA_HEADER_MAX ((uint32_t)(4 * MIB)) /* what its writers keep to */
#define VMA_EXTENT_LEN 512u
#define VMA_CLUSTERS 59u
#define VMA_CLUSTER_SIZE 65536u
#define VMA_BLOCK_SIZE 4096u
#define VMA_BLOCKS 16u /* of a cluster */
#define VMA_NAME_LEN 64

struct vma_header {
	unsigned char uuid[16];
	uint64_t time;
	uint32_t len;
	unsigned count; /* of disks */
	struct {
		unsigned number;
		uint64_t size;
		char name[VMA_NAME_LEN];
	} disk[255];
};

/* A piece of the disk asked for, within one extent. */
struct vma_piece {
	uint64_t offset, length; /* guest bytes */
	uint64_t place;		 /* 0: zero */
};

/* One pass over the extents of a file or a stream. */
struct vma_scan {
	struct source *source;
	struct vma_header *header;
	unsigned disk; /* in header->disk */
	uint64_t at;   /* file */
};

#define VMA_PIECES (VMA_CLUSTERS * VMA_BLOCKS)

struct vma_extent {
	unsigned count;
	struct vma_piece piece[VMA_PIECES];
};

/* The header, verified, and which disk is meant. ERR_USAGE with the names
 * when there are several and `member` (or NULL) does not tell. */
int vma_scan_open(struct vma_scan *scan, struct source *source,
		  const char *member, struct err *err);
void vma_scan_close(struct vma_scan *scan);
/* What the next extent holds of the disk, its header verified: 1; 0 at the
 * end; -1. The blocks are the caller's to read, or not. */
int vma_scan_next(struct vma_scan *scan, struct vma_extent *out,
		  struct err *err);

struct disk *vma_open(struct source *source,
		      const struct open_options *options, struct err *err);
struct walk *vma_walk(struct source *stream,
		      const struct open_options *options, int spool_fd,
		      struct err *err);
int vma_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
