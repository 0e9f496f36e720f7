/* SPDX-License-Identifier: MIT */
/* Owns the survey's bits. Does not know how they were found. */
#include "formats/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

int survey_init(struct survey *survey, uint64_t size, uint32_t granule,
		struct err *err)
{
	memset(survey, 0, sizeof *survey);
	survey->size = size;
	survey->granule = granule;
	survey->bits = mem_capped(div_up(div_up(size, granule), 8), 1,
				  LIMIT_TABLE_LEN, "the survey", err);
	return survey->bits ? 0 : -1;
}

void survey_mark(struct survey *survey, uint64_t index)
{
	unsigned char bit = (unsigned char)(1u << (index % 8));

	if (survey->bits[index / 8] & bit)
		return;
	survey->bits[index / 8] |= bit;
	survey->count++;
}

bool survey_has(const struct survey *survey, uint64_t index)
{
	if (index >= div_up(survey->size, survey->granule))
		return false;
	return survey->bits[index / 8] >> (index % 8) & 1;
}

void survey_clear(struct survey *survey)
{
	free(survey->bits);
	memset(survey, 0, sizeof *survey);
}
