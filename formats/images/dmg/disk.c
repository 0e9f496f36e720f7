/* SPDX-License-Identifier: MIT */
/* Owns the disk face of dmg, and its row of the registry. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/dmg/dmg.h"

extern const struct driver driver_dmg;

/* What lies at a guest offset: a chunk, from `skip` bytes into it on, or the
 * gap before the next one. */
struct run {
	const struct dmg_chunk *chunk; /* NULL: a gap */
	uint64_t length, skip;
};

static struct run find_run(const struct dmg_disk *dmg, uint64_t offset,
			   uint64_t limit)
{
	const struct dmg_chunk *chunk =
		dmg_table_find(&dmg->table, offset / DMG_SECTOR);
	uint64_t start = chunk ? chunk->sector * DMG_SECTOR : dmg->disk.size;
	uint64_t skip = offset - start;

	if (start > offset)
		return (struct run){ NULL, min_u64(start - offset, limit), 0 };
	return (struct run){
		chunk, min_u64(chunk->count * DMG_SECTOR - skip, limit), skip
	};
}

static int read_run(struct dmg_disk *dmg, const struct run *run, void *buf,
		    struct err *err)
{
	const struct dmg_chunk *chunk = run->chunk;
	size_t len = (size_t)run->length;

	if (!chunk || chunk->kind == DMG_ZERO || chunk->kind == DMG_HOLE) {
		memset(buf, 0, len);
		return 0;
	}
	if (chunk->kind == DMG_RAW)
		return source_read_all(dmg->source, buf, len,
				       chunk->place + run->skip, "chunk", err);

	const struct packed_chunk packed = {
		.codec = chunk->codec,
		.place = chunk->place,
		.stored = (size_t)chunk->stored,
		.length = (size_t)(chunk->count * DMG_SECTOR),
	};

	return packed_read(dmg->packed, &packed, (size_t)run->skip, buf, len,
			   err);
}

static int dmg_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct dmg_disk *dmg = (struct dmg_disk *)disk;
	unsigned char *out = buf;

	/* Ends: a run is at least a byte long. */
	while (len) {
		struct run run = find_run(dmg, offset, len);

		if (read_run(dmg, &run, out, err))
			return -1;
		out += run.length;
		offset += run.length;
		len -= (size_t)run.length;
	}
	return 0;
}

static void describe(struct dmg_disk *dmg, const struct run *run,
		     struct extent *out)
{
	static const enum extent_kind kinds[] = { [DMG_ZERO] = EXTENT_ZERO,
						  [DMG_HOLE] = EXTENT_HOLE,
						  [DMG_RAW] = EXTENT_DATA,
						  [DMG_PACKED] = EXTENT_DATA };
	const struct dmg_chunk *chunk = run->chunk;

	out->kind = chunk ? kinds[chunk->kind] : EXTENT_HOLE;
	out->length = run->length;
	if (out->kind != EXTENT_DATA)
		return;
	if (chunk->kind == DMG_RAW) {
		out->source = dmg->source;
		out->place = chunk->place + run->skip;
		out->stored = run->length;
	} else if (chunk->codec == BLOCK_ZLIB &&
		   run->length == chunk->count * DMG_SECTOR) {
		/* Whole ones, and what others can decode, have a place. */
		out->source = dmg->source;
		out->encoding = ENCODING_ZLIB;
		out->place = chunk->place;
		out->stored = chunk->stored;
	}
}

/* `next` goes on where `out` ends? */
static bool joins(const struct extent *out, const struct extent *next)
{
	if (out->kind != next->kind || out->encoding != ENCODING_PLAIN ||
	    next->encoding != ENCODING_PLAIN)
		return false;
	if (out->kind != EXTENT_DATA)
		return true;
	return out->source && next->source &&
	       out->place + out->length == next->place;
}

static int dmg_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct dmg_disk *dmg = (struct dmg_disk *)disk;
	struct run run = find_run(dmg, offset, limit);

	(void)err;
	describe(dmg, &run, out);
	/* Ends: each turn goes further, up to the limit. */
	while (out->length < limit) {
		struct extent next = { .length = 0 };

		run = find_run(dmg, offset + out->length, limit - out->length);
		describe(dmg, &run, &next);
		if (!joins(out, &next))
			break;
		out->length += next.length;
		out->stored += next.stored;
	}
	return 0;
}

