/* SPDX-License-Identifier: MIT */
/*
 * The inside of the qcow2 writer.
 *
 *   write_options.c  the options, their combinations, the size to expect
 *   write_room.c     which host cluster is next: pure arithmetic
 *   write_header.c   the header's bytes
 *   write_tables.c   refcount blocks, L1, L2: their memory and their stores
 *   write_stream.c   the same ahead of the data, for append-only sinks
 *   write_pack.c     compressed clusters, packed at byte granularity
 *   write.c          the writer's slots
 *
 * The file, in ascending order:
 *
 *   header | refcount block | room for an L1 | L2 data data ... L2 data ...
 *   | refcount block | data ... | L1 (larger than that) | refcount table
 *
 * The room is of 64 KiB, at least a cluster: for 4 TiB in clusters of 64 KiB,
 * for 16 GiB in those of 4 KiB. Its place does not depend on whether the size
 * was known beforehand, so the bytes do not. What is not used of it counts as
 * free.
 *
 * An L2 table stands in front of the first cluster of its guest range, a
 * refcount block in front of the first cluster it counts (after a table that
 * must not be interrupted). All places follow from the sequence of clusters
 * alone: an append-only sink gets the same bytes, told by the survey.
 */
#ifndef FORMATS_IMAGES_QCOW2_WRITE_H
#define FORMATS_IMAGES_QCOW2_WRITE_H

#include "formats/codecs/codec.h"
#include "formats/images/qcow2/qcow2.h"

enum qcow2_preallocation {
	QCOW2_PREALLOCATE_OFF,
	QCOW2_PREALLOCATE_METADATA,
	QCOW2_PREALLOCATE_FALLOC,
	QCOW2_PREALLOCATE_FULL
};

/* The options, parsed. */
struct qcow2_config {
	unsigned version; /* 2 or 3 */
	unsigned cluster_bits;
	uint32_t cluster_size;
	unsigned refcount_order;
	bool extended_l2, lazy_refcounts, data_raw;
	enum qcow2_preallocation preallocation;
	const char *backing, *backing_format, *data_file; /* or NULL */
	bool compress;
	enum block_codec_id codec;
	struct block_options block;
	uint64_t l2_entries; /* in one table */
	uint64_t l2_span;    /* guest bytes of one table */
};

/* ---- write_options.c ---- */

/* driver->survey_granule: a subcluster, or a cluster. */
uint32_t qcow2_survey_granule(const struct create_options *options);

/* ERR_USAGE for a value or a combination that does not make sense. */
int qcow2_config_parse(const struct create_options *options,
		       struct qcow2_config *out, struct err *err);
/* Clusters in front that are left for an L1. */
uint64_t qcow2_config_l1_room(const struct qcow2_config *config);
/* L1 entries for a disk of `size`, at least 1; ERR_UNSUPPORTED when the
 * table would be larger than readers accept. */
int qcow2_config_l1(const struct qcow2_config *config, uint64_t size,
		    uint64_t *entries, struct err *err);

/* ---- write_room.c ---- */

/* The host clusters given out so far. Block k counts the clusters
 * [k << count_bits, (k + 1) << count_bits). */
struct qcow2_room {
	uint64_t next;	 /* the first cluster not given out */
	uint64_t free, free_end; /* given out, and not used after all */
	uint64_t blocks; /* refcount blocks given out */
	unsigned count_bits;
	bool record; /* keep the places of the blocks */
	uint64_t *block_at; /* clusters; `blocks` of them */
	size_t block_room;
};

void qcow2_room_init(struct qcow2_room *room,
		     const struct qcow2_config *config, bool record);
/* `count` clusters in one run; the first one's number. Blocks due come in
 * front of it. */
uint64_t qcow2_room_take(struct qcow2_room *room, uint64_t count);
/* True when no block is due in front of the next cluster taken. */
bool qcow2_room_adjoins(const struct qcow2_room *room);
/* The refcount table, the last taken: its place and length in clusters.
 * Blocks for its own clusters follow it. */
void qcow2_room_end(struct qcow2_room *room,
		    const struct qcow2_config *config, uint64_t *place,
		    uint64_t *clusters);
void qcow2_room_clear(struct qcow2_room *room);

/* ---- write_header.c ---- */

struct qcow2_head {
	uint64_t size;
	uint64_t l1_offset, l1_entries;
	uint64_t reftable_offset, reftable_clusters;
};

/* Bytes of header, extensions and backing name. */
size_t qcow2_head_len(const struct qcow2_config *config);
/* The whole first cluster (zeroed by the caller, long enough). */
void qcow2_head_put(const struct qcow2_config *config,
		    const struct qcow2_head *head, unsigned char *out);

/* ---- the writer ---- */

struct qcow2_l2 {
	bool open;
	uint64_t index;
	unsigned char *bytes;
};

