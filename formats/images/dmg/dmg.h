/* SPDX-License-Identifier: MIT */
/*
 * The inside of the DMG driver (UDIF, read only), seen by its own files alone.
 *
 *   koly.c    the trailer
 *   plist.c   block tables out of the property list (XML)
 *   rsrc.c    block tables out of a resource fork, in old images
 *   chunks.c  block tables -> one list of chunks in the order of the disk
 *   disk.c    the disk face and the row of the registry
 *   check.c   checksums and who uses which bytes
 *
 * Facts are those of the descriptions of UDIF by libyal ("Mac OS disk image
 * types") and "Demystifying the DMG File Format", and QEMU's block/dmg.c.
 * All numbers are big-endian; a sector has 512 bytes.
 *
 * The trailer, the file's last 512 bytes:
 *
 *     0  "koly"            4  version: 4         8  its length: 512
 *    24  data fork, place and length, 64 bits each
 *    40  resource fork, place and length
 *    56  segment number   60  segments
 *    80  data fork's checksum: type, bits, 128 bytes
 *   216  property list, place and length
 *   352  master checksum: type, bits, 128 bytes
 *   488  variant          492  sectors of the disk, 64 bits
 *
 * A block table ("blkx"), one a partition:
 *
 *     0  "mish"            4  version: 1
 *     8  first sector     16  sectors    24  place in the data fork
 *    64  checksum: type, bits, 128 bytes
 *   200  number of chunks
 *   204  chunks of 40 bytes: type, a comment, then first sector (from the
 *        table's), sectors, place (from the table's) and length, 64 bits each
 *
 * Checksums of type 2 with 32 bits are CRC-32: of the data fork; of what a
 * table's chunks decode to, without those to be ignored; and as the master
 * that of the tables' checksums one after the other.
 */
#ifndef FORMATS_IMAGES_DMG_DMG_H
#define FORMATS_IMAGES_DMG_DMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"

#define DMG_TRAILER_LEN 512
#define DMG_SECTOR 512u

#define DMG_ZERO 0u
#define DMG_RAW 1u
#define DMG_IGNORE 2u
#define DMG_COMMENT 0x7ffffffeu
#define DMG_ADC 0x80000004u
#define DMG_ZLIB 0x80000005u
#define DMG_BZIP2 0x80000006u
#define DMG_LZFSE 0x80000007u
#define DMG_XZ 0x80000008u
#define DMG_END 0xffffffffu

struct dmg_crc {
	bool there; /* CRC-32; other kinds are not known */
	uint32_t value;
};

struct dmg_koly {
	uint64_t data_at, data_len; /* the data fork, in the file */
	uint64_t rsrc_at, rsrc_len;
	uint64_t plist_at, plist_len; /* 0: there is none */
	uint64_t sectors;
	uint32_t variant;
	struct dmg_crc data_crc, master_crc;
};

/* A block table as it stands in the image, and whose it is. */
struct dmg_table {
	unsigned char *bytes;
	size_t len;
	char name[128];
};

struct dmg_tables {
	struct dmg_table *list;
	size_t count;
	size_t total; /* bytes of all, at most LIMIT_TABLE_LEN */
};

struct dmg_chunk {
	uint64_t first, sectors; /* of the disk */
	uint64_t place, stored;	 /* in the file, bytes */
	uint32_t type;
};

struct dmg_part {
	uint64_t first, sectors;
	struct dmg_crc crc;
	char name[128];
};

struct dmg_map {
	struct dmg_chunk *chunk; /* by first sector, without overlaps */
	size_t chunk_count;
	struct dmg_part *part; /* in the order of the image */
	size_t part_count;
	/* The largest compressed chunk, bytes. */
	size_t stored_max, length_max;
};

int dmg_koly_read(struct source *source, struct dmg_koly *koly,
		  struct err *err);
/* A checksum's 136 bytes: type, bits and value. */
struct dmg_crc dmg_crc_parse(const unsigned char *p);

/* Add the tables of a property list or a resource fork. */
int dmg_plist_read(const char *text, size_t len, struct dmg_tables *tables,
		   struct err *err);
int dmg_rsrc_read(const unsigned char *fork, size_t len,
		  struct dmg_tables *tables, struct err *err);
/* Takes `bytes`, which malloc made. ERR_LIMIT when it is too much in all. */
int dmg_tables_add(struct dmg_tables *tables, unsigned char *bytes, size_t len,
		   const char *name, struct err *err);
void dmg_tables_clear(struct dmg_tables *tables);

/* Tables of a trailer's image, parsed, sorted and held against each other. */
int dmg_map_read(struct source *source, const struct dmg_koly *koly,
		 struct dmg_map *map, struct err *err);
void dmg_map_clear(struct dmg_map *map);
/* The first chunk that ends behind `sector`; chunk_count when none does. */
size_t dmg_map_find(const struct dmg_map *map, uint64_t sector);
bool dmg_is_packed(uint32_t type);

struct disk *dmg_open(struct source *source, const struct open_options *options,
		      struct err *err);
/* Of a disk that dmg_open made. */
const struct dmg_map *dmg_map_of(const struct disk *disk);
const struct dmg_koly *dmg_koly_of(const struct disk *disk);
/* The CRC-32 of the data fork's bytes as they are stored. */
int dmg_fork_crc(struct source *source, const struct dmg_koly *koly,
		 uint32_t *crc, struct err *err);
int dmg_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
