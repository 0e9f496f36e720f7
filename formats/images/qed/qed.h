/* SPDX-License-Identifier: MIT */
/*
 * The inside of the QED driver, seen by its own files alone.
 *
 *   header.c         the header's fields, out of bytes and into them
 *   tables.c         guest offset -> place: L1, some L2; the check of both
 *   disk.c           the disk face
 *   glance.c         what any header asks for, for verdicts
 *   write.c          the writer
 *   write_options.c  its options
 *   driver.c         the row of the registry
 *
 * Layout: QEMU, docs/interop/qed_spec ("QED Image File Format
 * Specification"). All numbers are little-endian.
 */
#ifndef FORMATS_IMAGES_QED_QED_H
#define FORMATS_IMAGES_QED_QED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/table_cache.h"

/* "Header" */
#define QED_MAGIC 0x00444551u /* "QED\0" */
#define QED_CLUSTER_SIZE_AT 4
#define QED_TABLE_SIZE_AT 8   /* of L1 and L2, in clusters */
#define QED_HEADER_SIZE_AT 12 /* in clusters */
#define QED_FEATURES_AT 16
#define QED_COMPAT_AT 24
#define QED_AUTOCLEAR_AT 32
#define QED_L1_AT 40
#define QED_SIZE_AT 48
#define QED_BACKING_AT 56
#define QED_BACKING_LEN_AT 60
#define QED_HEADER_LEN 64

#define QED_CLUSTER_MIN 4096
#define QED_CLUSTER_MAX (64 * 1024 * 1024)
#define QED_TABLE_MAX 16

/* "Feature bits" */
#define QED_F_BACKING_FILE 1ULL
#define QED_F_NEED_CHECK 2ULL
#define QED_F_NO_PROBE 4ULL /* the backing file is raw */
#define QED_F_KNOWN 7ULL

/* "Data cluster offsets": 0 is unallocated. */
#define QED_ENTRY_ZERO 1
#define QED_ENTRY_LEN 8

/* QEMU takes no longer name. */
#define QED_NAME_LEN 1024

struct qed_header {
	uint32_t cluster_size;
	uint32_t table_size, header_size; /* in clusters */
	uint64_t features;
	uint64_t l1_offset;
	uint64_t size;
	uint32_t backing_offset, backing_len;
	char backing[QED_NAME_LEN]; /* "" for none, or not read yet */
	/* Worked out of the above. */
	uint64_t table_len; /* bytes */
	uint64_t entries;   /* in a table */
	uint64_t l2_span;   /* guest bytes that an L2 table maps */
	uint64_t l1_used;   /* L1 entries the disk needs */
	uint64_t first;	    /* offset of the first regular cluster */
};

/* Out of the first `len` bytes of the file, all fields in range; `file_size`
 * UINT64_MAX: not known (a stream). The backing file's name is taken when it
 * lies within `len`. */
int qed_header_parse(const unsigned char *bytes, size_t len, uint64_t file_size,
		     struct qed_header *out, struct err *err);
/* The same from a seekable source, with the name. */
int qed_header_read(struct source *source, struct qed_header *out,
		    struct err *err);
/* What follows from cluster_size, table_size, header_size and size. */
void qed_header_derive(struct qed_header *header);
/* QED_HEADER_LEN bytes and the name. */
void qed_header_put(const struct qed_header *header, unsigned char *out);
void qed_info(const struct qed_header *header, struct facts *facts);

/* ---- tables.c ---- */

struct qed_tables {
	const struct qed_header *header;
	struct source *source;
	uint64_t *l1; /* header->l1_used entries */
	size_t slice;
	struct table_cache *cache;
};

/* `header` and `source` outlive it. */
int qed_tables_open(struct qed_tables *tables, const struct qed_header *header,
		    struct source *source, uint64_t memory, struct err *err);
void qed_tables_close(struct qed_tables *tables);
/* The run that starts at `offset` (< size), at most `limit` bytes, joined as
 * far as is cheap. EXTENT_HOLE: unallocated, the backing file has it. */
int qed_tables_run(struct qed_tables *tables, uint64_t offset, uint64_t limit,
		   struct extent *out, struct err *err);
/* All entries of an image judged, and who uses what. `header`: its struct
 * qed_header. */
int qed_tables_check(struct source *source, const void *header,
		     struct check_report *report, struct err *err);

/* ---- the driver's faces ---- */

struct disk *qed_open(struct source *source, const struct open_options *options,
		      struct err *err);
int qed_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err);
void qed_glance(struct source *source, struct facts *facts);
int qed_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

extern const struct driver_option qed_options[];

struct qed_config {
	uint32_t cluster_size, table_size;
	const char *backing; /* the options', or NULL */
	bool backing_raw;
};

int qed_config_parse(const struct create_options *options,
		     struct qed_config *out, struct err *err);
/* The header of a new image of `size` bytes. */
void qed_config_header(const struct qed_config *config, uint64_t size,
		       struct qed_header *out);
/* Can it be that large? */
int qed_config_size(const struct qed_config *config, uint64_t size,
		    struct err *err);

struct writer *qed_create(struct sink *sink,
			  const struct create_options *options,
			  struct err *err);
int qed_check_options(const struct create_options *options, struct err *err);
enum append_need qed_append(const struct create_options *options);
uint32_t qed_survey_granule(const struct create_options *options);
uint64_t qed_measure(const struct create_options *options, uint64_t size,
		     uint64_t data);

#endif
