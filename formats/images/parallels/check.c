/* SPDX-License-Identifier: MIT */
/* Owns the consistency check: every cluster that the BAT refers to, and what
 * the format extension uses. Changes nothing. */
#include <inttypes.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/parallels/parallels.h"

static int claim(struct source *source, struct block_map *map,
		 const struct parallels_header *header, struct usage *usage,
		 struct check_report *report, struct err *err)
{
	uint64_t end = PARALLELS_HEADER_LEN + (uint64_t)header->entries * 4;
	uint64_t used;

	/* Up to the data there may be a gap, for alignment; a file without
	 * clusters may end with the BAT. */
	end = max_u64(end, min_u64(header->data, source->size));
	if (usage_claim(usage, report, "header", 0, PARALLELS_HEADER_LEN,
			err) ||
	    usage_claim(usage, report, "BAT", PARALLELS_HEADER_LEN,
			end - PARALLELS_HEADER_LEN, err))
		return -1;
	return block_map_check(map, usage, report, 0, &used, err);
}

int parallels_check_bat(struct source *source,
			const struct parallels_header *header, bool extension,
			struct check_report *report, struct err *err)
{
	struct parallels_header strict = *header;
	struct block_map *map;
	struct usage *usage;
	int status;

	strict.strict = true;
	map = parallels_map(source, &strict, 0, err);
	if (!map)
		return -1;
	usage = usage_open(source->size);
	status = claim(source, map, &strict, usage, report, err);
	if (!status && extension)
		status = parallels_extension_check(source, &strict, usage,
						   report, err);
	if (!status)
		usage_report(usage, report, header->cluster_size);
	usage_close(usage);
	block_map_close(map);
	return status;
}

int parallels_check(struct source *source, const struct open_options *options,
		    struct check_report *report, struct err *err)
{
	struct parallels_header header;

	if (parallels_header_read(source, &header, err))
		return -1;
	/* Closed images of Parallels' own have other words there than the
	 * specification allows. */
	if (header.in_use == PARALLELS_IN_USE)
		log_note(options->log,
			 "parallels: the image was not closed properly");
	return parallels_check_bat(source, &header, true, report, err);
}
