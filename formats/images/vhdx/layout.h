/* SPDX-License-Identifier: MIT */
/*
 * Where a VHDX keeps what: [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File
 * Format", the section beside each. All numbers are little-endian, all
 * structures of the file begin at multiples of 1 MiB but for those of the
 * first MiB.
 *
 *   0      file type identifier    192 KiB  region table
 *   64 KiB header 1                256 KiB  its copy
 *   128 KiB header 2               1 MiB..  log, regions, blocks
 */
#ifndef FORMATS_IMAGES_VHDX_LAYOUT_H
#define FORMATS_IMAGES_VHDX_LAYOUT_H

#include "base/limits.h"

/* 2.2: the header section. */
#define VHDX_SECTION_LEN MIB
#define VHDX_ALIGN MIB /* 2.1: of all objects behind it */
#define VHDX_GUID_LEN 16

/* 2.2.1: file type identifier. */
#define VHDX_SIGNATURE "vhdxfile"
#define VHDX_CREATOR 8 /* UTF-16, filled up with zeros */
#define VHDX_CREATOR_LEN 512

/* 2.2.2: headers. */
#define VHDX_HEADER_1 (64 * KIB)
#define VHDX_HEADER_2 (128 * KIB)
#define VHDX_HEADER_LEN 4096
#define VHDX_HEADER_SIGNATURE "head"
#define VHDX_CHECKSUM 4 /* of headers, region tables and log entries */
#define VHDX_SEQUENCE 8
#define VHDX_FILE_WRITE_GUID 16
#define VHDX_DATA_WRITE_GUID 32
#define VHDX_LOG_GUID 48
#define VHDX_LOG_VERSION 64 /* 16 bits: 0 */
#define VHDX_VERSION 66	    /* 16 bits: 1 */
#define VHDX_LOG_LENGTH 68
#define VHDX_LOG_OFFSET 72

/* 2.2.3: region tables. */
#define VHDX_REGIONS_1 (192 * KIB)
#define VHDX_REGIONS_2 (256 * KIB)
#define VHDX_REGIONS_LEN ((size_t)(64 * KIB))
#define VHDX_REGIONS_SIGNATURE "regi"
#define VHDX_REGIONS_COUNT 8
#define VHDX_REGIONS_FIRST 16
#define VHDX_REGIONS_MAX 2047
#define VHDX_REGION_LEN 32 /* of an entry */
#define VHDX_REGION_OFFSET 16
#define VHDX_REGION_LENGTH 24
#define VHDX_REGION_FLAGS 28
#define VHDX_REGION_REQUIRED 1u

/* 2.3: the log. */
#define VHDX_LOG_SECTOR 4096u
#define VHDX_ENTRY_SIGNATURE "loge" /* 2.3.1.1 */
#define VHDX_ENTRY_LENGTH 8
#define VHDX_ENTRY_TAIL 12
#define VHDX_ENTRY_SEQUENCE 16
#define VHDX_ENTRY_DESCRIPTORS 24
#define VHDX_ENTRY_GUID 32
#define VHDX_ENTRY_FLUSHED 48
#define VHDX_ENTRY_LAST 56
#define VHDX_ENTRY_HEADER_LEN 64
#define VHDX_DESCRIPTOR_LEN 32
#define VHDX_ZERO_SIGNATURE "zero" /* 2.3.1.2 */
#define VHDX_ZERO_LENGTH 8
#define VHDX_DATA_SIGNATURE "desc" /* 2.3.1.3 */
#define VHDX_DATA_TRAILING 4
#define VHDX_DATA_LEADING 8
#define VHDX_DESCRIPTOR_OFFSET 16
#define VHDX_DESCRIPTOR_SEQUENCE 24
#define VHDX_SECTOR_SIGNATURE "data" /* 2.3.1.4 */
#define VHDX_SECTOR_HIGH 4
#define VHDX_SECTOR_DATA 8
#define VHDX_SECTOR_DATA_LEN 4084
#define VHDX_SECTOR_LOW 4092

/* 2.5.1: entries of the BAT. */
#define VHDX_STATE_MASK 7u
#define VHDX_RESERVED_MASK 0xffff8ULL
#define VHDX_OFFSET_MASK (~(uint64_t)0xfffff)
#define VHDX_BLOCK_NOT_PRESENT 0u /* 2.5.1.1: payload blocks */
#define VHDX_BLOCK_UNDEFINED 1u
#define VHDX_BLOCK_ZERO 2u
#define VHDX_BLOCK_UNMAPPED 3u
#define VHDX_BLOCK_PRESENT 6u
#define VHDX_BLOCK_PARTIAL 7u
#define VHDX_BITMAP_NOT_PRESENT 0u /* 2.5.1.2: sector bitmap blocks */
#define VHDX_BITMAP_PRESENT 6u
/* 2.4: a bitmap block is 1 MiB, a bit a sector. */
#define VHDX_BITMAP_LEN MIB
#define VHDX_BITMAP_SECTORS (VHDX_BITMAP_LEN * 8)

