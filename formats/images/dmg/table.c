/* SPDX-License-Identifier: MIT */
/*
 * Owns the block tables of a DMG, and the sorted list of their chunks:
 *
 *      0  "mish"                       64  u32 type of the checksum
 *      4  u32 version: 1               68  u32 its length in bits
 *      8  u64 first sector             72  the checksum, 128 bytes
 *     16  u64 sectors                 200  u32 chunks
 *     24  u64 start in the data fork  204  chunks, of 40 bytes each:
 *     32  u32 buffers needed                0  u32 type
 *     36  u32 number of the table           8  u64 sector, within the table
 *                                          16  u64 sectors
 *                                          24  u64 offset, u64 length
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"

#define HEAD_LEN 204
#define CHUNK_LEN 40

#define TYPE_ZERO 0x00000000u
#define TYPE_RAW 0x00000001u
#define TYPE_IGNORE 0x00000002u
#define TYPE_ADC 0x80000004u
#define TYPE_ZLIB 0x80000005u
#define TYPE_BZIP2 0x80000006u
#define TYPE_LZFSE 0x80000007u
#define TYPE_LZMA 0x80000008u
#define TYPE_COMMENT 0x7ffffffeu
#define TYPE_END 0xffffffffu

/* hdiutil makes chunks of 256 KiB to 1 MiB. Two are kept for each thread. */
#define PACKED_MAX (16 * MIB)
#define CHUNKS_MAX (2 * LIMIT_TABLE_LEN / sizeof(struct dmg_chunk))

static const struct {
	uint32_t type;
	enum block_codec_id codec;
} codecs[] = {
	{ TYPE_ADC, BLOCK_ADC },     { TYPE_ZLIB, BLOCK_ZLIB },
	{ TYPE_BZIP2, BLOCK_BZIP2 }, { TYPE_LZFSE, BLOCK_LZFSE },
	{ TYPE_LZMA, BLOCK_XZ },
};

/* 1: a chunk; 0: it describes nothing; -1. */
static int judge_type(uint32_t type, struct dmg_chunk *chunk, struct err *err)
{
	switch (type) {
	case TYPE_COMMENT:
	case TYPE_END:
		return 0;
	case TYPE_ZERO:
		chunk->kind = DMG_ZERO;
		return 1;
	case TYPE_IGNORE:
		chunk->kind = DMG_HOLE;
		return 1;
	case TYPE_RAW:
		chunk->kind = DMG_RAW;
		return 1;
	}
	chunk->kind = DMG_PACKED;
	for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
		if (codecs[i].type == type) {
			chunk->codec = codecs[i].codec;
			return 1;
		}
	return err_set(err, ERR_UNSUPPORTED,
		       "a chunk of type %#" PRIx32 " is not read", type);
}

static int check_stored(const struct dmg_trailer *trailer,
			const struct dmg_chunk *chunk, uint64_t offset,
			struct err *err)
{
	uint64_t length = chunk->count * DMG_SECTOR;

	if (!checked_inside(offset, chunk->stored, trailer->data_len))
		return err_set(err, ERR_DAMAGED,
			       "chunk of sector %" PRIu64 " at %" PRIu64
			       " (%" PRIu64 " bytes) lies past the end of the "
			       "data fork (%" PRIu64 ")", chunk->sector, offset,
			       chunk->stored, trailer->data_len);
	if (chunk->kind == DMG_RAW && chunk->stored != length)
		return err_set(err, ERR_DAMAGED,
			       "raw chunk of sector %" PRIu64 " has %" PRIu64
			       " bytes for %" PRIu64 " sectors", chunk->sector,
			       chunk->stored, chunk->count);
	if (chunk->kind == DMG_PACKED &&
	    (length > PACKED_MAX || chunk->stored > PACKED_MAX))
		return err_set(err, ERR_LIMIT,
			       "compressed chunk of sector %" PRIu64 " has %"
			       PRIu64 " bytes, %" PRIu64 " stored (at most %"
			       PRIu64 ")", chunk->sector, length,
			       chunk->stored, PACKED_MAX);
	return 0;
}

/* Out of one entry: as judge_type. */
static int parse_chunk(const struct dmg_trailer *trailer,
		       const struct dmg_part *part, uint64_t start,
		       const unsigned char *entry, struct dmg_chunk *out,
		       struct err *err)
{
	uint64_t within = bytes_be64(entry + 8), offset;
	int kind;

	*out = (struct dmg_chunk){ .count = bytes_be64(entry + 16),
				   .stored = bytes_be64(entry + 32) };
	kind = judge_type(bytes_be32(entry), out, err);
	if (kind <= 0 || !out->count)
		return kind < 0 ? -1 : 0;
	if (!checked_inside(within, out->count, part->count))
		return err_set(err, ERR_DAMAGED,
			       "chunk of sector %" PRIu64 " (%" PRIu64
			       " sectors) lies past the end of its table (%"
			       PRIu64 ")", within, out->count, part->count);
	out->sector = part->sector + within;
	if (out->kind == DMG_ZERO || out->kind == DMG_HOLE) {
		out->stored = 0;
		return 1;
	}
	if (!checked_add(bytes_be64(entry + 24), start, &offset))
		offset = UINT64_MAX;
	if (check_stored(trailer, out, offset, err))
		return -1;
	out->place = trailer->data_at + offset;
	return 1;
}

