/* SPDX-License-Identifier: MIT */
/*
 * vhdx: what the parts of the driver share. Reading goes
 *
 *   file -> header.c (which copy counts) -> log.c, replay.c (the view: the
 *   file's bytes with a dirty log laid over them) -> regions.c, metadata.c,
 *   locator.c -> bat.c (from guest offset to place) -> disk.c, check.c
 *
 * Writing is write.h.
 */
#ifndef FORMATS_IMAGES_VHDX_VHDX_H
#define FORMATS_IMAGES_VHDX_VHDX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/facts.h"
#include "base/log.h"
#include "formats/images/driver.h"
#include "formats/images/vhdx/layout.h"
#include "formats/table_cache.h"
#include "io/source.h"

#define ULL(x) ((unsigned long long)(x))

/* ---- guid.c ---- */

/* "01234567-89ab-..." of a GUID as it stands in the file. */
#define VHDX_GUID_TEXT_LEN 37
const char *vhdx_guid_text(const unsigned char guid[VHDX_GUID_LEN],
			   char out[VHDX_GUID_TEXT_LEN]);
/* "{...}" or without braces, any case, to the order of the file. */
bool vhdx_guid_parse(const char *text, unsigned char out[VHDX_GUID_LEN]);
bool vhdx_guid_is_zero(const unsigned char guid[VHDX_GUID_LEN]);
/* UTF-16LE of `len` bytes, up to a zero or the end, to UTF-8 of at most
 * `room` bytes with its NUL. False when it is no such text or does not fit. */
bool vhdx_utf8(const unsigned char *text, size_t len, char *out, size_t room);

/* ---- header.c ---- */

struct vhdx_header {
	uint64_t sequence;
	unsigned char data_write[VHDX_GUID_LEN], log_guid[VHDX_GUID_LEN];
	uint64_t log_offset, log_length;
	char creator[257 * 3];
	/* Why a copy does not count; "" for a good one. */
	char damage[2][160];
};

/* The identifier and the current header. ERR_DAMAGED when neither copy is
 * right; one that is wrong is a note for whoever looks at `damage`. */
int vhdx_header_read(struct source *source, struct vhdx_header *out,
		     struct err *err);

/* The checksum of a structure whose own field counts as zero. */
uint32_t vhdx_checksum(const unsigned char *bytes, size_t len);

/* ---- log.c, replay.c ---- */

/* One write of the log. */
struct vhdx_patch {
	uint64_t offset, length; /* in the file */
	/* 4096 bytes, ours; NULL: zeros. */
	unsigned char *bytes;
};

struct vhdx_log {
	struct vhdx_patch *patches; /* in order: a later one counts */
	size_t count, room;
	unsigned entries; /* replayed */
	uint64_t last;	  /* the file is at least that long afterwards */
};

/* A log with entries (LogGuid not zero): ERR_DAMAGED when there is no active
 * sequence in it, ERR_LIMIT when it is too large. */
int vhdx_log_read(struct source *source, const struct vhdx_header *header,
		  struct vhdx_log *out, struct err *err);
void vhdx_log_clear(struct vhdx_log *log);

/* `base` (borrowed) with the log laid over it; the log is taken over. */
struct source *vhdx_replay_open(struct source *base, struct vhdx_log *log);

/* ---- regions.c ---- */

struct vhdx_regions {
	uint64_t bat_offset, bat_length;
	uint64_t metadata_offset, metadata_length;
	/* All of the table, for checks and overlaps. */
	struct vhdx_region {
		unsigned char guid[VHDX_GUID_LEN];
		uint64_t offset, length;
	} list[VHDX_REGIONS_MAX];
	size_t count;
	char damage[2][160]; /* as in struct vhdx_header */
};

int vhdx_regions_read(struct source *view, const struct vhdx_header *header,
		      struct vhdx_regions *out, struct err *err);

/* ---- metadata.c, locator.c ---- */

