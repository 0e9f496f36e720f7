/* SPDX-License-Identifier: MIT */
/* Owns VHDX's row of the registry. The faces are in files of their own. */
#include "formats/images/vhdx/write.h"

extern const struct driver driver_vhdx;

static const char *const vhdx_suffixes[] = { ".vhdx", ".avhdx", NULL };

const struct driver driver_vhdx = {
	.name = "vhdx",
	.title = "Hyper-V virtual hard disk, version 2",
	.suffixes = vhdx_suffixes,
	.sector_sizes = SECTORS_512 | SECTORS_4096,
	.has_uuid = true,
	.round_size = vhdx_round_size,
	.open = vhdx_open,
	.create = vhdx_create,
	.options = vhdx_options,
	.check_options = vhdx_check_options,
	.append = vhdx_append,
	.survey_granule = vhdx_survey_granule,
	.measure = vhdx_measure,
	.check = vhdx_check,
};
