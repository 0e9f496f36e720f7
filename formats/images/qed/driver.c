/* SPDX-License-Identifier: MIT */
/* Owns QED's row of the registry. The faces are in files of their own. */
#include "formats/images/qed/qed.h"

extern const struct driver driver_qed;

static const char *const qed_suffixes[] = { ".qed", NULL };

static uint64_t qed_round_size(const struct create_options *options,
			       uint64_t size)
{
	(void)options;
	return driver_round_up(size, 512);
}

const struct driver driver_qed = {
	.name = "qed",
	.title = "QEMU enhanced disk",
	.suffixes = qed_suffixes,
	.round_size = qed_round_size,
	.open = qed_open,
	.peek = qed_peek,
	.glance = qed_glance,
	.create = qed_create,
	.options = qed_options,
	.check_options = qed_check_options,
	.append = qed_append,
	.survey_granule = qed_survey_granule,
	.measure = qed_measure,
	.check = qed_check,
};