struct vhdx_locator {
	unsigned char linkage[2][VHDX_GUID_LEN];
	unsigned linkages;
	char name[LIMIT_NAME_LEN]; /* of the parent, with '/' */
};

int vhdx_locator_parse(const unsigned char *item, size_t len,
		       struct vhdx_locator *out, struct err *err);

struct vhdx_metadata {
	uint32_t block_size;
	bool fixed, has_parent;
	bool stray_locator; /* of a parent, where there is none */
	uint64_t size;
	uint32_t logical, physical; /* sector sizes */
	unsigned char id[VHDX_GUID_LEN];
	struct vhdx_locator locator; /* where has_parent */
};

int vhdx_metadata_read(struct source *view, const struct vhdx_regions *regions,
		       struct vhdx_metadata *out, struct err *err);

/* ---- image.c ---- */

struct vhdx_image {
	struct source *source; /* the file, borrowed */
	struct source *replay; /* ours; NULL when the log is clean */
	struct source *view;   /* one of them */
	unsigned replayed;     /* log entries */
	struct vhdx_header header;
	struct vhdx_regions regions;
	struct vhdx_metadata metadata;
};

/* All but the BAT. Never leaves anything to be cleared when it fails. */
int vhdx_image_open(struct vhdx_image *image, struct source *source,
		    struct log *log, struct err *err);
void vhdx_image_clear(struct vhdx_image *image);

/* ---- bat.c ---- */

enum vhdx_kind {
	VHDX_BELOW, /* the parent has it, or nobody */
	VHDX_HOLE,  /* undefined or unmapped */
	VHDX_ZEROS,
	VHDX_DATA,
	VHDX_MIXED /* some sectors here, others below */
};

struct vhdx_run {
	enum vhdx_kind kind;
	uint64_t offset, length; /* guest */
	uint64_t place;		 /* VHDX_DATA and VHDX_MIXED */
};

struct vhdx_bat {
	const struct vhdx_image *image;
	struct table_cache *cache;   /* of the BAT */
	struct table_cache *bitmaps; /* or NULL: no parent */
	uint64_t ratio;		     /* payload blocks a bitmap block */
	uint64_t blocks, entries;
};

/* Borrows `image`. `memory` as in table_cache.h. */
int vhdx_bat_open(struct vhdx_bat *bat, const struct vhdx_image *image,
		  uint64_t memory, struct err *err);
void vhdx_bat_close(struct vhdx_bat *bat);
/* Of payload block `block`, and of the bitmap block of chunk `chunk`. */
uint64_t vhdx_bat_index(const struct vhdx_bat *bat, uint64_t block);
uint64_t vhdx_bat_bitmap_index(const struct vhdx_bat *bat, uint64_t chunk);
int vhdx_bat_entry(struct vhdx_bat *bat, uint64_t index, uint64_t *out,
		   struct err *err);
/* Is the entry of a payload block as it may be? Fills kind and place. */
int vhdx_bat_judge(const struct vhdx_bat *bat, uint64_t block, uint64_t entry,
		   struct vhdx_run *out, struct err *err);
/* The place of chunk `chunk`'s bitmap; ERR_DAMAGED when there is none. */
int vhdx_bat_bitmap(struct vhdx_bat *bat, uint64_t chunk, uint64_t *place,
		    struct err *err);
/* What is stored from guest `offset` on, `limit` bytes at most, one kind, one
 * place; VHDX_MIXED is told apart by sectors, so that it is never answered. */
int vhdx_bat_run(struct vhdx_bat *bat, uint64_t offset, uint64_t limit,
		 struct vhdx_run *out, struct err *err);

/* ---- faces of the driver ---- */

struct disk *vhdx_open(struct source *source,
		       const struct open_options *options, struct err *err);
void vhdx_info(const struct vhdx_image *image, struct facts *facts);
int vhdx_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

/* The fact that a child compares with its parent_linkage. */
#define VHDX_FACT_LINKAGE "data-write-guid"

#endif
