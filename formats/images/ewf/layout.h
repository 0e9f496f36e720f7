/* SPDX-License-Identifier: MIT */
/*
 * The Expert Witness Compression Format, EWF-E01 and EWF-S01, by Joachim
 * Metz's document of that name (libewf, documentation). All numbers are
 * little-endian; all sums are Adler-32 from 1.
 */
#ifndef FORMATS_IMAGES_EWF_LAYOUT_H
#define FORMATS_IMAGES_EWF_LAYOUT_H

/* "File header" */
#define EWF_SIGNATURE "EVF\x09\x0d\x0a\xff\0"
#define EWF_SIGNATURE_LEN 8
#define EWF_FIELDS 8  /* u8: 1 */
#define EWF_SEGMENT 9 /* u16: from 1 */
#define EWF_HEADER_LEN 13

/* "Section descriptor" */
#define EWF_TYPE 0 /* char[16] */
#define EWF_TYPE_LEN 16
#define EWF_NEXT 16 /* u64: offset of the next section in this file */
#define EWF_SIZE 24 /* u64: with the descriptor, or 0 */
#define EWF_SECTION_SUM 72
#define EWF_SECTION_LEN 76

/* "Volume section": of 1052 bytes, or 94 as [ASR02] had it. */
#define EWF_VOLUME_LEN 1052
#define EWF_VOLUME_SMART_LEN 94
#define EWF_MEDIA 0 /* u8: 0 removable, 1 fixed, 3 optical, 16 memory */
#define EWF_CHUNKS 4
#define EWF_CHUNK_SECTORS 8
#define EWF_SECTOR_LEN 12
#define EWF_SECTORS 16	   /* u64; u32 in the short one */
#define EWF_COMPRESSION 52 /* u8: 0 none, 1 good, 2 best */
#define EWF_GRANULARITY 56
#define EWF_SET 64 /* GUID */

/* "Table section" */
#define EWF_TABLE_COUNT 0
#define EWF_TABLE_BASE 8 /* u64 */
#define EWF_TABLE_SUM 20
#define EWF_TABLE_LEN 24
#define EWF_ENTRY_LEN 4
#define EWF_ENTRY_PACKED 0x80000000u
#define EWF_SUM_LEN 4

/* "Error2 section", "Hash section", "Digest section" */
#define EWF_ERRORS_COUNT 0
#define EWF_ERRORS_LEN 520
#define EWF_ERRORS_SUM 516
#define EWF_HASH_LEN 36
#define EWF_HASH_SUM 32
#define EWF_DIGEST_LEN 80
#define EWF_DIGEST_SHA1 16
#define EWF_DIGEST_SUM 76

#endif
