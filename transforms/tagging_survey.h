/* SPDX-License-Identifier: MIT */
/* What the driver and the guest's first bytes tell of an image, for planning.
 * The inside of tagging; included by its own files alone. */
#ifndef TRANSFORMS_TAGGING_SURVEY_H
#define TRANSFORMS_TAGGING_SURVEY_H

#include "transforms/tagging.h"

struct survey_input {
	struct source *source; /* bytes inside all layers */
	struct source *below;  /* inside all but the innermost; NULL: none */
	const unsigned char *head; /* of source: what was read already */
	const size_t *head_len;
	const struct protocol_input *about;
	struct references *references; /* NULL: look, do not follow */
};

int tagging_survey(const struct survey_input *input, struct image *image,
		   struct err *err);

#endif
