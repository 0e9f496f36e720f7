/* SPDX-License-Identifier: MIT */
/*
 * The inside of the qcow2 driver, seen by its own files alone.
 *
 *   header.c, extension.c  the header and its extensions, out of bytes
 *   snapshot.c             the snapshot table
 *   entry.c                L1 and L2 entries: what they say, and whether
 *                          they may
 *   tables.c               guest offset -> host offset: L1, some L2
 *   disk.c, info.c         the disk face
 *   glance.c               what any header asks for, for verdicts
 *   walk.c, pending.c      the walk face
 *   check.c, refcounts.c   consistency
 *   write*.c               the writer
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
#include "formats/packed.h"
#include "formats/table_cache.h"

/* ---- the driver's faces: reading ---- */

/* driver->open, ->peek, ->glance, ->walk and ->check. The walk needs a spool and takes
 * only the active state of an image without backing and data file; anything
 * else is ERR_UNSUPPORTED: spool the whole and use the disk. */
struct disk *qcow2_open(struct source *source,
			const struct open_options *options, struct err *err);
int qcow2_peek(const unsigned char *head, size_t len, uint64_t *size,
	       struct facts *facts, struct err *err);
void qcow2_glance(struct source *source, struct facts *facts);
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
int qcow2_check_options(const struct create_options *options, struct err *err);
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
	uint64_t crypto_offset, crypto_len; /* LUKS header; 0: none */
	bool extended_l2;
	unsigned l2_entry_len; /* 8 or 16 */
	uint64_t l2_entries;   /* in one table */
	uint64_t l2_span;      /* guest bytes one table maps */
	unsigned extension_count;
};

/* What may be opened all the same. */
enum qcow2_tolerance {
	QCOW2_FOR_READING,
	QCOW2_FOR_PLANNING, /* an encrypted image too */
	QCOW2_FOR_LOOKING   /* info, check: one marked corrupt as well */
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

/* ---- snapshot.c ---- */

struct qcow2_snapshot {
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint64_t size; /* of the disk at that time */
	uint32_t seconds; /* since 1970 */
	char *id, *name;
};

struct qcow2_snapshots {
	struct qcow2_snapshot *list;
	size_t count;
	uint64_t table_len; /* bytes in the file */
};

int qcow2_snapshots_read(struct source *source,
			 const struct qcow2_header *header,
			 struct qcow2_snapshots *out, struct err *err);
void qcow2_snapshots_clear(struct qcow2_snapshots *snapshots);
/* By id, else by name; ERR_USAGE lists what there is. */
const struct qcow2_snapshot *
qcow2_snapshots_find(const struct qcow2_snapshots *snapshots,
		     const char *wanted, struct err *err);

/* ---- entry.c ---- */

/* What entries are judged by. */
struct qcow2_view {
	const struct qcow2_header *header;
	uint64_t size;		    /* of the guest's disk */
	uint64_t file_size;	    /* UINT64_MAX: not known */
	uint64_t data_size;	    /* of the data file, or file_size */
	bool external;		    /* data lies in a file of its own */
	uint64_t l1_offset, l1_len; /* of the state being looked at */
};

enum qcow2_kind {
	QCOW2_UNALLOCATED, /* what the backing file has, or nothing */
	QCOW2_READS_ZERO,
	QCOW2_PLAIN,
	QCOW2_PACKED /* one compressed cluster */
};

/* A guest range of one kind. */
struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t offset, length; /* guest bytes, cut at the disk's end */
	uint64_t place;	 /* PLAIN: of the first byte; PACKED: of the cluster's
			    stored bytes */
	uint64_t stored; /* PACKED: how many */
	uint32_t skip;	 /* PACKED: `offset` lies this far into the cluster */
};

/* Where L1 entry number `index` has its L2 table; *place is 0 for none. */
int qcow2_entry_l2(const struct qcow2_view *view, uint64_t entry,
		   uint64_t index, uint64_t *place, struct err *err);
/* The run that starts `within` bytes into the cluster at guest offset `guest`
 * and ends at most with it, out of that cluster's L2 entry. */
int qcow2_entry_run(const struct qcow2_view *view, const unsigned char *entry,
		    uint64_t guest, uint32_t within, struct qcow2_run *out,
		    struct err *err);
/* Where a compressed entry's bytes lie, not cut at the end of the file. */
void qcow2_entry_packed(const struct qcow2_header *header, uint64_t entry,
			uint64_t *place, uint64_t *stored);
/* Append `next` to `run` if that makes one run. */
bool qcow2_run_join(struct qcow2_run *run, const struct qcow2_run *next);
/* Runs out of `count` entries whose first maps guest offset `guest`: the one
 * that starts at `offset`, joined, ending before `end`. */
int qcow2_entries_run(const struct qcow2_view *view,
		      const unsigned char *entries, size_t count,
		      uint64_t guest, uint64_t offset, uint64_t end,
		      struct qcow2_run *out, struct err *err);

/* ---- tables.c ---- */

/* One state (the active one or a snapshot) of an image, mapped. */
struct qcow2_tables {
	struct qcow2_view view;
	struct source *source;
	uint64_t *l1;
	uint32_t l1_entries;
	size_t slice;
	struct table_cache *cache;
};

/* `header` and `source` outlive it. `snapshot` NULL: the active state. */
int qcow2_tables_open(struct qcow2_tables *tables,
		      const struct qcow2_header *header,
		      const struct qcow2_snapshot *snapshot,
		      struct source *source, uint64_t memory, struct err *err);
void qcow2_tables_close(struct qcow2_tables *tables);
/* Load an L1 table, in host byte order; NULL with err for a bad one. */
uint64_t *qcow2_tables_l1(struct source *source, uint64_t offset,
			  uint32_t entries, struct err *err);
/* No two of `count` L1 entries share an L2 table: so the work to go through
 * all of them is bounded by the file, not by what its L1 table claims. */
int qcow2_tables_check_shared(const uint64_t *l1, uint64_t count,
			      struct err *err);
/* The run that starts at `offset` (< size), at most `limit` bytes, joined as
 * far as is cheap. */
int qcow2_tables_run(struct qcow2_tables *tables, uint64_t offset,
		     uint64_t limit, struct qcow2_run *out, struct err *err);

/* ---- disk.c ---- */

/* The reader of an image's compressed clusters. */
struct packed *qcow2_packed_open(const struct qcow2_header *header,
				 struct source *source);
/* `len` guest bytes of a compressed run, from its start. */
int qcow2_packed_read(struct packed *packed, const struct qcow2_header *header,
		      const struct qcow2_run *run, void *buf, size_t len,
		      struct err *err);

/* ---- info.c ---- */

void qcow2_info(const struct qcow2_header *header,
		const struct qcow2_snapshots *snapshots, struct facts *facts);

#endif
