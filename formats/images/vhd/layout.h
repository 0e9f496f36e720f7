/* SPDX-License-Identifier: MIT */
/*
 * Where things are in a VHD. The source is Microsoft's "Virtual Hard Disk
 * Image Format Specification", version 1.0 (October 2006); the section is
 * named at each structure. All numbers are big-endian.
 */
#ifndef FORMATS_IMAGES_VHD_LAYOUT_H
#define FORMATS_IMAGES_VHD_LAYOUT_H

#include <stdint.h>

#include "base/limits.h"

#define VHD_SECTOR 512u

/* "Hard Disk Footer Format": at the end of the file; dynamic and differencing
 * disks have a copy of it at the start. */
#define VHD_FOOTER_LEN 512
/* "Versions previous to Microsoft Virtual PC 2004 create disk images that
 * have a 511-byte disk footer": the last reserved byte is missing. */
#define VHD_FOOTER_OLD_LEN 511
#define VHD_COOKIE "conectix"
#define VHD_COOKIE_LEN 8
#define VHD_FEATURES 8
#define VHD_FORMAT_VERSION 12
#define VHD_DATA_OFFSET 16 /* of the dynamic header; fixed: all ones */
#define VHD_TIME 24	   /* of creation, seconds since 2000-01-01 UTC */
#define VHD_CREATOR 28	   /* four letters */
#define VHD_CREATOR_VERSION 32
#define VHD_CREATOR_OS 36
#define VHD_ORIGINAL_SIZE 40
#define VHD_CURRENT_SIZE 48
#define VHD_CYLINDERS 56 /* 16 bits */
#define VHD_HEADS 58	 /* 8 bits */
#define VHD_TRACK 59	 /* sectors of a track, 8 bits */
#define VHD_TYPE 60
#define VHD_SUM 64
#define VHD_UUID 68
#define VHD_SAVED 84 /* 8 bits; from here on reserved */

#define VHD_VERSION_1 0x00010000u
#define VHD_FEATURE_TEMPORARY 1u
#define VHD_FEATURE_RESERVED 2u /* "must always be set to 1" */

/* Seconds from 1970-01-01 to 2000-01-01. */
#define VHD_EPOCH 946684800

enum vhd_type { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

/* "Dynamic Disk Header Format". */
#define VHD_HEADER_LEN 1024
#define VHD_HEADER_COOKIE "cxsparse"
#define VHD_TABLE_OFFSET 16
#define VHD_HEADER_VERSION 24
#define VHD_TABLE_ENTRIES 28
#define VHD_BLOCK_SIZE 32
#define VHD_HEADER_SUM 36
#define VHD_PARENT_UUID 40
#define VHD_PARENT_TIME 56
#define VHD_PARENT_NAME 64 /* UTF-16, big-endian in practice */
#define VHD_PARENT_NAME_LEN 512
#define VHD_LOCATORS 576
#define VHD_LOCATOR_COUNT 8

/* A parent locator entry. Its "data space" is told in sectors by some writers
 * and in bytes by others, so nobody relies on it. */
#define VHD_LOCATOR_LEN 24
#define VHD_LOCATOR_CODE 0
#define VHD_LOCATOR_DATA_LEN 8
#define VHD_LOCATOR_OFFSET 16

/* "Block Allocation Table and Data Blocks": an entry is the sector where a
 * block's bitmap begins, its data come behind. */
#define VHD_ENTRY_LEN 4
#define VHD_UNUSED UINT32_MAX
#define VHD_BLOCK_SIZE_USUAL ((uint32_t)(2 * MIB))

/* 2040 GiB: with blocks and their bitmaps, what 32 bits of sectors reach. */
#define VHD_SIZE_MAX (2040 * GIB)

/* "Appendix: CHS Calculation": the largest geometry, 127.5 GiB. A disk that
 * is larger has this one as well. */
#define VHD_CYLINDERS_MAX 65535u
#define VHD_HEADS_MAX 16u
#define VHD_TRACK_MAX 255u

#endif
