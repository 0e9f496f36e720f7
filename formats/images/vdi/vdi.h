/* SPDX-License-Identifier: MIT */
/*
 * The inside of the VDI driver, seen by its own files alone.
 *
 *   header.c   the header's fields, out of bytes and into them
 *   disk.c     the disk face, info and check
 *   write.c    the writer
 *   driver.c   the row of the registry
 *
 * Layout: VirtualBox, src/VBox/Storage/VDICore.h (VDIPREHEADER, VDIHEADER0,
 * VDIHEADER1, VDIHEADER1PLUS). All numbers are little-endian.
 */
#ifndef FORMATS_IMAGES_VDI_VDI_H
#define FORMATS_IMAGES_VDI_VDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/identity.h"
#include "formats/images/driver.h"

/* VDIPREHEADER: 64 bytes of text, then these. */
#define VDI_SIGNATURE_AT 64
#define VDI_VERSION_AT 68
#define VDI_SIGNATURE 0xbeda107fu
#define VDI_VERSION_1_1 0x00010001u
/* The version of VDIHEADER0. */
#define VDI_VERSION_OLD 0x00000002u

/* VDIHEADER1, offsets in the file. */
#define VDI_HEADER_LEN_AT 72
#define VDI_TYPE_AT 76
#define VDI_FLAGS_AT 80
#define VDI_COMMENT_AT 84
#define VDI_MAP_AT 340
#define VDI_DATA_AT 344
#define VDI_LEGACY_SECTOR_AT 360
#define VDI_SIZE_AT 368
#define VDI_BLOCK_SIZE_AT 376
#define VDI_EXTRA_AT 380
#define VDI_BLOCKS_AT 384
#define VDI_USED_AT 388
#define VDI_UUID_AT 392
#define VDI_MODIFY_UUID_AT 408
#define VDI_LINK_UUID_AT 424
#define VDI_PARENT_UUID_AT 440
/* VDIHEADER1PLUS adds a geometry at 456, its sector size last. */
#define VDI_SECTOR_AT 468
#define VDI_HEADER1_LEN 384
#define VDI_HEADER1PLUS_LEN 400
#define VDI_COMMENT_LEN 256

/* VDIHEADER0: map and data follow it without a gap. */
#define VDI0_TYPE_AT 72
#define VDI0_FLAGS_AT 76
#define VDI0_COMMENT_AT 80
#define VDI0_SIZE_AT 352
#define VDI0_BLOCK_SIZE_AT 360
#define VDI0_BLOCKS_AT 364
#define VDI0_USED_AT 368
#define VDI0_UUID_AT 372
#define VDI0_MODIFY_UUID_AT 388
#define VDI0_LINK_UUID_AT 404
#define VDI0_LEN 420

#define VDI_HEAD_LEN 512 /* any header fits */

/* VDI_IMAGE_BLOCK_FREE and VDI_IMAGE_BLOCK_ZERO, in the block map. */
#define VDI_BLOCK_FREE 0xffffffffu
#define VDI_BLOCK_ZERO 0xfffffffeu

/* Ours, for sums that stay small; VirtualBox wants a power of two and makes
 * 1 MiB. */
#define VDI_BLOCK_SIZE_MIN 512
#define VDI_BLOCK_SIZE_MAX (256 * 1024 * 1024)

/* VDIIMAGETYPE */
enum vdi_type { VDI_DYNAMIC = 1, VDI_STATIC, VDI_UNDO, VDI_DIFFERENCING };

struct vdi_header {
	uint32_t version;
	uint32_t type, flags;
	char comment[VDI_COMMENT_LEN];
	uint64_t map, data; /* offsets in the file, bytes */
	uint64_t size;
	uint32_t block_size;
	uint32_t extra; /* bytes in front of each block's data */
	uint32_t blocks, used;
	/* In the order they are written in, not as stored. */
	unsigned char uuid[IDENTITY_UUID_LEN];
	unsigned char modify[IDENTITY_UUID_LEN];
	unsigned char link[IDENTITY_UUID_LEN]; /* of the parent, or zeros */
	unsigned char parent[IDENTITY_UUID_LEN];
};

/* Out of the first `len` bytes of the file, every field in range; the map and
 * the blocks are not looked for. ERR_DAMAGED, ERR_UNSUPPORTED, ERR_LIMIT. */
int vdi_header_parse(const unsigned char *bytes, size_t len,
		     struct vdi_header *out, struct err *err);
/* Is what it lacks in another image? */
bool vdi_header_needs_parent(const struct vdi_header *header);
/* VDI_HEAD_LEN bytes of version 1.1. */
void vdi_header_put(const struct vdi_header *header, unsigned char *out);
void vdi_info(const struct vdi_header *header, struct facts *facts);

/* The driver's faces. */
struct disk *vdi_open(struct source *source, const struct open_options *options,
		      struct err *err);
int vdi_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err);
int vdi_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

extern const struct driver_option vdi_options[];

struct writer *vdi_create(struct sink *sink,
			  const struct create_options *options,
			  struct err *err);
int vdi_check_options(const struct create_options *options, struct err *err);
uint32_t vdi_survey_granule(const struct create_options *options);
uint64_t vdi_measure(const struct create_options *options, uint64_t size,
		     uint64_t data);

#endif
