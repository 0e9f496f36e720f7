/* SPDX-License-Identifier: MIT */
/* Owns Parallels' row of the registry. The faces are in files of their own. */
#include "formats/images/parallels/parallels.h"

extern const struct driver driver_parallels;

/* Not .hdd: that is the folder which holds a .hds and its descriptor. */
static const char *const parallels_suffixes[] = { ".hds", NULL };

static uint64_t parallels_round_size(const struct create_options *options,
				     uint64_t size)
{
	(void)options;
	return driver_round_up(size, 512);
}

static enum append_need parallels_append(const struct create_options *options)
{
	(void)options; /* the BAT stands in front of the clusters */
	return APPEND_SURVEY;
}

const struct driver driver_parallels = {
	.name = "parallels",
	.title = "Parallels disk (.hds)",
	.suffixes = parallels_suffixes,
	.raw_suffix = true,
	.sector_sizes = SECTORS_512,
	.round_size = parallels_round_size,
	.open = parallels_open,
	.peek = parallels_peek,
	.create = parallels_create,
	.options = parallels_options,
	.check_options = parallels_check_options,
	.append = parallels_append,
	.survey_granule = parallels_survey_granule,
	.measure = parallels_measure,
	.check = parallels_check,
};
