/* SPDX-License-Identifier: MIT */
/* Owns the check of a DMG: every chunk is decoded and claimed, and every
 * checksum is computed again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/crc32.h"
#include "formats/images/dmg/dmg.h"
#include "formats/usage.h"

/* What a wrong sum is called, and what it should be. */
static void compare(struct check_report *report, const char *what,
		    const struct dmg_sum *sum, uint32_t found)
{
	if (sum->value != found)
		check_corruption(report,
				 "checksum %08" PRIx32 " of %s does not match "
				 "%08" PRIx32 ", which its bytes have",
				 sum->value, what, found);
}

/* -1: not damage, but an error. */
static int damage(struct check_report *report, const struct err *found,
		  struct err *err)
{
	if (found->kind != ERR_DAMAGED) {
		*err = *found;
		return -1;
	}
	check_corruption(report, "%s", found->message);
	return 0;
}

/* The sum of a table's decoded bytes: zeros that are stored as such count,
 * chunks to be ignored do not (as the sums of real images show). */
static int check_part(struct dmg_disk *dmg, const struct dmg_part *part,
		      struct check_report *report, struct err *err)
{
	AUTO_FREE unsigned char *buf = mem_buffer(UNIT_LEN);
	uint64_t at = part->sector * DMG_SECTOR;
	uint64_t end = at + part->count * DMG_SECTOR;
	uint32_t crc = 0;
	char name[64];

	/* Ends: each turn goes on by a byte at least. */
	while (at < end) {
		struct extent extent;
		struct err found;

		if (disk_extent(&dmg->disk, at, end - at, &extent, err))
			return -1;
		if (extent.kind != EXTENT_DATA) {
			if (extent.kind == EXTENT_ZERO)
				crc = crc32_zeros(crc, extent.length);
			at += extent.length;
			continue;
		}
		size_t len = (size_t)min_u64(extent.length, UNIT_LEN);
		if (disk_read(&dmg->disk, buf, len, at, &found))
			return damage(report, &found, err);
		crc = codec_crc32(crc, buf, len);
		at += len;
	}
	snprintf(name, sizeof name, "the table of sector %" PRIu64,
		 part->sector);
	if (part->sum.type == DMG_SUM_CRC32)
		compare(report, name, &part->sum, crc);
	return 0;
}

static int check_fork(struct dmg_disk *dmg, struct check_report *report,
		      struct err *err)
{
	const struct dmg_trailer *trailer = &dmg->trailer;
	AUTO_FREE unsigned char *buf = mem_buffer(UNIT_LEN);
	uint64_t left = trailer->data_len, at = trailer->data_at;
	uint32_t crc = 0;

	if (trailer->data_sum.type != DMG_SUM_CRC32)
		return 0;
	while (left) {
		size_t len = (size_t)min_u64(left, UNIT_LEN);

		if (source_read_all(dmg->source, buf, len, at, "data fork",
				    err))
			return -1;
		crc = codec_crc32(crc, buf, len);
		at += len;
		left -= len;
	}
	compare(report, "the data fork", &trailer->data_sum, crc);
	return 0;
}

/* The sum of the tables' sums, in the order of the list. */
static void check_master(const struct dmg_disk *dmg,
			 struct check_report *report)
{
	unsigned char bytes[4];
	uint32_t crc = 0;

	if (dmg->trailer.master_sum.type != DMG_SUM_CRC32)
		return;
	for (size_t i = 0; i < dmg->table.parts; i++) {
		if (dmg->table.part[i].sum.type != DMG_SUM_CRC32)
			return;
		bytes_put_be32(bytes, dmg->table.part[i].sum.value);
		crc = crc32_bytes(crc, bytes, sizeof bytes);
	}
	compare(report, "all tables", &dmg->trailer.master_sum, crc);
}

static int claim_all(const struct dmg_disk *dmg, struct usage *usage,
		     struct check_report *report, struct err *err)
{
	const struct dmg_trailer *trailer = &dmg->trailer;
	const struct dmg_table *table = &dmg->table;

	if (usage_claim(usage, report, "property list", trailer->xml_at,
			trailer->xml_len, err) ||
	    usage_claim(usage, report, "resource fork", trailer->fork_at,
			trailer->fork_len, err) ||
	    usage_claim(usage, report, "trailer",
			dmg->source->size - DMG_TRAILER_LEN, DMG_TRAILER_LEN,
			err))
		return -1;
	for (size_t i = 0; i < table->chunks; i++)
		if (usage_claim(usage, report, "chunk", table->chunk[i].place,
				table->chunk[i].stored, err))
			return -1;
	return 0;
}

static int check_all(struct dmg_disk *dmg, struct usage *usage,
		     struct check_report *report, struct err *err)
{
	if (claim_all(dmg, usage, report, err))
		return -1;
	/* Signatures and partition maps lie between: no leaks are told. */
	usage_report(usage, report, 0);
	for (size_t i = 0; i < dmg->table.parts; i++)
		if (check_part(dmg, &dmg->table.part[i], report, err))
			return -1;
	check_master(dmg, report);
	return check_fork(dmg, report, err);
}

int dmg_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	AUTO_DISK struct disk *disk = dmg_open(source, options, err);
	struct usage *usage;
	int result;

	if (!disk && err->kind == ERR_DAMAGED) {
		check_corruption(report, "%s", err->message);
		return 0;
	}
	if (!disk)
		return -1;
	usage = usage_open(source->size);
	result = check_all((struct dmg_disk *)disk, usage, report, err);
	usage_close(usage);
	return result;
}
