/* SPDX-License-Identifier: MIT */
/* Owns the consistency check of DMG: every checksum it carries, and chunks
 * that share bytes. Changes nothing. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/crc32.h"
#include "formats/images/dmg/dmg.h"
#include "formats/usage.h"

#define STEP ((size_t)(1 * MIB))

struct state {
	struct disk *disk;
	struct source *source;
	struct check_report *report;
	unsigned char *buf; /* STEP bytes */
};

static int crc_chunk(struct state *state, const struct dmg_chunk *chunk,
		     uint32_t *crc, struct err *err)
{
	uint64_t left = chunk->sectors * DMG_SECTOR;
	uint64_t at = chunk->first * DMG_SECTOR;

	if (chunk->type == DMG_IGNORE)
		return 0;
	if (chunk->type == DMG_ZERO) {
		*crc = crc32_zeros(*crc, left);
		return 0;
	}
	/* What is stored is bounded by the file, and so is this. */
	while (left) {
		size_t part = (size_t)min_u64(left, STEP);

		if (disk_read(state->disk, state->buf, part, at, err))
			return -1;
		*crc = codec_crc32(*crc, state->buf, part);
		at += part;
		left -= part;
	}
	return 0;
}

static void compare(struct state *state, const char *what, const char *name,
		    struct dmg_crc wanted, uint32_t found)
{
	if (wanted.there && wanted.value != found)
		check_corruption(state->report,
				 "%s%s%s: checksum is %08" PRIx32
				 ", the image says %08" PRIx32,
				 what, *name ? " " : "", name, found,
				 wanted.value);
}

/* The chunks of a table: what cannot be decoded is one finding. */
static void check_part(struct state *state, const struct dmg_part *part)
{
	const struct dmg_map *map = dmg_map_of(state->disk);
	uint64_t end = part->first + part->sectors;
	bool failed = false;
	uint32_t crc = 0;
	struct err found;

	for (size_t i = dmg_map_find(map, part->first);
	     i < map->chunk_count && map->chunk[i].first < end; i++) {
		if (!crc_chunk(state, &map->chunk[i], &crc, &found))
			continue;
		check_corruption(state->report, "%s", found.message);
		failed = true;
	}
	if (!failed)
		compare(state, "partition", part->name, part->crc, crc);
}

static void check_master(struct state *state)
{
	const struct dmg_map *map = dmg_map_of(state->disk);
	unsigned char word[4];
	uint32_t crc = 0;

	for (size_t i = 0; i < map->part_count; i++) {
		if (!map->part[i].crc.there)
			return;
		bytes_put_be32(word, map->part[i].crc.value);
		crc = codec_crc32(crc, word, sizeof word);
	}
	compare(state, "master", "", dmg_koly_of(state->disk)->master_crc, crc);
}

int dmg_fork_crc(struct source *source, const struct dmg_koly *koly,
		 uint32_t *crc, struct err *err)
{
	AUTO_FREE unsigned char *buf = mem_buffer(STEP);
	uint64_t at = koly->data_at, left = koly->data_len;

	*crc = 0;
	/* Bounded by the file, in which the fork lies. */
	while (left) {
		size_t part = (size_t)min_u64(left, STEP);

		if (source_read_all(source, buf, part, at, "data fork", err))
			return -1;
		*crc = codec_crc32(*crc, buf, part);
		at += part;
		left -= part;
	}
	return 0;
}

static int check_fork(struct state *state, struct err *err)
{
	const struct dmg_koly *koly = dmg_koly_of(state->disk);
	uint32_t crc;

	if (!koly->data_crc.there)
		return 0;
	if (dmg_fork_crc(state->source, koly, &crc, err))
		return -1;
	compare(state, "data fork", "", koly->data_crc, crc);
	return 0;
}

static int check_places(struct state *state, struct usage *usage,
			struct err *err)
{
	const struct dmg_map *map = dmg_map_of(state->disk);
	const struct dmg_koly *koly = dmg_koly_of(state->disk);
	struct check_report *report = state->report;

	if (usage_claim(usage, report, "trailer",
			state->source->size - DMG_TRAILER_LEN, DMG_TRAILER_LEN,
			err) ||
	    usage_claim(usage, report, "property list", koly->plist_at,
			koly->plist_len, err) ||
	    usage_claim(usage, report, "resource fork", koly->rsrc_at,
			koly->rsrc_len, err))
		return -1;
	for (size_t i = 0; i < map->chunk_count; i++)
		if (map->chunk[i].stored &&
		    usage_claim(usage, report, "chunk", map->chunk[i].place,
				map->chunk[i].stored, err))
			return -1;
	/* What else lies in a data fork is no loss worth a finding. */
	usage_report(usage, report, 0);
	return 0;
}

int dmg_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	struct open_options reading = *options;
	AUTO_DISK struct disk *disk = NULL;
	AUTO_FREE unsigned char *buf = mem_buffer(STEP);
	struct state state = { .source = source, .report = report };
	struct usage *usage;
	int status;

	reading.metadata_only = false; /* its codecs are needed */
	disk = dmg_open(source, &reading, err);
	if (!disk)
		return -1;
	state.disk = disk;
	state.buf = buf;
	usage = usage_open(source->size);
	status = check_places(&state, usage, err);
	usage_close(usage);
	if (status || check_fork(&state, err))
		return -1;
	for (size_t i = 0; i < dmg_map_of(disk)->part_count; i++)
		check_part(&state, &dmg_map_of(disk)->part[i]);
	check_master(&state);
	return 0;
}