/* 2.6.1: the metadata table. */
#define VHDX_METADATA_SIGNATURE "metadata"
#define VHDX_METADATA_COUNT 10 /* 16 bits */
#define VHDX_METADATA_FIRST 32
#define VHDX_METADATA_LEN ((size_t)(64 * KIB))
#define VHDX_METADATA_MAX 2047
#define VHDX_METADATA_ENTRY_LEN 32
#define VHDX_METADATA_OFFSET 16 /* from the region's begin */
#define VHDX_METADATA_LENGTH 20
#define VHDX_METADATA_FLAGS 24
#define VHDX_METADATA_USER 1u
#define VHDX_METADATA_DISK 2u
#define VHDX_METADATA_REQUIRED 4u
#define VHDX_METADATA_ITEM_MAX MIB

/* 2.6.2: known items. */
#define VHDX_BLOCK_SIZE_MIN MIB /* 2.6.2.1: file parameters */
#define VHDX_BLOCK_SIZE_MAX (256 * MIB)
#define VHDX_PARAMETERS_FLAGS 4
#define VHDX_LEAVE_ALLOCATED 1u
#define VHDX_HAS_PARENT 2u
#define VHDX_SIZE_MAX (64 * TIB) /* 2.6.2.2 */

/* 2.6.2.6: the parent locator. */
#define VHDX_LOCATOR_COUNT 18 /* 16 bits */
#define VHDX_LOCATOR_FIRST 20
#define VHDX_LOCATOR_ENTRY_LEN 12
#define VHDX_LOCATOR_KEY_OFFSET 0
#define VHDX_LOCATOR_VALUE_OFFSET 4
#define VHDX_LOCATOR_KEY_LENGTH 8
#define VHDX_LOCATOR_VALUE_LENGTH 10

/* GUIDs as they stand in the file: first three groups little-endian. */
#define VHDX_GUID(a, b, c, d, e, f, g, h, i, j, k)                           \
	{                                                                    \
		(a) & 0xff, (a) >> 8 & 0xff, (a) >> 16 & 0xff, (a) >> 24,    \
			(b) & 0xff, (b) >> 8, (c) & 0xff, (c) >> 8, d, e, f, \
			g, h, i, j, k                                        \
	}
/* 2.2.3.2 */
#define VHDX_REGION_BAT                                                   \
	VHDX_GUID(0x2dc27766u, 0xf623, 0x4200, 0x9d, 0x64, 0x11, 0x5e,    \
		  0x9b, 0xfd, 0x4a, 0x08)
#define VHDX_REGION_METADATA                                              \
	VHDX_GUID(0x8b7ca206u, 0x4790, 0x4b9a, 0xb8, 0xfe, 0x57, 0x5f,    \
		  0x05, 0x0f, 0x88, 0x6e)
/* 2.6.2 */
#define VHDX_ITEM_PARAMETERS                                              \
	VHDX_GUID(0xcaa16737u, 0xfa36, 0x4d43, 0xb3, 0xb6, 0x33, 0xf0,    \
		  0xaa, 0x44, 0xe7, 0x6b)
#define VHDX_ITEM_SIZE                                                    \
	VHDX_GUID(0x2fa54224u, 0xcd1b, 0x4876, 0xb2, 0x11, 0x5d, 0xbe,    \
		  0xd8, 0x3b, 0xf4, 0xb8)
#define VHDX_ITEM_ID                                                      \
	VHDX_GUID(0xbeca12abu, 0xb2e6, 0x4523, 0x93, 0xef, 0xc3, 0x09,    \
		  0xe0, 0x00, 0xc7, 0x46)
#define VHDX_ITEM_LOGICAL                                                 \
	VHDX_GUID(0x8141bf1du, 0xa96f, 0x4709, 0xba, 0x47, 0xf2, 0x33,    \
		  0xa8, 0xfa, 0xab, 0x5f)
#define VHDX_ITEM_PHYSICAL                                                \
	VHDX_GUID(0xcda348c7u, 0x445d, 0x4471, 0x9c, 0xc9, 0xe9, 0x88,    \
		  0x52, 0x51, 0xc5, 0x56)
#define VHDX_ITEM_LOCATOR                                                 \
	VHDX_GUID(0xa8d35f2du, 0xb30b, 0x454d, 0xab, 0xf7, 0xd3, 0xd8,    \
		  0x48, 0x34, 0xab, 0x0c)
/* 2.6.2.6.3 */
#define VHDX_LOCATOR_TYPE                                                 \
	VHDX_GUID(0xb04aefb7u, 0xd19e, 0x4a81, 0xb7, 0x89, 0x25, 0xb8,    \
		  0xe9, 0x44, 0x59, 0x13)

#endif
