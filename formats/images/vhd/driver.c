/* SPDX-License-Identifier: MIT */
/* Owns VHD's row of the registry. The faces are in files of their own. */
#include "formats/images/vhd/write.h"

extern const struct driver driver_vhd;

static const char *const vhd_aliases[] = { "vpc", NULL };
static const char *const vhd_suffixes[] = { ".vhd", ".vpc", NULL };

static struct writer *vhd_create(struct sink *sink,
				 const struct create_options *options,
				 struct err *err)
{
	struct vhd_config config;

	if (vhd_config_parse(options, &config, err) ||
	    (options->size_known && vhd_check_size(options->size, err)))
		return NULL;
	return config.type == VHD_FIXED
		       ? vhd_fixed_create(sink, &config, options, err)
		       : vhd_dynamic_create(sink, &config, options, err);
}

const struct driver driver_vhd = {
	.name = "vhd",
	.title = "Virtual PC and Hyper-V disk, version 1",
	.aliases = vhd_aliases,
	.suffixes = vhd_suffixes,
	.sector_sizes = SECTORS_512,
	.has_uuid = true,
	.round_size = vhd_round_size,
	.open = vhd_open,
	.peek = vhd_peek,
	.glance = vhd_glance,
	.walk = vhd_walk,
	.walk_order = vhd_walk_order,
	.create = vhd_create,
	.options = vhd_options,
	.check_options = vhd_check_options,
	.append = vhd_append,
	.survey_granule = vhd_survey_granule,
	.measure = vhd_measure,
	.check = vhd_check,
};
