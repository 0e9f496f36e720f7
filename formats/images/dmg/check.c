/* SPDX-License-Identifier: MIT */
/* Owns the consistency check of DMG: every checksum it carries, and chunks
 * that share bytes. Changes nothing. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/block.h"
#include "formats/images/dmg/dmg.h"
#include "formats/usage.h"

#define STEP ((size_t)(1 * MIB))

struct state {
	struct disk *disk;
	struct source *source;
	struct check_report *report;
	unsigned char *buf; /* STEP bytes */
};

static uint32_t crc_more(uint32_t crc, const void *bytes, size_t len)
{
	return block_zlib.crc(crc, bytes, len);
}

/* The linear map `columns` applied to `bits`. */
static uint32_t apply(const uint32_t *columns, uint32_t bits)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 32; i++)
		if (bits >> i & 1)
			sum ^= columns[i];
	return sum;
}

/* A zero-filled chunk may have any size: `count` zero bytes are the map of
 * one of them to that power. */
static uint32_t crc_zeros(uint32_t crc, uint64_t count)
{
	uint32_t power[32], square[32];

	for (unsigned i = 0; i < 32; i++) {
		power[i] = (uint32_t)1 << i;
		for (unsigned bit = 0; bit < 8; bit++)
			power[i] = power[i] >> 1 ^
				   (power[i] & 1 ? 0xedb88320u : 0);
	}
	crc = ~crc;
	/* 64 turns at most. */
	for (; count; count >>= 1) {
		if (count & 1)
			crc = apply(power, crc);
		for (unsigned i = 0; i < 32; i++)
			square[i] = apply(power, power[i]);
		for (unsigned i = 0; i < 32; i++)
			power[i] = square[i];
	}
	return ~crc;
}

static int crc_chunk(struct state *state, const struct dmg_chunk *chunk,
		     uint32_t *crc, struct err *err)
{
	uint64_t left = chunk->sectors * DMG_SECTOR;
	uint64_t at = chunk->first * DMG_SECTOR;

	if (chunk->type == DMG_IGNORE)
		return 0;
	if (chunk->type == DMG_ZERO) {
		*crc = crc_zeros(*crc, left);
		return 0;
	}
	/* What is stored is bounded by the file, and so is this. */
	while (left) {
		size_t part = (size_t)min_u64(left, STEP);

		if (disk_read(state->disk, state->buf, part, at, err))
			return -1;
		*crc = crc_more(*crc, state->buf, part);
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
		crc = crc_more(crc, word, sizeof word);
	}
	compare(state, "master", "", dmg_koly_of(state->disk)->master_crc, crc);
}

static int check_fork(struct state *state, struct err *err)
{
	const struct dmg_koly *koly = dmg_koly_of(state->disk);
	uint64_t at = koly->data_at, left = koly->data_len;
	uint32_t crc = 0;

	if (!koly->data_crc.there)
		return 0;
	/* Bounded by the file, in which the fork lies. */
	while (left) {
		size_t part = (size_t)min_u64(left, STEP);

		if (source_read_all(state->source, state->buf, part, at,
				    "data fork", err))
			return -1;
		crc = crc_more(crc, state->buf, part);
		at += part;
		left -= part;
	}
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
