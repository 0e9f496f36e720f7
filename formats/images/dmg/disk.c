/* SPDX-License-Identifier: MIT */
/* Owns the disk face of DMG and its row of the registry. Does not parse, nor
 * verify checksums: those are of whole partitions, and reads are at random. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"
#include "formats/packed.h"

extern const struct driver driver_dmg;

struct dmg_disk {
	struct disk disk;
	struct dmg_koly koly;
	struct dmg_map map;
	struct source *source;
	struct packed *packed;
};

/* A range of the disk in one chunk, or in none. */
struct piece {
	const struct dmg_chunk *chunk; /* NULL: nowhere stored */
	uint64_t skip;		       /* bytes into it */
	uint64_t length;
};

static enum block_codec_id codec_of(uint32_t type)
{
	switch (type) {
	case DMG_ADC:
		return BLOCK_ADC;
	case DMG_BZIP2:
		return BLOCK_BZIP2;
	case DMG_XZ:
		return BLOCK_XZ;
	default:
		return BLOCK_ZLIB;
	}
}

/* `index` is that of the first chunk that ends behind `offset`. */
static struct piece piece_at(const struct dmg_map *map, size_t index,
			     uint64_t offset, uint64_t limit)
{
	struct piece piece = { .length = limit };
	const struct dmg_chunk *chunk;
	uint64_t from;

	/* Without any chunk there is no list to point into. */
	if (index == map->chunk_count)
		return piece;
	chunk = &map->chunk[index];
	from = chunk->first * DMG_SECTOR;
	if (from > offset) {
		piece.length = min_u64(limit, from - offset);
		return piece;
	}
	piece.chunk = chunk;
	piece.skip = offset - from;
	piece.length = min_u64(limit, chunk->sectors * DMG_SECTOR - piece.skip);
	return piece;
}

static int read_piece(struct dmg_disk *image, const struct piece *piece,
		      void *buf, struct err *err)
{
	const struct dmg_chunk *chunk = piece->chunk;
	size_t len = (size_t)piece->length;

	if (chunk && chunk->type == DMG_RAW)
		return source_read_all(image->source, buf, len,
				       chunk->place + piece->skip, "chunk",
				       err);
	if (chunk && dmg_is_packed(chunk->type)) {
		const struct packed_chunk packed = {
			.codec = codec_of(chunk->type),
			.place = chunk->place,
			.stored = (size_t)chunk->stored,
			.length = (size_t)(chunk->sectors * DMG_SECTOR),
		};

		return packed_read(image->packed, &packed, (size_t)piece->skip,
				   buf, len, err);
	}
	memset(buf, 0, len);
	return 0;
}

static int dmg_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct dmg_disk *image = (struct dmg_disk *)disk;
	size_t index = dmg_map_find(&image->map, offset / DMG_SECTOR);
	unsigned char *at = buf;

	/* Each turn moves on by a piece, which is not empty. */
	while (len) {
		struct piece piece = piece_at(&image->map, index, offset, len);

		if (read_piece(image, &piece, at, err))
			return -1;
		at += piece.length;
		offset += piece.length;
		len -= (size_t)piece.length;
		if (piece.chunk)
			index++;
	}
	return 0;
}

static void describe(struct dmg_disk *image, const struct piece *piece,
		     struct extent *out)
{
	const struct dmg_chunk *chunk = piece->chunk;

	out->length = piece->length;
	out->kind = EXTENT_HOLE;
	if (!chunk || chunk->type == DMG_IGNORE)
		return;
	out->kind = EXTENT_ZERO;
	if (chunk->type == DMG_ZERO)
		return;
	out->kind = EXTENT_DATA;
	if (chunk->type == DMG_RAW) {
		out->source = image->source;
		out->place = chunk->place + piece->skip;
		out->stored = piece->length;
	}
	/* Other codecs have no name among encodings, and a part of a chunk
	 * has no place of its own: data without a place. */
	if (chunk->type == DMG_ZLIB &&
	    piece->length == chunk->sectors * DMG_SECTOR) {
		out->encoding = ENCODING_ZLIB;
		out->source = image->source;
		out->place = chunk->place;
		out->stored = chunk->stored;
	}
}

static bool joins(const struct extent *a, const struct extent *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != EXTENT_DATA)
		return true;
	return a->source && b->source && a->encoding == ENCODING_PLAIN &&
	       b->encoding == ENCODING_PLAIN &&
	       b->place == a->place + a->stored;
}

/* Pieces joined in one call: bounds the time of a short question. */
#define PIECES_MAX 1024

