/* SPDX-License-Identifier: MIT */
/*
 * The inside of the dmg driver: Apple's disk images (UDIF), read only.
 *
 *   trailer.c    the last 512 bytes: where everything is
 *   plist.c      the property list: block tables in base64 (libxml2)
 *   resources.c  the same out of an old image's resource fork
 *   table.c      block tables: chunks of sectors, and the list of all
 *   disk.c       the disk face and the registry's row
 *   check.c      consistency, with every checksum
 *
 * Apple has published no specification. The facts are those on which readers
 * agree: libyal's "Mac OS X disk image types" (libmodi), QEMU's block/dmg.c
 * and dmg2img. All numbers are big-endian; a sector is 512 bytes.
 */
#ifndef FORMATS_IMAGES_DMG_DMG_H
#define FORMATS_IMAGES_DMG_DMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/packed.h"

#define DMG_SECTOR 512u

/* Checksums: type 2 is CRC-32, four bytes; 0 is none. */
#define DMG_SUM_NONE 0
#define DMG_SUM_CRC32 2

struct dmg_sum {
	uint32_t type, value;
};

/* ---- trailer.c ---- */

#define DMG_TRAILER_LEN 512

struct dmg_trailer {
	uint32_t flags, variant;
	uint64_t data_at, data_len; /* the data fork */
	uint64_t fork_at, fork_len; /* the resource fork; length 0: none */
	uint64_t xml_at, xml_len;   /* the property list; length 0: none */
	uint64_t sectors;
	struct dmg_sum data_sum;   /* of the data fork's bytes */
	struct dmg_sum master_sum; /* of the block tables' sums */
};

int dmg_trailer_read(struct source *source, struct dmg_trailer *out,
		     struct err *err);

/* ---- table.c ---- */

enum dmg_kind { DMG_ZERO, DMG_HOLE, DMG_RAW, DMG_PACKED };

struct dmg_chunk {
	uint64_t sector, count; /* of the guest's disk */
	uint64_t place, stored; /* in the file */
	enum dmg_kind kind;
	enum block_codec_id codec; /* DMG_PACKED */
};

/* One block table: usually a partition, or what lies between two. */
struct dmg_part {
	uint64_t sector, count;
	struct dmg_sum sum; /* of its decoded bytes */
};

/* As many as fit the ceiling on tables. */
struct dmg_table {
	struct dmg_chunk *chunk; /* by sector, once dmg_table_finish is done */
	size_t chunks, chunk_room;
	struct dmg_part *part;
	size_t parts, part_room;
	uint64_t longest_stored, longest; /* of packed chunks, bytes */
};

/* Add what one block table ("mish") says. Its chunks lie inside the data fork
 * and the disk. */
int dmg_table_add(struct dmg_table *table, const struct dmg_trailer *trailer,
		  const unsigned char *bytes, size_t len, struct err *err);
/* All are there: sort them; no two may overlap. */
int dmg_table_finish(struct dmg_table *table, struct err *err);
/* The first chunk that ends behind `sector`; NULL when there is none. */
const struct dmg_chunk *dmg_table_find(const struct dmg_table *table,
				       uint64_t sector);
void dmg_table_clear(struct dmg_table *table);

/* ---- plist.c, resources.c ---- */

/* Every block table of a property list or a resource fork of `len` bytes goes
 * to dmg_table_add. */
int dmg_plist_parse(const char *text, size_t len,
		    const struct dmg_trailer *trailer, struct dmg_table *table,
		    struct err *err);
int dmg_resources_parse(const unsigned char *bytes, size_t len,
			const struct dmg_trailer *trailer,
			struct dmg_table *table, struct err *err);

/* ---- disk.c ---- */

struct dmg_disk {
	struct disk disk;
	struct source *source;
	struct dmg_trailer trailer;
	struct dmg_table table;
	struct packed *packed;
};

struct disk *dmg_open(struct source *source, const struct open_options *options,
		      struct err *err);

/* ---- check.c ---- */

int dmg_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
