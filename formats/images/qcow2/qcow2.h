/* SPDX-License-Identifier: MIT */
/*
 * The inside of the qcow2 driver, seen by its own files alone.
 *
 *   header.c    the header and its extensions, out of bytes
 *   snapshot.c  the snapshot table
 *   tables.c    guest offset -> host offset: L1, a bounded cache of L2
 *   disk.c      the disk face           walk.c, pending.c  the walk face
 *   check.c, refcounts.c  consistency   write*.c  the writer
 *
 * layout.h holds the format's numbers; driver.c the row of the registry.
 */
#ifndef FORMATS_IMAGES_QCOW2_QCOW2_H
#define FORMATS_IMAGES_QCOW2_QCOW2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/images/qcow2/layout.h"

/* ---- the driver's faces: reading ---- */

/* driver->open, ->walk and ->check. The walk needs a spool (walk_spools) and
 * takes only the active state of an image without backing and data file;
 * anything else is ERR_UNSUPPORTED: spool the whole and use the disk. */
struct disk *qcow2_open(struct source *source,
			const struct open_options *options, struct err *err);
struct walk *qcow2_walk(struct source *stream,
			const struct open_options *options, int spool_fd,
			struct err *err);
int qcow2_check(struct source *source, const struct open_options *options,
		struct check_report *report, struct err *err);

/* ---- the driver's faces: writing ---- */

extern const struct driver_option qcow2_options[];

struct writer *qcow2_create(struct sink *sink,
			    const struct create_options *options,
			    struct err *err);
int qcow2_check_options(const struct create_options *options,
			struct err *err);
uint64_t qcow2_measure(const struct create_options *options, uint64_t size,
		       uint64_t data);

/* ---- header.c ---- */

#define QCOW2_NAME_LEN 1024
#define QCOW2_FORMAT_LEN 64

/* The header and its extensions, every field in range. */
struct qcow2_header {
	uint32_t version;
	unsigned cluster_bits;
	uint32_t cluster_size;
	uint64_t size;
	uint32_t crypt;
	uint32_t l1_entries;
	uint64_t l1_offset;
	uint64_t reftable_offset;
	uint32_t reftable_clusters;
	uint32_t snapshot_count;
	uint64_t snapshots_offset;
	uint64_t incompatible, compatible, autoclear;
	unsigned refcount_order;
	uint32_t header_len;
	unsigned compression; /* 0 deflate, 1 zstd */
	bool has_backing, has_data_file;
	char backing[QCOW2_NAME_LEN];
	char backing_format[QCOW2_FORMAT_LEN]; /* "" when not stated */
	char data_file[QCOW2_NAME_LEN];
	bool has_bitmaps; /* the extension is there */
	uint32_t bitmap_count;
	uint64_t bitmaps_offset, bitmaps_len;
	bool extended_l2;
	unsigned l2_entry_len;	/* 8 or 16 */
	uint64_t l2_entries;	/* in one table */
	uint64_t l2_span;	/* guest bytes one table maps */
	unsigned extension_count;
};

/* What may be opened all the same. */
enum qcow2_tolerance {
	QCOW2_FOR_READING,
	QCOW2_FOR_LOOKING /* info, check: an image marked corrupt too */
};

/* Out of the first `len` bytes of the file: its first cluster, or the whole
 * file when that is shorter. `file_size` UINT64_MAX: not known (a stream). */
int qcow2_header_parse(const unsigned char *bytes, size_t len,
		       uint64_t file_size, enum qcow2_tolerance tolerance,
		       struct qcow2_header *out, struct err *err);
/* The same from a seekable source. */
int qcow2_header_read(struct source *source, enum qcow2_tolerance tolerance,
		      struct qcow2_header *out, struct err *err);
/* How many bytes qcow2_header_parse wants to see, told from the first 24; at
 * least 512. */
int qcow2_header_want(const unsigned char *bytes, size_t len, size_t *want,
		      struct err *err);
/* Which fixed structure (header, refcount table, active L1 table) overlaps
 * [offset, offset + length); NULL when none does. */
const char *qcow2_header_overlap(const struct qcow2_header *header,
				 uint64_t offset, uint64_t length);
/* The table of `entries` L1 entries at `offset`: aligned, inside the file,
 * large enough for `size` guest bytes. */
int qcow2_header_check_l1(const struct qcow2_header *header, uint64_t offset,
			  uint32_t entries, uint64_t size, uint64_t file_size,
			  struct err *err);

#endif