static int dmg_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct dmg_disk *image = (struct dmg_disk *)disk;
	uint64_t end = offset + min_u64(limit, disk->size - offset), at;
	size_t index = dmg_map_find(&image->map, offset / DMG_SECTOR);
	struct piece piece = piece_at(&image->map, index, offset, end - offset);
	struct extent next = { 0 };

	(void)err;
	*out = (struct extent){ .offset = offset };
	describe(image, &piece, out);
	for (unsigned i = 0; i < PIECES_MAX; i++) {
		at = offset + out->length;
		if (at >= end)
			break;
		if (piece.chunk)
			index++;
		piece = piece_at(&image->map, index, at, end - at);
		next = (struct extent){ .offset = at };
		describe(image, &piece, &next);
		if (!joins(out, &next))
			break;
		out->length += next.length;
		out->stored += next.stored;
	}
	return 0;
}

static const struct {
	uint32_t type;
	const char *name;
} codecs[] = {
	{ DMG_ADC, "adc" },
	{ DMG_ZLIB, "zlib" },
	{ DMG_BZIP2, "bzip2" },
	{ DMG_XZ, "xz" },
};
#define CODECS (sizeof codecs / sizeof *codecs)

static void dmg_info(struct disk *disk, struct facts *facts)
{
	const struct dmg_map *map = dmg_map_of(disk);
	bool any = false;

	for (size_t c = 0; c < CODECS; c++)
		for (size_t i = 0; i < map->chunk_count; i++)
			if (map->chunk[i].type == codecs[c].type) {
				facts_item(facts, "compression", "%s",
					   codecs[c].name);
				any = true;
				break;
			}
	if (!any)
		facts_item(facts, "compression", "none");
	facts_number(facts, "chunks", map->chunk_count);
	for (size_t i = 0; i < map->part_count; i++)
		facts_item(facts, "partition", "%s",
			   *map->part[i].name ? map->part[i].name : "unnamed");
}

static void dmg_close(struct disk *disk)
{
	struct dmg_disk *image = (struct dmg_disk *)disk;

	packed_close(image->packed);
	dmg_map_clear(&image->map);
	free(image);
}

/* Chunks that are raw or ADC have no checksum of their own: all that is
 * stored has one. */
static int dmg_finish(struct disk *disk, struct err *err)
{
	struct dmg_disk *image = (struct dmg_disk *)disk;
	const struct dmg_crc *said = &image->koly.data_crc;
	uint32_t crc;

	if (said->there &&
	    dmg_fork_crc(image->source, &image->koly, &crc, err))
		return -1;
	if (said->there && crc != said->value)
		return err_set(err, ERR_DAMAGED,
			       "checksum %08" PRIx32 " of the data fork is not "
			       "%08" PRIx32 ", which the image says",
			       crc, said->value);
	return source_finish(image->source, err);
}

static const struct disk_ops dmg_ops = {
	.read = dmg_read,
	.extent = dmg_extent,
	.info = dmg_info,
	.close = dmg_close,
	.finish = dmg_finish,
};

/* Is everything that its chunks need built in? */
static int check_codecs(const struct dmg_map *map, struct err *err)
{
	for (size_t i = 0; i < map->chunk_count; i++) {
		uint32_t type = map->chunk[i].type;

		if (dmg_is_packed(type) && !block_codec_library(codec_of(type)))
			return err_set(err, ERR_UNSUPPORTED,
				       "built without %s, in which chunks are "
				       "compressed",
				       block_codec_name(codec_of(type)));
	}
	return 0;
}

struct disk *dmg_open(struct source *source, const struct open_options *options,
		      struct err *err)
{
	struct dmg_disk *image = mem_zalloc(sizeof *image);
	AUTO_DISK struct disk *disk = &image->disk;

	disk_init(disk, &dmg_ops, "dmg");
	image->source = source;
	if (driver_no_snapshots(options, err) ||
	    dmg_koly_read(source, &image->koly, err) ||
	    dmg_map_read(source, &image->koly, &image->map, err) ||
	    (!options->metadata_only && check_codecs(&image->map, err)))
		return NULL;
	image->packed = packed_open(source, "chunk", image->map.stored_max,
				    image->map.length_max);
	disk->size = image->koly.sectors * DMG_SECTOR;
	disk->sector_size = DMG_SECTOR;
	disk->granule = (uint32_t)max_u64(image->map.length_max, 4096);
	return STEAL(disk);
}

const struct dmg_map *dmg_map_of(const struct disk *disk)
{
	return &((const struct dmg_disk *)disk)->map;
}

const struct dmg_koly *dmg_koly_of(const struct disk *disk)
{
	return &((const struct dmg_disk *)disk)->koly;
}

static const char *const dmg_suffixes[] = { ".dmg", NULL };

const struct driver driver_dmg = {
	.name = "dmg",
	.title = "Apple disk image (UDIF)",
	.suffixes = dmg_suffixes,
	.open = dmg_open,
	.check = dmg_check,
};
