/* SPDX-License-Identifier: MIT */
/* Which granules of a disk hold data, found before the first byte is
 * written: for writers that must know (qcow2 to a pipe). One bit a granule. */
#ifndef FORMATS_SURVEY_H
#define FORMATS_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct survey {
	uint64_t size; /* of the disk, bytes */
	uint32_t granule;
	uint64_t count; /* granules with data */
	unsigned char *bits;
};

/* ERR_LIMIT when the bits would take more than LIMIT_TABLE_LEN. */
int survey_init(struct survey *survey, uint64_t size, uint32_t granule,
		struct err *err);
void survey_mark(struct survey *survey, uint64_t index);
bool survey_has(const struct survey *survey, uint64_t index);
void survey_clear(struct survey *survey);

struct writer;

/* A writer that stores nothing and marks what holds data in `survey`
 * (borrowed; NULL: marks nothing). Its granule is the survey's. */
struct writer *survey_writer(struct survey *survey);

#endif
