/* SPDX-License-Identifier: MIT */
/*
 * The inside of the Parallels driver, seen by its own files alone.
 *
 *   header.c     the header's fields, out of bytes and into them
 *   disk.c       the disk face
 *   check.c      consistency
 *   extension.c  the format extension, for the check
 *   write.c      the writer
 *   driver.c     the row of the registry
 *
 * Layout: QEMU, docs/interop/parallels ("Parallels Expandable Image File
 * Format"). All numbers are little-endian.
 */
#ifndef FORMATS_IMAGES_PARALLELS_PARALLELS_H
#define FORMATS_IMAGES_PARALLELS_PARALLELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/block_map.h"
#include "formats/images/driver.h"

/* "Header" */
#define PARALLELS_MAGIC_OLD "WithoutFreeSpace"
#define PARALLELS_MAGIC_EXTENDED "WithouFreSpacExt"
#define PARALLELS_MAGIC_LEN 16
#define PARALLELS_VERSION_AT 16
#define PARALLELS_VERSION 2
#define PARALLELS_HEADS_AT 20
#define PARALLELS_CYLINDERS_AT 24
#define PARALLELS_TRACKS_AT 28 /* cluster size, in sectors */
#define PARALLELS_ENTRIES_AT 32
#define PARALLELS_SECTORS_AT 36 /* 64 bits; 32 in the old format */
#define PARALLELS_IN_USE_AT 44
#define PARALLELS_DATA_AT 48 /* in sectors */
#define PARALLELS_FLAGS_AT 52
#define PARALLELS_EXTENSION_AT 56 /* in sectors, 64 bits */
#define PARALLELS_HEADER_LEN 64

#define PARALLELS_IN_USE 0x746f6e59u
#define PARALLELS_CLOSED 0x312e3276u
#define PARALLELS_FLAG_EMPTY 1u

#define PARALLELS_SECTOR 512
/* Ours: a cluster of 2 GiB. */
#define PARALLELS_TRACKS_MAX (1u << 22)

struct parallels_header {
	bool extended;
	uint32_t heads, cylinders;
	uint32_t tracks;
	uint32_t entries;
	uint64_t sectors;
	uint32_t in_use;
	uint32_t data_sector; /* as it stands there */
	uint32_t flags;
	uint64_t extension_sector;
	/* Worked out of the above, in bytes. */
	uint64_t size;
	uint32_t cluster_size;
	uint64_t data;
	/* For the check: clusters must stand where the specification wants
	 * them, too. */
	bool strict;
};

/* Out of the first `len` bytes of the file, all fields in range. */
int parallels_header_parse(const unsigned char *bytes, size_t len,
			   struct parallels_header *out, struct err *err);
/* PARALLELS_HEADER_LEN bytes of an extended one. */
void parallels_header_put(const struct parallels_header *header,
			  unsigned char *out);
int parallels_header_read(struct source *source, struct parallels_header *out,
			  struct err *err);
void parallels_info(const struct parallels_header *header, struct facts *facts);
/* `header` is borrowed. */
struct block_map *parallels_map(struct source *source,
				const struct parallels_header *header,
				uint64_t memory, struct err *err);

/* Claims what the format extension uses. It says nothing of the guest's
 * data; its MD5 sum is not verified. */
int parallels_extension_check(struct source *source,
			      const struct parallels_header *header,
			      struct usage *usage, struct check_report *report,
			      struct err *err);
/* The BAT; and, with `extension`, all else. */
int parallels_check_bat(struct source *source,
			const struct parallels_header *header, bool extension,
			struct check_report *report, struct err *err);

/* The driver's faces. */
struct disk *parallels_open(struct source *source,
			    const struct open_options *options,
			    struct err *err);
int parallels_peek(const unsigned char *head, size_t len, uint64_t *size,
		   struct facts *facts, struct err *err);
int parallels_check(struct source *source, const struct open_options *options,
		    struct check_report *report, struct err *err);

extern const struct driver_option parallels_options[];

struct writer *parallels_create(struct sink *sink,
				const struct create_options *options,
				struct err *err);
int parallels_check_options(const struct create_options *options,
			    struct err *err);
uint32_t parallels_survey_granule(const struct create_options *options);
uint64_t parallels_measure(const struct create_options *options, uint64_t size,
			   uint64_t data);

#endif
