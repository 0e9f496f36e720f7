/* SPDX-License-Identifier: MIT */
/*
 * qcow2's numbers, from the format's specification (QEMU docs/interop/
 * qcow2.txt). Header offsets are byte offsets in the file; all fields are
 * big-endian. Shared by the reader and the writer; owns no code.
 */
#ifndef FORMATS_IMAGES_QCOW2_LAYOUT_H
#define FORMATS_IMAGES_QCOW2_LAYOUT_H

#define QCOW2_MAGIC 0x514649fbu /* "QFI\xfb" */

/* Header. Up to SNAPSHOTS_OFFSET versions 2 and 3 agree; version 2 ends at
 * QCOW2_V2_LEN. */
#define QCOW2_VERSION 4
#define QCOW2_BACKING_OFFSET 8 /* u64, of the name; 0: none */
#define QCOW2_BACKING_LEN 16   /* u32, at most 1023 */
#define QCOW2_CLUSTER_BITS 20  /* u32, 9..21 */
#define QCOW2_SIZE 24	       /* u64, bytes */
#define QCOW2_CRYPT 32	       /* u32: 0 none, 1 AES, 2 LUKS */
#define QCOW2_L1_ENTRIES 36    /* u32 */
#define QCOW2_L1_OFFSET 40     /* u64 */
#define QCOW2_REFTABLE_OFFSET 48   /* u64 */
#define QCOW2_REFTABLE_CLUSTERS 56 /* u32 */
#define QCOW2_SNAPSHOT_COUNT 60	   /* u32 */
#define QCOW2_SNAPSHOTS_OFFSET 64  /* u64 */
#define QCOW2_V2_LEN 72
#define QCOW2_INCOMPATIBLE 72	   /* u64 */
#define QCOW2_COMPATIBLE 80	   /* u64 */
#define QCOW2_AUTOCLEAR 88	   /* u64 */
#define QCOW2_REFCOUNT_ORDER 96	   /* u32: width is 1 << order bits, 0..6 */
#define QCOW2_HEADER_LEN 100	   /* u32: at least 104 */
#define QCOW2_COMPRESSION 104	   /* u8: 0 deflate, 1 zstd; if len > 104 */
#define QCOW2_V3_LEN 104
#define QCOW2_V3_LEN_COMPRESSION 112

#define QCOW2_INCOMPAT_DIRTY (1ULL << 0)
#define QCOW2_INCOMPAT_CORRUPT (1ULL << 1)
#define QCOW2_INCOMPAT_DATA_FILE (1ULL << 2)
#define QCOW2_INCOMPAT_COMPRESSION (1ULL << 3)
#define QCOW2_INCOMPAT_EXTENDED_L2 (1ULL << 4)
#define QCOW2_COMPAT_LAZY_REFCOUNTS (1ULL << 0)
#define QCOW2_AUTOCLEAR_BITMAPS (1ULL << 0)
#define QCOW2_AUTOCLEAR_DATA_RAW (1ULL << 1)

/* Header extensions: u32 type, u32 length, data padded to 8 bytes. */
#define QCOW2_EXT_END 0x00000000u
#define QCOW2_EXT_BACKING_FORMAT 0xe2792acau
#define QCOW2_EXT_FEATURE_NAMES 0x6803f857u
#define QCOW2_EXT_BITMAPS 0x23852875u
#define QCOW2_EXT_CRYPTO 0x0537be77u
#define QCOW2_EXT_DATA_FILE 0x44415441u

#define QCOW2_CLUSTER_BITS_MIN 9
#define QCOW2_CLUSTER_BITS_MAX 21
#define QCOW2_BACKING_LEN_MAX 1023

/* L1 and standard L2 entries. Offsets are bits 9..55. */
#define QCOW2_OFFSET_MASK 0x00fffffffffffe00ULL
#define QCOW2_COPIED (1ULL << 63)
#define QCOW2_COMPRESSED (1ULL << 62)
#define QCOW2_L1_RESERVED 0x7f000000000001ffULL
#define QCOW2_L2_ZERO (1ULL << 0)
#define QCOW2_L2_RESERVED 0x3f000000000001feULL
/* Compressed entries: with x = 62 - (cluster_bits - 8), bits 0..x-1 are the
 * byte offset, bits x..61 the number of further 512-byte sectors. */
#define QCOW2_COMPRESSED_SHIFT(cluster_bits) (62 - ((cluster_bits) - 8))
/* Extended L2: 16 bytes an entry; the second word holds 32 bits "allocated"
 * (low) and 32 bits "reads as zero" (high), one a subcluster. */
#define QCOW2_SUBCLUSTERS 32

#endif