/* Compressed clusters share host clusters: the one being filled. */
struct qcow2_pack {
	bool open;
	uint64_t cluster;
	uint32_t used;	/* bytes */
	uint64_t count; /* references */
};

struct qcow2_writer {
	struct writer writer;
	struct qcow2_config config;
	char *names[3]; /* what the config's texts point to */
	struct sink *data_sink; /* external data, or NULL */
	bool size_known;
	uint64_t size;
	struct qcow2_room room;
	uint64_t *l1; /* host offsets; l1_entries of them, 0: none */
	uint64_t l1_entries, l1_room;
	uint64_t l1_offset; /* its room's, until it is known not to fit */
	struct qcow2_l2 l2;
	/* The table that a first unit coming last shares with what came
	 * before it. */
	struct qcow2_l2 kept;
	/* Blocks [0, block_done) are stored. `block` holds the counts above 1
	 * of block `block_done`; the others are filled in when it is. */
	uint64_t block_done;
	unsigned char *block;
	struct qcow2_pack pack;
	struct qcow2_plan *plan; /* append-only sinks, else NULL */
};

/* ---- write_tables.c ---- */

/* Host clusters for one thing; tables that stand in front are dealt with.
 * `unit` takes what an append-only sink gets before it. */
int qcow2_take(struct qcow2_writer *w, struct unit *unit, uint64_t count,
	       uint64_t *place, struct err *err);
/* Refcounts above 1, before the block is stored. */
int qcow2_count(struct qcow2_writer *w, uint64_t cluster, uint64_t count,
		struct err *err);
/* The first clusters of the file, before anything else is taken. */
int qcow2_start(struct qcow2_writer *w, struct err *err);
/* A place for the L2 table of `index` if it has none. */
int qcow2_l2_place(struct qcow2_writer *w, struct unit *unit, uint64_t index,
		   struct err *err);
/* The table that maps guest cluster `guest`, open for entries. */
int qcow2_l2_use(struct qcow2_writer *w, struct unit *unit, uint64_t guest,
		 struct qcow2_l2 **out, struct err *err);
/* The entry of guest cluster `guest`; `bitmap` is for extended entries. */
void qcow2_l2_put(const struct qcow2_config *config, unsigned char *table,
		  uint64_t guest, uint64_t entry, uint64_t bitmap);
/* ERR_UNSUPPORTED when readers would not take a refcount table of so many
 * clusters. */
int qcow2_check_reftable(const struct qcow2_config *config, uint64_t clusters,
			 struct err *err);
/* All that is left: tables, blocks, refcount table, header. */
int qcow2_end(struct qcow2_writer *w, struct err *err);
/* A refcount block as bytes: 1 for clusters in use where `out` has 0. */
void qcow2_block_fill(const struct qcow2_config *config,
		      const struct qcow2_room *room, uint64_t index,
		      unsigned char *out);
/* Once the number of L1 entries is known: is the L1 in its room? What is left
 * of that is free. Blocks stored before are set right by the caller. */
bool qcow2_room_settle(struct qcow2_room *room,
		       const struct qcow2_config *config, uint64_t l1_offset,
		       uint64_t entries);
/* Bytes of the L1 and of the refcount table; malloc'ed. */
unsigned char *qcow2_l1_bytes(const uint64_t *l1, uint64_t entries,
			      size_t len);
unsigned char *qcow2_reftable_bytes(const struct qcow2_config *config,
				    const struct qcow2_room *room,
				    uint64_t clusters);

/* ---- write_stream.c ---- */

/* For an append-only sink: place everything beforehand. The survey is borrowed
 * and outlives the writer. */
int qcow2_plan_make(struct qcow2_writer *w,
		    const struct create_options *options, struct err *err);
void qcow2_plan_free(struct qcow2_plan *plan);
/* Blocks that stand in front of what was just taken, and the header. */
int qcow2_plan_before(struct qcow2_writer *w, struct unit *unit,
		      struct err *err);
/* The L2 table of `index`, just taken. */
int qcow2_plan_l2(struct qcow2_writer *w, struct unit *unit, uint64_t index,
		  struct err *err);
/* Is what came what was announced? ERR_TEMPORARY. */
int qcow2_plan_check(struct qcow2_writer *w, uint64_t guest, bool data,
		     uint64_t bitmap, struct err *err);
int qcow2_plan_check_zero(struct qcow2_writer *w, uint64_t offset,
			  uint64_t length, struct err *err);
int qcow2_plan_end(struct qcow2_writer *w, struct err *err);

/* ---- write_pack.c ---- */

/* Where `len` bytes of a compressed cluster go, and the L2 entry. */
int qcow2_pack_take(struct qcow2_writer *w, struct unit *unit, uint32_t len,
		    uint64_t *offset, uint64_t *entry, struct err *err);
/* Nothing more goes into the open cluster. */
int qcow2_pack_close(struct qcow2_writer *w, struct err *err);

#endif
