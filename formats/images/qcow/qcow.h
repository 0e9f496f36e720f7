/* SPDX-License-Identifier: MIT */
/*
 * The inside of the qcow driver: QEMU's first copy-on-write format, version 1,
 * read only. Its layout
 * (QEMU block/qcow.c, which is all the specification there is), big-endian:
 *
 *      0  u32 "QFI\xfb"            32  u8  cluster_bits, 9..16
 *      4  u32 version: 1           33  u8  l2_bits, 6..13
 *      8  u64 backing file name    34  u16 padding
 *     16  u32 its length           36  u32 encryption: 0 none, 1 AES
 *     20  u32 time                 40  u64 L1 table
 *     24  u64 disk size            48  L1 table, tables, clusters
 *
 * L1 entries are places of L2 tables, of 1 << l2_bits entries; L2 entries are
 * places of clusters; 0 is none. With bit 63 set a cluster is raw deflate:
 * the next cluster_bits bits are its length, the rest its place.
 *
 *   header.c  the header and the L1 table, out of bytes
 *   tables.c  guest offset -> where a run of clusters lies
 *   disk.c    the disk face and the registry's row
 *   check.c   consistency
 */
#ifndef FORMATS_IMAGES_QCOW_QCOW_H
#define FORMATS_IMAGES_QCOW_QCOW_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/packed.h"
#include "formats/table_cache.h"

#define QCOW_HEADER_LEN 48
#define QCOW_NAME_LEN 1023

struct qcow_header {
	uint64_t name_at, size, l1_at;
	uint32_t name_len, crypt, time;
	unsigned cluster_bits, l2_bits;
	uint32_t cluster_size;
	uint64_t l1_count, l2_len, l2_span;
};

/* An open image. */
struct qcow_disk {
	struct disk disk;
	struct source *source;
	struct qcow_header header;
	char backing_name[QCOW_NAME_LEN + 1];
	uint64_t *l1;
	struct table_cache *tables;
	struct packed *packed;
	struct disk *backing; /* ours, or NULL */
	struct source *backing_source;
	bool incomplete; /* the backing file was left out: not to be read */
};

/* A guest range of one kind, within one cluster or several in a row. */
enum qcow_kind { QCOW_NOWHERE, QCOW_PLAIN, QCOW_PACKED };

struct qcow_run {
	enum qcow_kind kind;
	uint64_t offset, length, place;
	uint64_t stored; /* QCOW_PACKED */
	uint32_t skip;	 /* QCOW_PACKED: `offset` lies so far in the cluster */
};

/* ---- header.c ---- */

/* ERR_DAMAGED names the field, what it is and what it may be. */
int qcow_header_parse(const unsigned char *head, size_t len,
		      struct qcow_header *out, struct err *err);
bool qcow_has_backing(const struct qcow_header *header);
/* Those that the header alone tells. */
void qcow_header_facts(const struct qcow_header *header, struct facts *facts);
/* The header, the backing file's name and the L1 table; qcow->source is set. */
int qcow_header_read(struct qcow_disk *qcow, struct err *err);
/* A table of `len` bytes may lie at `at`. */
int qcow_check_place(const struct qcow_disk *qcow, const char *what,
		     uint64_t at, uint64_t len, struct err *err);
/* Every L2 table inside the file, and none used twice: so the work to go
 * through all of them is bounded by the file. */
int qcow_check_l1(const struct qcow_disk *qcow, struct err *err);

/* ---- tables.c ---- */

/* What an L2 entry says of the cluster at guest offset `guest`. */
int qcow_judge(const struct qcow_disk *qcow, uint64_t entry, uint64_t guest,
	       struct qcow_run *out, struct err *err);
/* The run that starts at `offset` (< size), at most `limit` bytes. */
int qcow_find_run(struct qcow_disk *qcow, uint64_t offset, uint64_t limit,
		  struct qcow_run *out, struct err *err);

/* ---- disk.c ---- */

/* An image with its tables, to be looked at; not yet with what it refers to,
 * nor with its L1 table checked. */
struct disk *qcow_open_tables(struct source *source,
			      const struct open_options *options,
			      struct err *err);

/* ---- check.c ---- */

int qcow_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

#endif
