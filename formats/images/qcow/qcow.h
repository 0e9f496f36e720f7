/* SPDX-License-Identifier: MIT */
/*
 * The inside of the qcow driver (version 1, read only), seen by its own files
 * alone: header.c reads the header and the L1 table, disk.c is the disk face
 * and the row of the registry, check.c goes through it all.
 *
 * The layout, big-endian, as in QEMU's block/qcow.c (struct QCowHeader):
 *
 *    0  "QFI\xfb"
 *    4  version: 1
 *    8  where the backing file's name lies, 64 bits; 0: there is none
 *   16  bytes of that name, at most 1023
 *   20  when the backing file was changed last, seconds since 1970
 *   24  bytes of the disk, 64 bits
 *   32  cluster_bits, 9..16
 *   33  l2_bits, 6..13: entries of an L2 table
 *   36  encryption: 0 none, 1 AES
 *   40  where the L1 table lies, 64 bits
 *
 * An L1 entry is the place of an L2 table, an L2 entry that of a cluster; 0:
 * there is none. In L2 entries bit 63 says that the cluster is compressed (raw
 * deflate): the cluster_bits below it are its length, the rest its place.
 */
#ifndef FORMATS_IMAGES_QCOW_QCOW_H
#define FORMATS_IMAGES_QCOW_QCOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"

#define QCOW_HEADER_LEN 48
#define QCOW_NAME_MAX 1023
#define QCOW_COMPRESSED ((uint64_t)1 << 63)

struct qcow_header {
	uint64_t size; /* bytes */
	unsigned cluster_bits;
	uint32_t cluster_size;
	size_t l2_len;	  /* bytes of an L2 table */
	uint64_t l2_span; /* guest bytes of one */
	uint64_t l1_at, l1_entries;
	uint64_t backing_at; /* 0: none */
	uint32_t backing_len, backing_time;
	char backing[QCOW_NAME_MAX + 1];
	bool encrypted;
};

/* What an L2 entry says. */
struct qcow_cluster {
	bool stored, packed;
	uint64_t place, length; /* in the file */
};

/* Out of QCOW_HEADER_LEN bytes, all but the backing file's name. Unless it is
 * only looked at, what is encrypted is ERR_UNSUPPORTED. */
int qcow_header_parse(const unsigned char *p, bool looking,
		      struct qcow_header *header, struct err *err);
int qcow_header_read(struct source *source, bool looking,
		     struct qcow_header *header, struct err *err);
void qcow_header_facts(const struct qcow_header *header, struct facts *facts);
/* The L1 table; free it. */
uint64_t *qcow_l1_read(struct source *source, const struct qcow_header *header,
		       struct err *err);
/* The first place that stands in it twice, or 0. */
uint64_t qcow_l1_shared(const uint64_t *l1, uint64_t count);
/* May an L2 table lie there? */
int qcow_l2_judge(const struct qcow_header *header, uint64_t place,
		  uint64_t file_size, struct err *err);
/* An L2 entry, for the cluster at guest offset `guest` (aligned): of a plain
 * one, what the disk has of it must lie in the file. */
int qcow_cluster_judge(const struct qcow_header *header, uint64_t entry,
		       uint64_t guest, uint64_t file_size,
		       struct qcow_cluster *out, struct err *err);

int qcow_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

#endif
