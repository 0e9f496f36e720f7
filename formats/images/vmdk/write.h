/* SPDX-License-Identifier: MIT */
/*
 * The inside of the VMDK writer.
 *
 *   write_options.c  the options, their combinations, the size to expect
 *   write_text.c     the descriptor: text
 *   write_head.c     a sparse extent's header: bytes; where its tables are
 *   write_parts.c    the files of an image, by their names
 *   write_sparse.c   monolithicSparse and twoGbMaxExtentSparse
 *   write_stream.c   streamOptimized
 *   write_flat.c     monolithicFlat and twoGbMaxExtentFlat
 *   write.c          driver->create: the one that suits the options
 *
 * The files, in ascending order:
 *
 *   sparse  header | descriptor | redundant directory, tables | directory,
 *           tables | grain ...
 *   stream  header | descriptor | marker, grain ... marker, table ... |
 *           marker, directory | marker, footer | end
 *   flat    the guest's bytes
 *
 * Where an image has several files, the one with its name is the descriptor
 * alone.
 */
#ifndef FORMATS_IMAGES_VMDK_WRITE_H
#define FORMATS_IMAGES_VMDK_WRITE_H

#include "formats/codecs/codec.h"
#include "formats/identity.h"
#include "formats/images/vmdk/vmdk.h"

/* ---- the driver's faces: writing ---- */

extern const struct driver_option vmdk_options[];
struct writer *vmdk_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err);
int vmdk_check_options(const struct create_options *options, struct err *err);
enum append_need vmdk_append(const struct create_options *options);
bool vmdk_in_parts(const struct create_options *options);
uint64_t vmdk_round_size(const struct create_options *options, uint64_t size);
uint64_t vmdk_measure(const struct create_options *options, uint64_t size,
		      uint64_t data);

/* ---- numbers of what is written ---- */

#define GRAIN_LEN ((size_t)65536)
#define GRAIN_SECTORS (GRAIN_LEN / VMDK_SECTOR)
#define TABLE_LEN ((size_t)VMDK_TABLE_ENTRIES_USUAL * VMDK_ENTRY_LEN)
#define TABLE_SECTORS (TABLE_LEN / VMDK_SECTOR)
/* Guest bytes that one grain table maps: 32 MiB. */
#define TABLE_SPAN ((uint64_t)VMDK_TABLE_ENTRIES_USUAL * GRAIN_LEN)
/* The descriptor inside: at sector 1, with room for 20, as all writers. */
#define TEXT_SECTOR 1
#define TEXT_SECTORS 20
#define TEXT_LEN ((size_t)TEXT_SECTORS * VMDK_SECTOR)
/* Of one extent of many: 2047 MiB, which is 4192256 sectors, the figure in
 * "Virtual Disk Format 5.0", "Extent Descriptions". */
#define SPLIT_LEN ((uint64_t)2047 * MIB)
/* Names end in three digits. */
#define PARTS_MAX 999

/* ---- write_options.c ---- */

enum vmdk_subformat {
	VMDK_MONOLITHIC_SPARSE,
	VMDK_STREAM_OPTIMIZED,
	VMDK_SPLIT_SPARSE,
	VMDK_MONOLITHIC_FLAT,
	VMDK_SPLIT_FLAT
};

/* The options, parsed; the texts are the options' own. */
struct vmdk_config {
	enum vmdk_subformat subformat;
	const char *type; /* its name: createType */
	const char *adapter, *hardware, *tools;
	bool has_cid;
	uint32_t cid;
	bool zero_grains;
	enum sink_zero zero; /* flat: how zeros are stored */
	struct block_options block;
};

/* ERR_USAGE for a value or a combination that does not make sense. */
int vmdk_config_parse(const struct create_options *options,
		      struct vmdk_config *out, struct err *err);

static inline bool vmdk_is_flat(const struct vmdk_config *config)
{
	return config->subformat >= VMDK_MONOLITHIC_FLAT;
}

static inline bool vmdk_is_split(const struct vmdk_config *config)
{
	return config->subformat == VMDK_SPLIT_SPARSE ||
	       config->subformat == VMDK_SPLIT_FLAT;
}

/* ---- write_head.c ---- */

/* Where a sparse extent's parts lie, in sectors. */
struct vmdk_layout {
	uint64_t capacity;
	uint64_t tables;     /* grain tables */
	uint64_t gd_sectors; /* of one directory */
	uint64_t rgd, gd;    /* VMDK_GD_AT_END: in the footer */
	uint64_t end;	     /* of the tables */
	uint64_t overhead;
};

/* `size` guest bytes, directories and tables from sector `at` on. */
void vmdk_layout_init(struct vmdk_layout *layout, uint64_t size, uint64_t at);
/* A sector of header (zeroed by the caller). */
void vmdk_head_put(const struct vmdk_config *config,
		   const struct vmdk_layout *layout, unsigned char *out);
/* ERR_UNSUPPORTED when so large a disk's directory is more than readers
 * take. */
int vmdk_check_directory(uint64_t size, struct err *err);

/* ---- write_parts.c ---- */

/* One extent, in the order of the disk. */
struct vmdk_file {
	struct sink *sink; /* borrowed */
	char *name;	   /* as it stands in the descriptor */
	uint64_t size;	   /* guest bytes; known at the end */
	bool allocated;	   /* flat: all of it, when it was made */
	/* Sparse: the next grain's sector, 0 before the first; and grain
	 * tables, NULL where empty. */
	uint64_t next;
	unsigned char **table;
	size_t table_count;
};

struct vmdk_stream;

struct vmdk_writer {
	struct writer writer;
	struct create_options options; /* a copy: the caller's do not last */
	struct vmdk_config config;
	struct identity *identity;
	bool size_known;
	uint64_t size;
	struct vmdk_file *files;
	unsigned file_count;
	struct vmdk_stream *stream; /* streamOptimized */
};

/* What all subformats share, after writer_init. Files that cannot be named or
 * made are ERR_UNSUPPORTED. */
int vmdk_writer_init(struct vmdk_writer *w,
		     const struct create_options *options, struct err *err);
/* `size` is final (ERR_BUG when another one was announced), and so are the
 * extents. */
int vmdk_writer_settle(struct vmdk_writer *w, uint64_t size, struct err *err);
void vmdk_writer_close(struct vmdk_writer *w);
/* The extent that guest byte `offset` lies in, opened, with all before it;
 * *start is its first guest byte. NULL on error. */
struct vmdk_file *vmdk_file_at(struct vmdk_writer *w, uint64_t offset,
			       uint64_t *start, struct err *err);

/* ---- write_text.c ---- */

/* The descriptor, sizes final, into the room inside a sparse extent:
 * TEXT_LEN, zeroed. */
void vmdk_text_put(struct vmdk_writer *w, unsigned char *out);
/* The file that is the descriptor alone. */
int vmdk_text_store(struct vmdk_writer *w, struct err *err);

/* ---- the makers: for write.c ---- */

struct writer *vmdk_sparse_create(struct sink *sink,
				  const struct create_options *options,
				  struct err *err);
struct writer *vmdk_stream_create(struct sink *sink,
				  const struct create_options *options,
				  struct err *err);
struct writer *vmdk_flat_create(struct sink *sink,
				const struct create_options *options,
				struct err *err);

#endif
