/* SPDX-License-Identifier: MIT */
/*
 * VMDK's numbers. Header offsets are byte offsets in the file; all fields are
 * little-endian and unaligned; a sector is 512 bytes throughout. Shared by
 * the reader and the writer; owns no code.
 *
 * Sources: VMware, "Virtual Disk Format 5.0" (hosted sparse extents, stream-
 * optimized extents, descriptor, COWD); libvmdk, "VMware Virtual Disk (VMDK)
 * format specification" (versions 2 and 3, COWD, create types); for seSparse,
 * which VMware never described, what QEMU's block/vmdk.c accepts.
 */
#ifndef FORMATS_IMAGES_VMDK_LAYOUT_H
#define FORMATS_IMAGES_VMDK_LAYOUT_H

#define VMDK_SECTOR 512u

/* ---- hosted sparse extent: "Hosted Sparse Extents", SparseExtentHeader ---- */

#define VMDK_MAGIC 0x564d444bu /* "KDMV" */
#define VMDK_VERSION 4	       /* u32: 1, 2 or 3 */
#define VMDK_FLAGS 8	       /* u32 */
#define VMDK_CAPACITY 12       /* u64, sectors of the guest's disk */
#define VMDK_GRAIN 20	       /* u64, sectors, a power of two */
#define VMDK_DESCRIPTOR 28     /* u64, sector; 0: none inside */
#define VMDK_DESCRIPTOR_LEN 36 /* u64, sectors */
#define VMDK_TABLE_ENTRIES 44  /* u32, grains a grain table maps: 512 */
#define VMDK_RGD 48	       /* u64, sector of the redundant directory */
#define VMDK_GD 56	       /* u64, sector of the grain directory */
#define VMDK_OVERHEAD 64       /* u64, sectors before the first grain */
#define VMDK_UNCLEAN 72	       /* u8: 1 while in use */
#define VMDK_NEWLINES 73       /* four bytes, changed by text transfers */
#define VMDK_COMPRESSION 77    /* u16 */
#define VMDK_HEADER_LEN 512

#define VMDK_NEWLINES_TEXT "\n \r\n"
#define VMDK_NEWLINES_LEN 4

#define VMDK_FLAG_NEWLINES (1u << 0)	/* the four bytes are valid */
#define VMDK_FLAG_REDUNDANT (1u << 1)	/* there is a redundant directory */
#define VMDK_FLAG_ZERO_GRAINS (1u << 2) /* an entry of 1 reads as zero */
#define VMDK_FLAG_COMPRESSED (1u << 16)
#define VMDK_FLAG_MARKERS (1u << 17) /* grains and tables have markers */
#define VMDK_FLAGS_KNOWN 0x00030007u

#define VMDK_COMPRESSION_NONE 0
#define VMDK_COMPRESSION_DEFLATE 1 /* as zlib streams (RFC 1950) */

/* The directory's place stands in the footer. */
#define VMDK_GD_AT_END 0xffffffffffffffffull

/* Entries of directory and table: u32, a sector; 0: nothing there. */
#define VMDK_ENTRY_LEN 4
#define VMDK_ENTRY_ZERO 1u
#define VMDK_TABLE_ENTRIES_USUAL 512

/* Bounds of ours: the format says "a power of two, greater than 8" for the
 * grain (8 itself is in use), and 512 for the entries. */
#define VMDK_GRAIN_MIN 8u     /* sectors: 4 KiB */
#define VMDK_GRAIN_MAX 32768u /* sectors: 16 MiB */
#define VMDK_TABLE_ENTRIES_MIN 128u /* one sector */
#define VMDK_TABLE_ENTRIES_MAX 8192u

/* ---- markers: "Stream-Optimized Compressed Sparse Extents" ---- */

/* At a sector boundary. With a size of 0 it is a sector of its own, and
 * `value` sectors of what it announces follow; else a grain: `value` is its
 * first guest sector, and `size` compressed bytes follow at byte 12, filled
 * up with zeros to the next sector. */
#define VMDK_MARKER_VALUE 0 /* u64 */
#define VMDK_MARKER_SIZE 8  /* u32 */
#define VMDK_MARKER_TYPE 12 /* u32, where the size is 0 */
#define VMDK_MARKER_DATA 12 /* where the size is not 0 */

