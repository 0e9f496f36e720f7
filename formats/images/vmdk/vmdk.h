/* SPDX-License-Identifier: MIT */
/*
 * The inside of the VMDK driver, seen by its own files alone.
 *
 *   descriptor.c, line.c   the descriptor: keys and extent lines, out of text
 *   header.c, sesparse.c   headers of the three kinds of sparse extent
 *   entry.c, map.c         one sparse extent: guest offset -> place
 *   open.c, disk.c         the disk face: extents side by side, a parent
 *   info.c                 facts, and what the head of a stream tells
 *   glance.c               what any header asks for, for verdicts
 *   walk.c, seen.c         stream-optimized images in one pass
 *   check.c, check_map.c   consistency
 *   write*.c, write.h      the writer
 *
 * layout.h holds the format's numbers; driver.c the row of the registry.
 */
#ifndef FORMATS_IMAGES_VMDK_VMDK_H
#define FORMATS_IMAGES_VMDK_VMDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/images/vmdk/layout.h"
#include "formats/packed.h"
#include "formats/table_cache.h"

/* ---- the driver's faces: reading ---- */

/* driver->open, ->peek, ->glance, ->walk, ->walk_order and ->check. The walk takes
 * stream-optimized images whose grains ascend and that have no parent;
 * anything else is ERR_UNSUPPORTED: store it in a file first. */
struct disk *vmdk_open(struct source *source,
		       const struct open_options *options, struct err *err);
int vmdk_peek(const unsigned char *head, size_t len, uint64_t *size,
	      struct facts *facts, struct err *err);
void vmdk_glance(struct source *source, struct facts *facts);
struct walk *vmdk_walk(struct source *stream,
		       const struct open_options *options, int spool_fd,
		       struct err *err);
enum walk_order vmdk_walk_order(const unsigned char *head, size_t len);
int vmdk_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

/* ---- descriptor.c ---- */

enum vmdk_line_type {
	VMDK_LINE_FLAT, /* "FLAT" and "VMFS": plain bytes */
	VMDK_LINE_SPARSE,
	VMDK_LINE_COWD, /* "VMFSSPARSE" */
	VMDK_LINE_SESPARSE,
	VMDK_LINE_ZERO
};

/* One extent, in the order of the guest's disk. */
struct vmdk_line {
	enum vmdk_line_type type;
	uint64_t size;	 /* guest bytes */
	uint64_t offset; /* FLAT: of the first byte in its file */
	char *name;	 /* as it stands there; NULL for ZERO */
};

struct vmdk_descriptor {
	unsigned version;
	bool has_cid;
	uint32_t cid, parent_cid; /* parent: VMDK_NO_PARENT where not given */
	char create_type[40];
	char *parent;		  /* parentFileNameHint, or NULL */
	char adapter[32], hardware[16], uuid[64]; /* "": not given */
	struct vmdk_line *lines;
	size_t count; /* at least 1 */
	uint64_t size; /* of all extents */
	bool empty;    /* there was no text at all */
};

/* Out of `len` bytes of text, which zeros may follow. What maps a raw device
 * is ERR_UNSUPPORTED. `out` needs vmdk_descriptor_clear in any case. */
int vmdk_descriptor_parse(const unsigned char *text, size_t len,
			  struct vmdk_descriptor *out, struct err *err);
/* The same from [offset, offset + length) of a source. */
int vmdk_descriptor_read(struct source *source, uint64_t offset,
			 uint64_t length, struct vmdk_descriptor *out,
			 struct err *err);
void vmdk_descriptor_clear(struct vmdk_descriptor *descriptor);
/* The parent's name: NULL when there is none. ERR_DAMAGED where parentCID and
 * the name contradict each other. */
int vmdk_descriptor_parent(const struct vmdk_descriptor *descriptor,
			   const char **name, struct err *err);
/* Does any line name a file? */
bool vmdk_descriptor_refers(const struct vmdk_descriptor *descriptor);

/* ---- line.c ---- */

/* Is it an extent line, by its first word? */
bool vmdk_line_is(const char *text);
/* One extent line without its end; number `index` in messages. */
int vmdk_line_parse(char *text, size_t index, struct vmdk_line *out,
		    struct err *err);
/* No two lines of a file that is named more than once overlap in it. */
int vmdk_lines_check(const struct vmdk_line *lines, size_t count,
		     struct err *err);

/* ---- header.c ---- */

enum vmdk_kind { VMDK_HOSTED, VMDK_COWD, VMDK_SESPARSE };

/* One sparse extent's header, every field in range; all in bytes. */
struct vmdk_header {
	enum vmdk_kind kind;
	uint32_t version;
	uint64_t size; /* of the guest's part that it maps */
	uint32_t grain;
	uint32_t entries;    /* grains that one grain table maps */
	unsigned entry_len;  /* of directory and tables: 4 or 8 */
	uint64_t span;	     /* guest bytes that one grain table maps */
	uint64_t gd_entries; /* as many as `size` takes */
	uint64_t gd;
	uint64_t rgd; /* the redundant directory; 0: none */
	uint64_t descriptor, descriptor_len; /* 0: none inside */
	uint64_t overhead; /* grains lie behind it, as far as is known */
	uint64_t tables, tables_len, grains, grains_len; /* SESPARSE */
	bool compressed, markers;
	bool zero_grains; /* an entry of 1 reads as zero */
	bool unclean;
	bool gd_at_end; /* `gd` stands in the footer, and is not known yet */
};