static void dmg_info(struct disk *disk, struct facts *facts)
{
	const struct dmg_disk *dmg = (struct dmg_disk *)disk;
	bool used[BLOCK_COUNT] = { false }, any = false;

	facts_number(facts, "version", 4);
	facts_number(facts, "partitions", dmg->table.parts);
	facts_number(facts, "chunks", dmg->table.chunks);
	for (size_t i = 0; i < dmg->table.chunks; i++)
		if (dmg->table.chunk[i].kind == DMG_PACKED)
			used[dmg->table.chunk[i].codec] = any = true;
	for (unsigned id = 0; any && id < BLOCK_COUNT; id++)
		if (used[id])
			facts_text(facts, "compression", "%s",
				   block_codec_name((enum block_codec_id)id));
}

static int dmg_finish(struct disk *disk, struct err *err)
{
	return source_finish(((struct dmg_disk *)disk)->source, err);
}

static void dmg_close(struct disk *disk)
{
	struct dmg_disk *dmg = (struct dmg_disk *)disk;

	packed_close(dmg->packed);
	dmg_table_clear(&dmg->table);
	free(dmg);
}

static const struct disk_ops dmg_ops = {
	.read = dmg_read,
	.extent = dmg_extent,
	.info = dmg_info,
	.finish = dmg_finish,
	.close = dmg_close,
};

/* ---- opening ---- */

/* Encrypted images have a header instead of the trailer, or a trailer of
 * their own (FileVault's two versions). */
static int refuse_encrypted(struct source *source, struct err *err)
{
	char ends[16] = "";
	size_t got;

	if (source_read(source, ends, 8, 0, &got, err) ||
	    (source->size >= 8 && source_read(source, ends + 8, 8,
					      source->size - 8, &got, err)))
		return -1;
	if (memcmp(ends, "encrcdsa", 8) && memcmp(ends + 8, "cdsaencr", 8))
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "the image is encrypted, which is not supported; "
		       "convert it with hdiutil first");
}

static int read_tables(struct dmg_disk *dmg, struct err *err)
{
	const struct dmg_trailer *trailer = &dmg->trailer;
	bool plist = trailer->xml_len != 0;
	uint64_t at = plist ? trailer->xml_at : trailer->fork_at;
	uint64_t len = plist ? trailer->xml_len : trailer->fork_len;
	AUTO_FREE unsigned char *bytes = mem_capped(
		len, 1, LIMIT_TABLE_LEN, "the property list", err);

	if (!bytes || source_read_all(dmg->source, bytes, (size_t)len, at,
				      "the property list", err))
		return -1;
	return plist ? dmg_plist_parse((const char *)bytes, (size_t)len,
				       trailer, &dmg->table, err)
		     : dmg_resources_parse(bytes, (size_t)len, trailer,
					   &dmg->table, err);
}

struct disk *dmg_open(struct source *source, const struct open_options *options,
		      struct err *err)
{
	struct dmg_disk *dmg = mem_zalloc(sizeof *dmg);
	AUTO_DISK struct disk *disk = &dmg->disk;

	disk_init(disk, &dmg_ops, driver_dmg.name);
	dmg->source = source;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED, "has no snapshots");
		return NULL;
	}
	if (refuse_encrypted(source, err) ||
	    dmg_trailer_read(source, &dmg->trailer, err) ||
	    read_tables(dmg, err) || dmg_table_finish(&dmg->table, err))
		return NULL;
	disk->size = dmg->trailer.sectors * DMG_SECTOR;
	disk->granule = (uint32_t)max_u64(dmg->table.longest, 4096);
	dmg->packed = packed_open(source, "chunk",
				  (size_t)dmg->table.longest_stored,
				  (size_t)dmg->table.longest);
	return STEAL(disk);
}

static const char *const dmg_suffixes[] = { ".dmg", NULL };

const struct driver driver_dmg = {
	.name = "dmg",
	.title = "Apple disk image (UDIF)",
	.suffixes = dmg_suffixes,
	.open = dmg_open,
	.check = dmg_check,
};
