/* SPDX-License-Identifier: MIT */
/* Owns qcow2's row of the registry. The faces are in files of their own. */
#include "formats/images/qcow2/write.h"

extern const struct driver driver_qcow2;

static const char *const qcow2_aliases[] = { "qcow3", NULL };
static const char *const qcow2_suffixes[] = { ".qcow2", NULL };
static const char *const qcow2_compressions[] = { "zlib", "zstd", NULL };

static uint64_t qcow2_round_size(const struct create_options *options,
				 uint64_t size)
{
	(void)options;
	return driver_round_up(size, 512);
}

static enum append_need qcow2_append(const struct create_options *options)
{
	(void)options; /* L1 and refcounts stand in front of what they count */
	return APPEND_SURVEY;
}

const struct driver driver_qcow2 = {
	.name = "qcow2",
	.title = "QEMU copy-on-write, versions 2 and 3",
	.aliases = qcow2_aliases,
	.suffixes = qcow2_suffixes,
	.round_size = qcow2_round_size,
	.open = qcow2_open,
	.peek = qcow2_peek,
	.glance = qcow2_glance,
	.walk = qcow2_walk,
	.walk_usual = WALK_SCATTERED,
	.create = qcow2_create,
	.options = qcow2_options,
	.check_options = qcow2_check_options,
	.append = qcow2_append,
	.survey_granule = qcow2_survey_granule,
	.compressions = qcow2_compressions,
	.measure = qcow2_measure,
	.check = qcow2_check,
};
