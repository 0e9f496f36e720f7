/* SPDX-License-Identifier: MIT */
/* Owns the consistency check: both copies of headers and region tables, every
 * entry of the BAT, and who uses which bytes of the file. Changes nothing. */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"
#include "formats/usage.h"

struct check {
	struct vhdx_image image;
	struct vhdx_bat bat;
	struct usage *usage;
	struct check_report *report;
	struct log *log;
};

static void check_copies(struct check *check, const char *what,
			 char damage[2][160])
{
	for (unsigned i = 0; i < 2; i++)
		if (*damage[i])
			check_corruption(check->report, "%s %u %s", what, i + 1,
					 damage[i]);
}

static int claim(struct check *check, const char *what, uint64_t offset,
		 uint64_t length, struct err *err)
{
	return usage_claim(check->usage, check->report, what, offset, length,
			   err);
}

static int claim_structures(struct check *check, struct err *err)
{
	const struct vhdx_regions *regions = &check->image.regions;

	if (claim(check, "header section", 0, VHDX_SECTION_LEN, err) ||
	    claim(check, "log", check->image.header.log_offset,
		  check->image.header.log_length, err))
		return -1;
	for (size_t i = 0; i < regions->count; i++)
		if (claim(check, "region", regions->list[i].offset,
			  regions->list[i].length, err))
			return -1;
	return 0;
}

/* A block whose bytes are not of the disk may keep its place in the file. */
static int check_block(struct check *check, uint64_t block, uint64_t entry,
		       struct err *err)
{
	uint64_t size = check->image.metadata.block_size;
	uint64_t file = check->image.view->size;
	struct vhdx_run run;
	struct err found;

	if (vhdx_bat_judge(&check->bat, block, entry, &run, &found)) {
		check_corruption(check->report, "%s", found.message);
		return 0;
	}
	if (run.kind == VHDX_BELOW)
		return 0;
	run.place = entry & VHDX_OFFSET_MASK;
	if (run.kind == VHDX_DATA || run.kind == VHDX_MIXED)
		/* The disk's end may end the file, too. */
		return claim(check, "block", run.place,
			     min_u64(size, file - run.place), err);
	if (run.place && checked_inside(run.place, size, file))
		return claim(check, "kept block", run.place, size, err);
	return 0;
}

static int check_bitmap(struct check *check, uint64_t chunk, bool needed,
			struct err *err)
{
	uint64_t entry, place;
	struct err found;

	if (vhdx_bat_entry(&check->bat,
			   vhdx_bat_bitmap_index(&check->bat, chunk), &entry,
			   err))
		return -1;
	if (!needed && (entry & VHDX_STATE_MASK) == VHDX_BITMAP_NOT_PRESENT)
		return 0;
	if (!check->image.metadata.has_parent) {
		/* Nobody looks at it; a known writer leaves such behind. */
		log_note(check->log,
			 "vhdx: sector bitmap %llu has entry 0x%llx, though "
			 "the disk has no parent",
			 ULL(chunk), ULL(entry));
		return 0;
	}
	if (vhdx_bat_bitmap(&check->bat, chunk, &place, &found)) {
		check_corruption(check->report, "%s", found.message);
		return 0;
	}
	return claim(check, "sector bitmap", place, VHDX_BITMAP_LEN, err);
}

static int check_bat(struct check *check, struct err *err)
{
	struct vhdx_bat *bat = &check->bat;
	bool partial = false;
	uint64_t entry;

	for (uint64_t block = 0; block < bat->blocks; block++) {
		uint64_t chunk = block / bat->ratio;
		bool last = block + 1 == bat->blocks;

		if (vhdx_bat_entry(bat, vhdx_bat_index(bat, block), &entry,
				   err) ||
		    check_block(check, block, entry, err))
			return -1;
		partial |= (entry & VHDX_STATE_MASK) == VHDX_BLOCK_PARTIAL;
		if (!last && (block + 1) % bat->ratio)
			continue;
		/* Without a parent the last chunk may have no such entry. */
		if (vhdx_bat_bitmap_index(bat, chunk) < bat->entries &&
		    check_bitmap(check, chunk, partial, err))
			return -1;
		partial = false;
	}
	return 0;
}

int vhdx_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err)
{
	AUTO_FREE struct check *check = mem_zalloc(sizeof *check);
	int status;

	check->report = report;
	check->log = options->log;
	if (vhdx_image_open(&check->image, source, options->log, err))
		return -1;
	check_copies(check, "header", check->image.header.damage);
	check_copies(check, "region table", check->image.regions.damage);
	check->usage = usage_open(check->image.view->size);
	status =
		vhdx_bat_open(&check->bat, &check->image, options->memory, err);
	if (!status)
		status = claim_structures(check, err);
	if (!status)
		status = check_bat(check, err);
	if (!status)
		/* Less than a block is no lost block: writers leave such gaps
		 * behind their tables. */
		usage_report(check->usage, report,
			     check->image.metadata.block_size);
	usage_close(check->usage);
	vhdx_bat_close(&check->bat);
	vhdx_image_clear(&check->image);
	return status;
}