/* Is it the beginning of a sparse extent, and of which kind? */
bool vmdk_header_kind(const unsigned char *bytes, size_t len,
		      enum vmdk_kind *kind);
/* Bytes that vmdk_header_parse wants to see. */
size_t vmdk_header_len(enum vmdk_kind kind);
/* Out of the file's first bytes. `file_size` UINT64_MAX: not known. A size of
 * 0 is only possible for a hosted extent that has a descriptor. */
int vmdk_header_parse(const unsigned char *bytes, enum vmdk_kind kind,
		      uint64_t file_size, struct vmdk_header *out,
		      struct err *err);
/* The same from a seekable source, footer and all. */
int vmdk_header_read(struct source *source, struct vmdk_header *out,
		     struct err *err);
/* The directory of `header` at `gd`: aligned, inside the file, behind the
 * header and the descriptor. */
int vmdk_header_check_gd(const struct vmdk_header *header, uint64_t gd,
			 const char *what, uint64_t file_size,
			 struct err *err);
/* Which fixed structure overlaps [offset, offset + length); or NULL. */
const char *vmdk_header_overlap(const struct vmdk_header *header,
				uint64_t offset, uint64_t length);

/* ---- sesparse.c ---- */

int vmdk_sesparse_parse(const unsigned char *bytes, struct vmdk_header *out,
			struct err *err);
/* The volatile header: is there a journal to be replayed? */
int vmdk_sesparse_check(struct source *source, uint64_t at, struct err *err);
uint64_t vmdk_sesparse_volatile(const unsigned char *bytes);

/* ---- entry.c ---- */

enum vmdk_run_kind {
	VMDK_UNALLOCATED, /* what the parent has, or nothing */
	VMDK_READS_ZERO,
	VMDK_PLAIN,
	VMDK_PACKED /* one compressed grain */
};

/* Of a directory's entry: the whole table reads as zero. */
#define VMDK_TABLE_ZERO UINT64_MAX

/* Where entry `raw`, number `index` of the directory, has its table: 0 for
 * none, VMDK_TABLE_ZERO. */
int vmdk_entry_table(const struct vmdk_header *header, uint64_t raw,
		     uint64_t index, uint64_t file_size, uint64_t *place,
		     struct err *err);
/* What a table's entry says of the grain at guest offset `guest` of this
 * extent: kind and place. The bytes lie inside the file, as far as their
 * number is known. */
int vmdk_entry_grain(const struct vmdk_header *header,
		     const unsigned char *entry, uint64_t guest,
		     uint64_t file_size, enum vmdk_run_kind *kind,
		     uint64_t *place, struct err *err);
/* Entry number `index` of a directory or a table. */
uint64_t vmdk_entry_raw(const struct vmdk_header *header,
			const unsigned char *table, uint64_t index);

/* ---- map.c ---- */

/* One sparse extent, mapped. */
struct vmdk_map {
	struct vmdk_header header;
	struct source *source; /* borrowed */
	uint64_t *tables;      /* of each directory entry, as above */
	struct table_cache *cache;  /* of single tables */
	struct table_cache *groups; /* of tables side by side */
	size_t table_len, group;    /* bytes of one; how many are a group */
	struct packed *packed;	    /* NULL unless compressed */
};

/* A guest range of one kind; offsets count from the extent's start. */
struct vmdk_run {
	enum vmdk_run_kind kind;
	uint64_t offset, length;
	uint64_t place; /* PLAIN: of the first byte; PACKED: of the grain */
	uint32_t skip;	/* PACKED: `offset` lies this far into the grain */
};

/* `header` is copied. `memory`: bytes for the cache of tables. */
int vmdk_map_open(struct vmdk_map *map, const struct vmdk_header *header,
		  struct source *source, uint64_t memory, struct err *err);
void vmdk_map_close(struct vmdk_map *map);
/* The directory at `gd`, its raw entries in host order; NULL: err. */
uint64_t *vmdk_map_directory(const struct vmdk_header *header,
			     struct source *source, uint64_t gd,
			     struct err *err);
/* The run that starts at `offset` (< header.size), at most `limit` bytes,
 * joined as far as is cheap. */
int vmdk_map_run(struct vmdk_map *map, uint64_t offset, uint64_t limit,
		 struct vmdk_run *out, struct err *err);
/* Where a PACKED run's compressed bytes are, its marker checked. */
int vmdk_map_chunk(struct vmdk_map *map, const struct vmdk_run *run,
		   struct packed_chunk *out, struct err *err);
/* `run->length` bytes of a PACKED run. */
int vmdk_map_unpack(struct vmdk_map *map, const struct vmdk_run *run,
		    void *buf, struct err *err);