static int add_chunk(struct dmg_table *table, const struct dmg_chunk *chunk,
		     struct err *err)
{
	if (table->chunks == CHUNKS_MAX)
		return err_set(err, ERR_LIMIT,
			       "more than %zu chunks are not read",
			       CHUNKS_MAX);
	if (table->chunks == table->chunk_room) {
		table->chunk_room = table->chunk_room ? table->chunk_room * 2
						      : 256;
		table->chunk = mem_resize(table->chunk, table->chunk_room,
					  sizeof *table->chunk);
	}
	table->chunk[table->chunks++] = *chunk;
	if (chunk->kind == DMG_PACKED) {
		table->longest =
			max_u64(table->longest, chunk->count * DMG_SECTOR);
		table->longest_stored =
			max_u64(table->longest_stored, chunk->stored);
	}
	return 0;
}

static void add_part(struct dmg_table *table, const struct dmg_part *part)
{
	if (table->parts == table->part_room) {
		table->part_room = table->part_room ? table->part_room * 2 : 16;
		table->part = mem_resize(table->part, table->part_room,
					 sizeof *table->part);
	}
	table->part[table->parts++] = *part;
}

static int parse_head(const struct dmg_trailer *trailer,
		      const unsigned char *bytes, size_t len,
		      struct dmg_part *out, struct err *err)
{
	uint32_t version, count;

	if (len < HEAD_LEN || memcmp(bytes, "mish", 4))
		return err_set(err, ERR_DAMAGED,
			       "a block table of %zu bytes is none", len);
	version = bytes_be32(bytes + 4);
	count = bytes_be32(bytes + 200);
	*out = (struct dmg_part){
		.sector = bytes_be64(bytes + 8),
		.count = bytes_be64(bytes + 16),
		.sum = { bytes_be32(bytes + 64), bytes_be32(bytes + 72) },
	};
	if (version != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "a block table of version %" PRIu32
			       " is not read (1 is)", version);
	if (count > (len - HEAD_LEN) / CHUNK_LEN)
		return err_set(err, ERR_DAMAGED,
			       "a block table of %zu bytes has no room for %"
			       PRIu32 " chunks", len, count);
	if (!checked_inside(out->sector, out->count, trailer->sectors))
		return err_set(err, ERR_DAMAGED,
			       "block table of sector %" PRIu64 " (%" PRIu64
			       " sectors) lies past the end of the disk (%"
			       PRIu64 ")", out->sector, out->count,
			       trailer->sectors);
	return 0;
}

int dmg_table_add(struct dmg_table *table, const struct dmg_trailer *trailer,
		  const unsigned char *bytes, size_t len, struct err *err)
{
	struct dmg_part part;
	struct dmg_chunk chunk;

	if (parse_head(trailer, bytes, len, &part, err))
		return -1;
	add_part(table, &part);
	for (uint32_t i = 0; i < bytes_be32(bytes + 200); i++) {
		int kind = parse_chunk(trailer, &part, bytes_be64(bytes + 24),
				       bytes + HEAD_LEN + i * CHUNK_LEN, &chunk,
				       err);

		if (kind < 0 || (kind && add_chunk(table, &chunk, err)))
			return -1;
	}
	return 0;
}

static int by_sector(const void *a, const void *b)
{
	const struct dmg_chunk *left = a, *right = b;

	return (left->sector > right->sector) - (left->sector < right->sector);
}

int dmg_table_finish(struct dmg_table *table, struct err *err)
{
	if (table->chunks)
		qsort(table->chunk, table->chunks, sizeof *table->chunk,
		      by_sector);
	for (size_t i = 1; i < table->chunks; i++) {
		const struct dmg_chunk *last = &table->chunk[i - 1];

		if (last->sector + last->count > table->chunk[i].sector)
			return err_set(err, ERR_DAMAGED,
				       "chunk of sector %" PRIu64 " overlaps "
				       "the one of sector %" PRIu64 " (%"
				       PRIu64 " sectors)",
				       table->chunk[i].sector, last->sector,
				       last->count);
	}
	return 0;
}

const struct dmg_chunk *dmg_table_find(const struct dmg_table *table,
				       uint64_t sector)
{
	size_t low = 0, high = table->chunks;

	/* Ends: what is between them is halved. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dmg_chunk *chunk = &table->chunk[middle];

		if (chunk->sector + chunk->count <= sector)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->chunks ? &table->chunk[low] : NULL;
}

void dmg_table_clear(struct dmg_table *table)
{
	free(table->chunk);
	free(table->part);
	memset(table, 0, sizeof *table);
}
