/* SPDX-License-Identifier: MIT */
/* What the files of the VHD driver share for reading: the footer with its
 * copy, the dynamic header, the parent's names. */
#ifndef FORMATS_IMAGES_VHD_H
#define FORMATS_IMAGES_VHD_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/images/vhd/layout.h"

/* Both ends of the file, before they are believed. */
struct vhd_ends {
	unsigned char tail[VHD_FOOTER_LEN], start[VHD_FOOTER_LEN];
	uint64_t place;		     /* of the footer at the end */
	size_t len;		     /* of it: 512, or 511 */
	bool has_tail, tail_sound;   /* cookie; checksum */
	bool has_start, start_sound; /* the same of the copy */
};

struct vhd_footer {
	uint64_t place; /* of the footer at the end: where data must end */
	size_t len;
	uint32_t features, time;
	uint64_t data_offset, original_size, current_size;
	char creator[4]; /* as stored: no NUL */
	uint32_t creator_version;
	char creator_os[4];
	uint16_t cylinders;
	uint8_t heads, track;
	enum vhd_type type;
	unsigned char uuid[16];
	bool saved;
	/* The guest's: the geometry's where the creator means that. */
	uint64_t size;
	bool by_chs;
};

struct vhd_header {
	uint64_t table_offset;
	uint32_t table_entries;
	uint32_t block_size;
	uint32_t bitmap_len; /* of a block, whole sectors */
	unsigned char parent_uuid[16];
	uint32_t parent_time; /* 0: not set */
	uint64_t place, end;  /* in the file: of itself; where data must end */
};

/* What the parent may be called, the likeliest first: relative paths with
 * slashes, for the folder of the image. */
#define VHD_NAMES_MAX (VHD_LOCATOR_COUNT + 1)
struct vhd_names {
	unsigned count;
	char *name[VHD_NAMES_MAX];
};

/* One's complement of the sum of all bytes but the four at `at`. */
uint32_t vhd_sum(const unsigned char *bytes, size_t len, size_t at);

int vhd_ends_read(struct source *source, struct vhd_ends *out, struct err *err);
/* The same from the last bytes of a stream of `size` bytes. */
void vhd_ends_tail(const unsigned char *tail, size_t tail_len, uint64_t size,
		   struct vhd_ends *out);
/* Do both ends say the same, as far as it matters? */
bool vhd_ends_agree(const struct vhd_ends *ends);
/* The footer at the end is sound, and so is its copy, where the type has
 * one, or ERR_DAMAGED with the remedy. */
int vhd_ends_check(const struct vhd_ends *ends, struct err *err);

/* Fields and their ranges; no checksum. `place` is the footer's own. */
int vhd_footer_parse(const unsigned char *bytes, size_t len, uint64_t place,
		     struct vhd_footer *out, struct err *err);
/* Ends, footer, and for a fixed disk that it is all there. */
int vhd_footer_read(struct source *source, struct vhd_footer *out,
		    struct err *err);
/* A machine's saved state belongs to the disk: ERR_UNSUPPORTED. */
int vhd_footer_check_state(const struct vhd_footer *footer, struct err *err);
/* By which rule the size was found, and what is strange about it. */
void vhd_footer_tell(const struct vhd_footer *footer, struct log *log);

/* Bytes of a disk of the footer's geometry. */
uint64_t vhd_geometry_size(uint16_t cylinders, uint8_t heads, uint8_t track);
/* The geometry of a disk, rounded down, by the appendix of the
 * specification. */
void vhd_geometry(uint64_t size, uint16_t *cylinders, uint8_t *heads,
		  uint8_t *track);

/* From the 1024 bytes of it; `end` is where the file's data must end
 * (UINT64_MAX where that is not known). */
int vhd_header_parse(const unsigned char *bytes,
		     const struct vhd_footer *footer, uint64_t end,
		     struct vhd_header *out, struct err *err);
/* The same, and the parent's names (empty unless it is a differencing disk;
 * vhd_names_clear). `names` may be NULL. */
int vhd_header_read(struct source *source, const struct vhd_footer *footer,
		    struct vhd_header *out, struct vhd_names *names,
		    struct err *err);
/* Where block `index` lies whose entry (not VHD_UNUSED) this is, judged
 * against header, table and the file's end. ERR_DAMAGED. */
int vhd_block_place(const struct vhd_footer *footer,
		    const struct vhd_header *header, uint64_t index,
		    uint32_t entry, uint64_t *place, struct err *err);

/* How many bits from `first` on are alike, at most `count` (> 0); *set is
 * what they are. The first bit of a byte is its most significant one. */
uint64_t vhd_bitmap_run(const unsigned char *bits, uint64_t first,
			uint64_t count, bool *set);

/* Out of the header and the locators; those outside the file are damage.
 * With a NULL source only what stands in the header itself. */
int vhd_names_read(struct source *source, const unsigned char *header,
		   struct vhd_names *out, struct err *err);
void vhd_names_clear(struct vhd_names *names);
/* Open the parent of the image with `header`, by the first of its names that
 * leads to a file, and see that it is the one that was meant. */
struct disk *vhd_parent_open(const struct vhd_header *header,
			     const struct vhd_names *names,
			     const struct open_options *options,
			     struct source **source, struct err *err);

/* Facts; header and names are NULL for a fixed disk. */
void vhd_info(const struct vhd_footer *footer, const struct vhd_header *header,
	      const struct vhd_names *names, struct facts *facts);

struct disk *vhd_open(struct source *source, const struct open_options *options,
		      struct err *err);
int vhd_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err);
/* What any footer and header ask for, for verdicts: driver->glance. */
void vhd_glance(struct source *source, struct facts *facts);
enum walk_order vhd_walk_order(const unsigned char *head, size_t len);
struct walk *vhd_walk(struct source *stream, const struct open_options *options,
		      int spool_fd, struct err *err);
int vhd_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