#define VMDK_MARKER_END 0u	 /* of the stream */
#define VMDK_MARKER_TABLE 1u	 /* a grain table follows */
#define VMDK_MARKER_DIRECTORY 2u /* the grain directory follows */
#define VMDK_MARKER_FOOTER 3u	 /* the footer, a header again, follows */

/* From the end of the file: the footer's marker, the footer, the end. */
#define VMDK_FOOTER_MARKER_BACK (3 * VMDK_SECTOR)
#define VMDK_FOOTER_BACK (2 * VMDK_SECTOR)

/* ---- ESX sparse extent (COWD): "ESX Server Sparse Extents" ---- */

#define COWD_MAGIC 0x44574f43u	/* "COWD" */
#define COWD_VERSION 4		/* u32: 1 */
#define COWD_FLAGS 8		/* u32: 3 */
#define COWD_CAPACITY 12	/* u32, sectors */
#define COWD_GRAIN 16		/* u32, sectors, a power of two; often 1 */
#define COWD_GD 20		/* u32, sector: 4 */
#define COWD_GD_ENTRIES 24	/* u32 */
#define COWD_FREE 28		/* u32, the next free sector */
#define COWD_UNCLEAN 1648	/* u32 */
#define COWD_HEADER_LEN 2048
#define COWD_TABLE_ENTRIES 4096u

/* ---- seSparse ---- */

#define SESPARSE_MAGIC 0x00000000cafebabeull
#define SESPARSE_VERSION 8	/* u64 */
#define SESPARSE_VERSION_2_1 0x0000000200000001ull
#define SESPARSE_CAPACITY 16	/* u64, sectors */
#define SESPARSE_GRAIN 24	/* u64, sectors: 8 */
#define SESPARSE_TABLE 32	/* u64, sectors a grain table takes: 64 */
#define SESPARSE_FLAGS 40	/* u64: 0 */
#define SESPARSE_RESERVED 48	/* four u64: 0 */
#define SESPARSE_VOLATILE 80	/* u64, sector of the volatile header */
#define SESPARSE_GD 128		/* u64, sector */
#define SESPARSE_GD_LEN 136	/* u64, sectors */
#define SESPARSE_TABLES 144	/* u64, sector of the first grain table */
#define SESPARSE_TABLES_LEN 152 /* u64, sectors */
#define SESPARSE_GRAINS 192	/* u64, sector of the first grain */
#define SESPARSE_GRAINS_LEN 200 /* u64, sectors */
#define SESPARSE_PADDING 208	/* zero up to the end */
#define SESPARSE_HEADER_LEN 512
#define SESPARSE_GRAIN_SECTORS 8u
#define SESPARSE_TABLE_SECTORS 64u

#define SESPARSE_VOLATILE_MAGIC 0x00000000cafecafeull
#define SESPARSE_VOLATILE_REPLAY 24 /* u64: the journal is to be replayed */
#define SESPARSE_VOLATILE_LEN 512

/* Entries: u64. Of the directory: 0, or the marks with the number of the
 * table in the low half. Of a table: the top four bits say what it is, and
 * an allocated grain's number has its low 12 bits at 48, the rest at 0. */
#define SESPARSE_ENTRY_LEN 8
#define SESPARSE_GDE_MASK 0xffffffff00000000ull
#define SESPARSE_GDE_ALLOCATED 0x1000000000000000ull
#define SESPARSE_GTE_KIND 60 /* shift */
#define SESPARSE_GTE_UNMAPPED 1u
#define SESPARSE_GTE_ZERO 2u
#define SESPARSE_GTE_ALLOCATED 3u

/* ---- the descriptor: "The Descriptor File" ---- */

#define VMDK_SIGNATURE "# Disk DescriptorFile"
#define VMDK_NO_PARENT 0xffffffffu /* parentCID */
/* Bounds of ours: 4 TiB in files of 2 GiB take 2048 lines. */
#define VMDK_DESCRIPTOR_MAX (1u << 20) /* bytes */
#define VMDK_EXTENTS_MAX 4096u

#endif
