/* SPDX-License-Identifier: MIT */
/* Owns the row of Android sparse images in the registry. The faces are in
 * files of their own. */
#include "formats/images/simg/simg.h"

extern const struct driver driver_simg;

static const char *const simg_aliases[] = { "sparse", "android-sparse", NULL };
static const char *const simg_suffixes[] = { ".simg", NULL };

static enum append_need simg_append(const struct create_options *options)
{
	(void)options; /* how many chunks there are stands in front of them */
	return APPEND_SURVEY;
}

const struct driver driver_simg = {
	.name = "simg",
	.title = "Android sparse image",
	.aliases = simg_aliases,
	.suffixes = simg_suffixes,
	.round_size = simg_round_size,
	.open = simg_open,
	.peek = simg_peek,
	.walk = simg_walk,
	.walk_usual = WALK_ORDERED,
	.create = simg_create,
	.options = simg_options,
	.check_options = simg_check_options,
	.append = simg_append,
	.survey_granule = simg_survey_granule,
	.measure = simg_measure,
	.check = simg_check,
};
