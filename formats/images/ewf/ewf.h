/* SPDX-License-Identifier: MIT */
/*
 * The inside of the EWF driver, seen by its own files alone.
 *
 *   layout.h    the format's numbers
 *   segments.c  the files of an image, joined to one row of bytes
 *   sections.c  what each file says it holds
 *   tables.c    which chunk lies where
 *   disk.c      the disk face, and the row of the registry
 *   check.c     consistency, and the media's hashes
 *
 * Read natively, not through libewf: there it takes a lock for each read, and
 * replaces chunks whose checksum is wrong by zeros.
 */
#ifndef FORMATS_IMAGES_EWF_EWF_H
#define FORMATS_IMAGES_EWF_EWF_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/images/driver.h"
#include "formats/images/ewf/layout.h"
#include "formats/packed.h"

/* ---- segments.c ---- */

/* All files of an image as one source: a file's bytes follow those of the one
 * before. */
struct ewf_segments {
	struct source source;
	unsigned count;
	struct source **file; /* [0] is borrowed, the others ours */
	uint64_t *start;      /* where each begins; count + 1 of them */
};

void ewf_segments_init(struct ewf_segments *segments, struct source *first);
void ewf_segments_add(struct ewf_segments *segments,
		      struct source *take_source);
void ewf_segments_clear(struct ewf_segments *segments);
/* The name of segment `number` (from 2 on) of the image whose first is
 * `first`: E02 after E01, EAA after E99, FAA after EZZ, in the same case. NULL
 * and ERR_UNSUPPORTED where the name does not end so; ERR_LIMIT after ZZZ. */
char *ewf_segment_name(const char *first, unsigned number, struct err *err);

/* ---- sections.c ---- */

/* One table of chunks: offsets in it are of the joined segments. */
struct ewf_table {
	uint64_t entries;  /* offset of the first entry */
	uint64_t base;	   /* what entries count from */
	uint64_t from, to; /* where its chunks lie */
	uint64_t first;	   /* number of its first chunk */
	uint32_t count;
	bool summed; /* Adler-32 follows the entries */
	/* The entries while they are in memory, and when they were used. */
	unsigned char *loaded;
	uint64_t used;
};

struct ewf_image {
	struct ewf_segments segments;
	uint32_t chunk_count, chunk_sectors, sector_len;
	uint32_t chunk_len; /* bytes */
	uint64_t size;	    /* of the media, bytes */
	bool smart;	    /* EWF-S01: each chunk is compressed */
	unsigned char media, compression;
	unsigned char set[16]; /* identifier of the set of segments */
	uint32_t granularity;  /* sectors, of errors; 0: not said */
	uint32_t errors;       /* runs of sectors that could not be read */
	bool has_md5, has_sha1;
	unsigned char md5[16], sha1[20];
	struct ewf_table *table;
	unsigned table_count;
	uint64_t chunks; /* in all tables */
	bool seen_volume, more; /* a segment follows */
	/* For reading. */
	pthread_mutex_t lock; /* of the tables' `loaded` and `used` */
	uint64_t clock, held, memory;
};

/* The header and sections of the segment that was added last. */
int ewf_sections_read(struct ewf_image *image, struct err *err);
/* All are read: does it fit together? */
int ewf_sections_finish(struct ewf_image *image, struct err *err);

/* ---- tables.c ---- */

struct ewf_chunk {
	uint64_t place; /* of the joined segments */
	uint64_t room;	/* bytes until the next chunk, or the end of all */
	bool packed;
};

uint32_t ewf_adler(const unsigned char *bytes, size_t len);
/* Where chunk `number` lies. Safe from many threads. */
int ewf_tables_find(struct ewf_image *image, uint64_t number,
		    struct ewf_chunk *out, struct err *err);
/* The entries of a table, checked against their sum; the caller frees them. */
unsigned char *ewf_table_load(struct ewf_image *image,
			      const struct ewf_table *table, struct err *err);

/* ---- disk.c, check.c ---- */

struct disk *ewf_open(struct source *source,
		      const struct open_options *options, struct err *err);
/* Of a disk that ewf_open gave. */
struct ewf_image *ewf_image_of(struct disk *disk);
int ewf_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
