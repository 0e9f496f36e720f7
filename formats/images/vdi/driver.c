/* SPDX-License-Identifier: MIT */
/* Owns VDI's row of the registry. The faces are in files of their own. */
#include "formats/images/vdi/vdi.h"

extern const struct driver driver_vdi;

static const char *const vdi_suffixes[] = { ".vdi", NULL };

static uint64_t vdi_round_size(const struct create_options *options,
			       uint64_t size)
{
	(void)options;
	return driver_round_up(size, 512);
}

static enum append_need vdi_append(const struct create_options *options)
{
	(void)options; /* the block map stands in front of the blocks */
	return APPEND_SURVEY;
}

const struct driver driver_vdi = {
	.name = "vdi",
	.title = "VirtualBox disk",
	.suffixes = vdi_suffixes,
	.sector_sizes = SECTORS_512,
	.has_uuid = true,
	.round_size = vdi_round_size,
	.open = vdi_open,
	.peek = vdi_peek,
	.create = vdi_create,
	.options = vdi_options,
	.check_options = vdi_check_options,
	.append = vdi_append,
	.survey_granule = vdi_survey_granule,
	.measure = vdi_measure,
	.check = vdi_check,
};
