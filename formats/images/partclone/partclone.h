/* SPDX-License-Identifier: MIT */
/*
 * partclone images (partclone, IMAGE_FORMATS.md): a header, a bitmap of the
 * partition's blocks, then those in use, one after the other, with a checksum
 * behind every so many and behind the last. Numbers have the order of the
 * machine that wrote; only little-endian is known to exist.
 *
 *   0001   0 "partclone-image" 15 file system 30 "0001"  36 block size
 *         40 size  48 blocks  56 blocks in use  64 nothing  4160 bitmap, a
 *         byte a block, then "BiTmAgIc"; a checksum behind each block
 *   0002   0 "partclone-image" 16 program's version  30 "0002"  34 0xc0de
 *         36 file system  52 size  60 blocks  68, 76 blocks in use  84 block
 *         size  88 length of these: 92 version 2  94 bits of the machine
 *         96 checksum (0 none, 0x20 CRC-32, 0x30 XXH64)  98 its length
 *        100 blocks to a checksum  104 does it start anew each time?
 *        105 bitmap (1: a bit, 8: a byte a block, 0: all are in use)
 *        106 CRC-32 of the bytes before  110 bitmap, then its CRC-32 (of
 *        bytes: "BiTmAgIc")
 *
 * CRC-32 is that of crc32.h, but not inverted at the end. That of 0001 sums
 * each block's first byte again and again (a mistake that stayed) and goes on
 * over the blocks; programs of 64 bits before 0.1.0 gave it 8 bytes.
 */
#ifndef FORMATS_IMAGES_PARTCLONE_PARTCLONE_H
#define FORMATS_IMAGES_PARTCLONE_PARTCLONE_H

#include "base/limits.h"
#include "formats/images/driver.h"
#include "formats/xxh64.h"

#define PARTCLONE_V1_LEN 4160u
#define PARTCLONE_V2_LEN 110u
/* Of the bitmap, as bits: 8 TiB in blocks of 4 KiB. */
#define PARTCLONE_BITS_MAX ((uint64_t)(256 * MIB))
#define PARTCLONE_BLOCK_MAX ((uint32_t)(16 * MIB))

enum partclone_sum { SUM_NONE, SUM_CRC32, SUM_XXH64, SUM_CRC32_FIRST };

struct partclone_header {
	unsigned version; /* 1, 2 */
	char fs[17], program[15];
	uint64_t device_size, blocks;
	uint64_t size; /* of the guest: the larger of device and blocks */
	uint32_t block_size, len;
	enum partclone_sum sum;
	uint32_t sum_len, per_sum; /* bytes; blocks, 0: no checksums */
	bool reseed;
	unsigned bitmap; /* 1 bit, 8 byte, 0 none */
};

/* How many bytes of the file there must be for partclone_header_parse. */
size_t partclone_header_want(const unsigned char *head, size_t len);
int partclone_header_parse(const unsigned char *head,
			   struct partclone_header *out, struct err *err);
void partclone_facts(const struct partclone_header *header,
		     struct facts *facts);

/* Which blocks are in use, and how many before each 4096th. */
struct partclone_map {
	struct partclone_header header;
	unsigned char *bits;
	uint64_t *before;
	uint64_t used;
	uint64_t data; /* where the blocks begin in the file */
};

/* Reads and verifies header and bitmap, from a file or a stream. */
int partclone_map_open(struct partclone_map *map, struct source *source,
		       struct err *err);
void partclone_map_close(struct partclone_map *map);
/* Blocks from `block` (< blocks) on that are all in use or all not: how many,
 * at most `most`. */
uint64_t partclone_run(const struct partclone_map *map, uint64_t block,
		       uint64_t most, bool *used);
/* How many blocks in use are before `block`. */
uint64_t partclone_rank(const struct partclone_map *map, uint64_t block);
/* Where the nth block in use is stored. */
uint64_t partclone_place(const struct partclone_map *map, uint64_t nth);
/* Where the file ends. */
uint64_t partclone_end(const struct partclone_map *map);
/* A file of `size` bytes must end there. Which length the checksums of 0001
 * have is told by that alone, and noted. */
int partclone_check_end(struct partclone_map *map, uint64_t size,
			struct err *err);

struct disk *partclone_open(struct source *source,
			    const struct open_options *options,
			    struct err *err);
struct walk *partclone_walk(struct source *stream,
			    const struct open_options *options, int spool_fd,
			    struct err *err);
/* One pass over all of it: ERR_DAMAGED for a checksum that does not match. */
int partclone_verify(struct source *source, struct err *err);
int partclone_check(struct source *source, const struct open_options *options,
		    struct check_report *report, struct err *err);

#endif