/* Guest bytes of the grain at `guest`: the disk's end may cut the last. */
uint32_t vmdk_map_grain_len(const struct vmdk_header *header, uint64_t guest);
/* A grain's marker: it is of the guest offset `guest`, and its size is
 * possible. */
int vmdk_map_marker(const struct vmdk_header *header,
		    const unsigned char *marker, uint64_t guest,
		    uint32_t *stored, struct err *err);

/* The most bytes a compressed grain may take: twice its own. */
#define VMDK_PACKED_MAX(grain) ((size_t)(grain) * 2)

/* ---- open.c ---- */

/* A part of the guest's disk, in a file of its own or in the image itself. */
struct vmdk_extent {
	uint64_t start, size; /* guest bytes */
	enum vmdk_line_type type;
	struct source *source; /* NULL for ZERO */
	bool own;	       /* the source is ours to close */
	uint64_t offset;       /* FLAT: of the first byte in the source */
	struct vmdk_map map;   /* of sparse kinds */
};

struct vmdk_image {
	struct disk disk;
	struct vmdk_descriptor descriptor;
	/* The image is a sparse extent with the descriptor inside: its header.
	 * Otherwise it is the descriptor alone. */
	bool has_header;
	struct vmdk_header header;
	/* The header's extent is the disk; else the lines name files. */
	bool alone;
	struct vmdk_extent *extents; /* as many as the descriptor has lines */
	size_t opened;
	struct disk *parent; /* ours, or NULL */
	struct source *parent_source;
	bool incomplete; /* references were left out: for info and check */
};

/* Header and descriptor; what is one extent of a split disk is refused with
 * the name to be given instead. `name` as in open_options. */
int vmdk_image_load(struct vmdk_image *image, struct source *source,
		    const char *name, struct err *err);
/* The extents, files named by the descriptor through `references`. */
int vmdk_image_extents(struct vmdk_image *image, struct source *source,
		       const struct open_options *options, struct err *err);
/* Extent number `index` out of `source` (taken if `own`). */
int vmdk_image_extent(struct vmdk_image *image, size_t index,
		      struct source *source, bool own, uint64_t memory,
		      struct err *err);
/* The file of line `index`; NULL: err, which names it. */
struct source *vmdk_image_reference(const struct vmdk_image *image,
				    size_t index,
				    const struct open_options *options,
				    struct err *err);
/* The parent, whose CID must be the one this image was begun on. */
int vmdk_image_parent(struct vmdk_image *image, const char *name,
		      const struct open_options *options, struct err *err);
void vmdk_image_clear(struct vmdk_image *image);
/* What the descriptor says of a sparse extent, and its header: do they agree?
 * The capacity may be rounded up to whole grains. */
int vmdk_line_fits(const struct vmdk_line *line,
		   const struct vmdk_header *header, struct err *err);
/* This is no disk but a part of one: always -1. */
int vmdk_refuse_part(const char *name, const char *kind, struct err *err);

/* ---- info.c ---- */

void vmdk_info(const struct vmdk_image *image, struct facts *facts);

/* ---- seen.c ---- */

struct vmdk_seen_table {
	uint64_t place;
	uint32_t crc;
};

/* What one pass over a stream-optimized image has come across: the grains,
 * in ascending order, and the tables that must list just these. Of a whole
 * grain table only the checksum is kept. */
struct vmdk_seen {
	const struct vmdk_header *header; /* borrowed */
	size_t table_len;
	uint32_t empty;	      /* the checksum of a table without grains */
	uint32_t *made;	      /* of each table, as the grains make it */
	unsigned char *table; /* the one that is being made */
	uint64_t current;     /* its number */
	struct vmdk_seen_table *tables; /* in the file, ascending by place */
	size_t count, room;
	unsigned char *directory; /* in the file; NULL: not seen yet */
	uint64_t directory_at;
};

int vmdk_seen_open(struct vmdk_seen *seen, const struct vmdk_header *header,
		   struct err *err);
void vmdk_seen_close(struct vmdk_seen *seen);
/* The grain at guest offset `guest` is stored at `place`. */
void vmdk_seen_grain(struct vmdk_seen *seen, uint64_t guest, uint64_t place);
/* Bytes of a grain table at `place`, behind all tables seen before; changed
 * (an entry that reads as zero is like none here). */
void vmdk_seen_table(struct vmdk_seen *seen, unsigned char *bytes,
		     uint64_t place);
/* Those of the directory (taken, gd_entries long). */
void vmdk_seen_directory(struct vmdk_seen *seen, unsigned char *take_bytes,
			 uint64_t place);
/* All is seen: does the directory at `gd` list the grains, and only these? */
int vmdk_seen_verify(struct vmdk_seen *seen, uint64_t gd, uint64_t file_size,
		     struct err *err);

/* ---- check_map.c ---- */

/* Everything one sparse extent stores: entries, grains, the redundant tables,
 * overlaps, leaks. `decode`: compressed grains are decoded, too. -1 only for
 * what stops it. */
int vmdk_check_map(const struct vmdk_header *header, struct source *source,
		   bool decode, struct check_report *report, struct err *err);

#endif
