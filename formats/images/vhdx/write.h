/* SPDX-License-Identifier: MIT */
/*
 * write: what the parts of the VHDX writer share. The file is
 *
 *   header section | log | metadata | BAT | blocks
 *
 * or, when the BAT is longer than 1 MiB, with the BAT last: whether the size was
 * known beforehand is not seen in the bytes. Blocks of
 * a dynamic disk follow each other in the order in which their first data
 * came; those of a fixed one as the guest has them. All of it begins at whole
 * MiB, so runs of blocks can be shared between files.
 */
#ifndef FORMATS_IMAGES_VHDX_WRITE_H
#define FORMATS_IMAGES_VHDX_WRITE_H

#include "formats/identity.h"
#include "formats/images/vhdx/vhdx.h"
#include "formats/writer.h"

/* What zero detection and placement count in: small enough to leave most
 * zeros out of a large block. */
#define VHDX_GRANULE ((uint32_t)(64 * KIB))

/* ---- write_options.c ---- */

struct vhdx_config {
	bool fixed;
	bool state_zero; /* blocks without data read as zero for sure */
	enum sink_zero zeros;
	bool preallocated; /* zeros is not SINK_ZERO_SPARSE */
	uint32_t block_size, logical, physical;
	uint64_t log_size, ratio;
};

extern const struct driver_option vhdx_options[];
int vhdx_config_parse(const struct create_options *options,
		      struct vhdx_config *out, struct err *err);
int vhdx_config_check_size(const struct vhdx_config *config, uint64_t size,
			   struct err *err);
/* Entries of the BAT for a disk of `size`, and bytes of its region. */
uint64_t vhdx_config_entries(const struct vhdx_config *config, uint64_t size);
uint64_t vhdx_config_bat_length(const struct vhdx_config *config,
				uint64_t size);

int vhdx_check_options(const struct create_options *options, struct err *err);
uint64_t vhdx_round_size(const struct create_options *options, uint64_t size);
enum append_need vhdx_append(const struct create_options *options);
uint32_t vhdx_survey_granule(const struct create_options *options);
uint64_t vhdx_measure(const struct create_options *options, uint64_t size,
		      uint64_t data);

/* ---- write_bat.c: the entries that are not as all others ---- */

#define VHDX_PAGE_LEN ((size_t)(64 * KIB))
#define VHDX_PAGE_ENTRIES (VHDX_PAGE_LEN / 8)

/* Pages of a BAT, made when something is put into them. */
struct vhdx_pages {
	uint64_t **list;
	size_t count;
};

/* The place of payload block `block`; 0: none yet. */
uint64_t vhdx_pages_get(const struct vhdx_pages *pages,
			const struct vhdx_config *config, uint64_t block);
void vhdx_pages_put(struct vhdx_pages *pages, const struct vhdx_config *config,
		    uint64_t block, uint64_t place);
/* Page `number` as it stands in the file, of a BAT of `entries`; `data` is
 * where a fixed disk begins. False when it is all zero. */
bool vhdx_pages_fill(const struct vhdx_pages *pages,
		     const struct vhdx_config *config, uint64_t entries,
		     uint64_t data, uint64_t number, unsigned char *out);
void vhdx_pages_clear(struct vhdx_pages *pages);

struct vhdx_writer;

/* ---- write_head.c ---- */

struct vhdx_head {
	uint64_t size; /* of the disk */
	uint64_t metadata_offset, metadata_length;
	uint64_t bat_offset, bat_length;
};
/* For a disk of `size`, when the BAT has its place. */
void vhdx_head_init(struct vhdx_head *head, const struct vhdx_writer *w,
		    uint64_t size);

/* What is not zero of the header section, and of the metadata region. */
#define VHDX_HEAD_LEN ((size_t)(VHDX_REGIONS_2 + VHDX_REGIONS_LEN))
#define VHDX_METADATA_USED ((size_t)(VHDX_METADATA_LEN + 4 * KIB))
unsigned char *vhdx_head_bytes(const struct vhdx_config *config,
			       const struct vhdx_head *head,
			       struct identity *identity);
unsigned char *vhdx_metadata_bytes(const struct vhdx_config *config,
				   const struct vhdx_head *head,
				   struct identity *identity);

/* ---- write.c, write_stream.c ---- */

/* Data of the first units, kept until the identifiers in front of it are
 * known. */
struct vhdx_held {
	uint64_t offset; /* in the file */
	unsigned char *bytes;
	size_t len;
};

struct vhdx_writer {
	struct writer writer;
	struct vhdx_config config;
	struct identity *identity;
	struct vhdx_pages pages;
	bool size_known;
	uint64_t size;	    /* when known */
	uint64_t bat;	    /* its place, once it is known */
	uint64_t data;	    /* where blocks begin */
	uint64_t next;	    /* where the next new block goes */
	bool allocated;	    /* all of a fixed one, from the start */
	bool append;	    /* what follows is for such a sink */
	bool started;	    /* what is in front of the blocks is out */
	struct vhdx_held *held;
	size_t held_count, held_room;
};

struct writer *vhdx_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err);
/* Give each block its place that the survey says holds data. */
int vhdx_stream_plan(struct vhdx_writer *w,
		     const struct create_options *options, struct err *err);
/* Keep a piece back. */
void vhdx_stream_hold(struct vhdx_writer *w, uint64_t offset,
		      const unsigned char *bytes, size_t len);
/* All that stands in front, and what was kept back. Written at once: no unit
 * before has anything to be stored. */
int vhdx_stream_start(struct vhdx_writer *w, struct err *err);
/* A BAT behind the blocks of an append-only sink. */
int vhdx_stream_end(struct vhdx_writer *w, struct err *err);
/* The BAT by pages, to a sink that seeks. */
int vhdx_write_bat(struct vhdx_writer *w, uint64_t size, struct err *err);

#endif
