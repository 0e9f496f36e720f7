/* SPDX-License-Identifier: MIT */
/* Owns the writer that stores nothing: it marks a survey, or lets a pass be
 * made for its digest alone. */
#include <stdlib.h>

#include "base/mem.h"
#include "formats/survey.h"
#include "formats/writer.h"

struct survey_writer {
	struct writer writer;
	struct survey *survey;
};

static int survey_place(struct writer *writer, struct unit *unit,
			struct err *err)
{
	struct survey *survey = ((struct survey_writer *)writer)->survey;

	(void)err;
	for (size_t i = 0; survey && i < unit->granule_count; i++)
		if (unit->granules[i].kind == EXTENT_DATA)
			survey_mark(survey,
				    unit->offset / writer->granule + i);
	return 0;
}

static int survey_zero(struct writer *writer, uint64_t offset, uint64_t length,
		       enum extent_kind kind, struct err *err)
{
	(void)writer;
	(void)offset;
	(void)length;
	(void)kind;
	(void)err;
	return 0;
}

static int survey_finish(struct writer *writer, uint64_t size,
			 struct err *err)
{
	(void)writer;
	(void)size;
	(void)err;
	return 0;
}

static void survey_close(struct writer *writer)
{
	free(writer);
}

static const struct writer_ops survey_ops = { .place = survey_place,
					      .zero = survey_zero,
					      .finish = survey_finish,
					      .close = survey_close };

struct writer *survey_writer(struct survey *survey)
{
	struct survey_writer *self = mem_zalloc(sizeof *self);

	writer_init(&self->writer, &survey_ops, "survey", NULL);
	if (survey) {
		self->writer.granule = survey->granule;
		if (self->writer.unit_len < survey->granule)
			self->writer.unit_len = survey->granule;
	}
	self->survey = survey;
	return &self->writer;
}
