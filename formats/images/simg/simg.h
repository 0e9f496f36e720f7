/* SPDX-License-Identifier: MIT */
/*
 * Android sparse images (AOSP, libsparse/sparse_format.h): a header of 28
 * bytes, then chunks that stand for the guest's blocks from first to last, no
 * table. All numbers are little-endian.
 *
 *   header   0 magic 0xed26ff3a    4 major, 6 minor version
 *            8 length of this header   10 length of a chunk's header (both
 *            may be longer than known)  12 block size, a multiple of 4
 *           16 blocks of the disk  20 chunks  24 CRC-32 of the disk, or 0
 *   chunk    0 type  2 reserved  4 blocks of the disk
 *            8 bytes in the file, this header and all
 */
#ifndef FORMATS_IMAGES_SIMG_SIMG_H
#define FORMATS_IMAGES_SIMG_SIMG_H

#include "formats/images/driver.h"

#define SIMG_MAGIC UINT32_C(0xed26ff3a)
#define SIMG_HEADER_LEN 28u
#define SIMG_CHUNK_LEN 12u

enum simg_type {
	SIMG_RAW = 0xcac1,	 /* the blocks follow */
	SIMG_FILL = 0xcac2,	 /* four bytes follow, again and again */
	SIMG_DONT_CARE = 0xcac3, /* nothing follows */
	SIMG_CRC32 = 0xcac4	 /* CRC-32 of the disk so far follows */
};

struct simg_header {
	uint16_t minor, header_len, chunk_len;
	uint32_t block_size, blocks, chunks, checksum;
	uint64_t size; /* of the disk, bytes */
};

/* ERR_DAMAGED, ERR_UNSUPPORTED. `head` has SIMG_HEADER_LEN bytes. */
int simg_header_parse(const unsigned char *head, struct simg_header *out,
		      struct err *err);
void simg_header_facts(const struct simg_header *header, struct facts *facts);

struct simg_chunk {
	enum simg_type type;
	uint64_t offset, length; /* guest bytes; none of a checksum */
	uint64_t place;		 /* of what follows the header */
	uint32_t value;		 /* the four bytes of FILL and CRC32 */
};

/* One pass over the chunks of a file or a stream. */
struct simg_scan {
	struct source *source;
	struct simg_header header;
	uint64_t at;	/* file */
	uint64_t block; /* guest */
	uint32_t chunk;
};

int simg_scan_open(struct simg_scan *scan, struct source *source,
		   struct err *err);
/* 1; after the last chunk, when all numbers agree and nothing follows: 0;
 * -1. What a RAW chunk holds is the caller's to read, or not. */
int simg_scan_next(struct simg_scan *scan, struct simg_chunk *out,
		   struct err *err);

struct disk *simg_open(struct source *source,
		       const struct open_options *options, struct err *err);
int simg_peek(const unsigned char *head, size_t len, uint64_t *size,
	      struct facts *facts, struct err *err);
struct walk *simg_walk(struct source *stream,
		       const struct open_options *options, int spool_fd,
		       struct err *err);
/* One pass over all of it: ERR_DAMAGED for a checksum that does not match. */
int simg_verify(struct source *source, struct err *err);
int simg_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err);

extern const struct driver_option simg_options[];
struct writer *simg_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err);
int simg_check_options(const struct create_options *options, struct err *err);
uint32_t simg_survey_granule(const struct create_options *options);
uint64_t simg_round_size(const struct create_options *options, uint64_t size);
uint64_t simg_measure(const struct create_options *options, uint64_t size,
		      uint64_t data);

#endif
